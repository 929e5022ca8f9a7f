"""The second opinion: pyshacl, written in Python by others on another library; slow, and imported only when asked for.

No inference and no advanced features: SHACL Core and SPARQL constraints, as in the engine of the gate.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyoxigraph as ox
from pyshacl import validate as run_pyshacl
from rdflib import RDF, SH, BNode, Graph, Literal, URIRef
from rdflib.term import Node

from kg.errors import EngineFailed, RdfError
from kg.validation.findings import Finding, Term

__all__ = ["NAME", "find", "parse_data"]

NAME: Final = "pyshacl"


def find(data: Path | bytes, shapes: str) -> tuple[Finding, ...]:
    """All results of validating a graph; arguments as for the engine of the gate.

    Raises:
        RdfError: the data holds statements about statements.
        EngineFailed: the engine gave up.
    """
    with _quiet("rdflib.term"):
        data_graph = _make_graph(parse_data(data))
        shapes_graph = _make_graph(ox.parse(shapes, format=ox.RdfFormat.N_TRIPLES))
        try:
            _, report_graph, text = run_pyshacl(data_graph, shacl_graph=shapes_graph, advanced=False, inplace=True)
        except Exception as error:
            raise EngineFailed(f"the SHACL engine {NAME} failed: {error or type(error).__name__}") from error
    if not isinstance(report_graph, Graph):
        raise EngineFailed(f"the SHACL engine {NAME} failed: {text}")
    return tuple(_iter_findings(report_graph))


def parse_data(data: Path | bytes) -> Iterable[ox.Quad]:
    """The statements of what the engines are given."""
    if isinstance(data, Path):
        return ox.parse(path=data, format=ox.RdfFormat.N_QUADS)
    return ox.parse(data, format=ox.RdfFormat.N_QUADS)


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Without the warnings of one logger: a literal that fits no datatype is a finding of ours, in better words."""
    logger = logging.getLogger(name)
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def _make_graph(quads: Iterable[ox.Quad]) -> Graph:
    graph = Graph()
    known: dict[Term, Node] = {}

    def convert(term: Term) -> Node:
        found = known.get(term)
        if found is None:
            found = known[term] = _convert(term)
        return found

    for quad in quads:
        graph.add((convert(quad.subject), convert(quad.predicate), convert(quad.object)))
    return graph


def _convert(term: Term) -> Node:
    match term:
        case ox.NamedNode():
            return URIRef(term.value)
        case ox.BlankNode():
            return BNode(term.value)
        case ox.Literal() if term.language:
            return Literal(term.value, lang=term.language)
        case ox.Literal():
            # Not normalised: the form of the sourced literal is what we check.
            return Literal(term.value, datatype=URIRef(term.datatype.value), normalize=False)
    raise RdfError(f"{term}: statements about statements cannot be validated")


def _iter_findings(report_graph: Graph) -> Iterator[Finding]:
    for report in report_graph.subjects(RDF.type, SH.ValidationReport):
        for node in report_graph.objects(report, SH.result):
            # A result inside another (sh:detail, for sh:node) is no result of the report; the gate's engine has none.
            parts = dict(report_graph.predicate_objects(node))
            yield Finding(
                focus=_name(parts[SH.focusNode]),
                path=_name(parts[SH.resultPath]) if SH.resultPath in parts else None,
                component=str(parts[SH.sourceConstraintComponent]),
                value=_convert_back(parts[SH.value]) if SH.value in parts else None,
                severity=str(parts[SH.resultSeverity]).removeprefix(str(SH)),
                shape=_name(parts[SH.sourceShape]),
                text=str(parts.get(SH.resultMessage, "")),
            )


def _name(node: Node) -> str:
    if isinstance(node, BNode):
        return f"_:{node}"
    return str(node)


def _convert_back(term: Node) -> Term:
    match term:
        case Literal() if term.language:
            return ox.Literal(str(term), language=term.language)
        case Literal():
            return ox.Literal(str(term), datatype=ox.NamedNode(str(term.datatype)) if term.datatype else None)
        case BNode():
            return ox.BlankNode(str(term))
    return ox.NamedNode(str(term))
