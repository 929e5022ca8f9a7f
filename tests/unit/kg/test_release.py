from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, Quad, RdfFormat, parse

from kg.changes import iter_dump_lines
from kg.errors import LicenceUnknown, RdfError, ReleaseDamaged, ReleaseError, ReleaseNotFound
from kg.lock import lock_releases
from kg.rdfio import content_digest
from kg.release import Published, Release, Releases
from kg.store import open_read_only
from tests.unit.kg.conftest import CLOSED, OPEN, make_quads, names_in, publish


def bytes_of(release: Release) -> dict[str, str]:
    """Digests of all files but the store's, whose bytes are the engine's own, and the list that tells of these."""
    files = (
        path
        for path in release.path.rglob("*")
        if path.is_file() and release.store_path not in path.parents and path.name != "checksums.json"
    )
    return {str(path.relative_to(release.path)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_first_release_has_everything_in_its_directory(tmp_path: Path) -> None:
    release = publish(tmp_path, "alpha")
    quads = make_quads("alpha")
    digest = content_digest(quads)
    assert (release.id, release.sequence, release.parent) == (f"0001-{digest[:8]}", 1, None)
    assert release.path == tmp_path / release.id
    assert Releases(tmp_path).current() == release
    assert release.report_path.read_bytes() == b"# conforms\n"
    assert set(parse(gzip.decompress(release.content_path.read_bytes()), format=RdfFormat.N_QUADS)) == set(quads)
    assert names_in(tmp_path) == {release.id, "current", "feed", "journal.jsonl", ".lock"}
    merged = set(open_read_only(release.store_path).quads_for_pattern(None, None, None, DefaultGraph()))
    turtle = gzip.decompress((release.path / "dumps" / "chap" / "chap.ttl.gz").read_bytes())
    assert {each.triple for each in parse(turtle, format=RdfFormat.TURTLE)} == {each.triple for each in merged}
    assert b"chap:Cluster" in turtle


def test_manifest_counts_what_is_there(tmp_path: Path) -> None:
    manifest = publish(tmp_path, "alpha", "beta").manifest
    assert manifest.counts.quads == len(set(make_quads("alpha", "beta")))
    assert manifest.counts.graphs == 4
    assert manifest.counts.triples == 4 + 2 + 2
    assert manifest.counts.classes == {"https://w3id.org/chap/def#Cluster": 2}
    assert set(manifest.versions) == {"chap-kg", "pyoxigraph"}
    assert manifest.extra["report"] == {"violations": 0}
    assert manifest.open_licences == (OPEN,)


def test_extra_entry_that_hides_a_fixed_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="digest"):
        Releases(tmp_path).publish(
            quads=make_quads(), open_licences=[OPEN], manifest_extra={"digest": "mine"}, report_turtle=b""
        )


def test_two_builds_of_one_content_are_one_release(tmp_path: Path) -> None:
    first = publish(tmp_path, "alpha", "beta")
    assert publish(tmp_path, "beta", "alpha") == first
    assert len(Releases(tmp_path).journal()) == 1
    assert names_in(tmp_path) == {first.id, "current", "feed", "journal.jsonl", ".lock"}


def test_same_content_elsewhere_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    releases = [publish(tmp_path / name, "alpha", "beta") for name in ("one", "two")]
    assert bytes_of(releases[0]) == bytes_of(releases[1])
    made = {"manifest.json", "report.ttl", "changes.rdfp.gz", "content.nq.gz", "dumps/index.json"}
    assert made <= bytes_of(releases[0]).keys()


def test_other_licences_make_another_release_of_the_same_content(tmp_path: Path) -> None:
    first = publish(tmp_path, "alpha")
    second = publish(tmp_path, "alpha", licences=(OPEN, CLOSED))
    assert (second.sequence, second.digest) == (2, first.digest)
    assert second.manifest.counts.triples > first.manifest.counts.triples


def test_second_release_knows_its_parent_and_what_changed(tmp_path: Path) -> None:
    first, second = publish(tmp_path, "alpha"), publish(tmp_path, "beta")
    assert (second.sequence, second.parent) == (2, first.id)
    with gzip.open(second.changes_path, "rt", encoding="utf-8") as patch:
        rows = [line.split(" ", 1) for line in patch if line[0] in "AD"]
    before, after = (set(iter_dump_lines(each.content_path)) for each in (first, second))
    assert {row.encode() for mark, row in rows if mark == "A"} == after - before
    assert {row.encode() for mark, row in rows if mark == "D"} == before - after


def test_use_points_back_and_is_journalled_once(tmp_path: Path) -> None:
    first, second = publish(tmp_path, "alpha"), publish(tmp_path, "beta")
    releases = Releases(tmp_path)
    assert releases.use("1") == first
    assert releases.use("1") == first
    assert releases.current() == first
    assert [(each.action, each.release) for each in releases.journal()] == [
        ("build", first.id),
        ("build", second.id),
        ("use", first.id),
    ]
    third = publish(tmp_path, "beta")
    assert (third.sequence, third.parent, third.digest) == (3, first.id, second.digest)


def test_releases_are_found_by_id_beginning_number_and_digest(tmp_path: Path) -> None:
    first, second = publish(tmp_path, "alpha"), publish(tmp_path, "beta")
    releases = Releases(tmp_path)
    for ref in (first.id, first.id[:4], "1", first.digest, first.digest[:9]):
        assert releases.get(ref) == first
    assert releases.get("current") == second
    for ref in ("3", "9999-00000000", "", "000", "../" + first.id):
        with pytest.raises(ReleaseNotFound):
            releases.get(ref)


def test_no_release_yet_says_what_to_do(tmp_path: Path) -> None:
    releases = Releases(tmp_path / "nowhere")
    assert releases.current() is None
    assert releases.list() == ()
    with pytest.raises(ReleaseNotFound, match="kg build"):
        releases.get("current")


def test_failed_build_leaves_the_current_release_and_nothing_else(tmp_path: Path) -> None:
    release = publish(tmp_path, "alpha")
    before = names_in(tmp_path)

    def break_off() -> Iterator[Quad]:
        yield from make_quads("beta")
        raise RdfError("in the middle")

    with pytest.raises(RdfError):
        Releases(tmp_path).publish(quads=break_off(), open_licences=[OPEN], manifest_extra={}, report_turtle=b"")
    with pytest.raises(LicenceUnknown):
        Releases(tmp_path).publish(
            quads=make_quads("beta")[1:], open_licences=[OPEN], manifest_extra={}, report_turtle=b""
        )
    assert names_in(tmp_path) == before
    assert Releases(tmp_path).current() == release


def test_current_release_that_is_gone_can_be_left(tmp_path: Path) -> None:
    first, second = publish(tmp_path, "alpha"), publish(tmp_path, "beta")
    shutil.rmtree(second.path)
    with pytest.raises(ReleaseDamaged, match="kg release use"):
        Releases(tmp_path).current()
    assert Releases(tmp_path).use("1") == first
    assert Releases(tmp_path).current() == first


@pytest.mark.parametrize("ref", ["current", "2", "0002", "{id}", "{digest}"])
def test_damage_to_one_release_leaves_the_others(tmp_path: Path, ref: str) -> None:
    first, second = publish(tmp_path, "alpha"), publish(tmp_path, "beta")
    (first.path / "manifest.json").write_text("x", encoding="utf-8")
    releases = Releases(tmp_path)
    assert releases.get(ref.format(id=second.id, digest=second.digest)) == second
    damaged, sound = releases.list()
    assert "kg release use" in (damaged.find_damage() or "")
    assert sound.find_damage() is None
    with pytest.raises(ReleaseDamaged, match=r"manifest\.json"):
        releases.get("1")
    with pytest.raises(ReleaseDamaged, match=r"manifest\.json"):
        releases.use("1")


def test_damaged_current_release_can_be_left_or_built_anew(tmp_path: Path) -> None:
    first, second = publish(tmp_path, "alpha"), publish(tmp_path, "beta")
    (second.path / "manifest.json").unlink()
    third = publish(tmp_path, "beta")
    assert (third.sequence, third.parent) == (3, second.id)
    (third.path / "manifest.json").unlink()
    assert Releases(tmp_path).use("1") == first


@pytest.mark.parametrize("damage", ["gone", "cut", "garbled"])
def test_build_after_a_damaged_dump_has_no_changes_and_says_so(tmp_path: Path, damage: str) -> None:
    dump = publish(tmp_path, "alpha").content_path
    content = dump.read_bytes()
    dump.unlink()
    if damage == "cut":
        dump.write_bytes(content[:-12])
    elif damage == "garbled":
        dump.write_bytes(content[:12] + bytes(each ^ 0x5A for each in content[12:]))
    second = publish(tmp_path, "beta")
    assert not second.manifest.has_changes
    assert not second.changes_path.exists()
    third = publish(tmp_path, "gamma")
    assert third.manifest.has_changes
    assert third.changes_path.exists()


def test_publication_says_whether_it_made_something(tmp_path: Path) -> None:
    def made() -> Published:
        return Releases(tmp_path).publish(
            quads=make_quads("alpha"), open_licences=[OPEN], manifest_extra={}, report_turtle=b""
        )

    assert [made().is_new for _ in range(2)] == [True, False]


@pytest.mark.parametrize("damage", ["gone", "not json", '{"id": "0009-00000000"}', "[]"])
def test_damaged_manifest_is_said_to_be(tmp_path: Path, damage: str) -> None:
    path = publish(tmp_path, "alpha").path / "manifest.json"
    path.unlink()
    if damage != "gone":
        path.write_text(damage, encoding="utf-8")
    with pytest.raises(ReleaseDamaged, match=r"manifest\.json"):
        Releases(tmp_path).current()


def test_directory_under_another_name_is_damaged(tmp_path: Path) -> None:
    release = publish(tmp_path, "alpha")
    record = json.loads((release.path / "manifest.json").read_text(encoding="utf-8")) | {"id": "0002-00000000"}
    (release.path / "manifest.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ReleaseDamaged, match="0002-00000000"):
        Releases(tmp_path).current()


def test_readers_always_find_a_whole_current_release(tmp_path: Path) -> None:
    first, second = publish(tmp_path, "alpha"), publish(tmp_path, "beta")
    seen: set[str] = set()
    missed: list[Exception | None] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                current = Releases(tmp_path).current()
            except ReleaseDamaged as error:
                missed.append(error)
                continue
            if current is None:
                missed.append(None)
            else:
                seen.add(current.id)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        Releases(tmp_path).use(("1", "2")[number % 2])
    stop.set()
    reader.join()
    assert missed == []
    assert seen == {first.id, second.id}


def _publish_in_another_process(root: str, name: str) -> None:
    publish(Path(root), name)


def test_builds_at_the_same_time_follow_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    names = ("alpha", "beta", "gamma")
    processes = [context.Process(target=_publish_in_another_process, args=(str(tmp_path), each)) for each in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    releases = Releases(tmp_path).list()
    assert [each.sequence for each in releases] == [1, 2, 3]
    assert [each.parent for each in releases] == [None, releases[0].id, releases[1].id]


def test_lock_that_stays_held_is_an_error(tmp_path: Path) -> None:
    with lock_releases(tmp_path), pytest.raises(ReleaseError, match="another build"), lock_releases(tmp_path, wait_s=0):
        pytest.fail("two holders")


def test_reading_releases_does_not_load_the_engine() -> None:
    code = "import kg.release, kg.retention, sys; sys.exit('pyoxigraph' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
