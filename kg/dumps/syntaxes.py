"""The RDF syntaxes of a dataset, each written from its sorted lines in one pass; memory does not grow with the size.

N-Quads and TriG hold the named graphs; N-Triples, Turtle, JSON-LD and RDF/XML their merge, each triple once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import pyoxigraph as ox

from kg.rdfio import sort_lines

__all__ = ["SYNTAXES", "Syntax", "write_syntax"]


@dataclass(frozen=True, kw_only=True)
class Syntax:
    """One syntax; ``has_graphs`` when it keeps the graphs apart."""

    suffix: str
    media_type: str
    format: ox.RdfFormat
    has_graphs: bool = False


NQUADS: Final = Syntax(suffix="nq", media_type="application/n-quads", format=ox.RdfFormat.N_QUADS, has_graphs=True)
NTRIPLES: Final = Syntax(suffix="nt", media_type="application/n-triples", format=ox.RdfFormat.N_TRIPLES)
SYNTAXES: Final = (
    NQUADS,
    Syntax(suffix="trig", media_type="application/trig", format=ox.RdfFormat.TRIG, has_graphs=True),
    NTRIPLES,
    Syntax(suffix="ttl", media_type="text/turtle", format=ox.RdfFormat.TURTLE),
    Syntax(suffix="jsonld", media_type="application/ld+json", format=ox.RdfFormat.JSON_LD),
    Syntax(suffix="rdf", media_type="application/rdf+xml", format=ox.RdfFormat.RDF_XML),
)


def write_syntax(syntax: Syntax, path: Path, *, lines_path: Path, prefixes: Mapping[str, str]) -> None:
    """Write the statements of sorted lines in another syntax.

    Args:
        syntax: with graphs from N-Quads lines, without from N-Triples lines.
        path: the file to make; files beside it may serve as scratch.
        lines_path: the sorted lines.
        prefixes: for the syntaxes that have them.
    """
    source_path, source_format = lines_path, NQUADS.format if syntax.has_graphs else NTRIPLES.format
    by_graph_path = path.with_name(f"{path.name}.by-graph")
    if syntax.has_graphs:
        # One block a graph: sorted by subject, as the lines come, a block would end with almost every line.
        with lines_path.open("rb") as lines, by_graph_path.open("wb") as output:
            output.writelines(_iter_by_graph(lines))
        source_path = by_graph_path
    with path.open("wb") as output:
        statements = ox.parse(path=str(source_path), format=source_format)
        ox.serialize(statements, output, format=syntax.format, prefixes=dict(prefixes))
    by_graph_path.unlink(missing_ok=True)


def _iter_by_graph(lines: IO[bytes]) -> Iterator[bytes]:
    """N-Quads lines sorted by graph, then as they were."""
    for turned in sort_lines(_turn(line) for line in lines):
        graph, _, triple = turned.partition(b"> ")
        yield triple.removesuffix(b"\n") + b" " + graph + b"> .\n"


def _turn(line: bytes) -> bytes:
    """The line with its graph in front and without the dot."""
    end = line.rindex(b" <")
    return line[end + 1 : -3] + b" " + line[:end] + b"\n"
