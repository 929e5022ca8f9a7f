"""Archives: many files in one, with a checksum for each, the same bytes for the same files.

An archive is a tar (POSIX ustar) in one zstd frame. Its first member lists all others, in their order, with sizes and
SHA-256; nothing else is in it. So a reader knows before the first file what will come, takes no name, type or size from
the tar itself, and needs no more disk than the list says.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

import zstandard

from kg.durable import put_in_place, sync_directory, translate_disk_errors
from kg.errors import ArchiveRefused, ReleaseDamaged, ReleaseError
from kg.manifest import DAMAGE_CURE

__all__ = ["ArchiveMember", "ArchiveSource", "unpack_archive", "write_archive"]

_LIST_NAME: Final = "archive.json"
_FORMAT: Final = 1
_LEVEL: Final = 3
# Of the list, for some hundred thousand files; of what level 3 looks back on (RFC 8878, section 3.1.1.1.2).
_MAX_LIST_BYTES: Final = 64 * 1024 * 1024
_MAX_WINDOW_BYTES: Final = 8 * 1024 * 1024
_PIECE: Final = 1 << 20
_BLOCK: Final = tarfile.BLOCKSIZE
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# What makes a path another one on some system.
_FOREIGN: Final = frozenset("\\:")
_CURE: Final = "copy it again from where it was made, or make it anew with 'kg release export'"


@dataclass(frozen=True, kw_only=True)
class ArchiveMember:
    """One file: its path below the directory it is unpacked into, its size in bytes, its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ArchiveSource:
    """A file to be packed: its name in the archive, where it is, and how many of its bytes belong to it (None: all).

    ``sha256`` is what it must have, where that is known.
    """

    name: str
    path: Path
    size: int | None = None
    sha256: str | None = None


def write_archive(path: Path, sources: Iterable[ArchiveSource]) -> str:
    """The SHA-256 of the archive, once it is on disk under its name; until then that name holds what it held.

    Raises:
        ReleaseDamaged: a file is not what it should be.
        ReleaseError: a file is not there, changed while it was read, or has a name that no archive takes.
        DiskError: a file cannot be read, or the archive cannot be written.
    """
    ordered = sorted(sources, key=lambda each: each.name)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with translate_disk_errors("the archive"):
            digest = _write_packed(scratch, ordered)
            put_in_place(scratch, path)
    except ValueError as error:
        raise ReleaseError(f"{path} cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            scratch.unlink()
    return digest


def _write_packed(path: Path, sources: list[ArchiveSource]) -> str:
    """The SHA-256 of an archive, once it is on disk."""
    try:
        members = [_measure(each) for each in sources]
        with path.open("wb") as raw:
            with zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).stream_writer(
                raw, closefd=False
            ) as packed:
                _write_tar(cast(IO[bytes], packed), sources, members)
            raw.flush()
            os.fsync(raw.fileno())
        with path.open("rb") as written:
            return hashlib.file_digest(written, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise ReleaseError(f"{error.filename}: there is no such file or directory") from error


def unpack_archive(
    path: Path, directory: Path, *, find_limit: Callable[[str], int | None] = lambda _: None
) -> tuple[ArchiveMember, ...]:
    """The members, after writing every file into a directory that does not exist yet, each checked and on disk.

    Args:
        path: the archive. What a few bytes of it unpack to may be any size, so whoever reads a member whole has to
            say how large it may be.
        directory: where the files go.
        find_limit: the most bytes that a member of that name may have, where there is a limit.

    Raises:
        ArchiveRefused: the file is no archive, is cut short, or holds something else than its list says.
        ReleaseError: there is no such file, or the disk has no room for it.
        OSError: the disk refuses.
    """
    try:
        with path.open("rb") as raw:
            reader = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).stream_reader(raw)
            stream = cast(IO[bytes], reader)
            members = _read_list(stream)
            _check_sizes(members, find_limit)
            directory.mkdir()
            _demand_room(directory, members)
            for member in members:
                _unpack_member(stream, member, directory)
            if _read(stream, 2 * _BLOCK) != bytes(2 * _BLOCK) or stream.read(1) or raw.read(1):
                raise ArchiveRefused("it does not end where it should")
    except (ArchiveRefused, zstandard.ZstdError) as error:
        raise ArchiveRefused(f"{path} is no archive of a release, or was damaged: {error}; {_CURE}") from error
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ReleaseError(f"{path}: there is no such file") from error
    for parent, _, _ in os.walk(directory):
        sync_directory(Path(parent))
    return members


def _measure(source: ArchiveSource) -> ArchiveMember:
    digest = hashlib.sha256()
    size = 0
    for piece in _iter_pieces(source):
        digest.update(piece)
        size += len(piece)
    if source.size not in (None, size):
        raise ReleaseError(f"{source.path} is shorter than it should be; 'kg doctor' says what to do")
    if source.sha256 not in (None, digest.hexdigest()):
        raise ReleaseDamaged(f"{source.path} has another SHA-256 than the list of checksums says; {DAMAGE_CURE}")
    return ArchiveMember(name=source.name, size=size, sha256=digest.hexdigest())


