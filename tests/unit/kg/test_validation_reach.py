"""Looking only as far as the shapes do has to find what looking at everything finds."""

from __future__ import annotations

import pyoxigraph as ox
import pytest

from kg.release import Release
from kg.settings import KgSettings
from kg.store import open_read_only
from kg.terms import THING
from kg.validate import extract_change, validate, validate_change
from kg.validation.reach import measure_reach
from kg.validation.shapes import Shapes

PREFIXES = "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix : <urn:x:> . "


def measure(turtle: str) -> int | None:
    graph = ox.Store()
    graph.extend(ox.parse(PREFIXES + turtle, format=ox.RdfFormat.TURTLE))
    return measure_reach(Shapes(graph=graph, constraints="", messages={}, ontology=ox.Store()))


@pytest.mark.parametrize(
    ("turtle", "reach"),
    [
        (":a sh:property :b . :b sh:path :p ; sh:minCount 1 .", 0),
        (":a sh:property :b . :b sh:path :p ; sh:class :C .", 1),
        (":a sh:node :b . :b sh:property :c . :c sh:path :p ; sh:pattern 'x' .", 0),
        (":a sh:property :b . :b sh:path :p ; sh:node :c . :c sh:property :d . :d sh:path :q ; sh:class :C .", 2),
        (":a sh:or ( :b :c ) . :b sh:path :p . :c sh:path :p ; sh:not :d . :d sh:property :e . :e sh:path :q .", 1),
        (":a sh:property :b . :b sh:path :p ; sh:qualifiedValueShape [ sh:class :C ] .", 1),
        (":a sh:property :b . :b sh:path :p ; sh:node :a .", None),
        (":a sh:targetObjectsOf :p .", None),
        (":a sh:sparql [ sh:select 'SELECT' ] .", None),
    ],
)
def test_reach_is_how_deep_property_shapes_stand_inside_each_other(turtle: str, reach: int | None) -> None:
    assert measure(turtle) == reach


def test_part_is_judged_as_the_whole_is(release: Release) -> None:
    settings = KgSettings()
    store = open_read_only(release.store_path)
    whole = set(validate(store, shapes_dir=settings.shapes_dir, ontology_dir=settings.ontology_dir).results)
    subjects = sorted({quad.subject.value for quad in store if str(quad.subject).startswith(f"<{THING}")})
    for iri in subjects[::97]:
        folders = {"shapes_dir": settings.shapes_dir, "ontology_dir": settings.ontology_dir}
        report = validate_change(store, extract_change(store, [ox.NamedNode(iri)], **folders), **folders)
        part = set(report.results)
        assert part <= whole
        assert {each for each in part if each.focus == iri} == {each for each in whole if each.focus == iri}
