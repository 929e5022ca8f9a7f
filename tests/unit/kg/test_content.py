"""The content of a release in a file: whole after every change, and packed again only where it changed."""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path

import pytest

from kg.changes import Change
from kg.content import change_content, write_content
from kg.errors import ReleaseDamaged

LINES = [f"<urn:s:{number:06}> <urn:p> <urn:o> <urn:g> .\n".encode() for number in range(0, 60_000, 2)]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("content") / "content.nq.gz", LINES)


def make(path: Path, lines: list[bytes]) -> Path:
    with path.open("wb") as output:
        write_content(io.BytesIO(b"".join(lines)), output)
    return path


def change(path: Path, changes: list[Change], *, quads: int = len(LINES)) -> tuple[bytes, str]:
    output = io.BytesIO()
    digest = change_content(path, changes, output, quads=quads)
    return output.getvalue(), digest


def line(number: int) -> bytes:
    return f"<urn:s:{number:06}> <urn:p> <urn:o> <urn:g> .\n".encode()


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [Change("A", line(1))],
        [Change("D", line(0)), Change("A", line(59_999))],
        [
            Change("A", b"<a:before> <urn:p> <urn:o> <urn:g> .\n"),
            Change("A", b"<z:behind> <urn:p> <urn:o> <urn:g> .\n"),
        ],
        [Change("D", each) for each in LINES],
        [Change("A", line(number)) for number in range(1, 60_000, 2)],
    ],
    ids=["none", "one", "ends", "beyond", "all-gone", "twice-as-many"],
)
def test_change_gives_the_sorted_lines_and_their_digest(content: Path, changes: list[Change]) -> None:
    packed, digest = change(content, changes)
    gone = {each.line for each in changes if each.mark == "D"}
    expected = b"".join(sorted({each for each in LINES if each not in gone} | {each.line for each in changes} - gone))
    assert gzip.decompress(packed) == expected
    assert digest == hashlib.sha256(expected).hexdigest()


def test_members_without_a_change_are_copied(content: Path) -> None:
    before = content.read_bytes()
    packed, _ = change(content, [Change("A", line(59_997))])
    assert len(before) > 3 * (len(before) - len(_common_start(before, packed)))


def test_change_of_nothing_is_new_content(tmp_path: Path) -> None:
    packed, _ = change(make(tmp_path / "empty", []), [Change("A", line(1))], quads=0)
    assert gzip.decompress(packed) == line(1)


@pytest.mark.parametrize("cut", ["inside a member", "between members", "gone", "no gzip"])
def test_content_that_is_not_whole_is_refused(content: Path, tmp_path: Path, cut: str) -> None:
    path = tmp_path / "content.nq.gz"
    if cut == "between members":
        make(path, LINES[: len(LINES) // 2])
    elif cut != "gone":
        path.write_bytes(b"lines" if cut == "no gzip" else content.read_bytes()[:-100])
    with pytest.raises(ReleaseDamaged, match="restore it from a backup"):
        change(path, [Change("A", line(1))])


def _common_start(one: bytes, other: bytes) -> bytes:
    length = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))
    return one[:length]
