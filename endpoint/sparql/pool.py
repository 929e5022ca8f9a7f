"""The pool of query workers: who is asked, who waits, who is stopped.

There is a lane of ``workers`` processes for any query. A query that takes longer than ``long_after_s`` leaves it for
the long lane, at a lower priority, and a fresh process takes its place, so short queries always find one. When the
long lane is full, a result that is read too slowly makes room, else the client that has most places there, else the
query is stopped: its client may come again. Half of that lane is for queries whose result is on its way already, since
a result that is cut off cannot be told to come again later. At ``timeout_s`` every query is stopped. A worker is
stopped by killing it, since the engine cannot be asked to stop (ARCHITECTURE, "killable worker processes").

No more workers begin at once than there are cores. While they are at queries that take no time, each is given a few
more ahead; when one does take time, those behind it are taken back and asked elsewhere (decision 0017).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import reduce
from logging import getLogger
from operator import and_
from typing import Final

from endpoint.http.budget import Spending
from endpoint.http.problems import Problem
from endpoint.sparql.answer import Answer, StopReason
from endpoint.sparql.confinement import Fence
from endpoint.sparql.connection import WorkerConnection, WorkerOptions, start_worker
from endpoint.sparql.failures import DAMAGE_HINT, busy_problem, closing_problem, damage_problem
from endpoint.sparql.frames import Conversion, Job
from endpoint.sparql.memory import measure_memory
from endpoint.sparql.places import Line, ReadingLimits, find_least_entitled, find_slowest
from kg.errors import StoreDamaged

__all__ = ["PoolLimits", "QueryPool"]

_log = getLogger(__name__)
_RESTART_PAUSE_S: Final = 1.0
_REOPEN_PAUSE_S: Final = 2.0
_TICK_S: Final = 0.01
# How long a worker may take to give back memory.
_SETTLING_S: Final = 0.5
# How long a worker may be at what nobody wants any more.
_UNWANTED_S: Final = 0.1
# Beyond that, queries that take no time only push each other off the processor's caches.
_CORES: Final = os.cpu_count() or 1
# How many jobs a worker may have, the one that it is at included: it need not sleep and be woken between them.
_AHEAD: Final = 4


@dataclass(frozen=True, kw_only=True)
class PoolLimits:
    """How many workers, and how long things may take."""

    workers: int
    long_workers: int
    long_after_s: float
    timeout_s: float
    queue: int
    queue_wait_s: float
    reading: ReadingLimits
    idle_memory_bytes: int


class QueryPool:
    """Workers for one server. ``start`` before use, ``close`` at the end."""

    def __init__(self, limits: PoolLimits, options: WorkerOptions) -> None:
        self.limits = limits
        self._options = options
        self._idle: list[WorkerConnection] = []
        # How many of these are kept for clients that send look-ups. Of two none: the others would wait for each other.
        self._kept = limits.workers // 2 if limits.workers > 2 else 0
        self._waiting = Line()
        self._quick: set[WorkerConnection] = set()
        self._long: set[WorkerConnection] = set()
        # When the workers began their jobs that began one a moment ago: as many at once as there are cores.
        self._fresh: dict[WorkerConnection, float] = {}
        # Workers that were at a query that takes time, and since when they are done: they may have kept much memory.
        self._suspects: dict[WorkerConnection, float] = {}
        # Those that have, until others are there in their place.
        self._fat: set[WorkerConnection] = set()
        self._has_work = asyncio.Event()
        self._starting = 0
        self._store: str | None = None
        # Why that cannot be opened, and why it may not be asked.
        self._unopened = ""
        self._refusal = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False
        # Workers that ended with their query unfinished, by reason.
        self.stopped: Counter[str] = Counter()
        # Told when a query met a broken block.
        self.on_damage: Callable[[], None] | None = None

    @property
    def trouble(self) -> str | None:
        """Why no query can be taken; None when a worker is alive."""
        if self._refusal or self._unopened:
            return f"The store of the current release is damaged: {self._refusal or self._unopened}. {DAMAGE_HINT}"
        return None if self._quick else "No query worker is alive; new ones are being started."

    @property
    def fences(self) -> Fence:
        """The fences that are around every worker."""
        workers = self._quick | self._long
        return reduce(and_, (each.fences for each in workers)) if workers else Fence(0)

    def describe(self) -> dict[str, object]:
        """What the health route shows beside the counts (endpoint.sparql.engine)."""
        return {}

    def mark(self, store: str) -> str:  # noqa: ARG002 - the signature is that of an engine
        """What tells the answers of this engine from those of another; nothing, since there is always a pool."""
        return ""

    def counts(self) -> dict[str, int]:
        """How many workers and queries are where, for the health route."""
        return {
            "workers": len(self._quick) + len(self._long),
            "idle": len(self._idle),
            "long": len(self._long),
            "waiting": len(self._waiting),
            "without_network": sum(Fence.NAMESPACE in each.fences for each in self._quick | self._long),
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
        for answer in self._waiting.drop_surplus(0):
            answer.refuse(closing_problem())
        workers = self._quick | self._long
        for worker in workers:
            for receiver in worker.jobs:
                if isinstance(receiver, Answer):
                    receiver.reason = "closing"
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
        self._unopened = ""
        for worker in self._quick | self._long:
            worker.forget_store()
        for worker in self._idle:
            worker.open_store(path)

    def refuse_store(self, reason: str) -> None:
        """Ask the current store nothing for a reason, since the answer might be wrong; do so again without one."""
        self._refusal = reason

    def note_opened(self, path: str, reason: str) -> None:
        """A worker could open the current store, or could not: then it is tried again (connection.Overseer)."""
        if path != self._store:
            return
        if reason and not self._unopened:
            _log.error("the store of the current release cannot be opened: %s", reason)
            self._run(self._open_again())
        self._unopened = reason

    async def _open_again(self) -> None:
        """Try now and then to open a store that could not be opened: somebody may have put it right."""
        while True:
            await asyncio.sleep(_REOPEN_PAUSE_S)
            if not self._unopened or self._store is None:
                return
            for worker in self._idle[:1]:
                worker.open_store(self._store, is_anew=True)

    def answer(
        self,
        job: Job | Conversion,
        spending: Spending | None,
        source: AsyncIterable[bytes] | None = None,
        *,
        client: str = "",
    ) -> AbstractAsyncContextManager[Answer]:
        """The answer to a job, begun well; leaving the context before its end kills the worker.

        Args:
            job: what to ask.
            spending: of its client, entered while a worker is busy with the job, not while the job waits for one.
            source: what a conversion converts; it raises a Problem where that breaks off.
            client: whose place the job takes, where it is not charged.

        Raises:
            Problem: the job was not admitted, or its evaluation failed before the first byte.
        """
        client = client if spending is None else spending.client
        return _Asking(self, Answer(job, spending, source, client=client, timeout_s=self.limits.timeout_s))

    def admit(self, answer: Answer) -> None:
        """Have an answer made; whatever comes of it, it must be given to ``end``.

        Raises:
            Problem: the job was not admitted.
        """
        if self._is_closed:
            raise closing_problem()
        if self._refusal and isinstance(answer.job, Job) and answer.job.store == self._store:
            raise damage_problem()
        # Where nobody waits, nobody is to be asked whose turn it is.
        worker = None if self._waiting else self._choose_worker(answer)
        if worker is not None:
            self._give(answer, worker)
        else:
            self._waiting.add(answer)
            self._dispatch()
            self._refuse_surplus()
        self._has_work.set()

    def end(self, answer: Answer, error: BaseException | None = None) -> None:
        """Have the worker back, or kill it where the answer is not complete."""
        if isinstance(error, Problem) and error.code == StoreDamaged.code and self.on_damage is not None:
            self.on_damage()
        worker = answer.worker
        answer.end_feed()
        answer.assign(None)
        if worker is None:
            self._waiting.discard(answer)
        elif not answer.is_complete:
            if worker.jobs and worker.jobs[0] is not answer and not worker.is_lost:
                worker.abandon(answer)
                return
            self.stopped[answer.reason or "left-or-crashed"] += 1
            worker.kill()

    def note_done(self, worker: WorkerConnection) -> None:
        """A worker is over with a job (connection.Overseer)."""
        if self._fresh.pop(worker, None) is None:
            self._suspects[worker] = time.monotonic()
        worker.begun = time.monotonic()
        if worker.is_lost or self._is_closed:
            return
        if worker.is_dropping:
            # What is left is unwanted; the worker says when it has forgotten it.
            return
        if worker.is_nice:
            self._take_back(worker)
        elif worker.jobs:
            self._begin(worker)
        else:
            self._offer(worker)
        self._dispatch()

    def _take_back(self, worker: WorkerConnection) -> None:
        """A worker is done with a long query: its caches are warm, so it stays, and who was idle longest goes."""
        if not worker.make_ordinary():
            worker.kill()
            return
        self._long.discard(worker)
        self._quick.add(worker)
        self._offer(worker)
        if len(self._quick) > self.limits.workers and self._idle[0] is not worker:
            spare = self._idle.pop(0)
            self._quick.discard(spare)
            spare.kill()

    def note_lost(self, worker: WorkerConnection) -> None:
        """A worker is gone: what it was at is lost, what was behind that is asked elsewhere (connection.Overseer)."""
        self._fresh.pop(worker, None)
        self._quick.discard(worker)
        self._long.discard(worker)
        self._suspects.pop(worker, None)
        self._fat.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if worker.jobs:
            worker.jobs.popleft().lose()
        if self._is_closed:
            for receiver in worker.jobs:
                receiver.lose()
            worker.epitaph.cancel()
            return
        self._ask_again([each for each in worker.jobs if isinstance(each, Answer)])
        worker.jobs.clear()
        self._run(_bury(worker))
        self._fill()
        self._dispatch()

    def _dispatch(self) -> None:
        """Give those who wait to workers."""
        while self._waiting and (self._idle or self._fresh):
            for answer in self._waiting.list_next():
                worker = self._choose_worker(answer)
                if worker is not None:
                    break
            else:
                return
            self._waiting.discard(answer)
            self._give(answer, worker)

    def _give(self, answer: Answer, worker: WorkerConnection) -> None:
        """Have a worker make an answer."""
        answer.assign(worker)
        if self._store is not None and isinstance(answer.job, Job) and answer.job.store == self._store:
            # Where it was busy when that became current; it looks at no files that were looked at here.
            worker.open_store(self._store)
        worker.ask(answer.job, answer)
        answer.begin_feed()

    def _choose_worker(self, answer: Answer) -> WorkerConnection | None:
        """The idle one that was used last, since its caches are warm; else one that will soon be done."""
        if answer.is_alone:
            return self._idle.pop() if self._may_begin(answer) else None
        if len(self._fresh) < _CORES and self._may_begin(answer):
            worker = self._idle.pop()
            self._fresh[worker] = time.monotonic()
            return worker
        usable = [each for each in self._fresh if len(each.jobs) < _AHEAD and not each.is_lost]
        return min(usable, key=lambda each: len(each.jobs), default=None)

    def _may_begin(self, answer: Answer) -> bool:
        """Whether an idle worker may be given to an answer: some are kept for clients that send look-ups."""
        return bool(self._idle) and (len(self._idle) > self._kept or answer.weigh()[0] == 0)

    def _begin(self, worker: WorkerConnection) -> None:
        """A worker is at the next of its jobs."""
        self._fresh[worker] = worker.begun
        answer = worker.jobs[0]
        if isinstance(answer, Answer):
            answer.started = worker.begun

    def _offer(self, worker: WorkerConnection) -> None:
        if self._store is not None:
            worker.open_store(self._store)
        self._idle.append(worker)

    def _ask_again(self, answers: list[Answer]) -> None:
        """Put answers before all others that wait; those that are too many then, and came last, are refused."""
        for answer in answers:
            answer.assign(None)
        self._waiting.put_first(answers)
        self._refuse_surplus()

    def _refuse_surplus(self) -> None:
        for answer in self._waiting.drop_surplus(self.limits.queue):
            answer.refuse(busy_problem(f"{self.limits.queue} queries are waiting already."))

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
        worker = await start_worker(self._options, self)
        if self._is_closed:
            worker.kill()
            await _bury(worker)
            return
        spare = next((each for each in self._fat if each in self._idle), None)
        if len(self._quick) >= self.limits.workers and spare is not None:
            self._idle.remove(spare)
            self._quick.discard(spare)
            self.stopped["memory"] += 1
            spare.kill()
        elif len(self._quick) >= self.limits.workers:
            # One that was at a long query came back meanwhile.
            worker.kill()
            return
        self._quick.add(worker)
        self._offer(worker)
        self._dispatch()

    async def _keep_time(self) -> None:
        """One clock for all queries: most are over long before a timer of their own would be worth its making."""
        while True:
            if not self._waiting and not self._suspects and not any(each.jobs for each in self._quick | self._long):
                self._has_work.clear()
                await self._has_work.wait()
            await asyncio.sleep(_TICK_S)
            try:
                self._tick(time.monotonic())
            except Exception:  # noqa: BLE001 - whatever failed for one query: without the clock no limit would hold
                _log.exception("the clock of the pool failed once")

    def _tick(self, now: float) -> None:
        for worker in [each for each, begun in self._fresh.items() if now - begun >= _TICK_S]:
            del self._fresh[worker]
            if not worker.is_dropping:
                self._ask_again([each for each in worker.take_back() if isinstance(each, Answer)])
        self._dispatch()
        for answer in [each for each in self._waiting if now - each.started >= self.limits.queue_wait_s]:
            self._waiting.discard(answer)
            answer.refuse(busy_problem(f"No worker was free for {self.limits.queue_wait_s:g} s."))
        self._look_at_memory(now)
        for worker in self._quick | self._long:
            if worker.jobs and worker not in self._fresh and not worker.is_lost:
                self._judge(worker, now)

    def _look_at_memory(self, now: float) -> None:
        """Replace idle workers that have kept much, once they had time to give it back."""
        due = [each for each, since in self._suspects.items() if now - since >= _SETTLING_S and each in self._idle]
        for worker in due:
            del self._suspects[worker]
            if worker not in self._fat and measure_memory(worker.process.pid) > self.limits.idle_memory_bytes:
                self._fat.add(worker)
                self._starting += 1
                self._run(self._replace_worker())

    def _judge(self, worker: WorkerConnection, now: float) -> None:
        """See whether what a worker is at has taken too long."""
        answer = worker.jobs[0]
        if not isinstance(answer, Answer):
            if now - worker.begun >= _UNWANTED_S:
                worker.kill()
        elif now - answer.started >= self.limits.timeout_s:
            _stop(worker, answer, "timeout")
        elif now - answer.started >= self.limits.long_after_s and worker not in self._long:
            if not self._make_place(answer, now):
                _stop(worker, answer, "busy")
                return
            self._quick.discard(worker)
            self._long.add(worker)
            worker.make_nice()
            self._fill()
        elif worker in self._long:
            answer.mark_reading(now, self.limits.reading.patience_s)

    def _make_place(self, answer: Answer, now: float) -> bool:
        """Whether the long lane takes another, if need be in the place of one that is less entitled."""
        places = self.limits.long_workers
        jobs = [each.jobs[0] for each in self._long if each.jobs and not each.is_lost]
        current = [each for each in jobs if isinstance(each, Answer)]
        silent = [each for each in current if not each.has_begun]
        if not answer.has_begun and len(silent) >= places:
            # Results on their way do not stand in its way.
            current = silent
        elif len(jobs) < 2 * places:
            return True
        others = [each for each in current if each.client != answer.client]
        slowest = find_slowest(others, self.limits.reading, now)
        leaving = slowest or find_least_entitled(answer, current)
        if leaving is None or leaving.worker is None:
            return False
        _stop(leaving.worker, leaving, "slow-reader" if leaving is slowest else "share")
        return True

    def _run(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _stop(worker: WorkerConnection, answer: Answer, reason: StopReason) -> None:
    answer.reason = reason
    worker.kill()


async def _bury(worker: WorkerConnection) -> None:
    try:
        status = await worker.wait_ended()
        worker.epitaph.set_result((status, worker.last_words()))
    finally:
        worker.epitaph.cancel()
        worker.close()


class _Asking(AbstractAsyncContextManager[Answer]):
    """One job from its admission to its end; a class, since a generator would cost a look-up a twentieth more."""

    __slots__ = ("_answer", "_pool")

    def __init__(self, pool: QueryPool, answer: Answer) -> None:
        self._pool = pool
        self._answer = answer

    async def __aenter__(self) -> Answer:
        answer = self._answer
        self._pool.admit(answer)
        try:
            await answer.begin()
        except BaseException as error:
            self._pool.end(answer, error)
            raise
        return answer

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._pool.end(self._answer, error)
