"""Releases in another directory: the same as in the first, or refused before anything is changed."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tracemalloc
from pathlib import Path

import pytest
import zstandard

from kg.archive import ArchiveSource, unpack_archive, write_archive
from kg.checksums import load_checksums
from kg.doctor import examine_directory, examine_one
from kg.errors import ArchiveRefused, ReleaseDamaged, ReleaseError
from kg.release import Release, Releases
from kg.replica import export_release, import_release
from kg.retention import prune_releases
from tests.unit.kg.conftest import OPEN, make_quads


def publish(root: Path, name: str) -> Release:
    published = Releases(root).publish(
        quads=make_quads(name), open_licences=[OPEN], manifest_extra={}, report_turtle=b"", prefixes={}
    )
    return published.release


def read_tree(root: Path) -> dict[str, str]:
    """Digests of all files but what the engine notes down, and where links lead."""
    return {
        str(path.relative_to(root)): str(path.readlink())
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if (path.is_file() or path.is_symlink()) and path.name not in ("LOG", ".lock")
    }


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the first, the second and the first release again were exported when they were current.

    Then a third one was built, and the second removed.
    """
    root = tmp_path_factory.mktemp("origin") / "releases"
    for number, name in enumerate(("alpha", "beta"), start=1):
        publish(root, name)
        export_release(Releases(root), "current", root.parent / f"{number}.tar.zst")
        shutil.copytree(root, root.parent / f"after-{number}", symlinks=True)
    Releases(root).use("1")
    export_release(Releases(root), "1", root.parent / "1-again.tar.zst")
    publish(root, "gamma")
    export_release(Releases(root), "3", root.parent / "3.tar.zst")
    prune_releases(root, keep=1)
    return root


@pytest.fixture
def archives(origin: Path) -> Path:
    return origin.parent


def test_empty_directory_becomes_what_the_first_was(archives: Path, tmp_path: Path) -> None:
    imported = import_release(tmp_path / "replica", archives / "1.tar.zst")
    assert (imported.is_new, imported.is_current, imported.release.sequence) == (True, True, 1)
    assert read_tree(tmp_path / "replica") == read_tree(archives / "after-1")
    assert list(examine_directory(tmp_path / "replica")) == []


