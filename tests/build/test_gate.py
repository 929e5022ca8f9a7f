"""A broken table stops the build, says where and how to mend it, and leaves the current release alone."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kg.build import build
from kg.cli import main
from kg.errors import EngineFailed, KgError, TableError
from kg.release import Releases
from kg.settings import KgSettings
from kg.tables import load_tables

Rows = list[dict[str, str]]


@pytest.fixture
def settings(tmp_path: Path, releases_dir: Path) -> KgSettings:
    """A copy of the shipped data to spoil, and a copy of the release that must survive."""
    shutil.copytree(KgSettings().data_dir, tmp_path / "data")
    shutil.copytree(releases_dir, tmp_path / "releases", symlinks=True)
    return KgSettings(data_dir=tmp_path / "data", releases_dir=tmp_path / "releases")


def _spoil(settings: KgSettings, table: str, change: Callable[[Rows], None]) -> None:
    path = settings.data_dir / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _set(line: int, **cells: str) -> Callable[[Rows], None]:
    return lambda rows: rows[line - 1].update(cells)


def _set_of(cells_of: dict[str, str], **cells: str) -> Callable[[Rows], None]:
    """Change the first row that has these cells."""

    def change(rows: Rows) -> None:
        next(row for row in rows if cells_of.items() <= row.items()).update(cells)

    return change


def _add(**cells: str) -> Callable[[Rows], None]:
    return lambda rows: rows.append(dict.fromkeys(rows[0], "") | cells)


MEMBERS = {"id": "land-hessen-cluster-members-2024"}
FACT = "(land-hessen-cluster-members-2024)"
BROKEN = {
    "bad date": ("relations", _set(5, start="2023-13"), ["relations.csv row 5", "column start", "2023-06"]),
    "unknown id": (
        "relations",
        _set(7, object_id="house-of-itt"),
        ["relations.csv row 7", "column object_id", "house-of-it"],
    ),
    "missing source": (
        "relations",
        _set(9, source_id=""),
        ["relations.csv row 9", "column source_id", "needs a value"],
    ),
    "wrong scheme": ("clusters", _set(1, field_ids="ai"), ["clusters.csv row 1", "column field_ids", "scheme field"]),
    "relation to the wrong kind": (
        "relations",
        _set(11, relation="member-of", object_id="place-kassel"),
        ["relations.csv row 11", "column relation", "organisation and place", "organisation to organisation"],
    ),
    "key given twice": ("hubs", _set(2, id="holm"), ["hubs.csv row", "column id", "Cure"]),
    "surplus blank": ("hubs", _set(3, name_de=" EDITH"), ["hubs.csv row 3", "column name_de", "remove"]),
    "unknown kind": ("hubs", _set(1, kind="hous-of"), ["hubs.csv row 1", "column kind", "house-of, "]),
    "unknown property": (
        "facts",
        _set(1, property="formername"),
        ["facts.csv row 1", "column property", "fact-types.csv"],
    ),
    "fact that is a funding": (
        "facts",
        _set(1, property="grant"),
        ["facts.csv row 1", "column property", "fundings.csv"],
    ),
    "fact without content": ("facts", _set(1, text="", lang=""), ["facts.csv row 1", "column text", "fill text"]),
    "words in a number": ("facts", _set_of(MEMBERS, value="about 5"), [FACT, "column value", "column qualifier"]),
    "point for thousands": ("facts", _set_of(MEMBERS, value="3.800"), [FACT, "column value", "whole number"]),
    "less than none": ("facts", _set_of(MEMBERS, value="-5"), [FACT, "column value", "from 0"]),
    "digits of another width": ("facts", _set_of(MEMBERS, value="３８００"), [FACT, "column value", "digits only"]),
    "date of another width": (
        "relations",
        _set(5, start="２０２３"),
        ["relations.csv row 5", "column start", "2023-06"],
    ),
    "control character": ("hubs", _set(3, name_de="EDITH\x0b2"), ["hubs.csv row 3", "column name_de", "U+000B"]),
    "no such fact": ("conflicts", _set(1, fact_ids="nowhere"), ["conflicts.csv row 1", "column fact_ids", "facts.csv"]),
    "no such statement": (
        "conflicts",
        _set(2, statement_ids="facts/x"),
        ["conflicts.csv row 2", "column statement_ids"],
    ),
    "preferred elsewhere": (
        "conflicts",
        _set(1, preferred_id="hmd-former-name-2023"),
        ["conflicts.csv row 1", "column preferred_id", "none of the statements"],
    ),
    "merged into nothing": (
        "iris",
        _set_of({"id": "holm"}, state="merged"),
        ["(holm), column replaced_by", "merged into"],
    ),
    "withdrawn but described": (
        "iris",
        _set_of({"id": "holm"}, state="withdrawn"),
        ["hubs.csv row", "column id", "withdrawn"],
    ),
    "malformed IRI": (
        "iris",
        _set_of({"id": "holm"}, iri="de-holm"),
        ["iris.csv row", "(holm), column iri", "https://"],
    ),
    "malformed source": ("sources", _set(11, id="src-Größe"), ["sources.csv row 11", "column id", "no id of a source"]),
    "funding of nobody": (
        "fundings",
        _set(1, recipient_id=""),
        ["fundings.csv row 1", "column recipient_id", "needs a value"],
    ),
    "cell that nothing reads": (
        "facts",
        _set_of({"property": "alternative-name"}, value="5"),
        ["facts.csv row", "column value", "lost", "lang"],
    ),
    "date that nothing reads": (
        "relations",
        _set_of({"relation": "focuses-on"}, start="2020"),
        ["relations.csv row", "column start", "lost", "none besides"],
    ),
    "latitude alone": (
        "organisations",
        _set_of({"id": "tu-darmstadt"}, lat="49.8"),
        ["(tu-darmstadt), column lat", "fill lon"],
    ),
    "two identifiers of one scheme": (
        "facts",
        _add(id="x", subject_id="tu-darmstadt", property="ror", text="0abcdef12", source_id="src-bbfi-hessen-2024"),
        ["(x), column text", "two identifiers", "0abcdef12"],
    ),
    "no web address": ("hubs", _set(1, website="hodt-hessen.de"), ["hubs.csv row 1", "column website", "https://"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_cell_stops_the_build_and_leaves_the_release(settings: KgSettings, name: str) -> None:
    table, change, expected = BROKEN[name]
    before = Releases(settings.releases_dir).current()
    _spoil(settings, table, change)
    with pytest.raises(TableError) as caught:
        build(settings)
    for words in expected:
        assert words in str(caught.value)
    assert Releases(settings.releases_dir).current() == before


@pytest.mark.parametrize("text", ["{}", "[]", "7", '{"tables": [{"url": "iris.csv"}]}', '{"tables": []}', "no JSON"])
def test_a_description_of_the_tables_that_is_none_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "csv-metadata.json").write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=r"csv-metadata\.json"):
        load_tables(tmp_path, KgSettings().ontology_dir)


def test_data_that_is_a_file_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", encoding="utf-8")
    with pytest.raises(TableError, match=r"data/csv-metadata\.json cannot be read"):
        load_tables(tmp_path / "data", KgSettings().ontology_dir)


@pytest.mark.slow
def test_a_violated_shape_stops_the_build_and_names_the_record(settings: KgSettings) -> None:
    before = Releases(settings.releases_dir).current()
    _spoil(settings, "relations", _set(87, start="2030", end="2020"))
    with pytest.raises(KgError) as caught:
        build(settings)
    assert "relations.csv row 87" in str(caught.value)
    assert Releases(settings.releases_dir).current() == before


@pytest.mark.slow
def test_an_engine_that_gives_up_stops_the_build_and_leaves_the_release(settings: KgSettings, tmp_path: Path) -> None:
    before = Releases(settings.releases_dir).current()
    shapes_dir = tmp_path / "shapes"
    shutil.copytree(settings.shapes_dir, shapes_dir)
    nested = "".join(f"shapes:N{number} a sh:NodeShape ; sh:node shapes:N{number + 1} .\n" for number in range(99))
    (shapes_dir / "Nested.ttl").write_text(
        "@prefix chap: <https://w3id.org/chap/def#> . @prefix sh: <http://www.w3.org/ns/shacl#> .\n"
        f"@prefix shapes: <https://w3id.org/chap/shapes#> .\n{nested}"
        "shapes:N99 a sh:NodeShape ; sh:targetClass chap:Hub .\nshapes:N0 sh:targetClass chap:Hub .\n",
        encoding="utf-8",
    )
    with pytest.raises(EngineFailed, match="nothing is known about the data"):
        build(replace(settings, shapes=shapes_dir))
    assert Releases(settings.releases_dir).current() == before


@pytest.mark.slow
def test_a_shape_with_nothing_to_look_at_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes_dir = tmp_path / "shapes"
    shutil.copytree(KgSettings().shapes_dir, shapes_dir)
    (shapes_dir / "Idle.ttl").write_text(
        "@prefix dcterms: <http://purl.org/dc/terms/> . @prefix sh: <http://www.w3.org/ns/shacl#> .\n"
        "@prefix shapes: <https://w3id.org/chap/shapes#> . <https://w3id.org/chap/shapes> dcterms:requires <urn:x> .\n"
        "shapes:IdleShape a sh:NodeShape ; sh:targetClass <urn:x> .\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("KG_SHAPES", str(shapes_dir))
    assert main(["validate"]) == 0
    assert "nothing to look at for https://w3id.org/chap/shapes#IdleShape\n" in capsys.readouterr().err


@pytest.mark.slow
def test_both_engines_find_the_same_in_the_release(
    settings: KgSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Releases(settings.releases_dir).current()
    assert before is not None
    monkeypatch.setenv("KG_RELEASES_DIR", str(settings.releases_dir))
    assert main(["build", "--cross-check"]) == 0
    output = capsys.readouterr()
    assert output.out == f"{before.id}\n"
    assert "nothing changed" in output.err
    assert "warnings; 'kg validate' lists them" in output.err, "nothing was validated"


@pytest.mark.slow
def test_two_builds_of_the_same_inputs_make_one_release(settings: KgSettings) -> None:
    releases = Releases(settings.releases_dir)
    before = releases.current()
    result = build(settings)
    assert result.is_new is False
    assert result.release == before
    assert [each.id for each in releases.list()] == [result.release.id]
