"""Looking only as far as the shapes do has to find what looking at everything finds."""

from __future__ import annotations

import pyoxigraph as ox
import pytest

from kg.release import Release
from kg.report import Result
from kg.settings import KgSettings
from kg.store import open_read_only
from kg.terms import THING
from kg.validate import extract_change, validate, validate_change
from kg.validation.reach import find_layers
from kg.validation.shapes import Shapes

PREFIXES = "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix : <urn:x:> . "
TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
SUB_CLASS = ox.NamedNode("http://www.w3.org/2000/01/rdf-schema#subClassOf")
SHAPES, ONTOLOGY = KgSettings().shapes_dir, KgSettings().ontology_dir


def measure(turtle: str) -> list[set[str] | None] | None:
    graph = ox.Store()
    graph.extend(ox.parse(PREFIXES + turtle, format=ox.RdfFormat.TURTLE))
    layers = find_layers(Shapes(graph=graph, constraints="", messages={}, ontology=ox.Store()))
    if layers is None:
        return None
    assert layers[0] is None
    return [None if each is None else {predicate.value[-1] for predicate in each} for each in layers[1:]]


@pytest.mark.parametrize(
    ("turtle", "beyond"),
    [
        (":a sh:property :b . :b sh:path :p ; sh:minCount 1 .", []),
        (":a sh:property :b . :b sh:path :p ; sh:class :C .", [{"e"}]),
        (":a sh:node :b . :b sh:property :c . :c sh:path :p ; sh:pattern 'x' .", []),
        (":a sh:property :b . :b sh:path :p ; sh:node :c . :c sh:nodeKind sh:IRI .", []),
        (
            ":a sh:property :b . :b sh:path :p ; sh:node :c . :c sh:property :d . :d sh:path :q ; sh:class :C .",
            [{"q", "e"}, {"e"}],
        ),
        (
            ":a sh:or ( :b :c ) . :b sh:path :p . :c sh:path :p ; sh:not :d . :d sh:property :e . "
            ":e sh:path :q ; sh:disjoint :r .",
            [{"q", "r"}],
        ),
        (":a sh:property :b . :b sh:path :p ; sh:qualifiedValueShape [ sh:class :C ] .", [{"e"}]),
        (":a sh:property :b . :b sh:path :p ; sh:node :c . :c sh:closed true .", [None]),
        (":a sh:property :b . :b sh:path :p ; sh:node :a .", None),
        (":a sh:targetObjectsOf :p .", None),
        (":a sh:sparql [ sh:select 'SELECT' ] .", None),
    ],
)
def test_layers_are_what_property_shapes_inside_each_other_look_at(
    turtle: str, beyond: list[set[str] | None] | None
) -> None:
    assert measure(turtle) == beyond


@pytest.fixture(scope="module")
def data(release: Release) -> ox.Store:
    """The shipped data, to be changed."""
    store = ox.Store()
    store.extend(open_read_only(release.store_path).quads_for_pattern(None, None, None, ox.DefaultGraph()))
    return store


@pytest.fixture(scope="module")
def findings(data: ox.Store) -> frozenset[Result]:
    return frozenset(validate(data, shapes_dir=SHAPES, ontology_dir=ONTOLOGY).results)


@pytest.mark.parametrize(
    "pattern",
    [
        ("organisation/de-edith", TYPE),
        ("organisation/de-holm", TYPE),
        ("place/de-frankfurt", TYPE),
        ("organisation/de-holm", "https://w3id.org/chap/def#kind"),
        ("organisation/de-holm", "http://www.w3.org/2004/02/skos/core#prefLabel"),
        ("", "https://w3id.org/chap/def#role"),
        ("", "http://www.w3.org/2004/02/skos/core#inScheme"),
    ],
    ids=lambda each: each[0] or each[1].rpartition("#")[2],
)
def test_part_is_judged_as_the_whole_is(data: ox.Store, findings: frozenset[Result], pattern: tuple[str, str]) -> None:
    subject = ox.NamedNode(f"{THING}{pattern[0]}") if pattern[0] else None
    gone = [*data.quads_for_pattern(subject, ox.NamedNode(pattern[1]), None)][:40]
    assert gone
    for quad in gone:
        data.remove(quad)
    try:
        around = extract_change(data, gone, shapes_dir=SHAPES, ontology_dir=ONTOLOGY)
        assert around is not None
        part = frozenset(validate_change(data, around, shapes_dir=SHAPES, ontology_dir=ONTOLOGY).results)
        whole = frozenset(validate(data, shapes_dir=SHAPES, ontology_dir=ONTOLOGY).results)
    finally:
        data.extend(gone)
    assert part == {each for each in whole if each.focus in around.focus}
    assert {each for each in whole ^ findings if each.focus not in around.focus} == set()
    assert part - findings


def test_what_is_said_about_any_node_is_judged_as_in_the_whole(data: ox.Store, findings: frozenset[Result]) -> None:
    subjects = {quad.subject for quad in data if str(quad.subject).startswith(f"<{THING}")}
    for node in sorted(subjects, key=str)[::97]:
        changed = [*data.quads_for_pattern(node, None, None)]
        around = extract_change(data, changed, shapes_dir=SHAPES, ontology_dir=ONTOLOGY)
        assert around is not None
        part = set(validate_change(data, around, shapes_dir=SHAPES, ontology_dir=ONTOLOGY).results)
        assert part == {each for each in findings if each.focus in around.focus}


def test_class_of_the_data_is_what_the_data_says(data: ox.Store) -> None:
    narrower = ox.Quad(ox.NamedNode("urn:x:C"), SUB_CLASS, ox.NamedNode("http://www.w3.org/ns/org#Site"))
    typed = ox.Quad(ox.NamedNode("urn:x:site"), ox.NamedNode(TYPE), narrower.subject)
    holm, site = ox.NamedNode(f"{THING}organisation/de-holm"), ox.NamedNode("http://www.w3.org/ns/org#hasSite")
    pointing = ox.Quad(holm, site, typed.subject)
    added = [narrower, typed, pointing]
    data.extend(added)
    try:
        assert extract_change(data, [narrower], shapes_dir=SHAPES, ontology_dir=ONTOLOGY) is None
        around = extract_change(data, [pointing], shapes_dir=SHAPES, ontology_dir=ONTOLOGY)
        assert around is not None
        part = validate_change(data, around, shapes_dir=SHAPES, ontology_dir=ONTOLOGY).results
        whole = validate(data, shapes_dir=SHAPES, ontology_dir=ONTOLOGY).results
    finally:
        for quad in added:
            data.remove(quad)
    assert set(part) == {each for each in whole if each.focus in around.focus}
    assert not {each for each in part if each.path == site.value}
