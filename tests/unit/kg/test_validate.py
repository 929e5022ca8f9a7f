"""Validation: a report that a person can act on, in four formats; broken shapes are errors, not passes."""

from __future__ import annotations

import json

import pyoxigraph as ox
import pytest
from rdflib import RDF, SH, BNode, Graph, Literal, URIRef

from kg.errors import RdfError
from kg.report import Report, Result
from kg.settings import KgSettings
from kg.tables import RecordRef
from kg.terms import SHAPES
from kg.validate import validate

SETTINGS = KgSettings()
PREFIXES = """
@prefix chap: <https://w3id.org/chap/def#> .
@prefix organisation: <https://w3id.org/chap/id/organisation/> .
@prefix org: <http://www.w3.org/ns/org#> .
@prefix schema: <https://schema.org/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
HOLM = "https://w3id.org/chap/id/organisation/de-holm"
NAMELESS = "organisation:de-holm a chap:Actor ; chap:kind <https://w3id.org/chap/scheme/actor-kind/company> ."


def store_of(turtle: str, graph: str | None = "https://w3id.org/chap/graph/test") -> ox.Store:
    store = ox.Store()
    to_graph = ox.NamedNode(graph) if graph else ox.DefaultGraph()
    store.load((PREFIXES + turtle).encode(), format=ox.RdfFormat.TURTLE, to_graph=to_graph)
    return store


def validate_turtle(turtle: str, **trace: tuple[RecordRef, ...]) -> Report:
    return validate(
        store_of(turtle),
        shapes_dir=SETTINGS.shapes_dir,
        ontology_dir=SETTINGS.ontology_dir,
        trace={f"https://w3id.org/chap/id/organisation/{name.replace('_', '-')}": rows for name, rows in trace.items()},
    )


@pytest.fixture
def nameless() -> Report:
    rows = (
        RecordRef("conflicts", 2, "holm-members"),
        RecordRef("hubs", 3, "holm"),
        RecordRef("iris", 9, "holm"),
    )
    return validate_turtle(NAMELESS, de_holm=rows)


def test_violation_names_record_rule_and_cure(nameless: Report) -> None:
    (violation,) = nameless.violations
    assert violation.record == RecordRef("hubs", 3, "holm")
    assert (violation.focus, violation.shape_name) == (HOLM, "ThingShape-prefLabel")
    assert violation.component_name == "MinCountConstraintComponent"
    assert set(violation.messages) == {"de", "en"}
    text = nameless.to_text()
    assert "data/hubs.csv row 3 (holm)" in text
    assert "Violation  ThingShape-prefLabel" in text
    assert "prefLabel: a value is missing" in text
    assert "Cure: Give at least one name" in text


def test_text_is_german_on_request(nameless: Report) -> None:
    text = nameless.to_text("de")
    assert "data/hubs.csv Zeile 3 (holm)" in text
    assert "Verstoß  ThingShape-prefLabel" in text
    assert "prefLabel: ein Wert fehlt" in text
    assert "Abhilfe: Mindestens einen Namen angeben" in text


def test_text_with_violations_only_counts_what_is_milder(nameless: Report) -> None:
    counted = nameless.to_text().partition("Not listed one by one:")[2]
    assert "1  Warning  ThingShape-homepage-wanted" in counted
    assert "Not listed" not in nameless.to_text(least="Info")


def test_row_that_names_the_value_comes_first() -> None:
    rows = (
        RecordRef("hubs", 3, "holm"),
        RecordRef("iris", 9, "holm"),
        RecordRef("relations", 7, "holm part-of tu-darmstadt"),
    )
    report = validate_turtle(
        'organisation:de-holm skos:prefLabel "HOLM"@de ; org:subOrganizationOf organisation:de-tu-darmstadt .'
        + NAMELESS,
        de_holm=rows,
    )
    (violation,) = report.violations
    assert violation.record == rows[2]


def test_part_of_a_thing_is_traced_to_the_thing() -> None:
    report = validate_turtle(
        f"<{HOLM}#ror> a <http://www.w3.org/ns/adms#Identifier> .", de_holm=(RecordRef("hubs", 3, "holm"),)
    )
    assert {each.record for each in report.results} == {RecordRef("hubs", 3, "holm")}


def test_node_without_a_row_is_named_itself() -> None:
    assert "\nid/organisation/de-holm\n" in validate_turtle(NAMELESS).to_text()


def test_all_graphs_are_taken_together() -> None:
    store = store_of(NAMELESS)
    store.extend(store_of('organisation:de-holm skos:prefLabel "HOLM"@de .', "https://w3id.org/chap/graph/other"))
    report = validate(store, shapes_dir=SETTINGS.shapes_dir, ontology_dir=SETTINGS.ontology_dir)
    assert report.violations == ()
    default = validate(store_of(NAMELESS, None), shapes_dir=SETTINGS.shapes_dir, ontology_dir=SETTINGS.ontology_dir)
    assert [each.shape_name for each in default.violations] == ["ThingShape-prefLabel"]


def test_empty_store_conforms_without_results_and_says_that_nothing_was_looked_at() -> None:
    report = validate(ox.Store(), shapes_dir=SETTINGS.shapes_dir, ontology_dir=SETTINGS.ontology_dir)
    assert report.results == ()
    assert report.conforms
    names = {iri.removeprefix(SHAPES) for iri in report.idle_shapes}
    assert {"ActorShape", "HubShape", "PeriodShape"} <= names


def test_shape_of_a_broader_class_is_not_idle() -> None:
    report = validate_turtle("organisation:de-holm a chap:Hub .")
    names = {iri.removeprefix(SHAPES) for iri in report.idle_shapes}
    assert not names & {"HubShape", "ActorShape", "ThingShape"}
    assert {"ClusterShape", "PeriodShape"} <= names


def test_finding_about_a_blank_node_is_an_error_that_says_so() -> None:
    with pytest.raises(RdfError, match="give the node an IRI"):
        validate_turtle("[] a chap:Actor .")


def test_concept_that_only_a_text_mentions_is_not_taken_from_the_schemes() -> None:
    text = r'"see <https://w3id.org/chap/scheme/role/nothing> <https://w3id.org/chap/graph/x> .\n <"@en'
    report = validate_turtle(NAMELESS + f'organisation:de-holm skos:prefLabel "H"@de ; chap:note {text} .')
    assert report.violations == ()


@pytest.mark.parametrize(
    ("literal", "is_valid"),
    [
        ('"2023"^^xsd:gYear', True),
        ('"2023-06"^^xsd:gYearMonth', True),
        ('"2024-02-29"^^xsd:date', True),
        ('"2023-02-29"^^xsd:date', False),
        ('"2023-13"^^xsd:gYearMonth', False),
        ('"23"^^xsd:gYear', False),
        ('"2023-06-30T00:00:00"^^xsd:dateTime', False),
        ('"2023"', False),
    ],
)
def test_founding_date_is_a_year_a_month_or_a_day_of_the_calendar(literal: str, is_valid: bool) -> None:
    report = validate_turtle(NAMELESS + f'organisation:de-holm skos:prefLabel "H"@de ; schema:foundingDate {literal} .')
    assert [each.shape_name for each in report.violations] == ([] if is_valid else ["ActorShape-foundingDate"])


def test_bad_literal_leaves_no_noise_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    validate_turtle(NAMELESS + 'organisation:de-holm schema:foundingDate "soon"^^xsd:gYear .')
    assert caplog.records == []


def test_json_holds_every_result(nameless: Report) -> None:
    document = json.loads(nameless.to_json())
    assert document["conforms"] is False
    assert document["counts"] == nameless.summary()
    assert len(document["results"]) == len(nameless.results)
    first = document["results"][0]
    assert first["focus"] == HOLM
    assert first["records"][0] == {"file": "data/hubs.csv", "row": 3, "key": "holm"}
    assert set(first["messages"]) == {"de", "en"}


def test_turtle_is_a_validation_report_without_blank_nodes(nameless: Report) -> None:
    graph = Graph().parse(data=nameless.to_turtle(), format="turtle")
    (report,) = graph.subjects(RDF.type, SH.ValidationReport)
    assert graph.value(report, SH.conforms) == Literal(False)
    assert len(list(graph.objects(report, SH.result))) == len(nameless.results)
    assert not [term for triple in graph for term in triple if isinstance(term, BNode)]
    focus = set(graph.objects(None, SH.focusNode))
    assert focus == {URIRef(HOLM)}


def test_turtle_is_the_same_bytes_whatever_the_order(nameless: Report) -> None:
    assert Report.of(reversed(nameless.results)).to_turtle() == nameless.to_turtle()


@pytest.mark.parametrize("language", ["de", "en"])
def test_html_stands_alone_and_escapes_what_it_shows(nameless: Report, language: str) -> None:
    result = nameless.results[0]
    hostile = Result(
        focus=result.focus,
        path=result.path,
        value=ox.Literal("<script>alert(1)</script>"),
        component=result.component,
        severity="Violation",
        shape=result.shape,
        messages={"en": "a & b", "de": "a & b"},
        records=(RecordRef("hubs", 1, "<b>"),),
    )
    page = Report.of([hostile]).to_html("de" if language == "de" else "en")
    assert f'<html lang="{language}">' in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "(&lt;b&gt;)" in page
    assert "http" not in page.partition("<body>")[0].replace("https://w3id.org", "")
