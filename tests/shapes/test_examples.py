"""Every example gives exactly the results that it declares, by both engines; every shape has examples (STYLE 1.8)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pyoxigraph as ox
import pytest
from rdflib import OWL, RDF, RDFS, SH, Graph, URIRef

from kg.rdfio import load_graph, load_prefixes
from kg.settings import KgSettings
from kg.terms import CHAP, SHAPES, expand_curie
from kg.validate import Report, validate
from kg.validation.shapes import load_shapes
from tests.assertions import read_triples

SETTINGS = KgSettings()
EXAMPLES = SETTINGS.ontology_dir / "examples"
VALID = sorted(EXAMPLES.glob("*-valid.ttl"))
INVALID = sorted(EXAMPLES.glob("*-invalid-*.ttl"))
PREFIXES = load_prefixes(SETTINGS.ontology_dir / "prefixes.ttl")
Expected = tuple[str, str, str, str]


def validate_example(path: Path) -> Report:
    """What both engines find in it."""
    store = ox.Store()
    store.extend(load_graph(path, graph_iri="https://w3id.org/chap/graph/example"))
    return validate(store, shapes_dir=SETTINGS.shapes_dir, ontology_dir=SETTINGS.ontology_dir, cross_check=True)


def read_expected(path: Path) -> set[Expected]:
    """``#+ expects: Violation OrganisationShape-name MinCountConstraintComponent <focus>``, one line a result."""
    expected: set[Expected] = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#+"):
            key, severity, shape, component, focus = line.removeprefix("#+").split()
            assert key == "expects:", line
            expected.add((severity, shape, component, expand_curie(focus, PREFIXES)))
    return expected


def results_of(report: Report, severities: set[str]) -> set[Expected]:
    return {
        (each.severity, each.shape_name, each.component_name, each.focus)
        for each in report.results
        if each.severity in severities
    }


@cache
def all_expected() -> set[Expected]:
    return {each for path in INVALID for each in read_expected(path)}


def shapes_graph() -> Graph:
    return read_triples(load_shapes(SETTINGS.shapes_dir, SETTINGS.ontology_dir).graph)


def targeted_shapes() -> list[URIRef]:
    graph = shapes_graph()
    found = {*graph.subjects(SH.targetClass), *graph.subjects(SH.targetSubjectsOf)}
    return sorted(each for each in found if isinstance(each, URIRef))


def local_name(iri: object) -> str:
    return str(iri).removeprefix(SHAPES)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid_example_has_no_violation_and_no_warning(path: Path) -> None:
    assert read_expected(path) == set()
    assert results_of(validate_example(path), {"Violation", "Warning"}) == set()


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid_example_gives_exactly_the_results_it_declares(path: Path) -> None:
    expected = read_expected(path)
    assert expected, f"{path.name} declares no result"
    # Milder results than those declared are left out of an example, so that it stays small.
    severities = {"Violation"} | {severity for severity, *_ in expected}
    assert results_of(validate_example(path), severities) == expected


def test_every_example_is_valid_or_invalid() -> None:
    assert set(EXAMPLES.glob("*.ttl")) == {*VALID, *INVALID}


def test_every_class_of_the_ontology_has_both_examples() -> None:
    ontology = Graph().parse(SETTINGS.ontology_dir / "chap.ttl", format="turtle")
    classes = {str(each).removeprefix(CHAP) for each in ontology.subjects(RDF.type, OWL.Class)}
    assert classes - {path.stem.removesuffix("-valid") for path in VALID} == set()
    assert classes - {path.stem.partition("-invalid-")[0] for path in INVALID} == set()


@pytest.mark.parametrize("shape", targeted_shapes(), ids=local_name)
def test_shape_has_a_focus_node_in_a_valid_example(shape: URIRef) -> None:
    shapes, vocabulary = shapes_graph(), Graph()
    for path in SETTINGS.ontology_dir.glob("*.ttl"):
        vocabulary.parse(path, format="turtle")
    classes = {
        narrower
        for target in shapes.objects(shape, SH.targetClass)
        for narrower in vocabulary.transitive_subjects(RDFS.subClassOf, target)
    }
    properties = set(shapes.objects(shape, SH.targetSubjectsOf))
    for path in VALID:
        example = Graph().parse(path, format="turtle")
        if any((None, RDF.type, each) in example for each in classes):
            return
        if any((None, each, None) in example for each in properties):
            return
    pytest.fail(f"no valid example has a node that {local_name(shape)} looks at")


@pytest.mark.parametrize("shape", targeted_shapes(), ids=local_name)
def test_shape_and_its_property_shapes_are_broken_by_an_example(shape: URIRef) -> None:
    graph = shapes_graph()
    broken = {name for _, name, _, _ in all_expected()}
    own_constraints = {SH.pattern, SH["or"], SH["not"], SH["class"], SH.node, SH.nodeKind, SH["in"]}
    rules = {local_name(each) for each in graph.objects(shape, SH.property)}
    if own_constraints.intersection(graph.predicates(shape)):
        rules.add(local_name(shape))
    assert rules - broken == set(), "write an invalid example for these"
