"""A result on its way from a worker to a client, chunk by chunk; whoever leaves takes the query along."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from starlette.types import Message, Receive, Send

from endpoint.problems import Problem
from endpoint.sparql.frames import Job
from endpoint.sparql.pool import Answer, QueryPool

__all__ = ["ResultBroken", "stream_answer"]


_PATIENCE_S: Final = 0.02


class ResultBroken(Exception):
    """A result ended before its end; the server cuts the connection, so that no client takes it for whole."""


async def stream_answer(  # noqa: PLR0913 - all but two by name; each is one end of the stream
    pool: QueryPool, job: Job, *, headers: Mapping[str, str], is_head: bool, receive: Receive, send: Send
) -> None:
    """Ask the pool and send the result as it comes; when the client leaves, its worker is stopped.

    Raises:
        Problem: the query failed before the first byte.
        ResultBroken: it failed later.
    """
    running = asyncio.current_task()
    assert running is not None
    watch = _LeaverWatch(receive, running)
    try:
        async with pool.answer(job) as answer:
            await _send_result(answer, headers, is_head=is_head, send=send)
    except asyncio.CancelledError:
        # Whoever left wants no answer; a cancellation from elsewhere is not ours to swallow.
        if not watch.has_left:
            raise
        running.uncancel()
    finally:
        watch.end()


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


async def _send_result(answer: Answer, headers: Mapping[str, str], *, is_head: bool, send: Send) -> None:
    """One that is complete already goes out in one piece, with its length."""
    chunks = aiter(answer)
    first = await anext(chunks, b"")
    is_whole = answer.is_complete or answer.worker.is_at_end
    await send(_start({**headers, "Content-Length": str(len(first))} if is_whole else headers))
    if is_whole or is_head:
        # A HEAD of a long result leaves here, and the rest is never computed.
        await send({"type": "http.response.body", "body": b"" if is_head else first})
        if is_whole:
            await anext(chunks, b"")
        return
    await send({"type": "http.response.body", "body": first, "more_body": True})
    try:
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except Problem as problem:
        raise ResultBroken(problem.detail) from problem
    await send({"type": "http.response.body", "body": b""})


def _start(headers: Mapping[str, str]) -> Message:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": raw}
