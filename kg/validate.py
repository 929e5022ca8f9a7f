"""Validate: does what we would publish fit the shapes? A report is a value; an exception means that we could not look.

The engine is pyshacl on SHACL Core: no inference, no advanced features. A graph in which no node is a target conforms,
and a misspelt term of SHACL is ignored without a word, so the shapes are checked before they check anything.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final, get_args

import pyoxigraph as ox
from pyshacl import validate as run_pyshacl
from rdflib import DCTERMS, OWL, RDF, RDFS, SH, BNode, Graph, Literal, URIRef
from rdflib.exceptions import ParserError
from rdflib.term import Node

from kg.errors import RdfError, RdfSyntaxError
from kg.rdfio import load_graph
from kg.report import Report, Result, Severity, Trace
from kg.tables import RecordRef
from kg.terms import CHAP, SCHEME, SHAPES, mint_graph

__all__ = ["Report", "Result", "Trace", "load_shapes", "validate"]

_TERM_TYPES: Final = (OWL.Class, RDFS.Class, OWL.ObjectProperty, OWL.DatatypeProperty, RDF.Property)
# Where shapes name a class or a property; a misspelt one would make the constraint say nothing.
_NAMING: Final = (
    SH.targetClass,
    SH["class"],
    SH.path,
    SH.targetSubjectsOf,
    SH.targetObjectsOf,
    SH.equals,
    SH.disjoint,
    SH.lessThan,
    SH.lessThanOrEquals,
)
_SEVERITIES: Final[dict[Node, Severity]] = {SH[name]: name for name in get_args(Severity)}
_SUB_CLASS: Final = ox.NamedNode(str(RDFS.subClassOf))


def validate(data: ox.Store, *, shapes_dir: Path, ontology_dir: Path, trace: Trace | None = None) -> Report:
    """The findings about all graphs of a store taken together.

    What the store does not say about classes and concepts that it uses is taken from the ontology, so that a
    file of instance data can be validated alone.

    Args:
        data: the store; the merge of its default graph and all named graphs is validated.
        shapes_dir: the folder with the shapes; folders below it are not read.
        ontology_dir: the folder with ontology and schemes.
        trace: node IRI to the rows that it came from.

    Raises:
        RdfError: the shapes are no good, so nothing can be said about the data.
    """
    shapes_graph = load_shapes(shapes_dir, ontology_dir)
    with _quiet("rdflib.term"):
        data_graph = _merge(data)
        for statement in _iter_context(data_graph, ontology_dir):
            data_graph.add(statement)
        _, report_graph, _ = run_pyshacl(data_graph, shacl_graph=shapes_graph, advanced=False, inplace=True)
    assert isinstance(report_graph, Graph)
    return Report.of(_iter_results(report_graph, trace or {}))


def load_shapes(shapes_dir: Path, ontology_dir: Path) -> Graph:
    """The shapes of a folder, after they passed the checks that a SHACL engine does not make.

    Every term of SHACL exists; every class, property and concept is declared in the ontology or listed by
    ``dcterms:requires`` in the shapes; every shape that is referred to is there; the shapes are well-formed (the
    shapes of SHACL itself, SHACL appendix C).

    Raises:
        RdfSyntaxError: a file is no Turtle.
        RdfError: there are no shapes, or a check failed; the message lists every problem.
    """
    paths = sorted(shapes_dir.glob("*.ttl"))
    vocabulary_paths = sorted([*ontology_dir.glob("*.ttl"), *ontology_dir.glob("imports/*.ttl")])
    stamps = tuple((path, path.stat().st_mtime_ns) for path in [*paths, *vocabulary_paths])
    return _load_checked(shapes_dir, ontology_dir, stamps)


@lru_cache(maxsize=4)
def _load_checked(shapes_dir: Path, ontology_dir: Path, stamps: tuple[tuple[Path, int], ...]) -> Graph:
    """Cached by the files' times: the checks cost seconds, and a server or a test validates again and again."""
    paths = [path for path, _ in stamps]
    shapes_graph = _parse(path for path in paths if path.parent == shapes_dir)
    if not any(shapes_graph.subjects(RDF.type, SH.NodeShape)):
        raise RdfError(f"{shapes_dir}: no shapes here, so nothing would be checked")
    declared = _declared_terms(_parse(path for path in paths if path.parent != shapes_dir))
    declared |= set(shapes_graph.objects(None, DCTERMS.requires))
    concepts = {URIRef(iri) for iri in _load_concepts(ontology_dir)}
    if problems := sorted({*_iter_misspelt(shapes_graph, declared, concepts)}) or list(_iter_malformed(shapes_graph)):
        raise RdfError(f"{shapes_dir}: {len(problems)} problem(s) in the shapes:\n  " + "\n  ".join(problems))
    return shapes_graph


