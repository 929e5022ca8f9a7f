"""The pool of query workers: who is asked, who waits, who is stopped.

There is a lane of ``workers`` processes for any query. A query that takes longer than ``long_after_s`` leaves it for
the long lane, at a lower priority, and a fresh process takes its place, so short queries always find one. When the
long lane is full, the query is stopped: the client may come again. At ``timeout_s`` every query is stopped. A worker
is stopped by killing it, since the engine cannot be asked to stop (ARCHITECTURE, "killable worker processes").
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from logging import getLogger
from typing import Final, Literal, TypeAlias

from endpoint.http.problems import Problem
from endpoint.sparql.connection import WorkerConnection, WorkerOptions, start_worker
from endpoint.sparql.failures import busy_problem, closing_problem, crash_problem, failure_problem, timeout_problem
from endpoint.sparql.frames import Conversion, Failure, Frame, FrameKind, Job, decode_whole

__all__ = ["Answer", "PoolLimits", "QueryPool", "StopReason"]

StopReason: TypeAlias = Literal["timeout", "busy", "closing"]

_log = getLogger(__name__)
_RESTART_PAUSE_S: Final = 1.0
_TICK_S: Final = 0.01
# Beyond that, queries that take no time only push each other off the processor's caches.
_CORES: Final = os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class PoolLimits:
    """How many workers, and how long things may take."""

    workers: int
    long_workers: int
    long_after_s: float
    timeout_s: float
    queue: int
    queue_wait_s: float


class Answer:
    """A result on its way: its chunks can be taken once, and each may wait for the worker."""

    def __init__(self, worker: WorkerConnection, limits: PoolLimits) -> None:
        self.worker = worker
        self.is_complete = False
        self.reason: StopReason | None = None
        # The result and its rows, where it came in one piece.
        self.whole: bytes | None = None
        self.rows: int | None = None
        self.started = time.monotonic()
        # Why the input of a conversion ended early.
        self.broken: Problem | None = None
        self._limits = limits

    async def begin(self) -> None:
        """Return once the result has begun.

        Raises:
            Problem: there will be none.
        """
        frame = await self._take()
        if frame.kind is FrameKind.WHOLE:
            self.whole, self.rows = decode_whole(frame.body)
            self.is_complete = True
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
                self.is_complete = True
                return
            yield frame.body

    async def _take(self) -> Frame:
        frame = await self.worker.next_frame()
        if frame is None:
            raise await self._account_for_death()
        if frame.kind is FrameKind.FAILURE:
            self.is_complete = True
            raise failure_problem(Failure.decode(frame.body))
        return frame

    async def feed(self, source: AsyncIterable[bytes]) -> None:
        """Give the worker what it converts; where that breaks off, so does the answer."""
        try:
            async for chunk in source:
                await self.worker.feed(chunk)
        except Problem as problem:
            self.broken = problem
            self.worker.kill()
        else:
            self.worker.end_feed()

    async def _account_for_death(self) -> Problem:
        if self.broken is not None:
            return self.broken
        if self.reason == "timeout":
            return timeout_problem(self._limits.timeout_s)
        if self.reason == "busy":
            return busy_problem("This query takes long, and the places for long queries are taken.")
        if self.reason == "closing":
            return closing_problem()
        status = await self.worker.wait_ended()
        words = self.worker.last_words()
        _log.warning("a query worker died with status %s: %s", status, words)
        return crash_problem(status, words)


class QueryPool:
    """Workers for one server. ``start`` before use, ``close`` at the end."""

    def __init__(self, limits: PoolLimits, options: WorkerOptions) -> None:
        self.limits = limits
        self._options = options
        self._idle: list[WorkerConnection] = []
        # Who waits, and since when; the first has waited longest.
        self._waiting: dict[asyncio.Future[WorkerConnection], float] = {}
        self._quick: set[WorkerConnection] = set()
        self._long: set[WorkerConnection] = set()
        self._running: set[Answer] = set()
        # When the workers were taken that were taken a moment ago: as many at once as there are cores.
        self._fresh: dict[WorkerConnection, float] = {}
        self._has_work = asyncio.Event()
        self._starting = 0
        self._store: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False
        # Workers that ended with their query unfinished, by reason.
        self.stopped: Counter[str] = Counter()

    @property
    def trouble(self) -> str | None:
        """Why no query can be taken; None when a worker is alive."""
        return None if self._quick else "No query worker is alive; new ones are being started."

    def describe(self) -> dict[str, object]:
        """What the health route shows beside the counts (endpoint.sparql.engine)."""
        return {}

    def mark(self, store: str) -> str:  # noqa: ARG002 - the signature is that of an engine
        """What tells the answers of this engine from those of another; nothing, since there is always a pool."""
        return ""

    def counts(self) -> dict[str, int]:
        """How many workers and queries are where, for the health route."""
        quick = len(self._quick)
        return {
            "workers": quick + len(self._long),
            "idle": len(self._idle),
            "long": len(self._long),
            "waiting": len(self._waiting),
            "without_network": sum(each.has_no_network for each in self._quick | self._long),
        }

    async def start(self) -> None:
        """Start the workers.

        Raises:
            OSError: they cannot be started.
        """
        await asyncio.gather(*(self._add_worker() for _ in range(self.limits.workers)))
        self._run(self._keep_time())

    async def close(self) -> None:
        """End all workers, busy ones too, and wait for it; whoever still waits for an answer is told."""
        if self._is_closed:
            return
        self._is_closed = True
        for waiter in self._waiting:
            if not waiter.cancelled():
                waiter.set_exception(closing_problem())
        self._waiting.clear()
        for answer in self._running:
            answer.reason = "closing"
        workers = self._quick | self._long
        for worker in workers:
            worker.kill()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.wait_ended() for worker in workers))
        for worker in workers:
            worker.close()

    def prepare_store(self, path: str) -> None:
        """Have the idle workers open a store that the next queries will ask; what runs goes on undisturbed."""
        self._store = path
        for worker in self._idle:
            worker.open_store(path)

    @asynccontextmanager
    async def answer(
        self,
        job: Job | Conversion,
        spending: AbstractContextManager[None] | None = None,
        source: AsyncIterable[bytes] | None = None,
    ) -> AsyncIterator[Answer]:
        """The answer to a job, begun well; leaving the context before its end kills the worker.

        Args:
            job: what to ask.
            spending: entered while a worker is busy with the job, not while the job waits for one.
            source: what a conversion converts; it raises a Problem where that breaks off.

        Raises:
            Problem: the job was not admitted, or its evaluation failed before the first byte.
        """
        worker = await self._acquire()
        answer = Answer(worker, self.limits)
        self._running.add(answer)
        self._has_work.set()
        feeding: asyncio.Task[None] | None = None
        try:
            with spending or nullcontext():
                worker.ask(job)
                if source is not None:
                    feeding = asyncio.create_task(answer.feed(source))
                await answer.begin()
                yield answer
        finally:
            self._running.discard(answer)
            if feeding is not None and not feeding.done():
                # The worker still waits for the rest.
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
                answer.is_complete = False
            if not answer.is_complete:
                self.stopped[answer.reason or "left-or-crashed"] += 1
            self._release(worker, is_usable=answer.is_complete)

    async def _acquire(self) -> WorkerConnection:
        if self._is_closed:
            raise closing_problem()
        if len(self._fresh) < _CORES and (worker := self._take_idle()):
            return worker
        if len(self._waiting) >= self.limits.queue:
            raise busy_problem(f"{self.limits.queue} queries are waiting already.")
        waiter: asyncio.Future[WorkerConnection] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = time.monotonic()
        self._has_work.set()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._release(waiter.result(), is_usable=True)
            raise
        finally:
            self._waiting.pop(waiter, None)

    def _offer(self, worker: WorkerConnection) -> None:
        if self._store is not None:
            worker.open_store(self._store)
        self._idle.append(worker)
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        """Give idle workers to those who wait, the longest first."""
        while self._waiting and len(self._fresh) < _CORES and (worker := self._take_idle()):
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            if waiter.cancelled():
                # Whoever waited has just left, and does not know of it yet.
                self._fresh.pop(worker)
                self._idle.append(worker)
            else:
                waiter.set_result(worker)

    def _take_idle(self) -> WorkerConnection | None:
        """The worker that was used last, since its caches are warm; None when all are busy."""
        while self._idle:
            worker = self._idle.pop()
            if not worker.is_lost:
                self._fresh[worker] = time.monotonic()
                return worker
            self._release(worker, is_usable=False)
        return None

    def _release(self, worker: WorkerConnection, *, is_usable: bool) -> None:
        self._fresh.pop(worker, None)
        if self._is_closed:
            return
        if is_usable and not worker.is_lost and not worker.is_nice:
            self._offer(worker)
            return
        worker.kill()
        self._quick.discard(worker)
        self._long.discard(worker)
        self._run(_bury(worker))
        self._fill()

    def _fill(self) -> None:
        """Start as many workers as the quick lane lacks."""
        while len(self._quick) + self._starting < self.limits.workers and not self._is_closed:
            self._starting += 1
            self._run(self._replace_worker())

    async def _replace_worker(self) -> None:
        try:
            await self._add_worker()
        except OSError as error:
            # A machine out of memory or processes: say so and go on trying, slowly.
            _log.error("no new query worker: %s", error)
            await asyncio.sleep(_RESTART_PAUSE_S)
        finally:
            self._starting -= 1
        self._fill()

    async def _add_worker(self) -> None:
        worker = await start_worker(self._options)
        if self._is_closed:
            worker.kill()
            await _bury(worker)
            return
        self._quick.add(worker)
        self._offer(worker)

    async def _keep_time(self) -> None:
        """One clock for all queries: most are over long before a timer of their own would be worth its making."""
        while True:
            if not self._running and not self._waiting:
                self._has_work.clear()
                await self._has_work.wait()
            await asyncio.sleep(_TICK_S)
            try:
                self._tick(time.monotonic())
            except Exception:  # noqa: BLE001 - whatever failed for one query: without the clock no limit would hold
                _log.exception("the clock of the pool failed once")

    def _tick(self, now: float) -> None:
        self._fresh = {worker: taken for worker, taken in self._fresh.items() if now - taken < _TICK_S}
        self._serve_waiting()
        late = [each for each, since in self._waiting.items() if now - since >= self.limits.queue_wait_s]
        for waiter in late:
            del self._waiting[waiter]
            if not waiter.cancelled():
                waiter.set_exception(busy_problem(f"No worker was free for {self.limits.queue_wait_s:g} s."))
        for answer in tuple(self._running):
            if answer.reason is not None:
                continue
            if now - answer.started >= self.limits.timeout_s:
                self._stop(answer, "timeout")
            elif now - answer.started >= self.limits.long_after_s and answer.worker not in self._long:
                self._move_to_long_lane(answer)

    def _stop(self, answer: Answer, reason: StopReason) -> None:
        answer.reason = reason
        answer.worker.kill()

    def _move_to_long_lane(self, answer: Answer) -> None:
        worker = answer.worker
        if len(self._long) >= self.limits.long_workers:
            self._stop(answer, "busy")
            return
        self._quick.discard(worker)
        self._long.add(worker)
        worker.make_nice()
        self._fill()

    def _run(self, coroutine: object) -> None:
        task = asyncio.ensure_future(coroutine)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _bury(worker: WorkerConnection) -> None:
    await worker.wait_ended()
    worker.close()
