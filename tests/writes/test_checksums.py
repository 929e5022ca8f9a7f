"""Checksums of what a write makes: of new files taken, of shared ones carried over; and no write on a damaged store."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kg.checksums import Digests, examine_files, load_checksums
from kg.cli import main
from kg.complete import complete_current
from kg.graph_import import import_graph
from kg.release import Release, Releases
from kg.settings import KgSettings
from tests.writes.conftest import comment


@pytest.fixture
def root(release: Release, tmp_path: Path) -> Path:
    return shutil.copytree(release.path.parent, tmp_path / "releases", symlinks=True)


def find_table(release: Release) -> str:
    """The largest table: no write touches it."""
    path = max(release.store_path.glob("*.sst"), key=lambda each: each.stat().st_size)
    return f"store/{path.name}"


def test_write_reads_new_files_only_and_completion_adds_its_own(root: Path, tmp_path: Path) -> None:
    before = Releases(root).get("current")
    table = find_table(before)
    # What the parent says of a table is taken over, so a lie in its list shows that the table was not read.
    sums = load_checksums(before.path)
    assert sums is not None
    lie = "0" * 64
    listing = before.path / "checksums.json"
    listing.write_text(listing.read_text(encoding="utf-8").replace(sums[table].sha256, lie), encoding="utf-8")
    settings = KgSettings(releases_dir=root)
    path = tmp_path / "notes.ttl"
    path.write_text(comment("with checksums"), encoding="utf-8")
    outcome = import_graph(settings, path, name="holm-sums", max_depth=100)
    written = load_checksums(outcome.release.path)
    assert written is not None
    assert written[table].sha256 == lie
    assert (outcome.release.path / table).samefile(before.path / table)
    assert not any(name.startswith(("dumps/", "catalog/")) for name in written)
    expected = [f"{outcome.release.path / table}: has another SHA-256 than the list of checksums says"]
    assert list(examine_files(outcome.release.path, written, Digests(), is_complete=False)) == expected

    assert complete_current(settings) == outcome.release
    complete = load_checksums(outcome.release.path)
    assert complete is not None
    assert written.items() <= complete.items()
    assert any(name.startswith("dumps/") for name in complete)
    assert list(examine_files(outcome.release.path, complete, Digests())) == expected


def test_write_on_a_store_that_lost_some_of_itself_is_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = Releases(root).get("current")
    # The engine opens what is left of it without a word.
    (listing,) = release.store_path.glob("MANIFEST-*")
    os.truncate(listing, listing.stat().st_size // 2)
    path = tmp_path / "notes.ttl"
    path.write_text(comment("on sand"), encoding="utf-8")
    assert main(["import", "graph", str(path), "--releases", str(root), "--name", "holm-sums"]) == 3
    said = capsys.readouterr().err
    assert "[store-damaged]" in said
    assert "kg release use" in said
    assert Releases(root).current_id() == release.id
