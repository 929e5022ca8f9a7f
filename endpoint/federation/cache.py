"""Answers of outside endpoints, kept for a while as the bytes that came."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["AnswerCache", "KeptAnswer"]

# What an entry takes beside its bytes: many small ones are not free.
_ENTRY_BYTES: Final = 600


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it came."""

    media_type: str
    body: bytes


class AnswerCache:
    """Answers by endpoint and query, for as long as each endpoint's setting says; the one used longest ago goes."""

    def __init__(self, *, capacity_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity_bytes = capacity_bytes
        self._clock = clock
        self._answers: OrderedDict[tuple[str, str], tuple[float, KeptAnswer]] = OrderedDict()
        self.held_bytes = 0

    @property
    def largest_bytes(self) -> int:
        """The size beyond which an answer is not kept: one must not push out all others."""
        return self._capacity_bytes // 4

    def find(self, endpoint: str, query: str) -> KeptAnswer | None:
        """The answer, while it may still be given."""
        key = (endpoint, query)
        if key not in self._answers:
            return None
        until, answer = self._answers[key]
        if until <= self._clock():
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def keep(self, endpoint: str, query: str, answer: KeptAnswer, *, ttl_s: float) -> None:
        """Keep an answer for so many seconds."""
        key = (endpoint, query)
        if key in self._answers:
            self._drop(key)
        if ttl_s <= 0 or len(answer.body) > self.largest_bytes:
            return
        self._answers[key] = (self._clock() + ttl_s, answer)
        self.held_bytes += self._size(key, answer)
        while self.held_bytes > self._capacity_bytes:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: tuple[str, str]) -> None:
        _, answer = self._answers.pop(key)
        self.held_bytes -= self._size(key, answer)

    @staticmethod
    def _size(key: tuple[str, str], answer: KeptAnswer) -> int:
        return len(key[1]) + len(answer.body) + _ENTRY_BYTES
