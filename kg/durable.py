"""What is on disk stays there: files put in place in one step, lines appended, names and contents flushed.

A file's content is on disk once the file was flushed, and a name once the directory that holds it was (fsync(2)); what
was not flushed may be lost at a loss of power, in any order. After a flush that failed nobody knows what is on disk,
and the next one may say that all is well: the kernel has let go of what it could not write. So who goes on after such
a failure writes again what has to stay.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from kg.errors import DiskError, DiskFull, DiskUnclear

__all__ = [
    "append_line",
    "drop_torn_line",
    "is_torn",
    "make_directory",
    "put_in_place",
    "scratch_path",
    "settle_lines",
    "sync_directory",
    "sync_file",
    "sync_tree",
    "translate_disk_errors",
    "write_file",
    "write_files",
]

_PIECE: Final = 64 * 1024
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
# The engine says it in words alone.
_FULL_WORDS: Final = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


@contextmanager
def translate_disk_errors(what: str) -> Iterator[None]:
    """Inside the ``with`` a disk that refuses is an error of ours.

    Args:
        what: the thing that is being changed, as its user knows it: no path of the server, since clients read this.

    Raises:
        DiskFull: there is no room.
        DiskError: a file cannot be made, written, flushed, renamed or removed.
    """
    try:
        yield
    except ConnectionError:
        # Somebody at the other end of a socket went away, which is no matter of disks.
        raise
    except OSError as error:
        raise _translate(error, what) from error


def _translate(error: OSError, what: str) -> DiskError:
    reason = error.strerror or str(error)
    if error.errno in _FULL or any(each in reason for each in _FULL_WORDS):
        return DiskFull(
            f"there is no room for {what} on the disk, so nothing was changed: make some (old releases go with "
            "'kg release prune --keep N'), and try again"
        )
    said = error.strerror or "the engine says no more"
    return DiskError(
        f"{what} cannot be written ({said}), and nothing was changed: look after the disk and the rights to it, "
        "and try again"
    )


def sync_file(path: Path) -> None:
    """Put what is in a file on disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Put the names in a directory on disk, as renames and new files need (fsync(2), notes)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Put every file and name below a directory on disk; what is a link to a file of a release is there already."""
    for parent, _, names in os.walk(directory, onerror=_raise):
        for name in names:
            with (Path(parent) / name).open("rb") as file:
                if os.fstat(file.fileno()).st_nlink == 1:
                    os.fsync(file.fileno())
        sync_directory(Path(parent))


def _raise(error: OSError) -> None:
    raise error


def make_directory(path: Path) -> None:
    """Make a directory and those above it, as far as they are not there, with their names on disk."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        sync_directory(each.parent)


def scratch_path(path: Path) -> Path:
    """Where the next content of a file is made, until it takes its place; no pattern of ours finds it there."""
    return path.with_name(f".{path.name}.part")


def put_in_place(scratch: Path, path: Path) -> None:
    """Let a file, a link or a directory that is on disk take a name in one step, with the name on disk.

    Raises:
        DiskUnclear: it has the name now, and nobody knows what the disk holds.
        OSError: nothing was changed.
    """
    scratch.replace(path)
    try:
        sync_directory(path.parent)
    except OSError as error:
        raise DiskUnclear(
            f"{path.name} was written, and the disk failed before that was sure ({error.strerror}): "
            "see whether it is what it should be, and do it once more"
        ) from error


def write_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """As :func:`write_files`, for one file.

    Args:
        path: the file.
        content: what it holds from now on.
        mode: who may read and write it, less what the process takes off (umask).
    """
    write_files({path: content}, mode=mode)


def write_files(contents: Mapping[Path, bytes], *, mode: int = 0o666) -> None:
    """Write files whole or not at all: each beside its place and on disk first, then all put in place.

    So a full disk changes nothing, and a reader sees what was there or what is there now.

    Raises:
        DiskUnclear: a part is in place, or all is, and nobody knows what the disk holds.
        OSError: nothing was changed.
    """
    scratches = {path: scratch_path(path) for path in contents}
    done: list[str] = []
    try:
        for path, content in contents.items():
            _write_anew(scratches[path], content, mode)
        for path, scratch in scratches.items():
            scratch.replace(path)
            done.append(path.name)
        for directory in {path.parent for path in contents}:
            sync_directory(directory)
    except OSError as error:
        if not done:
            raise
        raise DiskUnclear(
            f"{', '.join(done)} of {len(contents)} were written, and the disk failed before that was sure "
            f"({error.strerror}): see whether they are what they should be, and do it once more"
        ) from error
    finally:
        for scratch in scratches.values():
            with suppress(OSError):
                scratch.unlink()


def _write_anew(path: Path, content: bytes, mode: int) -> None:
    # What a crash left may be open to others.
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def append_line(path: Path, line: bytes) -> None:
    """Put one more line, newline included, at the end of a file of lines, on disk.

    Raises:
        DiskUnclear: nobody knows whether the line is there: :func:`settle_lines` makes it sure.
        OSError: it is not there, and nothing was changed.
    """
    is_new = not path.exists()
    with path.open("ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            _write_all(file.fileno(), line)
            os.fsync(file.fileno())
            if is_new:
                sync_directory(path.parent)
        except OSError as error:
            # The line may be on disk, or come there later. Only a cut that is on disk makes sure that it does not.
            try:
                os.ftruncate(file.fileno(), end)
                os.fsync(file.fileno())
            except OSError:
                raise DiskUnclear(
                    f"the disk failed while a line was added to {path.name} ({error.strerror}), and whether it is "
                    "there is unclear: when the disk is sound, 'kg doctor --repair' or the next change makes it sure"
                ) from error
            raise


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def drop_torn_line(path: Path) -> None:
    """Cut off a last line without its newline: a crash came before it was committed."""
    if not is_torn(path):
        return
    with path.open("r+b") as file:
        file.truncate(_find_start(file, file.seek(0, os.SEEK_END)))
        os.fsync(file.fileno())


def is_torn(path: Path) -> bool:
    """Whether a file of lines ends within one; a file that is not there does not."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            return size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
    except FileNotFoundError:
        return False


def settle_lines(path: Path) -> None:
    """Make sure that the last line of a file of lines is on disk, whatever became of the flush that should have.

    It is written again in its place: a line that was not written by a flush that failed counts as written else.
    """
    with path.open("r+b", buffering=0) as file:
        start = _find_start(file, file.seek(0, os.SEEK_END) - 1)
        file.seek(start)
        content = file.read()
        file.seek(start)
        _write_all(file.fileno(), content)
        os.fsync(file.fileno())
    sync_directory(path.parent)


def _find_start(file: IO[bytes], end: int) -> int:
    """Where the line begins that holds what is before a place; read from there back, since the file may be long."""
    while end > 0:
        start = max(0, end - _PIECE)
        found = os.pread(file.fileno(), end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
