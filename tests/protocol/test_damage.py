"""Damaged releases: never a wrong answer, and each byte that changed is found (decision 0039)."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from kg.checksums import Digests, examine_files, examine_store, iter_files, load_checksums
from kg.cli import main
from kg.errors import ReleaseDamaged
from kg.release import Release, Releases
from kg.replica import export_release, import_release
from tests.assertions import assert_problem
from tests.protocol.conftest import RunningServer, run_server
from tests.unit.kg.conftest import publish

PATIENCE_S = 20
# What the engine (0.5.13) answers as though nothing were wrong when a block of terms cannot be read.
SILENT = "CONSTRUCT { ?s ?p ?o } WHERE { GRAPH ?g { ?s ?p ?o } }"
LOUD = "SELECT DISTINCT ?o WHERE { GRAPH ?g { ?s ?p ?o } } LIMIT 3"


def flip(path: Path, at: int | None = None) -> None:
    """One bit of a byte becomes another, in a file of its own: others that were the same stay as they are."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 0x10
    path.unlink()
    path.write_bytes(content)


def link_release(release: Release, root: Path) -> Release:
    """The release in a directory of its own, of hard links: what is changed there has to be unlinked first."""
    root.mkdir()
    shutil.copytree(release.path, root / release.id, copy_function=os.link)
    shutil.copytree(release.path.parent / "feed", root / "feed")
    shutil.copy(release.path.parent / "journal.jsonl", root)
    (root / "current").symlink_to(release.id)
    return Releases(root).get(release.id)


@pytest.fixture
def linked(release: Release, tmp_path: Path) -> Release:
    return link_release(release, tmp_path / "releases")


def find_terms_table(release: Release) -> Path:
    """The table of the store that holds the terms: of the large ones it is the one that was made last."""
    return max(release.store_path.glob("*.sst"), key=lambda each: (each.stat().st_size > 100_000, each.name))


def ask(server: RunningServer, query: str) -> httpx.Response:
    return httpx.get(f"{server.url}/sparql", params={"query": query}, timeout=60)