def test_replica_that_follows_is_what_the_first_is(archives: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        import_release(tmp_path / "replica", archives / f"{number}.tar.zst")
        assert read_tree(tmp_path / "replica") == read_tree(archives / f"after-{number}")


def test_latest_release_alone_brings_journal_and_feed(origin: Path, archives: Path, tmp_path: Path) -> None:
    root = tmp_path / "replica"
    release = import_release(root, archives / "3.tar.zst").release
    assert release.id == Releases(origin).current_id() == Releases(root).current_id()
    assert Releases(root).journal() == Releases(origin).journal()
    tree = read_tree(origin)
    assert {name: digest for name, digest in tree.items() if not name.startswith("0001-")} == read_tree(root)
    assert list(examine_directory(root)) == []
    # Numbers go on from the journal.
    assert publish(root, "delta").sequence == 4


def test_second_import_changes_nothing(archives: Path, tmp_path: Path) -> None:
    root = tmp_path / "replica"
    import_release(root, archives / "3.tar.zst")
    before = read_tree(root)
    imported = import_release(root, archives / "3.tar.zst")
    assert (imported.is_new, imported.is_current) == (False, True)
    assert read_tree(root) == before


def test_release_that_was_removed_comes_back_to_its_place(origin: Path, archives: Path, tmp_path: Path) -> None:
    root = shutil.copytree(origin, tmp_path / "releases", symlinks=True)
    current, journal = Releases(root).current_id(), Releases(root).journal()
    imported = import_release(root, archives / "2.tar.zst")
    assert (imported.is_new, imported.is_current) == (True, False)
    assert [each.sequence for each in Releases(root).list()] == [2, 3]
    assert (Releases(root).current_id(), Releases(root).journal()) == (current, journal)
    assert list(examine_directory(root)) == []


@pytest.mark.parametrize("damage", ["content.nq.gz", "manifest.json", "store/CURRENT", "dumps/chap/chap.nt.gz"])
def test_damaged_release_is_healed(archives: Path, tmp_path: Path, damage: str) -> None:
    root = tmp_path / "replica"
    release = import_release(root, archives / "1.tar.zst").release
    (release.path / damage).write_bytes(b"x")
    assert import_release(root, archives / "1.tar.zst").is_new
    assert read_tree(root) == read_tree(archives / "after-1")


def test_release_published_again_is_current_in_the_replica_again(archives: Path, tmp_path: Path) -> None:
    root = tmp_path / "replica"
    for name in ("1", "2", "1-again"):
        imported = import_release(root, archives / f"{name}.tar.zst")
    assert (imported.is_new, imported.is_current, imported.release.sequence) == (False, True, 1)
    assert [each.action for each in Releases(root).journal()] == ["build", "build", "use"]
    # What is older than the replica changes nothing but what is there.
    assert not import_release(root, archives / "2.tar.zst").is_current
    assert list(examine_directory(root)) == []


def test_other_history_is_refused(archives: Path, tmp_path: Path) -> None:
    root = tmp_path / "replica"
    import_release(root, archives / "1.tar.zst")
    publish(root, "own")
    before = read_tree(root)
    with pytest.raises(ArchiveRefused, match=r"publication 2 is 0002-.* Numbers are never given anew.*--releases"):
        import_release(root, archives / "2.tar.zst")
    assert read_tree(root) == before
    assert not import_release(root, archives / "1.tar.zst").is_new


def test_export_gives_the_same_bytes_until_it_is_published_again(origin: Path, archives: Path, tmp_path: Path) -> None:
    export_release(Releases(origin), "3", tmp_path / "3")
    assert (tmp_path / "3").read_bytes() == (archives / "3.tar.zst").read_bytes()
    # From the replica it is the same file, too.
    import_release(tmp_path / "replica", tmp_path / "3")
    export_release(Releases(tmp_path / "replica"), "current", tmp_path / "3-again")
    assert (tmp_path / "3-again").read_bytes() == (archives / "3.tar.zst").read_bytes()
    plain = zstandard.ZstdDecompressor().stream_reader((tmp_path / "3").read_bytes()).read()
    assert str(tmp_path).encode() not in plain
    assert str(origin).encode() not in plain


def repack(archive: Path, tmp_path: Path, name: str, content: bytes | None) -> Path:
    """The archive with another file in it, its list and checksums right."""
    unpack_archive(archive, tmp_path / "changed")
    path = tmp_path / "changed" / name
    if content is None:
        path.unlink()
    else:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)
    files = [each for each in (tmp_path / "changed").rglob("*") if each.is_file()]
    sources = [ArchiveSource(name=str(each.relative_to(tmp_path / "changed")), path=each) for each in files]
    write_archive(tmp_path / "repacked", sources)
    return tmp_path / "repacked"


