"""What the read side asks of an engine: the pool of this machine, or a SPARQL server elsewhere (decision 0026)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from endpoint.http.budget import Spending
from endpoint.sparql.confinement import Fence
from endpoint.sparql.frames import Job

__all__ = ["Engine", "Result"]


class Result(Protocol):
    """A result on its way; its chunks can be taken once.

    ``whole`` and ``rows`` are the result and the number of its rows, where it came in one piece. ``when_lost`` is
    called when the rest will not come.
    """

    when_lost: Callable[[], None] | None

    whole: bytes | None
    rows: int | None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks of the result.

        Raises:
            Problem: the result stays incomplete.
        """


class Engine(Protocol):
    """Answers queries. ``start`` before use, ``close`` at the end."""

    # Queries that ended unfinished, by reason.
    stopped: Counter[str]
    # Told when a query met damage in a store.
    on_damage: Callable[[], None] | None

    @property
    def trouble(self) -> str | None:
        """Why it is not ready to answer; None when it is."""

    @property
    def fences(self) -> Fence:
        """The fences that are around every process that queries come to here."""

    def describe(self) -> dict[str, object]:
        """What the health route shows of it."""

    def mark(self, store: str) -> str:
        """What tells the answers about a store from those that another engine gives, for ETags."""

    def counts(self) -> dict[str, int]:
        """How many workers and queries are where."""

    async def start(self) -> None:
        """Get ready."""

    async def close(self) -> None:
        """End what runs, and tell whoever waits."""

    def prepare_store(self, path: str) -> None:
        """Take note of the store that the next queries will ask."""

    def refuse_store(self, reason: str) -> None:
        """Ask the current store nothing, for a reason; again, without one (empty)."""

    def answer(self, job: Job, spending: Spending | None) -> AbstractAsyncContextManager[Result]:
        """The answer to a job, begun well; leaving the context before its end stops the query.

        Args:
            job: what to ask.
            spending: of the client, entered while the engine is busy with the job, not while the job waits.

        Raises:
            Problem: the job was not admitted, or its evaluation failed before the first byte.
        """
