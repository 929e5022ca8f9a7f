"""A result on its way from a worker to a client, chunk by chunk; whoever leaves takes the query along."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import Message, Receive, Send

from endpoint.problems import Problem
from endpoint.sparql.frames import Job
from endpoint.sparql.pool import Answer, QueryPool

__all__ = ["ClientLeft", "Delivery", "ResultBroken", "stream_answer"]


_PATIENCE_S: Final = 0.02


class ResultBroken(Exception):
    """A result ended before its end; the server cuts the connection, so that no client takes it for whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One result on its way out: the two ends of the connection, and what goes with the result.

    ``describe`` gives the headers once the result has begun; ``max_bytes`` is where a result is cut off.
    """

    is_head: bool
    receive: Receive
    send: Send
    describe: Callable[[Answer], Mapping[str, str]]
    max_bytes: int


async def stream_answer(pool: QueryPool, job: Job, delivery: Delivery, spending: AbstractContextManager[None]) -> int:
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


async def _send_result(answer: Answer, delivery: Delivery) -> int:
    """One that is complete already goes out in one piece, with its length."""
    send = delivery.send
    chunks = aiter(answer)
    first = await anext(chunks, b"")
    is_whole = answer.is_complete or answer.worker.is_at_end
    headers = delivery.describe(answer)
    await send(_start({**headers, "Content-Length": str(len(first))} if is_whole else headers))
    if is_whole or delivery.is_head:
        # A HEAD of a long result leaves here, and the rest is never computed.
        await send({"type": "http.response.body", "body": b"" if delivery.is_head else first})
        if is_whole:
            await anext(chunks, b"")
        return len(first)
    await send({"type": "http.response.body", "body": first, "more_body": True})
    sent = len(first)
    try:
        async for chunk in chunks:
            sent += len(chunk)
            if sent > delivery.max_bytes:
                raise ResultBroken(f"the result is larger than {delivery.max_bytes} bytes")
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except Problem as problem:
        raise ResultBroken(problem.detail) from problem
    await send({"type": "http.response.body", "body": b""})
    return sent


def _start(headers: Mapping[str, str]) -> Message:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": raw}
