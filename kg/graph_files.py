"""Named graphs that come as files beside the tables: the mirrors of outside endpoints (kg.mirror)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from kg.errors import LicenceUnknown, RdfSyntaxError, SourceError
from kg.terms import PROVENANCE_GRAPH, mint_graph

__all__ = ["MIRRORS", "iter_mirrored"]

MIRRORS: Final = "mirrors"
_LICENCE: Final = "http://purl.org/dc/terms/license"


def iter_mirrored(data_dir: Path) -> Iterator[ox.Quad]:
    """The quads of all mirrors: each fills the graph of its name, and says of it whence it comes.

    Raises:
        RdfSyntaxError: a file is no N-Quads.
        LicenceUnknown: a file does not say under which licence its graph is; the build would give it ours.
        SourceError: a file writes into a graph that is none of its own.
    """
    for path in sorted((data_dir / MIRRORS).glob("*.nq")):
        graph_iri = mint_graph(f"mirror-{path.stem}")
        own = (graph_iri, PROVENANCE_GRAPH, mint_graph("sources"))
        is_licensed = False
        try:
            quads = list(ox.parse(path=str(path), format=ox.RdfFormat.N_QUADS))
        except SyntaxError as error:
            raise RdfSyntaxError(f"{path}, line {error.lineno or '?'}: {error.msg}") from error
        for quad in quads:
            graph = quad.graph_name
            if not isinstance(graph, ox.NamedNode) or graph.value not in own:
                raise SourceError(f"{path}: {graph} is no graph of this mirror; make it anew: kg mirror {path.stem}")
            is_licensed |= (str(quad.subject), quad.predicate.value) == (f"<{graph_iri}>", _LICENCE)
        if not is_licensed:
            raise LicenceUnknown(f"{path}: no licence is stated for {graph_iri}; make it anew: kg mirror {path.stem}")
        yield from quads
