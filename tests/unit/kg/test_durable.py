from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kg.durable import append_line, make_directory, settle_lines, translate_disk_errors, write_file, write_files
from kg.errors import DiskError, DiskFull


@contextmanager
def most_bytes(size: int) -> Iterator[None]:
    """No file of this process grows beyond a size, inside the ``with``."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_file_is_written_with_its_mode_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    for content in (b"first", b"second"):
        write_file(path, content, mode=0o600)
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_cannot_all_be_written_stay_as_they_were(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    write_files({first: b"1", second: b"2"})
    with most_bytes(10), pytest.raises(OSError, match="File too large"):
        write_files({first: b"new", second: b"a longer content"})
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"first.csv": b"1", "second.csv": b"2"}


def test_line_that_does_not_fit_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    append_line(path, b"one\n")
    with most_bytes(6), pytest.raises(OSError, match="File too large"):
        append_line(path, b"two\n")
    assert path.read_bytes() == b"one\n"
    append_line(path, b"three\n")
    settle_lines(path)
    assert path.read_bytes() == b"one\nthree\n"


def test_directory_is_made_with_those_above_it(tmp_path: Path) -> None:
    for _ in range(2):
        make_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/srv/x"), DiskFull),
        (OSError("IO error: No space left on device: While appending to file: /srv/x"), DiskFull),
        (OSError(errno.EIO, os.strerror(errno.EIO), "/srv/x"), DiskError),
        (OSError("IO error: /srv/x"), DiskError),
    ],
)
def test_disk_that_refuses_is_told_without_its_path(error: OSError, kind: type[DiskError]) -> None:
    with pytest.raises(DiskError) as told, translate_disk_errors("the dataset"):
        raise error
    assert type(told.value) is kind
    assert "the dataset" in str(told.value)
    assert "/srv" not in str(told.value)
