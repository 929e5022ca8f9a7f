"""Written graphs: what is added over HTTP, each a named graph of its own that a rebuild carries over.

The provenance graph says of each under which licence it is (that of ``KG_WRITTEN_LICENCE`` when it was first written),
and who wrote it: a contributor for each token that changed it, by the token's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from kg.changes import iter_dump_lines, parse_graph
from kg.report import Result
from kg.terms import PROVENANCE_GRAPH, WRITTEN

__all__ = ["describe_conflicts", "describe_written", "iter_written"]

_PROVENANCE: Final = ox.NamedNode(PROVENANCE_GRAPH)
_LICENCE: Final = ox.NamedNode("http://purl.org/dc/terms/license")
_CONTRIBUTOR: Final = ox.NamedNode("http://purl.org/dc/terms/contributor")
_NAME: Final = ox.NamedNode("http://xmlns.com/foaf/0.1/name")
_WRITTEN_LINE: Final = re.compile(
    rb"^<%b[^>]*> .* <%b> \.$" % (re.escape(WRITTEN.encode()), re.escape(PROVENANCE_GRAPH.encode()))
)


def describe_written(
    store: ox.Store, graphs: Iterable[str], *, writer: str, licence: str
) -> tuple[set[ox.Quad], set[ox.Quad]]:
    """What the provenance graph says of graphs that were changed, and what it should say now.

    Args:
        store: with the change made.
        graphs: the IRIs of the graphs that it changed.
        writer: the name of the token that it was made with.
        licence: of graphs that have none yet.
    """
    present: set[ox.Quad] = set()
    wanted: set[ox.Quad] = set()
    for iri in graphs:
        graph = ox.NamedNode(iri)
        said = set(_iter_said(store, graph))
        present |= said
        if not any(True for _ in store.quads_for_pattern(None, None, None, graph)):
            continue
        wanted |= said
        if not any(quad.predicate == _LICENCE for quad in said):
            wanted.add(ox.Quad(graph, _LICENCE, ox.NamedNode(licence), _PROVENANCE))
        contributor = ox.NamedNode(f"{iri}#{writer}")
        wanted.add(ox.Quad(graph, _CONTRIBUTOR, contributor, _PROVENANCE))
        wanted.add(ox.Quad(contributor, _NAME, ox.Literal(writer), _PROVENANCE))
    return present, wanted


def iter_written(content_path: Path) -> Iterator[ox.Quad]:
    """The quads of the written graphs of a release, and what its provenance graph says of them.

    Raises:
        ReleaseDamaged: the content of the release cannot be read.
    """
    lines = (
        line
        for line in iter_dump_lines(content_path)
        if parse_graph(line).startswith(WRITTEN) or _WRITTEN_LINE.match(line)
    )
    return iter(ox.parse(b"".join(lines), format=ox.RdfFormat.N_QUADS))


def describe_conflicts(store: ox.Store, violations: Iterable[Result]) -> str:
    """Which written graphs speak of what violates the shapes, as lines for people; empty where none does."""
    found: dict[str, set[str]] = {}
    for violation in violations:
        focus = ox.NamedNode(violation.focus)
        for quads in (store.quads_for_pattern(focus, None, None), store.quads_for_pattern(None, None, focus)):
            for graph in (quad.graph_name for quad in quads):
                if isinstance(graph, ox.NamedNode) and graph.value.startswith(WRITTEN):
                    found.setdefault(graph.value, set()).add(f"<{violation.focus}> ({violation.shape_name})")
    if not found:
        return ""
    lines = ["", "Written graphs that speak of it, and have to change before this can be published, or the tables do:"]
    for graph_iri, conflicts in sorted(found.items()):
        said = _iter_said(store, ox.NamedNode(graph_iri))
        names = {quad.object.value for quad in said if quad.predicate == _NAME and isinstance(quad.object, ox.Literal)}
        lines.append(f"  <{graph_iri}>, written by {', '.join(sorted(names))}:")
        lines += [f"    {conflict}" for conflict in sorted(conflicts)]
    return "\n".join(lines) + "\n"


def _iter_said(store: ox.Store, graph: ox.NamedNode) -> Iterator[ox.Quad]:
    for quad in store.quads_for_pattern(graph, None, None, _PROVENANCE):
        yield quad
        if quad.predicate == _CONTRIBUTOR and isinstance(quad.object, ox.NamedNode):
            yield from store.quads_for_pattern(quad.object, None, None, _PROVENANCE)
