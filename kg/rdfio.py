r"""RDF files in, RDF files out: documents without blank nodes, sorted canonical N-Quads, Turtle with our prefixes.

A line here is always one quad in canonical N-Quads (RDF 1.2 N-Quads, section 4) as UTF-8, ending in ``" .\n"``.
Lines sort as bytes, which is the order of their code points, so a sorted file is the same on every machine.
"""

from __future__ import annotations

import hashlib
import heapq
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO, Final

import pyoxigraph as ox

from kg.errors import RdfError, RdfSyntaxError
from kg.terms import BASE

__all__ = [
    "GENID",
    "content_digest",
    "iter_sorted_lines",
    "load_graph",
    "load_prefixes",
    "make_graph",
    "name_graph",
    "skolemise",
    "sort_lines",
    "write_sorted_nquads",
    "write_turtle",
]

GENID: Final = BASE + ".well-known/genid/"
_SH: Final = "http://www.w3.org/ns/shacl#"
_RUN_LENGTH: Final = 100_000


def load_graph(path: Path, *, graph_iri: str) -> list[ox.Quad]:
    """The statements of one RDF document as quads of a named graph, blank nodes skolemised.

    Args:
        path: the document; its suffix tells the syntax (.ttl .nt .rdf .jsonld ...).
        graph_iri: the graph that the statements go into.

    Raises:
        RdfSyntaxError: the document is malformed; the message holds path and line.
        RdfError: the suffix is unknown, or the file cannot be read.
    """
    rdf_format = ox.RdfFormat.from_extension(path.suffix.removeprefix("."))
    if rdf_format is None:
        raise RdfError(f"{path}: no RDF syntax is known for the suffix {path.suffix!r}; use .ttl, .nt, .rdf or .jsonld")
    graph = ox.NamedNode(graph_iri)
    try:
        parsed = ox.parse(path=str(path), format=rdf_format, without_named_graphs=True)
        quads = [ox.Quad(each.subject, each.predicate, each.object, graph) for each in parsed]
    except SyntaxError as error:
        raise RdfSyntaxError(f"{path}, line {error.lineno or '?'}: {error.msg}") from error
    except OSError as error:
        raise RdfError(f"{path}: {error}") from error
    return skolemise(quads)


def make_graph(name: str) -> ox.NamedNode | ox.DefaultGraph:
    """The graph of an IRI; for an empty name the default graph.

    >>> make_graph("")
    <DefaultGraph>
    """
    return ox.NamedNode(name) if name else ox.DefaultGraph()


def name_graph(graph: ox.NamedNode | ox.BlankNode | ox.DefaultGraph) -> str:
    """The inverse of :func:`make_graph`.

    >>> name_graph(make_graph("urn:x:g"))
    'urn:x:g'
    """
    return "" if isinstance(graph, ox.DefaultGraph) else graph.value


def load_prefixes(path: Path) -> dict[str, str]:
    """Prefix to namespace, sorted by prefix, from the ``sh:declare`` entries of one Turtle file.

    Raises:
        RdfSyntaxError: the file is malformed.
        RdfError: a prefix is declared twice with different namespaces.
    """
    prefixes: dict[str, str] = {}
    namespaces: dict[str, str] = {}
    graph = BASE + "graph/prefixes"
    for quad in load_graph(path, graph_iri=graph):
        if isinstance(quad.object, ox.Literal):
            if quad.predicate.value == _SH + "prefix":
                prefixes[str(quad.subject)] = quad.object.value
            elif quad.predicate.value == _SH + "namespace":
                namespaces[str(quad.subject)] = quad.object.value
    found: dict[str, str] = {}
    for declaration, prefix in prefixes.items():
        namespace = namespaces.get(declaration)
        if namespace is None:
            raise RdfError(f"{path}: prefix {prefix!r} has no sh:namespace")
        if found.setdefault(prefix, namespace) != namespace:
            raise RdfError(f"{path}: prefix {prefix!r} is declared with two namespaces")
    return dict(sorted(found.items()))