def _iter_pieces(source: ArchiveSource) -> Iterator[bytes]:
    with source.path.open("rb") as file:
        left = source.path.stat().st_size if source.size is None else source.size
        while left and (piece := file.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece


def _write_tar(output: IO[bytes], sources: Iterable[ArchiveSource], members: Iterable[ArchiveMember]) -> None:
    members = list(members)
    record = {"format": _FORMAT, "files": [asdict(each) for each in members]}
    listing = json.dumps(record, indent=1, sort_keys=True).encode() + b"\n"
    _write_member(output, _LIST_NAME, len(listing), [listing])
    for source, member in zip(sources, members, strict=True):
        digest = hashlib.sha256()
        _write_member(output, member.name, member.size, _iter_digested(_iter_pieces(source), digest))
        if digest.hexdigest() != member.sha256:
            raise ReleaseError(f"{source.path} changed while it was packed; try again")
    output.write(bytes(2 * _BLOCK))


def _iter_digested(pieces: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _write_member(output: IO[bytes], name: str, size: int, pieces: Iterable[bytes]) -> None:
    # Time, owner and rights are always the same.
    info = tarfile.TarInfo(name)
    info.size = size
    output.write(info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict"))
    for piece in pieces:
        output.write(piece)
    output.write(bytes(-size % _BLOCK))


def _read_list(stream: IO[bytes]) -> tuple[ArchiveMember, ...]:
    size = _read_header(stream, _LIST_NAME)
    if size > _MAX_LIST_BYTES:
        raise ArchiveRefused(f"its list of files is longer than {_MAX_LIST_BYTES} bytes")
    content = _read(stream, size)
    _read(stream, -size % _BLOCK)
    try:
        record = json.loads(content)
        if record["format"] != _FORMAT:
            raise ArchiveRefused(f"it is of format {record['format']!r}, and this kg reads {_FORMAT}")
        members = tuple(ArchiveMember(**each) for each in record["files"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArchiveRefused(f"its list of files cannot be read ({error!r})") from error
    for member in members:
        _check_member(member)
    _check_places([each.name for each in members])
    return members


def _check_member(member: ArchiveMember) -> None:
    name, size, digest = member.name, member.size, member.sha256
    if not isinstance(name, str) or not isinstance(size, int) or size < 0 or not isinstance(digest, str):
        raise ArchiveRefused("an entry of its list has no name, size and SHA-256")
    path = PurePosixPath(name)
    is_below = path.parts and not path.is_absolute() and ".." not in path.parts and str(path) == name
    if not is_below or not name.isprintable() or not _FOREIGN.isdisjoint(name):
        raise ArchiveRefused(f"{name!r} is no path below a directory")
    if not _SHA256.fullmatch(digest):
        raise ArchiveRefused(f"{name!r} has no SHA-256")


def _check_places(names: list[str]) -> None:
    """No two files in one place, also where upper and lower case are one, and no file where a directory has to be."""
    places = {name.casefold() for name in names}
    above = {str(each) for place in places for each in PurePosixPath(place).parents}
    if len(places) < len(names) or not places.isdisjoint(above):
        raise ArchiveRefused("two files of its list would be in one place")


def _check_sizes(members: Iterable[ArchiveMember], find_limit: Callable[[str], int | None]) -> None:
    for member in members:
        limit = find_limit(member.name)
        if limit is not None and member.size > limit:
            raise ArchiveRefused(f"{member.name} has {member.size:,} bytes, and at most {limit:,} are read")


def _demand_room(directory: Path, members: Iterable[ArchiveMember]) -> None:
    needed, free = sum(each.size for each in members), shutil.disk_usage(directory).free
    if needed > free:
        raise ReleaseError(f"{directory.parent}: the archive needs {needed:,} bytes of disk, and {free:,} are free")


def _unpack_member(stream: IO[bytes], member: ArchiveMember, directory: Path) -> None:
    if _read_header(stream, member.name) != member.size:
        raise ArchiveRefused(f"{member.name} has another size than its list says")
    path = directory / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("xb") as file:
        left = member.size
        while left:
            piece = _read(stream, min(_PIECE, left))
            left -= len(piece)
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != member.sha256:
        raise ArchiveRefused(f"{member.name} has another SHA-256 than its list says")
    _read(stream, -member.size % _BLOCK)


def _read_header(stream: IO[bytes], name: str) -> int:
    """The size of the next member, which must be a plain file of that name.

    Header by header rather than with tarfile.open, which follows extensions of any size before anybody is asked.
    """
    try:
        info = tarfile.TarInfo.frombuf(_read(stream, _BLOCK), "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise ArchiveRefused(f"where {name} should begin is no header of a file ({error})") from error
    if info.type != tarfile.REGTYPE or info.name != name:
        raise ArchiveRefused(f"{info.name!r} is where its list has the file {name}")
    return info.size


def _read(stream: IO[bytes], size: int) -> bytes:
    content = b""
    while len(content) < size:
        piece = stream.read(size - len(content))
        if not piece:
            raise ArchiveRefused("it is cut short")
        content += piece
    return content