def wait_for(server: RunningServer, status: int) -> httpx.Response:
    """The answer of the health route, once it has a status."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        response = httpx.get(f"{server.url}/health/ready", timeout=60)
        if response.status_code == status or time.monotonic() > deadline:
            assert response.status_code == status, response.text
            return response
        time.sleep(0.05)


def test_each_file_of_a_release_is_listed_and_each_byte_that_changes_is_found(linked: Release, tmp_path: Path) -> None:
    sums = load_checksums(linked.path)
    assert sums is not None
    files = {path for path in linked.path.rglob("*") if path.is_file()}
    assert files == {linked.path / name for name in sums} | {linked.path / "checksums.json"}
    digests = Digests()
    assert list(examine_files(linked.path, sums, digests)) == []
    empty = []
    for name, path in sorted(iter_files(linked.path)):
        if not path.stat().st_size:
            empty.append(name)
            continue
        twin = tmp_path / "twin"
        path.rename(twin)
        shutil.copy(twin, path)
        flip(path)
        found = list(examine_files(linked.path, sums, digests))
        assert found == [f"{path}: has another SHA-256 than the list of checksums says"]
        if name.startswith("store/"):
            assert list(examine_store(linked.path, sums, digests)) == found
        twin.replace(path)
    assert all(name.startswith("store/") for name in empty)
    assert list(examine_files(linked.path, sums, digests)) == []


def test_each_byte_of_the_list_matters(linked: Release) -> None:
    path = linked.path / "checksums.json"
    content = path.read_bytes()
    digests = Digests()
    # In the first lines there is all that the others have, too.
    for at in [*range(250), len(content) - 2, len(content) - 1]:
        path.unlink()
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
        assert is_found(linked, digests), at


def is_found(release: Release, digests: Digests) -> bool:
    try:
        sums = load_checksums(release.path)
    except ReleaseDamaged:
        return True
    return sums is None or any(examine_files(release.path, sums, digests))


def test_damage_is_found_by_doctor_export_and_import(
    linked: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = linked.path.parent
    export_release(Releases(root), "current", tmp_path / "sound")
    table = find_terms_table(linked)
    flip(table)
    assert main(["doctor", "--quick", "--releases", str(root)]) == 0
    capsys.readouterr()
    assert main(["doctor", "--json", "--releases", str(root)]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert {each["where"] for each in problems} == {linked.id}
    assert any(table.name in each["what"] for each in problems)
    assert main(["release", "export", "current", str(tmp_path / "archive"), "--releases", str(root)]) == 3
    assert "another SHA-256" in capsys.readouterr().err
    assert not (tmp_path / "archive").exists()
    assert import_release(root, tmp_path / "sound").is_new
    assert main(["doctor", "--releases", str(root)]) == 0


DAMAGES: dict[str, Callable[[Release], object]] = {
    # The engine opens what is left of it, and holds fewer statements.
    "list of tables cut": lambda release: _cut(next(release.store_path.glob("MANIFEST-*"))),
    "terms": lambda release: flip(find_terms_table(release)),
    "footer of a table": lambda release: flip(find_terms_table(release), -1),
    "current": lambda release: flip(release.store_path / "CURRENT"),
    "a log that is none of ours": lambda release: (release.store_path / "000099.log").touch(),
}


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_store_that_is_damaged_at_start_is_not_asked(
    linked: Release, tmp_path: Path, damage: Callable[[Release], object]
) -> None:
    damage(linked)
    with run_server(linked.path.parent, tmp_path / "log", query_workers=1) as server:
        ready = httpx.get(f"{server.url}/health/ready")
        assert "damaged" in assert_problem(ready, 503, "not-ready")["detail"]
        for query in (SILENT, LOUD, "ASK { ?s ?p ?o }"):
            problem = assert_problem(ask(server, query), 500, "store-damaged")
            assert "kg doctor" in problem["detail"]
            assert str(tmp_path) not in problem["detail"]
        assert str(tmp_path) not in ready.text
        # What is no answer of the engine is served still.
        assert httpx.get(f"{server.url}/health/live").status_code == 200
        assert httpx.get(f"{server.url}/.well-known/void", follow_redirects=True).status_code == 200


def test_damage_under_a_running_server_is_told_and_healed(linked: Release, tmp_path: Path) -> None:
    root = linked.path.parent
    export_release(Releases(root), "current", tmp_path / "sound")
    unshare(find_terms_table(linked))
    with run_server(root, tmp_path / "log", query_workers=1) as server:
        expected = sorted(ask(server, SILENT).text.splitlines())
        flip_in_place(linked)
        wait_for(server, 503)
        assert_problem(ask(server, f"{SILENT} # again"), 500, "store-damaged")
        import_release(root, tmp_path / "sound")
        wait_for(server, 200)
        assert sorted(ask(server, f"{SILENT} # once more").text.splitlines()) == expected


def unshare(path: Path) -> None:
    """Let a file be one of its own, that no other release has."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def flip_in_place(release: Release) -> None:
    """As a disk does it: in the file that is open."""
    table = find_terms_table(release)
    content = table.read_bytes()
    with table.open("r+b") as file:
        file.seek(len(content) // 2)
        file.write(bytes([content[len(content) // 2] ^ 0x10]))


def break_blocks(table: Path) -> None:
    """Make all blocks of terms unreadable, but not what the engine reads when it opens a table."""
    content = bytearray(table.read_bytes())
    for at in range(0, len(content) * 9 // 10, 1500):
        content[at] ^= 0x10
    table.write_bytes(content)


@pytest.fixture
def copied(release: Release, tmp_path: Path) -> Release:
    """The release in a directory of its own, with nothing shared, as one that an earlier version made."""
    linked = link_release(release, tmp_path / "releases")
    for path in [*linked.store_path.iterdir(), linked.path / "manifest.json"]:
        unshare(path)
    record = json.loads((linked.path / "manifest.json").read_text(encoding="utf-8"))
    del record["has_checksums"]
    (linked.path / "manifest.json").write_text(json.dumps(record), encoding="utf-8")
    (linked.path / "checksums.json").unlink()
    return linked


def test_query_that_meets_a_broken_block_says_so(copied: Release, tmp_path: Path) -> None:
    # Without a list of checksums nobody knows before.
    break_blocks(find_terms_table(copied))
    with run_server(copied.path.parent, tmp_path / "log", query_workers=1) as server:
        assert_problem(ask(server, LOUD), 500, "store-damaged")
        assert ask(server, "ASK { <https://w3id.org/chap/id/organisation/none> ?p ?o }").status_code == 200


def test_store_that_cannot_be_opened_fails_readiness_until_it_is_put_right(copied: Release, tmp_path: Path) -> None:
    table = find_terms_table(copied)
    content = table.read_bytes()
    flip(table, -1)
    with run_server(copied.path.parent, tmp_path / "log", query_workers=1) as server:
        assert "cannot be opened" in assert_problem(wait_for(server, 503), 503, "not-ready")["detail"]
        assert_problem(ask(server, "ASK { ?s ?p ?o }"), 500, "store-damaged")
        table.write_bytes(content)
        wait_for(server, 200)
        assert ask(server, "ASK { ?s ?p ?o }").json()["boolean"]


def test_release_of_before_is_examined_when_it_is_asked(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    first, _ = publish(root, "alpha"), publish(root, "alpha", "beta")
    # Such a flip in a table of the graphs' names matters to no query, so only who looks finds it.
    flip(min(first.store_path.glob("*.sst")), 0)
    with run_server(root, tmp_path / "log", query_workers=1) as server:
        wait_for(server, 200)
        assert ask(server, "ASK { ?s ?p ?o }").json()["boolean"]
        old = httpx.get(f"{server.url}/sparql", params={"query": "ASK { ?s ?p ?o }", "release": "1"})
        assert_problem(old, 500, "store-damaged")
        assert wait_for(server, 200).json()["release"] != first.id