JOURNAL = {"sequence": 1, "release": "0001-00000000", "action": "build", "instant": "2026-01-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("release/content.nq.gz", gzip.compress(b"<a:s> <a:p> <a:o> <a:g> .\n", mtime=0)),
        ("release/content.nq.gz", b"x"),
        ("release/content.nq.gz", gzip.compress(bytes(70 << 20), mtime=0)),
        ("release/entities.tsv.gz", gzip.compress(bytes(70 << 20), mtime=0)),
        ("release/manifest.json", b"{}"),
        ("release/manifest.json", b"[" * 100_000),
        ("release/report.ttl", None),
        ("release/store/CURRENT", None),
        ("release/dumps/index.json", None),
        ("release/dumps/chap/chap.nt.gz", b"x"),
        ("journal.jsonl", None),
        ("journal.jsonl", b""),
        ("journal.jsonl", json.dumps(JOURNAL).encode() + b"\n"),
        ("journal.jsonl", json.dumps(JOURNAL | {"release": "../x"}).encode() + b"\n"),
        ("journal.jsonl", json.dumps(JOURNAL | {"instant": "yesterday"}).encode() + b"\n"),
        ("feed/log.jsonl", b"x\n"),
        ("feed/log.jsonl", b'{"sequence":1,"release":"%s","instant":"","passed":true,"pages":[]}\n'),
        ("feed/pages/000001.nq.gz", gzip.compress(b"", mtime=0)),
        ("feed/pages/000001.nq.gz", b""),
        ("feed/entities-000001.tsv.gz", None),
        ("feed/entities-000001.tsv.gz", gzip.compress(bytes(70 << 20), mtime=0)),
        ("release/checksums.json", None),
        ("release/checksums.json", b"{}"),
        ("release/store/IDENTITY", b"x"),
        ("release/store/000099.log", b""),
    ],
)
def test_archive_of_something_else_is_refused(archives: Path, tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None and b"%s" in content:
        content %= Releases(archives / "after-1").journal()[0].release.encode()
    forged = repack(archives / "1.tar.zst", tmp_path, name, content)
    with pytest.raises(ArchiveRefused, match="kg release export") as refused:
        import_release(tmp_path / "replica", forged)
    assert ".building" not in str(refused.value)
    assert {each.name for each in (tmp_path / "replica").iterdir()} == {".lock"}


def test_few_bytes_that_unpack_to_much_are_refused_before_they_are_read(archives: Path, tmp_path: Path) -> None:
    forged = repack(archives / "1.tar.zst", tmp_path, "journal.jsonl", bytes(65 << 20))
    assert forged.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveRefused, match=r"journal.jsonl has 68,157,440 bytes, and at most"):
            import_release(tmp_path / "replica", forged)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_archive_of_an_earlier_version_gets_checksums_where_it_is_unpacked(archives: Path, tmp_path: Path) -> None:
    unpack_archive(archives / "1.tar.zst", tmp_path / "unpacked")
    record = json.loads((tmp_path / "unpacked/release/manifest.json").read_text(encoding="utf-8"))
    del record["has_checksums"]
    shutil.rmtree(tmp_path / "unpacked")
    older = repack(archives / "1.tar.zst", tmp_path, "release/manifest.json", json.dumps(record).encode())
    (tmp_path / "changed" / "release" / "checksums.json").unlink()
    files = [each for each in (tmp_path / "changed").rglob("*") if each.is_file()]
    write_archive(older, [ArchiveSource(name=str(each.relative_to(tmp_path / "changed")), path=each) for each in files])
    release = import_release(tmp_path / "replica", older).release
    assert list(examine_one(release)) == []
    assert load_checksums(release.path)


@pytest.mark.parametrize("name", ["store/IDENTITY", "dumps/chap/chap.nt.gz", "content.nq.gz"])
def test_damaged_file_is_not_exported(origin: Path, tmp_path: Path, name: str) -> None:
    root = shutil.copytree(origin, tmp_path / "releases", symlinks=True)
    path = Releases(root).get("current").path / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ReleaseDamaged, match="another SHA-256"):
        export_release(Releases(root), "current", tmp_path / "archive")
    path.unlink()
    with pytest.raises(ReleaseDamaged, match="is gone"):
        export_release(Releases(root), "current", tmp_path / "archive")
    assert not (tmp_path / "archive").exists()


def test_store_with_other_statements_is_refused(archives: Path, tmp_path: Path) -> None:
    unpack_archive(archives / "1.tar.zst", tmp_path / "one")
    unpack_archive(archives / "2.tar.zst", tmp_path / "two")
    shutil.rmtree(tmp_path / "one" / "release" / "store")
    shutil.copytree(tmp_path / "two" / "release" / "store", tmp_path / "one" / "release" / "store")
    files = [each for each in (tmp_path / "one").rglob("*") if each.is_file()]
    sources = [ArchiveSource(name=str(each.relative_to(tmp_path / "one")), path=each) for each in files]
    write_archive(tmp_path / "mixed", sources)
    with pytest.raises(ArchiveRefused, match="store: does not hold"):
        import_release(tmp_path / "replica", tmp_path / "mixed")


def test_feed_that_lags_behind_is_not_exported(origin: Path, tmp_path: Path) -> None:
    root = shutil.copytree(origin, tmp_path / "releases", symlinks=True)
    log = root / "feed" / "log.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(ReleaseError, match="kg doctor --repair"):
        export_release(Releases(root), "current", tmp_path / "archive")
    assert not (tmp_path / "archive").exists()
