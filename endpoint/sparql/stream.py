"""A result on its way from a worker to a client, chunk by chunk; whoever leaves takes the query along."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from starlette.types import Message, Receive, Send

from endpoint.http.budget import Spending
from endpoint.http.problems import Problem
from endpoint.sparql.engine import Engine, Result
from endpoint.sparql.frames import Job

__all__ = ["ClientLeft", "Delivery", "ResultBroken", "stream_answer"]


_PATIENCE_S: Final = 0.02


class ResultBroken(Exception):
    """A result ended before its end; the server cuts the connection, so that no client takes it for whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One result on its way out: the two ends of the connection, and what goes with the result.

    ``describe`` gives the headers once the result has begun; ``max_bytes`` is where a result is cut off, and
    ``patience_s`` how long a client may take for the next piece of it.
    """

    is_head: bool
    receive: Receive
    send: Send
    describe: Callable[[Result], list[tuple[bytes, bytes]]]
    max_bytes: int
    patience_s: float


async def stream_answer(pool: Engine, job: Job, delivery: Delivery, spending: Spending | None) -> int:
    """How many bytes were sent, after asking the pool and sending the result as it came.

    When the client leaves, its worker is stopped.

    Raises:
        Problem: the query failed before the first byte.
        ResultBroken: it failed later, or became larger than it may.
    """
    running = asyncio.current_task()
    assert running is not None
    watch = _LeaverWatch(delivery.receive, running)
    try:
        async with pool.answer(job, spending) as answer:
            return await _send_result(answer, delivery)
    except asyncio.CancelledError:
        # Whoever left wants no answer; a cancellation from elsewhere is not ours to swallow.
        if not watch.has_left:
            raise
        running.uncancel()
        raise ClientLeft from None
    finally:
        watch.end()


class ClientLeft(Exception):
    """Nobody is there any more to be answered."""


class _LeaverWatch:
    """Cancels a task when its client leaves; begins after a while, since most queries are over by then."""

    def __init__(self, receive: Receive, running: asyncio.Task[Any]) -> None:
        self.has_left = False
        self._receive = receive
        self._running = running
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE_S, self._begin)

    def end(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.has_left = True
        self._running.cancel()


async def _send_result(answer: Result, delivery: Delivery) -> int:
    """One that is complete already goes out in one piece, with its length."""
    send = delivery.send
    headers = delivery.describe(answer)
    if answer.whole is not None:
        await send(_start([*headers, (b"content-length", str(len(answer.whole)).encode())]))
        await send({"type": "http.response.body", "body": b"" if delivery.is_head else answer.whole})
        return len(answer.whole)
    await send(_start(headers))
    if delivery.is_head:
        # A HEAD of a long result leaves here, and the rest is never computed.
        await send({"type": "http.response.body", "body": b""})
        return 0
    sent = 0
    try:
        async for chunk in answer:
            sent += len(chunk)
            if sent > delivery.max_bytes:
                raise ResultBroken(f"the result is larger than {delivery.max_bytes} bytes")
            await _send_in_time(answer, delivery, {"type": "http.response.body", "body": chunk, "more_body": True})
    except TimeoutError as error:
        raise ResultBroken("the client takes nothing") from error
    except Problem as problem:
        raise ResultBroken(problem.detail) from problem
    await send({"type": "http.response.body", "body": b""})
    return sent


async def _send_in_time(answer: Result, delivery: Delivery, message: Message) -> None:
    """Send a piece of a result.

    Raises:
        TimeoutError: the client does not take it in time, or not before the rest of the result was lost.
    """
    async with asyncio.timeout(delivery.patience_s) as limit:
        answer.when_lost = partial(limit.reschedule, 0)
        try:
            await delivery.send(message)
        finally:
            answer.when_lost = None


def _start(headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": headers}
