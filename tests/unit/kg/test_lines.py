"""Files of lines that grow: what was read is not read again, unless the file is another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kg.lines import LineReader

LINES = [b"%05d %s\n" % (number, b"x" * 60) for number in range(40)]


def read(reader: LineReader) -> tuple[bytes, bool]:
    appended = reader.read()
    reader.take(appended)
    return appended.lines, appended.is_anew


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_bytes(b"".join(LINES))
    return path


def test_second_look_reads_what_was_appended_and_nothing_else(path: Path) -> None:
    reader = LineReader(path)
    assert read(reader) == (b"".join(LINES), False)
    size = path.stat().st_size
    assert reader.read_bytes == size
    assert read(reader) == (b"", False)
    with path.open("ab") as file:
        file.write(b"more\n")
    assert read(reader) == (b"more\n", False)
    assert reader.read_bytes == size + 5


def test_line_is_there_with_its_end(path: Path) -> None:
    reader = LineReader(path)
    read(reader)
    for piece, lines in ((b"to", b""), (b"rn", b""), (b"\nnext", b"torn\n"), (b"\n", b"next\n")):
        with path.open("ab") as file:
            file.write(piece)
        assert read(reader) == (lines, False)


def test_lines_that_nobody_took_are_read_again(path: Path) -> None:
    reader = LineReader(path)
    assert reader.read() == reader.read()
    read(reader)
    assert reader.read().lines == b""


def test_torn_line_that_was_cut_off_is_no_other_file(path: Path) -> None:
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"torn")
    reader = LineReader(path)
    read(reader)
    with path.open("r+b") as file:
        file.truncate(size)
    assert read(reader) == (b"", False)


def replace(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_bytes(b"".join([*LINES, b"more\n"]))
    fresh.replace(path)


OTHERS: dict[str, Callable[[Path], object]] = {
    "another file took its place": replace,
    "it was cut": lambda path: path.write_bytes(b"".join(LINES[:-1])),
    "it was emptied": lambda path: path.write_bytes(b""),
    "it was written anew, and is longer": lambda path: path.write_bytes(b"".join(reversed(LINES)) + b"more\n"),
    "it was written anew, and is as long": lambda path: path.write_bytes(b"".join(reversed(LINES))),
}


@pytest.mark.parametrize("change", OTHERS)
def test_file_that_is_another_one_is_read_from_its_beginning(path: Path, change: str) -> None:
    reader = LineReader(path)
    read(reader)
    OTHERS[change](path)
    assert read(reader) == (path.read_bytes(), True)


def test_file_may_come_and_go(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    reader = LineReader(path)
    assert read(reader) == (b"", False)
    path.write_bytes(content)
    assert read(reader) == (content, False)
    path.unlink()
    assert read(reader) == (b"", True)
    assert read(reader) == (b"", False)
