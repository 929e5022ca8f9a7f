"""The content of a release: the quads of its named graphs as sorted lines, in a gzip file of many members.

A member holds whole lines, a quarter of a MiB of them. So a change unpacks and digests all members, but packs only
those again that it falls into, and copies the others as they are (RFC 1952, section 2.2: members follow each other).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from kg.changes import Change
from kg.errors import ReleaseDamaged

__all__ = ["change_content", "write_content"]

_MEMBER_BYTES: Final = 1 << 18
_PIECE_BYTES: Final = 1 << 16
_GZIP_WINDOW: Final = 31


def write_content(lines: IO[bytes], output: IO[bytes]) -> None:
    """Write sorted lines as the content of a release; equal lines give equal bytes, since no time is in them."""
    while block := lines.readlines(_MEMBER_BYTES):
        output.write(gzip.compress(b"".join(block), compresslevel=6, mtime=0))


def change_content(path: Path, changes: Iterable[Change], output: IO[bytes], *, quads: int) -> str:
    """The SHA-256 of the lines, after writing the content of a release with changes made to it.

    Args:
        path: the content before.
        changes: in the order of their lines.
        output: where the content after goes.
        quads: how many lines there were before; a file that was cut between members would not show it.

    Raises:
        ReleaseDamaged: the content before cannot be read, or is not whole.
    """
    remaining = deque(changes)
    digest = hashlib.sha256()
    found = 0
    for packed, plain in _iter_members(path):
        found += plain.count(b"\n")
        last = plain[plain.rfind(b"\n", 0, -1) + 1 :]
        if not remaining or remaining[0].line > last:
            digest.update(plain)
            output.write(packed)
            continue
        lines = set(plain.splitlines(keepends=True))
        while remaining and remaining[0].line <= last:
            change = remaining.popleft()
            (lines.add if change.mark == "A" else lines.discard)(change.line)
        changed = b"".join(sorted(lines))
        digest.update(changed)
        write_content(io.BytesIO(changed), output)
    if found != quads:
        raise _damaged(path, f"it has {found:,} lines, and its manifest says {quads:,}")
    added = b"".join(change.line for change in remaining if change.mark == "A")
    digest.update(added)
    write_content(io.BytesIO(added), output)
    return digest.hexdigest()


def _iter_members(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Each member of a gzip file as it is there, and what is in it."""
    try:
        with path.open("rb") as file:
            data = file.read(_PIECE_BYTES)
            while data:
                unpacker = zlib.decompressobj(_GZIP_WINDOW)
                packed, plain = [], []
                while not unpacker.eof:
                    if not data:
                        raise EOFError("it is cut short")
                    plain.append(unpacker.decompress(data))
                    packed.append(data[: len(data) - len(unpacker.unused_data)])
                    data = unpacker.unused_data or file.read(_PIECE_BYTES)
                yield b"".join(packed), b"".join(plain)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, reason: str) -> ReleaseDamaged:
    return ReleaseDamaged(f"{path}: the content cannot be read ({reason}); restore it from a backup")
