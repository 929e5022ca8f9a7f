"""A broken table stops the build, says where and how to mend it, and leaves the current release alone."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kg.build import build
from kg.errors import KgError, TableError
from kg.release import Releases
from kg.settings import KgSettings

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


BROKEN = {
    "bad date": ("relations", _set(5, start="2023-13"), ["relations.csv row 5", "column start", "2023-06"]),
    "unknown id": ("relations", _set(7, object_id="house-of-itt"), ["relations.csv row 7", "column object_id", "house-of-it"]),
    "missing source": ("relations", _set(9, source_id=""), ["relations.csv row 9", "column source_id", "needs a value"]),
    "wrong scheme": ("clusters", _set(1, field_ids="ai"), ["clusters.csv row 1", "column field_ids", "scheme field"]),
    "relation to the wrong kind": (
        "relations",
        _set(11, relation="member-of", object_id="place-kassel"),
        ["relations.csv row 11", "column relation", "organisation and place", "organisation to organisation"],
    ),
    "key given twice": ("hubs", _set(2, id="holm"), ["hubs.csv row", "column id", "Cure"]),
    "surplus blank": ("hubs", _set(3, name_de=" EDITH"), ["hubs.csv row 3", "column name_de", "remove"]),
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


@pytest.mark.slow
def test_a_violated_shape_stops_the_build_and_names_the_record(settings: KgSettings) -> None:
    before = Releases(settings.releases_dir).current()
    _spoil(settings, "relations", _set(87, start="2030", end="2020"))
    with pytest.raises(KgError) as caught:
        build(settings)
    assert "relations.csv row 87" in str(caught.value)
    assert Releases(settings.releases_dir).current() == before


@pytest.mark.slow
def test_two_builds_of_the_same_inputs_make_one_release(settings: KgSettings) -> None:
    releases = Releases(settings.releases_dir)
    before = releases.current()
    result = build(settings)
    assert result.is_new is False
    assert result.release == before
    assert [each.id for each in releases.list()] == [result.release.id]
