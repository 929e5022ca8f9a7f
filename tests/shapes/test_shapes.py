"""What STYLE 9 asks of the shapes, beyond what loading them already refuses."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyoxigraph as ox
import pytest
from rdflib import RDF, SH, BNode, Graph, Literal, URIRef

from kg.lift import Lifted
from kg.rdfio import load_graph
from kg.settings import KgSettings
from kg.terms import SHAPES
from kg.validate import validate
from kg.validation.shapes import load_shapes
from tests.assertions import read_triples

SETTINGS = KgSettings()
STYLE_DIR = SETTINGS.shapes_dir / "style"
DIRECTORIES = [SETTINGS.shapes_dir, STYLE_DIR]
VALUE_CONSTRAINTS = {SH.pattern, SH["or"], SH["not"], SH["class"], SH.node, SH.nodeKind, SH["in"], SH.datatype}


def load(directory: Path) -> Graph:
    return read_triples(load_shapes(directory, SETTINGS.ontology_dir).graph)


def languages_of(graph: Graph, subject: object, predicate: URIRef) -> list[str]:
    values = graph.objects(subject, predicate)  # type: ignore[arg-type]
    return sorted(str(each.language) for each in values if isinstance(each, Literal))


@pytest.fixture(params=DIRECTORIES, ids=["shapes", "style"])
def graph(request: pytest.FixtureRequest) -> Graph:
    return load(request.param)


def test_every_property_shape_is_named_complete_and_bilingual(graph: Graph) -> None:
    found = set(graph.objects(None, SH.property)) | set(graph.subjects(RDF.type, SH.PropertyShape))
    for shape in found:
        assert isinstance(shape, URIRef), "no blank property shapes"
        assert shape.startswith(SHAPES)
        assert (shape, RDF.type, SH.PropertyShape) in graph
        assert len(list(graph.objects(shape, SH.path))) == 1, shape
        assert len(list(graph.objects(shape, SH.severity))) == 1, shape
        for predicate in (SH.name, SH.description, SH.message):
            assert languages_of(graph, shape, predicate) == ["de", "en"], (shape, predicate)


def test_every_node_shape_that_demands_something_says_what_to_do(graph: Graph) -> None:
    targeted = {*graph.subjects(SH.targetClass), *graph.subjects(SH.targetSubjectsOf)}
    assert targeted
    for shape in targeted:
        demands = bool(VALUE_CONSTRAINTS.intersection(graph.predicates(shape)))
        assert languages_of(graph, shape, SH.message) == (["de", "en"] if demands else []), shape


def test_blank_nodes_are_list_cells_only(graph: Graph) -> None:
    blank = {each for each in graph.subjects() if isinstance(each, BNode)}
    assert {each for each in blank if (each, RDF.first, None) not in graph} == set()


def test_no_minimum_count_is_zero(graph: Graph) -> None:
    assert [each for each in graph.subject_objects(SH.minCount) if int(str(each[1])) == 0] == []


def test_every_property_shape_is_used(graph: Graph) -> None:
    listed = {member for cell in graph.subjects(RDF.first) for member in graph.objects(cell, RDF.first)}
    used = set(graph.objects(None, SH.property)) | listed
    assert set(graph.subjects(RDF.type, SH.PropertyShape)) - used == set()


def test_every_node_shape_is_used_or_has_a_target(graph: Graph) -> None:
    listed = {member for cell in graph.subjects(RDF.first) for member in graph.objects(cell, RDF.first)}
    referring = (SH.node, SH["not"], SH.qualifiedValueShape)
    used = listed | {each for predicate in referring for each in graph.objects(None, predicate)}
    targeted = {*graph.subjects(SH.targetClass), *graph.subjects(SH.targetSubjectsOf)}
    assert set(graph.subjects(RDF.type, SH.NodeShape)) - used - targeted == set()


def test_no_shape_is_written_twice() -> None:
    subjects = Counter(
        subject
        for directory in DIRECTORIES
        for path in directory.glob("*.ttl")
        for subject in set(Graph().parse(path, format="turtle").subjects())
        if isinstance(subject, URIRef)
    )
    assert [subject for subject, number in subjects.items() if number > 1] == []


def test_style_messages_cite_the_section() -> None:
    for message in load(STYLE_DIR).objects(None, SH.message):
        assert str(message).startswith(("STYLE 8: ", "STYLE 9: "))


def test_shapes_conform_to_the_style_shapes() -> None:
    store = ox.Store()
    for directory in DIRECTORIES:
        for path in sorted(directory.glob("*.ttl")):
            store.extend(load_graph(path, graph_iri=f"https://w3id.org/chap/graph/{path.stem.lower()}"))
    report = validate(store, shapes_dir=STYLE_DIR, ontology_dir=SETTINGS.ontology_dir)
    assert report.to_text(least="Info") == "0 violations, 0 warnings, 0 infos.\n"


def test_ontology_and_schemes_conform_to_the_style_shapes() -> None:
    store = ox.Store()
    for path in [SETTINGS.ontology_dir / "chap.ttl", *sorted((SETTINGS.ontology_dir / "schemes").glob("*.ttl"))]:
        store.extend(load_graph(path, graph_iri=f"https://w3id.org/chap/graph/{path.stem}"))
    report = validate(store, shapes_dir=STYLE_DIR, ontology_dir=SETTINGS.ontology_dir)
    assert report.to_text(least="Info") == "0 violations, 0 warnings, 0 infos.\n"


@pytest.mark.parametrize(
    ("turtle", "expected"),
    [
        (
            '<https://w3id.org/chap/def#hasThing> a owl:ObjectProperty ; rdfs:label "has thing"@en .',
            {"PropertyNameShape", "TermShape-label", "TermShape-comment", "TermShape-isDefinedBy"},
        ),
        (
            "<https://w3id.org/chap/def#thing> a owl:Class ; rdfs:isDefinedBy <https://w3id.org/chap/def> ;"
            ' rdfs:label "Ding"@de , "thing"@en ; rdfs:comment "kein Satz"@de , "A sentence."@en .',
            {"ClassNameShape", "TermShape-comment"},
        ),
        (
            "<https://w3id.org/chap/shapes#thing> a sh:PropertyShape ; sh:minCount 0 .",
            {
                "PropertyShapeShape",
                "PropertyShapeShape-path",
                "PropertyShapeShape-name",
                "PropertyShapeShape-description",
                "PropertyShapeShape-message",
                "PropertyShapeShape-severity",
                "PropertyShapeShape-minCount",
            },
        ),
        (
            '<https://w3id.org/chap/shapes#thing> sh:targetClass owl:Class ; sh:message "Do it."@fr .',
            {"TargetedShapeShape", "TargetedShapeShape-message"},
        ),
        (
            '<https://w3id.org/chap/scheme/thing> a skos:Concept ; skos:prefLabel "Ding"@de .',
            {
                "SchemeEntryShape",
                "SchemeEntryShape-prefLabel",
                "SchemeEntryShape-definition",
                "SchemeEntryShape-inScheme",
            },
        ),
    ],
    ids=["property", "class", "property-shape", "targeted-shape", "concept"],
)
def test_style_shapes_find_what_breaks_the_style(turtle: str, expected: set[str]) -> None:
    prefixes = (
        "@prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> ."
        "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> ."
    )
    store = ox.Store()
    store.load((prefixes + turtle).encode(), format=ox.RdfFormat.TURTLE)
    report = validate(store, shapes_dir=STYLE_DIR, ontology_dir=SETTINGS.ontology_dir)
    assert {each.shape_name for each in report.results} == expected


def test_the_shipped_data_has_no_violation_and_gives_every_shape_something_to_look_at(lifted: Lifted) -> None:
    report = validate(
        lifted.store, shapes_dir=SETTINGS.shapes_dir, ontology_dir=SETTINGS.ontology_dir, trace=lifted.trace
    )
    assert report.violations == (), report.to_text()
    # No source has given an address or the engagement of a partner yet; these two may go once one does.
    without_data = {SHAPES + "AddressShape", SHAPES + "EngagementShape"}
    assert set(report.idle_shapes) <= without_data
