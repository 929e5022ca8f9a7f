"""The list of the files of a release, ``checksums.json``: how large each is, and its SHA-256 (decision 0039).

All files are in it, the engine's too, but for the list itself, marks (they begin with a dot), and what the engine
notes down for people (LOG). What is made later (kg.complete) is added when it is made. Reading the list and examining
files by it needs no engine, so that the server's process may.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from kg.durable import write_file
from kg.errors import ReleaseDamaged
from kg.manifest import DAMAGE_CURE, MANIFEST_NAME, STORE_NAME

__all__ = [
    "CHECKSUMS_NAME",
    "Checksum",
    "Digests",
    "add_checksums",
    "examine_files",
    "examine_store",
    "find_shared",
    "iter_files",
    "load_checksums",
    "write_checksums",
]

CHECKSUMS_NAME: Final = "checksums.json"
_STORE: Final = f"{STORE_NAME}/"
_TABLE: Final = ".sst"
# It names the host and the directory that the store was made in; nothing reads it.
_NOTES: Final = f"{_STORE}LOG"
_SMALL_BYTES: Final = 128 * 1024
# Files of some terabytes.
_REMEMBERED: Final = 50_000
_NONE: Final[Mapping[str, Checksum]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Checksum:
    """How many bytes a file has, and their SHA-256 in hexadecimal."""

    size: int
    sha256: str


class Digests:
    """The SHA-256 of files: each is read once, whatever names it has, until it changes."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int, int], str] = {}

    def measure(self, path: Path) -> Checksum:
        """Size and SHA-256 of a file.

        Raises:
            OSError: it cannot be read.
        """
        status = path.stat()
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        digest = self._known.pop(key, None)
        if digest is None:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        # What was asked for last stands last, and what nobody asks for any more goes.
        self._known[key] = digest
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return Checksum(size=status.st_size, sha256=digest)


def iter_files(directory: Path, *, folder: str = "") -> Iterator[tuple[str, Path]]:
    """The files of a release that count, each with its name below the directory, in no order; or those of a folder."""
    for parent, folders, names in os.walk(directory / folder):
        place = Path(parent)
        if place == directory:
            folders[:] = [each for each in folders if not each.startswith(".")]
        for each in names:
            path = place / each
            name = path.relative_to(directory).as_posix()
            if name != CHECKSUMS_NAME and not name.startswith((".", _NOTES)):
                yield name, path


def write_checksums(
    directory: Path, *, known: Mapping[str, Checksum] = _NONE, beside: Mapping[str, Checksum] = _NONE
) -> None:
    """List the files in a directory that nobody reads yet.

    Args:
        directory: that of the release to be.
        known: of these it is known what they hold, so they are not read.
        beside: those of the release that are elsewhere.

    Raises:
        OSError: a file cannot be read, or the list cannot be written.
    """
    sums = {**beside, **_measure_files(directory, known)}
    (directory / CHECKSUMS_NAME).write_text(_format(sums), encoding="utf-8")


def add_checksums(directory: Path) -> None:
    """Give a release from before there were such lists its own; the caller holds the lock and knows it to be sound.

    Raises:
        DiskError: the list cannot be written.
        OSError: a file cannot be read.
    """
    write_file(directory / CHECKSUMS_NAME, _format(_measure_files(directory, _NONE)).encode())


def _measure_files(directory: Path, known: Mapping[str, Checksum]) -> dict[str, Checksum]:
    digests = Digests()
    return {name: known.get(name) or digests.measure(path) for name, path in iter_files(directory)}


def load_checksums(directory: Path) -> Mapping[str, Checksum] | None:
    """The list of a release by names of files; None where it was made before there were such lists.

    Raises:
        ReleaseDamaged: it cannot be read, or is not as it was written.
    """
    path = directory / CHECKSUMS_NAME
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return _load(path, (status.st_ino, status.st_size, status.st_mtime_ns))


