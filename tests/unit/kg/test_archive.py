"""Archives: the same bytes for the same files, and nothing of a file that is not what its list says."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from kg.archive import ArchiveSource, unpack_archive, write_archive
from kg.errors import ArchiveRefused, ReleaseError

FILES = {"a.txt": b"alpha", "d/empty": b"", "d/long": b"x" * 3_000_000}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    sources = []
    for name, content in FILES.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sources.append(ArchiveSource(name=name, path=path))
    write_archive(tmp_path / "archive", sources)
    return tmp_path / "archive"


def describe(name: str, content: bytes = b"") -> dict[str, object]:
    return {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def forge(path: Path, files: object, members: list[tuple[tarfile.TarInfo, bytes]] | None = None) -> Path:
    """An archive of any list and any members."""
    listing = files if isinstance(files, bytes) else json.dumps({"format": 1, "files": files}).encode()
    output = io.BytesIO()
    first = tarfile.TarInfo("archive.json")
    first.size = len(listing)
    for info, content in [(first, listing), *(members or [])]:
        output.write(info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512))
    path.write_bytes(zstandard.compress(output.getvalue() + bytes(1024)))
    return path


def make_member(
    name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, size: int | None = None
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content) if size is None else size
    info.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    return info, content


def test_files_come_out_as_they_went_in(archive: Path, tmp_path: Path) -> None:
    members = unpack_archive(archive, tmp_path / "out")
    assert {each.name: (tmp_path / "out" / each.name).read_bytes() for each in members} == FILES
    assert archive.stat().st_size < 5_000
    with zstandard.open(archive, "rb") as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
        assert [(each.name, each.mtime, each.uid) for each in tar] == [
            (name, 0, 0) for name in ("archive.json", *sorted(FILES))
        ]


def test_same_files_give_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    first = archive.read_bytes()
    sources = [ArchiveSource(name=name, path=tmp_path / "in" / name) for name in reversed(FILES)]
    os.utime(tmp_path / "in" / "a.txt", (0, 0))
    digest = write_archive(archive, sources)
    assert archive.read_bytes() == first
    assert digest == hashlib.sha256(first).hexdigest()
    assert {each.name for each in tmp_path.iterdir()} == {"in", "archive"}


def test_archive_that_cannot_be_written_leaves_the_one_before(archive: Path, tmp_path: Path) -> None:
    before = archive.read_bytes()
    for path, size in ((tmp_path / "in" / "gone", None), (tmp_path / "in" / "a.txt", 99)):
        with pytest.raises(ReleaseError):
            write_archive(archive, [ArchiveSource(name="a.txt", path=path, size=size)])
    with pytest.raises(ReleaseError, match="nowhere"):
        write_archive(tmp_path / "nowhere" / "archive", [])
    assert archive.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"in", "archive"}


@pytest.mark.parametrize(
    "name",
    [
        "/etc/x",
        "../x",
        "a/../../x",
        "a/./x",
        "a//x",
        "",
        ".",
        "..",
        "a\\x",
        "C:x",
        "a\nx",
        "a\0x",
        "a/",
        "\ud800",
        1,
        None,
    ],
)
def test_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    forged = forge(tmp_path / "forged", [{**describe("x"), "name": name}], [make_member("x")])
    with pytest.raises(ArchiveRefused, match=r"is no path|no name"):
        unpack_archive(forged, tmp_path / "out")
    assert {each.name for each in tmp_path.iterdir()} == {"forged"}


@pytest.mark.parametrize("names", [("x", "x"), ("x", "X"), ("x", "x/y"), ("X/y", "x")])
def test_two_files_in_one_place_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    forged = forge(tmp_path / "forged", [describe(each) for each in names], [make_member(each) for each in names])
    with pytest.raises(ArchiveRefused, match="one place"):
        unpack_archive(forged, tmp_path / "out")


@pytest.mark.parametrize(
    "member",
    [
        make_member("x", kind=tarfile.SYMTYPE),
        make_member("x", kind=tarfile.LNKTYPE),
        make_member("x", kind=tarfile.CHRTYPE),
        make_member("x", kind=tarfile.FIFOTYPE),
        make_member("x", kind=tarfile.DIRTYPE),
        make_member("x", kind=tarfile.XHDTYPE, size=1 << 40),
        make_member("x", kind=tarfile.GNUTYPE_LONGNAME, size=1 << 40),
        make_member("x", kind=tarfile.GNUTYPE_SPARSE),
        make_member("../x"),
        make_member("y"),
        make_member("x", size=1 << 50),
        make_member("x", b"more"),
    ],
    ids=lambda member: f"{member[0].type!r} {member[0].name} {member[0].size}",
)
def test_member_that_is_not_the_file_of_the_list_is_refused(
    tmp_path: Path, member: tuple[tarfile.TarInfo, bytes]
) -> None:
    forged = forge(tmp_path / "forged", [describe("x")], [member])
    with pytest.raises(ArchiveRefused, match="its list"):
        unpack_archive(forged, tmp_path / "out")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "listing",
    [
        b"",
        b"x",
        b"[]",
        b"[" * 100_000,
        b'{"format": 2, "files": []}',
        b'{"format": 1}',
        b'{"format": 1, "files": {}, "x": 1',
        b'{"format": 1, "files": ["x"]}',
        b'{"format": 1, "files": [{"name": "x", "size": -1, "sha256": ""}]}',
        b'{"format": 1, "files": [{"name": "x", "size": 1, "sha256": "../../x"}]}',
    ],
)
def test_list_that_is_none_is_refused(tmp_path: Path, listing: bytes) -> None:
    with pytest.raises(ArchiveRefused, match="kg release export"):
        unpack_archive(forge(tmp_path / "forged", listing), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_content_that_is_another_is_refused(tmp_path: Path) -> None:
    forged = forge(tmp_path / "forged", [describe("x", b"alpha")], [make_member("x", b"omega")])
    with pytest.raises(ArchiveRefused, match="x has another SHA-256"):
        unpack_archive(forged, tmp_path / "out")


def test_more_than_the_disk_holds_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    forged = forge(tmp_path / "forged", [{**describe("x"), "size": 1 << 60}])
    with pytest.raises(ReleaseError, match="bytes of disk"):
        unpack_archive(forged, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_follows_the_list_is_refused(archive: Path, tmp_path: Path) -> None:
    more = forge(tmp_path / "more", [describe("x")], [make_member("x"), make_member("y")])
    with pytest.raises(ArchiveRefused, match="does not end"):
        unpack_archive(more, tmp_path / "out-more")
    bomb = tmp_path / "bomb"
    bomb.write_bytes(zstandard.compress(zstandard.decompress(forge(bomb, []).read_bytes()) + bytes(50_000_000)))
    with pytest.raises(ArchiveRefused, match="does not end"):
        unpack_archive(bomb, tmp_path / "out-bomb")
    archive.write_bytes(archive.read_bytes() + b"x")
    with pytest.raises(ArchiveRefused, match="copy it again"):
        unpack_archive(archive, tmp_path / "out-tail")


def cut(content: bytes) -> bytes:
    return content[:-20]


def halve(content: bytes) -> bytes:
    return content[: len(content) // 2]


def spoil(content: bytes) -> bytes:
    return content[:300] + bytes([content[300] ^ 0xFF]) + content[301:]


def replace_all(content: bytes) -> bytes:
    return b"PK" + content


def keep_nothing(_: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [cut, halve, spoil, replace_all, keep_nothing])
def test_damaged_file_is_refused_with_a_cure(archive: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(ArchiveRefused, match="copy it again"):
        unpack_archive(archive, tmp_path / "out")


def test_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="nowhere"):
        unpack_archive(tmp_path / "nowhere", tmp_path / "out")
