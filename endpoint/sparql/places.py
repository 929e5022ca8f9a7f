"""Places are shared among clients, not among queries: whose turn it is, and who makes room (decision 0037)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from endpoint.sparql.answer import Answer

__all__ = ["Line", "ReadingLimits", "find_least_entitled", "find_slowest"]


@dataclass(frozen=True, kw_only=True)
class ReadingLimits:
    """How fast a result must be read by whoever holds a place that others want; the rate is one over a while."""

    bytes_per_s: float
    patience_s: float


class Line:
    """Those who wait, each client in a row of its own, whose first has waited longest."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Answer, None]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Answer]:
        return (answer for row in self._rows.values() for answer in row)

    def add(self, answer: Answer) -> None:
        """Let one wait behind the others of its client."""
        self._rows.setdefault(answer.client, {})[answer] = None
        self._size += 1

    def put_first(self, answers: Sequence[Answer]) -> None:
        """Let some wait before the others of their clients."""
        for answer in reversed(answers):
            self._rows[answer.client] = {answer: None, **self._rows.get(answer.client, {})}
        self._size += len(answers)

    def discard(self, answer: Answer) -> None:
        """Have one wait no longer, if it does."""
        row = self._rows.get(answer.client)
        if row is None or answer not in row:
            return
        del row[answer]
        self._size -= 1
        if not row:
            del self._rows[answer.client]

    def list_next(self) -> list[Answer]:
        """The first of each client, in the order of their weights (endpoint.http.budget), then of their coming.

        So a look-up of one who sends look-ups goes before the queries of all others, however many those are.
        """
        firsts = [next(iter(row)) for row in self._rows.values()]
        if len(firsts) > 1:
            firsts.sort(key=lambda each: (each.weigh(), each.started))
        return firsts

    def drop_surplus(self, limit: int) -> list[Answer]:
        """Take out those who are too many: whoever came last, of the client that has most of them and weighs most."""
        dropped = []
        while self._size > limit:
            most = max(map(len, self._rows.values()))
            lasts = [next(reversed(row)) for row in self._rows.values() if len(row) == most]
            answer = max(lasts, key=lambda each: (each.weigh(), each.started))
            self.discard(answer)
            dropped.append(answer)
        return dropped


def find_slowest(answers: Iterable[Answer], limits: ReadingLimits, now: float) -> Answer | None:
    """The result that is read most slowly, if any is read more slowly than it may be."""
    rates = {each: rate for each in answers if (rate := each.measure_reading(now, limits.patience_s)) is not None}
    slowest = min(rates, key=rates.__getitem__, default=None)
    return slowest if slowest is not None and rates[slowest] < limits.bytes_per_s else None


def find_least_entitled(answer: Answer, others: Sequence[Answer]) -> Answer | None:
    """Who is to make room for an answer: the youngest of the client with most places; None where none has too many.

    A client has too many when, with one less, it still has as many as the other with one more.
    """
    held = Counter(each.client for each in others)
    client = max(held, key=held.__getitem__, default="")
    if held[client] <= held[answer.client] + 1:
        return None
    return max((each for each in others if each.client == client), key=lambda each: (not each.has_begun, each.started))