# Whoever serves asks again and again whether what is on disk is still what it was.
@lru_cache(maxsize=4)
def _load(path: Path, _: tuple[int, int, int]) -> Mapping[str, Checksum]:
    try:
        text = path.read_text(encoding="utf-8")
        sums = {
            name: Checksum(size=int(each["bytes"]), sha256=str(each["sha256"]))
            for name, each in json.loads(text).items()
        }
        # A byte that changed shows in the files, or here.
        is_whole = _format(sums) == text
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReleaseDamaged(f"{path}: no usable list of checksums ({error!r}); {DAMAGE_CURE}") from error
    if not is_whole:
        raise ReleaseDamaged(f"{path}: the list of checksums is not as it was written; {DAMAGE_CURE}")
    return sums


def find_shared(directory: Path, parent: Path) -> Mapping[str, Checksum]:
    """What the list of another release says of the tables of the store that are the same files (hard links) here.

    Only tables: the engine never writes to one again.
    """
    try:
        sums = load_checksums(parent) or {}
    except ReleaseDamaged:
        return {}
    return {
        name: sums[name]
        for name, path in iter_files(directory, folder=STORE_NAME)
        if name in sums and name.endswith(_TABLE) and (parent / name).exists() and path.samefile(parent / name)
    }


def examine_files(
    directory: Path, sums: Mapping[str, Checksum], digests: Digests, *, is_quick: bool = False, is_complete: bool = True
) -> Iterator[str]:
    """What of the files of a release is not as its list says, a sentence each.

    Args:
        directory: that of the release.
        sums: the list.
        digests: what was read already.
        is_quick: read small files and those of the engine that are no tables only; for the rest their sizes have to do.
        is_complete: whether no files are to come; before that, those that are not listed matter in the store only.
    """
    found = dict(iter_files(directory))
    for name in sorted(sums.keys() | found.keys()):
        if name in sums or is_complete or name.startswith(_STORE):
            yield from _compare(name, found.get(name), directory, sums.get(name), digests, is_quick=is_quick)


def examine_store(
    directory: Path, sums: Mapping[str, Checksum], digests: Digests, *, is_quick: bool = False
) -> Iterator[str]:
    """As :func:`examine_files`, of the files that answers to queries come from."""
    found = dict(iter_files(directory, folder=STORE_NAME))
    found[MANIFEST_NAME] = directory / MANIFEST_NAME
    for name in sorted({each for each in sums if each.startswith(_STORE)} | found.keys()):
        yield from _compare(name, found.get(name), directory, sums.get(name), digests, is_quick=is_quick)


def _compare(  # noqa: PLR0913 - one file, what is said of it, and how it is looked at
    name: str, path: Path | None, directory: Path, listed: Checksum | None, digests: Digests, *, is_quick: bool
) -> Iterator[str]:
    try:
        if path is None or not path.is_file():
            yield f"{directory / name}: is gone"
        elif listed is None:
            yield f"{path}: is not in the list of checksums"
        elif (size := path.stat().st_size) != listed.size:
            yield f"{path}: has {size:,} bytes, and the list of checksums says {listed.size:,}"
        elif (not is_quick or _is_small(name, size)) and digests.measure(path) != listed:
            yield f"{path}: has another SHA-256 than the list of checksums says"
    except OSError as error:
        yield f"{directory / name}: cannot be read ({error.strerror})"


def _is_small(name: str, size: int) -> bool:
    """Whether a quick look reads it: the engine trusts its own files other than tables, whatever is cut off them."""
    return size <= _SMALL_BYTES or (name.startswith(_STORE) and not name.endswith(_TABLE))


def _format(sums: Mapping[str, Checksum]) -> str:
    """A line a file, in their order."""
    lines = (
        f" {json.dumps(name)}: " + json.dumps({"bytes": each.size, "sha256": each.sha256})
        for name, each in sorted(sums.items())
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"