def _parse(paths: Iterable[Path]) -> Graph:
    graph = Graph()
    for path in paths:
        try:
            graph.parse(path, format="turtle")
        except (SyntaxError, ParserError) as error:
            raise RdfSyntaxError(f"{path}: {error}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise RdfError(f"{path}: {error}") from error
    return graph


def _declared_terms(vocabulary_graph: Graph) -> set[Node]:
    return {term for term_type in _TERM_TYPES for term in vocabulary_graph.subjects(RDF.type, term_type)}


def _iter_misspelt(shapes_graph: Graph, declared: set[Node], concepts: set[URIRef]) -> Iterator[str]:
    for term in {term for triple in shapes_graph for term in triple if isinstance(term, URIRef)}:
        if term.startswith(str(SH)) and term not in SH:
            yield f"{term} is no term of SHACL"
        elif term.startswith(CHAP) and term not in declared:
            yield f"{term} is not declared in the ontology"
        elif term.startswith(SCHEME) and term not in concepts:
            yield f"{term} is in no scheme of the ontology"
        elif term.startswith(SHAPES) and term != URIRef(SHAPES) and (term, None, None) not in shapes_graph:
            yield f"{term} is referred to and does not exist"
    for naming in _NAMING:
        for named in shapes_graph.objects(None, naming):
            if isinstance(named, URIRef) and named not in declared:
                yield f"{named} is neither declared in the ontology nor required by the shapes"


def _iter_malformed(shapes_graph: Graph) -> Iterator[str]:
    """What the shapes of SHACL itself say about these."""
    from pyshacl.entrypoints import meta_validate  # noqa: PLC0415 - set up by pyshacl's first validation

    run_pyshacl(Graph(), shacl_graph=Graph())
    conforms, report_graph, _ = meta_validate(shapes_graph)
    if not conforms:
        assert isinstance(report_graph, Graph)
        for result in report_graph.subjects(RDF.type, SH.ValidationResult):
            node, path = report_graph.value(result, SH.focusNode), report_graph.value(result, SH.resultPath)
            yield f"{node} {path or ''}: {report_graph.value(result, SH.resultMessage)}"


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Without the warnings of one logger: a literal that fits no datatype is a finding of ours, in better words."""
    logger = logging.getLogger(name)
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def _merge(data: ox.Store) -> Graph:
    """The RDF merge of all graphs of a store, in the terms of rdflib."""
    graph = Graph()
    known: dict[object, Node] = {}

    def convert(term: object) -> Node:
        found = known.get(term)
        if found is None:
            found = known[term] = _convert(term)
        return found

    for quad in data:
        graph.add((convert(quad.subject), convert(quad.predicate), convert(quad.object)))
    return graph


def _convert(term: object) -> Node:
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


def _load_concepts(ontology_dir: Path) -> dict[str, list[ox.Quad]]:
    """The statements of all schemes, by subject."""
    statements: dict[str, list[ox.Quad]] = defaultdict(list)
    for path in sorted((ontology_dir / "schemes").glob("*.ttl")):
        for quad in load_graph(path, graph_iri=mint_graph(f"scheme-{path.stem}")):
            if isinstance(quad.subject, ox.NamedNode):
                statements[quad.subject.value].append(quad)
    return statements


def _iter_context(data_graph: Graph, ontology_dir: Path) -> Iterator[tuple[Node, Node, Node]]:
    """Which class is within which, and what the schemes say of concepts that the data uses and does not describe."""
    for path in sorted(ontology_dir.glob("*.ttl")):
        for quad in load_graph(path, graph_iri=mint_graph("ontology")):
            if quad.predicate == _SUB_CLASS:
                yield _convert(quad.subject), RDFS.subClassOf, _convert(quad.object)
    described = {str(subject) for subject in data_graph.subjects(unique=True)}
    used = {str(term) for term in data_graph.objects(unique=True) if isinstance(term, URIRef)}
    waiting = [iri for iri in used if iri.startswith(SCHEME) and iri not in described]
    if not waiting:
        return
    concepts = _load_concepts(ontology_dir)
    while waiting:
        iri = waiting.pop()
        if iri in described:
            continue
        described.add(iri)
        for quad in concepts.get(iri, ()):
            yield _convert(quad.subject), _convert(quad.predicate), _convert(quad.object)
            if isinstance(quad.object, ox.NamedNode) and quad.object.value.startswith(SCHEME):
                waiting.append(quad.object.value)


def _iter_results(report_graph: Graph, trace: Trace) -> Iterator[Result]:
    for report in report_graph.subjects(RDF.type, SH.ValidationReport):
        for node in report_graph.objects(report, SH.result):
            parts = {str(predicate): value for predicate, value in report_graph.predicate_objects(node)}
            focus, value, path = (parts.get(str(SH[name])) for name in ("focusNode", "value", "resultPath"))
            messages = [each for each in report_graph.objects(node, SH.resultMessage) if isinstance(each, Literal)]
            yield Result(
                focus=str(focus),
                path=None if path is None else str(path),
                value=_convert_back(value),
                component=str(parts[str(SH.sourceConstraintComponent)]),
                severity=_SEVERITIES[parts[str(SH.resultSeverity)]],
                shape=str(parts[str(SH.sourceShape)]),
                messages={each.language or "": str(each) for each in messages},
                records=_rank(_find_records(str(focus), trace), value),
            )


def _convert_back(term: Node | None) -> ox.NamedNode | ox.Literal | ox.BlankNode | None:
    match term:
        case URIRef():
            return ox.NamedNode(str(term))
        case Literal() if term.language:
            return ox.Literal(str(term), language=term.language)
        case Literal():
            return ox.Literal(str(term), datatype=ox.NamedNode(str(term.datatype)) if term.datatype else None)
        case BNode():
            return ox.BlankNode(str(term))
    return None


def _find_records(focus: str, trace: Trace) -> tuple[RecordRef, ...]:
    """The rows of a node, or of the node that it is a part of (``...#address``)."""
    return trace.get(focus) or trace.get(focus.partition("#")[0]) or ()


def _rank(records: Iterable[RecordRef], value: Node | None) -> tuple[RecordRef, ...]:
    """The likeliest culprit first: a row that names the value, then the thing's own row, last the register of IRIs."""
    records = tuple(records)
    slug = str(value).rpartition("/")[2] if isinstance(value, URIRef) else ""
    own_keys = {each.key for each in records if each.table == "iris"}

    def rank(record: RecordRef) -> tuple[bool, bool, bool, str, int]:
        words = record.key.split()
        names_value = len(words) > 1 and any(slug == word or slug.endswith("-" + word) for word in words)
        return not names_value, record.key not in own_keys, record.table == "iris", record.table, record.line

    return tuple(sorted(records, key=rank))