def skolemise(quads: Iterable[ox.Quad]) -> list[ox.Quad]:
    """The quads of one document with every blank node replaced by an IRI that depends on the content alone.

    The label comes from RDFC-1.0, the digest before it from the canonical statements that mention blank nodes. So
    neither the order of the document nor an edit to its other statements changes an IRI, and nodes of two
    documents get one IRI only if all their statements with blank nodes are the same.

    >>> node, name = ox.BlankNode("x"), ox.NamedNode("http://example.com/name")
    >>> quad = skolemise([ox.Quad(node, name, ox.Literal("Ada"))])[0]
    >>> quad.subject.value.removeprefix(GENID)
    '624a6175117cb469-c14n0'
    """
    ground: list[ox.Quad] = []
    dataset = ox.Dataset()
    for quad in quads:
        if isinstance(quad.subject, ox.BlankNode) or isinstance(quad.object, ox.BlankNode):
            dataset.add(quad)
        else:
            ground.append(quad)
    if len(dataset) == 0:  # not its truth value, which is always False in pyoxigraph 0.5.13
        return ground
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    canonical = sorted(dataset, key=str)
    digest = hashlib.sha256("\n".join(map(str, canonical)).encode()).hexdigest()[:16]

    def name(node: ox.BlankNode) -> ox.NamedNode:
        return ox.NamedNode(f"{GENID}{digest}-{node.value}")

    for quad in canonical:
        subject = name(quad.subject) if isinstance(quad.subject, ox.BlankNode) else quad.subject
        value = name(quad.object) if isinstance(quad.object, ox.BlankNode) else quad.object
        ground.append(ox.Quad(subject, quad.predicate, value, quad.graph_name))
    return ground


def iter_sorted_lines(
    quads: Iterable[ox.Quad], *, run_length: int = _RUN_LENGTH, is_plain: bool = False
) -> Iterator[bytes]:
    """Each distinct quad once, as a canonical line, in byte order.

    Memory is bounded: sorted runs of ``run_length`` lines go to temporary files and are merged.

    Args:
        quads: in any order.
        run_length: how many lines are in memory at once.
        is_plain: whether they are those of a plain dataset, which has blank nodes (labelled as in the store that they
            come from) and a default graph.

    Raises:
        RdfError: a quad holds a blank node or belongs to no named graph.
    """
    previous = b""
    lines = (f"{quad} .\n".encode() for quad in quads) if is_plain else map(_line, quads)
    for line in sort_lines(lines, run_length=run_length):
        if line != previous:
            yield line
            previous = line


def sort_lines(lines: Iterable[bytes], *, run_length: int = _RUN_LENGTH) -> Iterator[bytes]:
    r"""The lines in byte order; sorted runs of ``run_length`` lines go to temporary files, so memory is bounded.

    >>> list(sort_lines([b"c\n", b"a\n", b"b\n"], run_length=2))
    [b'a\n', b'b\n', b'c\n']
    """
    remaining = iter(lines)
    with ExitStack() as stack:
        runs: list[Iterable[bytes]] = []
        run = sorted(islice(remaining, run_length))
        while len(run) == run_length:
            file = stack.enter_context(tempfile.TemporaryFile(prefix="chap-run-"))
            file.writelines(run)
            file.seek(0)
            runs.append(file)
            run = sorted(islice(remaining, run_length))
        yield from heapq.merge(*runs, run) if runs else run


def write_sorted_nquads(quads: Iterable[ox.Quad], output: IO[bytes]) -> str:
    """The content digest of the quads, after writing them to ``output`` as sorted canonical N-Quads.

    Raises:
        RdfError: a quad holds a blank node or belongs to no named graph.
    """
    digest = hashlib.sha256()
    for line in iter_sorted_lines(quads):
        digest.update(line)
        output.write(line)
    return digest.hexdigest()


def content_digest(quads: Iterable[ox.Quad]) -> str:
    """The SHA-256, in hexadecimal, of the sorted canonical N-Quads lines of named graphs.

    Raises:
        RdfError: a quad holds a blank node or belongs to no named graph.

    >>> content_digest([])[:8]
    'e3b0c442'
    """
    digest = hashlib.sha256()
    for line in iter_sorted_lines(quads):
        digest.update(line)
    return digest.hexdigest()


def write_turtle(triples: Iterable[ox.Triple | ox.Quad], output: IO[bytes], *, prefixes: Mapping[str, str]) -> None:
    """Write triples as Turtle, streamed in the order given; neighbours with one subject share a block."""
    statements = (each if isinstance(each, ox.Triple) else each.triple for each in triples)
    ox.serialize(statements, output, format=ox.RdfFormat.TURTLE, prefixes=dict(prefixes))


def _line(quad: ox.Quad) -> bytes:
    text = str(quad)
    if text.startswith("_:") or isinstance(quad.object, ox.BlankNode):
        raise RdfError(f"a release has no blank nodes; skolemise first: {text}")
    if not isinstance(quad.graph_name, ox.NamedNode):
        raise RdfError(f"a release holds named graphs; the default graph is derived from them: {text}")
    return f"{text} .\n".encode()
