"""The engine's side of a release: a store on disk, its default graph, and answers written to a stream.

The default graph is the RDF merge of the graphs under an open licence, materialised: the engine's union would
give a triple once for each graph that holds it, and counts would be wrong (ARCHITECTURE, "Default graph").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Final, TypeAlias

import pyoxigraph as ox

from kg.durable import translate_disk_errors
from kg.errors import (
    KgError,
    LicenceUnknown,
    NotAcceptable,
    QueryError,
    QuerySyntaxError,
    StoreDamaged,
)
from kg.rdfio import write_sorted_nquads
from kg.scratch import make_scratch
from kg.terms import PROVENANCE_GRAPH

__all__ = [
    "GRAPH_MEDIA_TYPES",
    "RESULT_MEDIA_TYPES",
    "QueryResult",
    "create_store",
    "drop_notes",
    "evaluate_query",
    "find_open_graphs",
    "is_damage",
    "iter_merged_lines",
    "load_store",
    "open_read_only",
    "run_query",
    "translate_error",
    "write_result",
]

QueryResult: TypeAlias = ox.QuerySolutions | ox.QueryBoolean | ox.QueryTriples

RESULT_MEDIA_TYPES: Final = (
    "application/sparql-results+json",
    "application/sparql-results+xml",
    "text/csv",
    "text/tab-separated-values",
)
GRAPH_MEDIA_TYPES: Final = ("text/turtle", "application/n-triples", "application/ld+json", "application/rdf+xml")
# The engine holds up to a million quads of one call in memory; a quarter of that is as fast and takes a third.
_PIECE_LINES: Final = 250_000
# What the engine says first where a block has another checksum than was written with it, and where the disk refuses.
_DAMAGE: Final = ("Corruption:", "IO error:")
_LICENCE: Final = b"<http://purl.org/dc/terms/license>"


def create_store(path: Path, quads: Iterable[ox.Quad], *, open_licences: Collection[str]) -> None:
    """Make a store on disk from quads of named graphs, the merged default graph included.

    Args:
        path: a directory that does not exist yet.
        quads: in any order; doubles do no harm.
        open_licences: IRIs of the licences whose graphs enter the default graph.

    Raises:
        LicenceUnknown: a graph has no ``dcterms:license`` in the provenance graph.
        RdfError: a quad holds a blank node or belongs to no named graph.
        DiskError: the directory cannot be written.
    """
    with make_scratch("store") as scratch:
        nquads_path, merged_path = scratch / "named.nq", scratch / "default.nt"
        with nquads_path.open("wb") as output:
            write_sorted_nquads(quads, output)
        open_graphs = find_open_graphs(nquads_path, open_licences=open_licences)
        with nquads_path.open("rb") as lines, merged_path.open("wb") as output:
            output.writelines(iter_merged_lines(lines, open_graphs=open_graphs))
        load_store(path, nquads_path=nquads_path, merged_path=merged_path)


def load_store(path: Path, *, nquads_path: Path, merged_path: Path) -> None:
    """Make a store on disk from the N-Quads of the named graphs and the N-Triples of the default graph.

    Raises:
        DiskError: the directory cannot be written.
    """
    with translate_disk_errors("the store"):
        store = ox.Store(str(path))
        for lines_path, rdf_format in ((nquads_path, ox.RdfFormat.N_QUADS), (merged_path, ox.RdfFormat.N_TRIPLES)):
            with lines_path.open("rb") as lines:
                while piece := b"".join(islice(lines, _PIECE_LINES)):
                    store.bulk_load(piece, format=rdf_format)
        store.flush()
        store.optimize()
        # Closed, it writes no more.
        del store
        drop_notes(path)


def drop_notes(path: Path) -> None:
    """Remove what the engine noted down for people: a third of what a small write takes, with the name of the host."""
    (path / "LOG").unlink(missing_ok=True)


def find_open_graphs(nquads_path: Path, *, open_licences: Collection[str]) -> frozenset[str]:
    """The IRIs of the graphs that may enter the default graph: all their licences are open ones.

    Raises:
        LicenceUnknown: a graph has no ``dcterms:license`` in the provenance graph; the message lists them all.
    """
    provenance = PROVENANCE_GRAPH.encode()
    graphs: set[bytes] = set()
    licences: dict[bytes, set[str]] = {}
    with nquads_path.open("rb") as lines:
        for line in lines:
            graph = line[line.rindex(b" <") + 2 : -4]
            graphs.add(graph)
            if graph == provenance:
                subject, predicate, value = line.split(b" ", 2)
                if predicate == _LICENCE:
                    licences.setdefault(subject[1:-1], set()).add(value[1 : value.index(b">")].decode())
    unknown = sorted(each.decode() for each in graphs - licences.keys())
    if unknown:
        raise LicenceUnknown(f"no dcterms:license in {PROVENANCE_GRAPH} for: {', '.join(unknown)}")
    allowed = frozenset(open_licences)
    return frozenset(graph.decode() for graph in graphs if licences[graph] <= allowed)


def iter_merged_lines(lines: Iterable[bytes], *, open_graphs: Collection[str]) -> Iterator[bytes]:
    r"""The RDF merge of the open graphs as sorted N-Triples lines, each triple once, from sorted N-Quads lines.

    Taking the graph off keeps the order, since a blank follows the object on both sides, so doubles are neighbours.

    >>> list(iter_merged_lines([b"<a:s> <a:p> <a:o> <a:g> .\n", b"<a:s> <a:p> <a:o> <a:h> .\n"], open_graphs={"a:g"}))
    [b'<a:s> <a:p> <a:o> .\n']
    """
    wanted = {graph.encode() for graph in open_graphs}
    previous = b""
    for line in lines:
        end = line.rindex(b" <")
        if line[end + 2 : -4] in wanted:
            triple = line[:end]
            if triple != previous:
                yield triple + b" .\n"
                previous = triple


def open_read_only(path: Path) -> ox.Store:
    """The store of a release, for reading only.

    Raises:
        StoreDamaged: there is no usable store.
    """
    try:
        return ox.Store.read_only(str(path))
    except (OSError, RuntimeError) as error:
        raise StoreDamaged(f"{path}: the store cannot be opened: {error}") from error


def is_damage(error: BaseException, *, is_writing: bool = False) -> bool:
    """Whether an error of the engine says that it cannot read its files: a checksum is wrong, or the disk refuses.

    Where it writes, too, what the disk refuses may be that.

    Not every query that meets such a block ends so: in EXISTS, aggregates and templates of CONSTRUCT the engine
    goes on without it. So stores are examined before they are asked (kg.checksums).
    """
    said = _DAMAGE[:1] if is_writing else _DAMAGE
    return isinstance(error, (OSError, RuntimeError)) and str(error).startswith(said)


def translate_error(error: Exception) -> KgError:
    """What the failure of a query is to us: of the store where that cannot be read, else of the query."""
    return StoreDamaged(f"the store cannot be read: {error}") if is_damage(error) else QueryError(str(error))


def evaluate_query(
    store: ox.Store, text: str, *, substitutions: Mapping[str, ox.NamedNode | ox.Literal] | None = None
) -> QueryResult:
    """The result of a query: solutions, a truth value or triples, produced while they are read.

    Args:
        store: where to ask.
        text: SPARQL 1.1 Query.
        substitutions: values of variables, by name without the question mark.

    Raises:
        QuerySyntaxError: the text is no SPARQL query.
        QueryError: a variable to bind is not projected, or the engine does not know how.
        StoreDamaged: the store cannot be read.
    """
    bound: dict[ox.Variable, ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple] = {
        ox.Variable(name): value for name, value in (substitutions or {}).items()
    }
    try:
        return store.query(text, substitutions=bound)
    except SyntaxError as error:
        raise QuerySyntaxError(error.msg or str(error)) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise translate_error(error) from error


def write_result(result: QueryResult, output: IO[bytes], *, media_type: str) -> None:
    """Write a result in a media type that fits its form; nothing is held in memory.

    Raises:
        NotAcceptable: the media type cannot hold such a result.
        QueryError: evaluation failed while the result was written.
        StoreDamaged: the store cannot be read.
    """
    try:
        if isinstance(result, ox.QueryTriples):
            rdf_format = ox.RdfFormat.from_media_type(media_type)
            if rdf_format is None:
                raise NotAcceptable(f"{media_type} cannot hold triples; use one of {', '.join(GRAPH_MEDIA_TYPES)}")
            result.serialize(output, format=rdf_format)
        else:
            table_format = ox.QueryResultsFormat.from_media_type(media_type)
            if table_format is None:
                raise NotAcceptable(f"{media_type} cannot hold a table; use one of {', '.join(RESULT_MEDIA_TYPES)}")
            result.serialize(output, format=table_format)
    except BrokenPipeError:
        raise
    except (OSError, RuntimeError) as error:
        if is_damage(error):
            raise translate_error(error) from error
        raise QueryError(f"the query failed while its result was written: {error}") from error


def run_query(
    store: ox.Store,
    text: str,
    *,
    output: IO[bytes],
    media_type: str,
    substitutions: Mapping[str, ox.NamedNode | ox.Literal] | None = None,
) -> None:
    """Evaluate a query and write its result.

    Raises:
        QuerySyntaxError: the text is no SPARQL query.
        NotAcceptable: the media type cannot hold such a result.
        QueryError: evaluation failed.
    """
    write_result(evaluate_query(store, text, substitutions=substitutions), output, media_type=media_type)
