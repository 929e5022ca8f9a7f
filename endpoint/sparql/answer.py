"""One query from the pool's point of view: it waits, a worker is busy with it, its result is taken piece by piece."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable
from logging import getLogger
from typing import Final, Literal, TypeAlias

from endpoint.http.budget import Spending
from endpoint.http.problems import Problem
from endpoint.sparql.connection import FINAL, WorkerConnection
from endpoint.sparql.failures import (
    busy_problem,
    closing_problem,
    crash_problem,
    failure_problem,
    relocate,
    timeout_problem,
)
from endpoint.sparql.frames import Conversion, Failure, Frame, FrameKind, Job, decode_whole
from endpoint.sparql.librarian import LIBRARIAN, QUICK_LENGTH

__all__ = ["Answer", "StopReason"]

StopReason: TypeAlias = Literal["timeout", "busy", "closing", "share", "slow-reader"]

_log = getLogger(__name__)
_LOW_WATER: Final = 128 * 1024


class Answer:
    """A result on its way: its chunks can be taken once, and each may wait for the worker.

    A conversion is fed from ``source``, which raises a Problem where it breaks off. ``started`` is since when it waits
    for a worker, then since when one is busy with it.
    """

    __slots__ = (
        "_feeding",
        "_frames",
        "_is_charged",
        "_is_lost",
        "_marks",
        "_problem",
        "_source",
        "_spending",
        "_taken_bytes",
        "_timeout_s",
        "_waiter",
        "client",
        "has_begun",
        "held_bytes",
        "is_complete",
        "job",
        "reason",
        "rows",
        "started",
        "when_lost",
        "whole",
        "worker",
    )

    def __init__(
        self,
        job: Job | Conversion,
        spending: Spending | None,
        source: AsyncIterable[bytes] | None,
        *,
        client: str,
        timeout_s: float,
    ) -> None:
        self.job = job
        self.client = client
        self.worker: WorkerConnection | None = None
        self.started = time.monotonic()
        self.reason: StopReason | None = None
        # Whether some of it, and whether all of it, has come from the worker.
        self.has_begun = False
        self.is_complete = False
        # The result and its rows, where it came in one piece.
        self.whole: bytes | None = None
        self.rows: int | None = None
        self.held_bytes = 0
        # Called when the worker is gone, for those who wait for something else than the next chunk.
        self.when_lost: Callable[[], None] | None = None
        self._taken_bytes = 0
        # When, and how much had been taken then: the last two, between which a rate is taken.
        self._marks: tuple[tuple[float, int], ...] = ()
        self._timeout_s = timeout_s
        self._spending = spending
        self._source = source
        self._feeding: asyncio.Task[None] | None = None
        self._is_charged = False
        self._frames: deque[Frame] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._is_lost = False
        self._problem: Problem | None = None

    # ---- what pool and worker do

    def assign(self, worker: WorkerConnection | None) -> None:
        """Say who is to answer: from now on it is charged; nobody, and it waits again at nobody's cost."""
        self.worker = worker
        self.started = time.monotonic()
        if self._spending is not None and self._is_charged is not (worker is not None):
            self._is_charged = worker is not None
            if worker is not None:
                self._spending.__enter__()
            else:
                self._spending.__exit__(None, None, None)

    def weigh(self) -> tuple[int, int]:
        """What its client has had lately (endpoint.http.budget); the server's own goes first."""
        return (0, 0) if self._spending is None else self._spending.weigh()

    def measure_reading(self, now: float, patience_s: float) -> float | None:
        """Bytes that were taken in a second, once that is known, and where the worker waits for the reader."""
        if not self.has_begun or self.worker is None or not self.worker.is_paused:
            return None
        since, taken = self._marks[0] if self._marks else (now, 0)
        return (self._taken_bytes - taken) / (now - since) if now - since >= patience_s else None

    def mark_reading(self, now: float, patience_s: float) -> None:
        """Take note of how much was taken until now, if the last note is old enough."""
        if self.has_begun and (not self._marks or now - self._marks[-1][0] >= patience_s):
            self._marks = (*self._marks[-1:], (now, self._taken_bytes))

    @property
    def is_alone(self) -> bool:
        """Whether its worker has no jobs beside it: it waits for others, or would ask them twice when asked again."""
        return self._source is not None or (isinstance(self.job, Job) and bool(self.job.calls))

    def begin_feed(self) -> None:
        """Give the worker what it converts, piece by piece."""
        if self._source is not None and self.worker is not None:
            self._feeding = asyncio.create_task(self._feed(self._source, self.worker))

    def end_feed(self) -> None:
        """Stop; a worker that has not had all of it still waits for the rest."""
        if self._feeding is not None and not self._feeding.done():
            self._feeding.cancel()
            self.is_complete = False

    async def _feed(self, source: AsyncIterable[bytes], worker: WorkerConnection) -> None:
        try:
            async for chunk in source:
                await worker.feed(chunk)
        except Problem as problem:
            self.refuse(problem)
            worker.kill()
        else:
            worker.end_feed()

    def receive(self, frame: Frame) -> None:
        """Take the next frame from the worker (connection.Receiver)."""
        self._frames.append(frame)
        self.has_begun = True
        self.held_bytes += len(frame.body)
        if frame.kind in FINAL:
            self.is_complete = True
        self._wake()

    def lose(self) -> None:
        """The worker is gone (connection.Receiver)."""
        self._is_lost = True
        self._wake()
        if self.when_lost is not None:
            self.when_lost()

    def refuse(self, problem: Problem) -> None:
        """There will be no worker."""
        self._problem = problem
        self._wake()

    # ---- what whoever asked does

    async def begin(self) -> None:
        """Return once the result has begun.

        Raises:
            Problem: there will be none.
        """
        frame = await self._take()
        if frame.kind is FrameKind.WHOLE:
            self.whole, self.rows = decode_whole(frame.body)
        else:
            assert frame.kind is FrameKind.HEAD, frame.kind

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks of the result.

        Raises:
            Problem: the result stays incomplete.
        """
        if self.whole is not None:
            yield self.whole
            return
        while True:
            frame = await self._take()
            if frame.kind is FrameKind.END:
                return
            yield frame.body

    async def _take(self) -> Frame:
        while not self._frames:
            if self._problem is not None:
                raise self._problem
            if self._is_lost:
                raise await self._account_for_death()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        frame = self._frames.popleft()
        self.held_bytes -= len(frame.body)
        self._taken_bytes += len(frame.body)
        if self.worker is not None and self.worker.is_paused and self.held_bytes < _LOW_WATER:
            self.worker.resume()
        if frame.kind is FrameKind.FAILURE:
            written = self.job.written if isinstance(self.job, Job) else None
            failure = Failure.decode(frame.body)
            if written is not None and len(written.text) > QUICK_LENGTH:
                # Its client is charged until the worker is given back.
                raise failure_problem(await LIBRARIAN.do(lambda: relocate(failure, written)))
            raise failure_problem(relocate(failure, written))
        return frame

    async def _account_for_death(self) -> Problem:
        if self.reason == "timeout":
            return timeout_problem(self._timeout_s)
        if self.reason == "busy":
            return busy_problem("This query takes long, and the places for long queries are taken.")
        if self.reason == "share":
            return busy_problem("Other clients wanted the place of this query, and yours are several.")
        if self.reason == "slow-reader":
            return busy_problem("The result was read too slowly while others waited for its place.")
        if self.reason == "closing" or self.worker is None:
            return closing_problem()
        status, words = await self.worker.epitaph
        _log.warning("a query worker died with status %s: %s", status, words)
        return crash_problem(status, words)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
