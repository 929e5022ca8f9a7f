"""What is written down about queries: a line of JSON each, with a digest instead of the text (slow ones by setting)."""

from __future__ import annotations

import hashlib
import json
import secrets
from logging import INFO, getLogger
from typing import Protocol

__all__ = ["QueryLog", "QueryObserver"]

_log = getLogger("chap.queries")


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
