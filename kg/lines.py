"""Files of lines that only grow, such as the journal: what is committed in them, read once and then followed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Appended", "LineReader"]

# So much of what was read is compared again, to know a file that was written anew in its place.
_TAIL: Final = 512


@dataclass(frozen=True, kw_only=True)
class Appended:
    """Committed lines that were not there before; all of them (``is_anew``) where the file is no longer the same."""

    lines: bytes
    is_anew: bool


class LineReader:
    """Reads the committed lines of a file, and after that only what was appended.

    A file that was replaced, cut or written anew is read from its beginning again: its inode, its size and the last
    bytes before the new ones tell. What somebody changes in the midst of it is found by the next process that reads
    it, and by ``kg doctor``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._seen: tuple[int, int] | None = None
        self._position = 0
        self._tail = b""
        self.read_bytes = 0

    def read(self) -> Appended:
        """The lines that nobody has taken (:meth:`take`); none where there is no file."""
        try:
            status = self._path.stat()
            if self._file == (status.st_dev, status.st_ino) and self._seen == (status.st_size, status.st_mtime_ns):
                return Appended(lines=b"", is_anew=False)
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                is_anew = not self._is_same(file.fileno(), status)
                file.seek(0 if is_anew else self._position)
                content = file.read()
        except FileNotFoundError:
            is_anew = self._file is not None
            self._file = self._seen = None
            content = b""
        else:
            self._file = (status.st_dev, status.st_ino)
        if is_anew:
            self._position, self._tail = 0, b""
        self.read_bytes += len(content)
        lines = content[: content.rfind(b"\n") + 1]
        # Once nothing is left to be taken, it is enough to see that nobody touched the file.
        self._seen = (status.st_size, status.st_mtime_ns) if self._file and not lines else None
        return Appended(lines=lines, is_anew=is_anew)

    def take(self, appended: Appended) -> None:
        """From now on, go on behind these lines."""
        self._position += len(appended.lines)
        self._tail = (self._tail + appended.lines[-_TAIL:])[-_TAIL:]

    def _is_same(self, descriptor: int, status: os.stat_result) -> bool:
        """Whether a file goes on from what was taken of it."""
        if self._file not in (None, (status.st_dev, status.st_ino)) or status.st_size < self._position:
            return False
        return os.pread(descriptor, len(self._tail), self._position - len(self._tail)) == self._tail
