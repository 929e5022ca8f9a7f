"""Shapes that are no good are errors that name the problem, and no passes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.errors import RdfError, RdfSyntaxError
from kg.settings import KgSettings
from kg.validate import validate
from kg.validation.shapes import load_shapes

SETTINGS = KgSettings()
ACTOR = "<https://w3id.org/chap/id/organisation/de-holm> a <https://w3id.org/chap/def#Actor> ."


def store_of(turtle: str) -> ox.Store:
    store = ox.Store()
    store.load(turtle.encode(), format=ox.RdfFormat.TURTLE)
    return store


@pytest.fixture
def shapes_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "shapes"
    shutil.copytree(SETTINGS.shapes_dir, directory)
    return directory


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("sh:minCount 1", "sh:minCont 1", "shacl#minCont is no term of SHACL"),
        ("sh:targetClass chap:Hub", "sh:targetClass chap:Hubb", "def#Hubb is not declared in the ontology"),
        ("sh:path chap:offers", "sh:path chap:offer", "def#offer is not declared in the ontology"),
        (
            "sh:class skos:Concept",
            "sh:class skos:Conzept",
            "core#Conzept is neither declared in the ontology nor required",
        ),
        (
            "shapes:HubShape-offers ,",
            "shapes:HubShape-ofers ,",
            "shapes#HubShape-ofers is referred to and does not exist",
        ),
        ("sh:qualifiedMinCount 1", "sh:qualifiedMinCount -1 , 2", "HubShape-kind"),
        ("sh:severity sh:Info", "sh:severity sh:Literal", "sh:severity must be sh:Violation, sh:Warning or sh:Info"),
        ("sh:path chap:offers", "sh:path [ sh:inversePath chap:offers ]", "offers: sh:path must be one property"),
        ("sh:path chap:offers", "sh:path chap:offers ; sh:datatype xsd:gDay", "does not know the form of .*gDay"),
        ("sh:path chap:offers", "sh:path chap:offers ; sh:rule [ ]", "shacl#rule is not evaluated"),
        ("sh:path chap:offers", 'sh:path chap:offers ; sh:pattern "^(?!x)"', "look-around"),
        ("sh:property shapes:", "sh:property [ a sh:PropertyShape ; sh:path chap:kind ] , shapes:", "has no IRI"),
        ("sh:property shapes:", "sh:property [ sh:path chap:kind ] , shapes:", "shapes where [0-9]+ are declared"),
    ],
)
def test_misspelt_shape_is_an_error(shapes_dir: Path, right: str, wrong: str, complaint: str) -> None:
    path = shapes_dir / "Hub.ttl"
    text = path.read_text(encoding="utf-8")
    assert right in text
    prefix = "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
    path.write_text(prefix + text.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(RdfError, match=complaint):
        validate(ox.Store(), shapes_dir=shapes_dir, ontology_dir=SETTINGS.ontology_dir)


def test_unknown_concept_in_a_shape_is_an_error(shapes_dir: Path) -> None:
    path = shapes_dir / "schemes.ttl"
    path.write_text(path.read_text(encoding="utf-8").replace("scheme:role ;", "scheme:rolle ;"), encoding="utf-8")
    with pytest.raises(RdfError, match="scheme/rolle is in no scheme"):
        load_shapes(shapes_dir, SETTINGS.ontology_dir)


def test_shapes_that_are_no_turtle_are_an_error_with_the_file(shapes_dir: Path) -> None:
    (shapes_dir / "Broken.ttl").write_text("shapes:A a sh:NodeShape", encoding="utf-8")
    with pytest.raises(RdfSyntaxError, match=r"Broken\.ttl"):
        load_shapes(shapes_dir, SETTINGS.ontology_dir)


def test_folder_without_shapes_is_an_error_and_no_pass(tmp_path: Path) -> None:
    with pytest.raises(RdfError, match="no shapes here"):
        validate(store_of(ACTOR), shapes_dir=tmp_path, ontology_dir=SETTINGS.ontology_dir)


def test_changed_shapes_are_read_again(shapes_dir: Path) -> None:
    load_shapes(shapes_dir, SETTINGS.ontology_dir)
    (shapes_dir / "Actor.ttl").unlink()
    report = validate(store_of(ACTOR), shapes_dir=shapes_dir, ontology_dir=SETTINGS.ontology_dir)
    assert {each.shape_name for each in report.violations} == {"ThingShape-prefLabel"}
