"""A process of its own in which the engine reads stores that may be damaged: what becomes of it there is told here.

It ends with whoever started it, and is used again from one store to the next; where a store brings it down, that is
damage, and the next store has a new one. ``python -m kg.probe`` is its other side.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, Final

from kg.errors import KgError, ReleaseDamaged

__all__ = ["Size", "StoreSize", "count_store", "measure_store"]

_LAST_WORDS: Final = 500


@dataclass(frozen=True)
class Size:
    """Sorted lines: how many, and the SHA-256 of them."""

    lines: int
    digest: str

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> Size:
        """That of lines."""
        digest = hashlib.sha256()
        number = 0
        for line in lines:
            digest.update(line)
            number += 1
        return cls(number, digest.hexdigest())


@dataclass(frozen=True)
class StoreSize:
    """What a store holds: its content, and, beside that, a default graph that is the merge of others."""

    content: Size
    merged: Size


def count_store(path: Path) -> int:
    """How many statements a store holds.

    Raises:
        ReleaseDamaged: it cannot be read.
    """
    number = _ask({"count": str(path)})
    assert isinstance(number, int)
    return number


def measure_store(path: Path, *, is_merged: bool) -> StoreSize:
    """The size of what a store holds, in one pass.

    Args:
        path: the store.
        is_merged: whether its default graph is the merge of others.

    Raises:
        ReleaseDamaged: it cannot be read.
    """
    record = _ask({"measure": str(path), "is_merged": is_merged})
    assert isinstance(record, dict)
    return StoreSize(content=Size(**record["content"]), merged=Size(**record["merged"]))


class _Process:
    """The other side, once it is started."""

    current: _Process | None = None

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kg.probe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def ask(self, question: object) -> bytes:
        """Its answer; empty where it ended."""
        asked, answered = self.process.stdin, self.process.stdout
        assert asked is not None
        assert answered is not None
        try:
            asked.write(json.dumps(question).encode() + b"\n")
            asked.flush()
        except BrokenPipeError:
            return b""
        return answered.readline()

    def end(self) -> tuple[int, str]:
        """How it ended, and its last words."""
        _, errors = self.process.communicate()
        return self.process.returncode, errors[-_LAST_WORDS:].decode(errors="replace").strip()


def _ask(question: dict[str, object]) -> object:
    if _Process.current is None:
        _Process.current = _Process()
    answer = _Process.current.ask(question)
    if not answer:
        status, words = _end()
        path = question.get("count", question.get("measure"))
        raise ReleaseDamaged(f"{path}: the engine ended while it read the store (status {status}): {words}")
    record = json.loads(answer)
    if "error" in record:
        raise ReleaseDamaged(record["error"])
    return record["found"]


@atexit.register
def _end() -> tuple[int, str]:
    process, _Process.current = _Process.current, None
    return process.end() if process else (0, "")


def _serve(questions: Iterable[bytes], answers: IO[bytes]) -> None:
    for line in questions:
        question = json.loads(line)
        try:
            answer = {"found": _count(question) if "count" in question else asdict(_measure(question))}
        except (KgError, OSError, RuntimeError, ValueError) as error:
            answer = {"error": str(error)}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _count(question: dict[str, str]) -> object:
    from kg.store import open_read_only  # noqa: PLC0415 - the engine is for the other side only

    path = Path(question["count"])
    try:
        return len(open_read_only(path))
    except RuntimeError as error:
        raise ReleaseDamaged(f"{path}: the store cannot be read: {error}") from error


def _measure(question: dict[str, str]) -> StoreSize:
    from pyoxigraph import DefaultGraph  # noqa: PLC0415 - as above

    from kg.rdfio import sort_lines  # noqa: PLC0415
    from kg.store import open_read_only  # noqa: PLC0415

    path = Path(question["measure"])
    merged = DefaultGraph() if question["is_merged"] else None
    try:
        lines = sort_lines(
            f"d{each.triple} .\n".encode() if each.graph_name == merged else f"n{each} .\n".encode()
            for each in open_read_only(path)
        )
        sizes = {kind: Size.of(line[1:] for line in group) for kind, group in groupby(lines, key=lambda line: line[:1])}
    except RuntimeError as error:
        raise ReleaseDamaged(f"{path}: the store cannot be read: {error}") from error
    return StoreSize(content=sizes.get(b"n", Size.of(())), merged=sizes.get(b"d", Size.of(())))


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
