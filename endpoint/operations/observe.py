"""What is written down: of queries a line of JSON each, with a digest instead of the text (slow ones by setting).

What comes from outside stands in a log as text and never as a line of its own, nor as a command to a terminal.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from logging import INFO, Formatter, LogRecord, getLogger
from types import TracebackType
from typing import Final, Protocol, TypeAlias

__all__ = ["LogFormatter", "QueryLog", "QueryObserver"]

_log = getLogger("chap.queries")
_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
# Control characters, the separators that Unicode adds to the line break, marks that turn the direction of a text, and
# halves of characters, which cannot be written.
_UNPRINTED: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_INDENT: Final = "    "


class LogFormatter(Formatter):
    """One line a record; those of a traceback follow it, indented, so that none can pass for a record."""

    def formatMessage(self, record: LogRecord) -> str:
        """The line, in which what is not printed stands as in a string of JSON (logging.Formatter)."""
        return _escape(super().formatMessage(record))

    def formatException(self, ei: _ExcInfo) -> str:
        """The lines of a traceback (logging.Formatter)."""
        return "\n".join(_INDENT + _escape(line) for line in super().formatException(ei).split("\n"))


def _escape(text: str) -> str:
    return _UNPRINTED.sub(lambda found: json.dumps(found[0])[1:-1] if found[0] != "\x7f" else r"\u007f", text)


class QueryObserver(Protocol):
    """What wants to know how queries ended."""

    def observe(self, outcome: str, seconds: float, sent_bytes: int) -> None:
        """Take note of one query: how it ended (``ok`` or the code of its problem), how long, how much was sent."""


class QueryLog:
    """Writes queries to the log: all of them or slow ones only; the text of slow ones when the operator wants it."""

    def __init__(self, *, is_full: bool, slow_s: float, shows_text: bool) -> None:
        self._is_full = is_full
        self._slow_s = slow_s
        self._shows_text = shows_text

    def note(self, text: str, outcome: str, seconds: float, sent_bytes: int) -> None:
        """Write one query down, if it is to be."""
        is_slow = self._slow_s > 0 and seconds >= self._slow_s
        if not (self._is_full or is_slow) or not _log.isEnabledFor(INFO):
            return
        record = {
            "event": "slow-query" if is_slow else "query",
            "request": secrets.token_hex(8),
            "query": hashlib.sha256(text.encode()).hexdigest()[:16],
            "outcome": outcome,
            "seconds": round(seconds, 4),
            "bytes": sent_bytes,
        }
        if is_slow and self._shows_text:
            record["text"] = text
        _log.info(json.dumps(record, ensure_ascii=False))
