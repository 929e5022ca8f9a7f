"""The gateway: what workers want from outside endpoints is fetched here, and nowhere else.

It lives in the server's process, since workers have no network. It looks at no query and at no answer: those are
taken apart in the workers, which can be killed. A worker that ends takes its request along.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version
from logging import getLogger
from typing import Final
from weakref import WeakValueDictionary

from endpoint.federation.breaker import Breaker, BreakerOpen
from endpoint.federation.cache import AnswerCache, KeptAnswer
from endpoint.federation.client import FetchFailed, OutsideClient
from endpoint.sparql.frames import FRAME_BYTES, Failure, FrameDecoder, FrameKind, encode_frame
from kg.allowlist import AllowList, OutsideEndpoint

__all__ = ["Gateway"]

_log = getLogger(__name__)
_MIB: Final = 1024 * 1024
_OK: Final = "ok"
_CACHED: Final = "cached"
_BUSY_S: Final = 5


@dataclass(slots=True)
class _Outside:
    """One endpoint as the gateway knows it."""

    endpoint: OutsideEndpoint
    client: OutsideClient
    breaker: Breaker
    slots: asyncio.Semaphore
    # Who holds it sends next.
    starts: asyncio.Lock = field(default_factory=asyncio.Lock)
    next_start: float = 0.0
    # Requests of workers by how they ended, and bytes that came.
    outcomes: Counter[str] = field(default_factory=Counter)
    received_bytes: int = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A turn among few at once and few in a second.

        Raises:
            FetchFailed: it did not come in time.
        """
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self.endpoint.timeout_s):
                    await held.enter_async_context(self.slots)
                    await self._wait_for_start()
            except TimeoutError as error:
                message = f"Many are asking {self.endpoint.label} at the moment. Try again in a few seconds."
                raise FetchFailed("federation-busy", message, is_theirs=False, retry_after_s=_BUSY_S) from error
            yield

    async def _wait_for_start(self) -> None:
        """Return when a request may be sent; only then it counts, so who leaves before it takes nothing from others."""
        async with self.starts:
            await asyncio.sleep(max(0.0, self.next_start - time.monotonic()))
            self.next_start = time.monotonic() + 1 / self.endpoint.requests_per_s


class Gateway:
    """The outside endpoints of one server. ``close`` at the end."""

    def __init__(self, allowed: AllowList, *, base_url: str) -> None:
        contact = f"; {allowed.contact}" if allowed.contact else ""
        user_agent = f"CHAP/{version('chap-kg')} (+{base_url}{contact})"
        self.allowed = allowed
        self.outside = {
            each.name: _Outside(
                endpoint=each,
                client=OutsideClient(each, user_agent=user_agent),
                breaker=Breaker(failures=each.breaker_failures, pause_s=each.breaker_pause_s),
                slots=asyncio.Semaphore(each.concurrency),
            )
            for each in allowed.endpoints.values()
        }
        self.cache = AnswerCache(capacity_bytes=int(allowed.cache_mib * _MIB))
        self._under_way: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._links: set[asyncio.Task[None]] = set()

    def attach(self, link: socket.socket) -> None:
        """Serve a worker at the other end of a stream socket until it ends."""
        task = asyncio.ensure_future(self._serve(link))
        self._links.add(task)
        task.add_done_callback(self._links.discard)

    async def close(self) -> None:
        """End all requests."""
        for task in tuple(self._links):
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
        for each in self.outside.values():
            await each.client.close()

    async def _serve(self, link: socket.socket) -> None:
        link.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=link)
        decoder = FrameDecoder()
        request: _Request | None = None
        try:
            while data := await reader.read(FRAME_BYTES):
                for frame in decoder.feed(data):
                    if frame.kind is FrameKind.FETCH:
                        name, query = json.loads(frame.body)
                        request = _Request(self, writer, name, query)
                    elif frame.kind is FrameKind.VERDICT and request is not None:
                        request.judge(is_answer=frame.body == b"\1")
        except ConnectionError:
            pass  # the worker was killed; so ends its request
        except (ValueError, KeyError):
            _log.exception("a worker does not keep to the protocol of its link; its query fails")
        finally:
            if request is not None:
                request.cancel()
            writer.close()

    def lock(self, name: str, query: str) -> asyncio.Lock:
        """One for all who ask the same of the same at once: the second finds the answer in the cache."""
        key = (name, query)
        lock = self._under_way.get(key)
        if lock is None:
            lock = self._under_way[key] = asyncio.Lock()
        return lock


class _Request:
    """What one worker wants fetched, from its frame to the worker's verdict on the answer."""

    def __init__(self, gateway: Gateway, writer: asyncio.StreamWriter, name: str, query: str) -> None:
        self._gateway = gateway
        self._writer = writer
        self._query = query
        self._outside = gateway.outside[name]
        self._verdict: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._task = asyncio.ensure_future(self._run())

    def judge(self, *, is_answer: bool) -> None:
        """Take the worker's word on whether what it got could be read."""
        if not self._verdict.done():
            self._verdict.set_result(is_answer)

    def cancel(self) -> None:
        """End it; nobody wants the answer any more."""
        self._task.cancel()

    async def _run(self) -> None:
        endpoint = self._outside.endpoint
        try:
            # Where answers are kept, whoever asks the same at the same time waits for the first.
            is_kept = endpoint.cache_ttl_s > 0
            async with self._gateway.lock(endpoint.name, self._query) if is_kept else nullcontext():
                outcome = await self._answer()
        except FetchFailed as error:
            outcome = error.code
            wait_s = None if error.retry_after_s is None else int(error.retry_after_s)
            failure = Failure(code=error.code, message=error.message, retry_after_s=wait_s)
            self._send(FrameKind.FAILURE, failure.encode())
        except asyncio.CancelledError:
            self._outside.outcomes["left"] += 1
            raise
        except ConnectionError:
            outcome = "left"
        except Exception:  # noqa: BLE001 - whatever it was: the worker waits for a word, and the log keeps it
            _log.exception("a request to %s failed inside the gateway", endpoint.name)
            outcome = "bug"
            message = f"The request to {endpoint.label} failed here; the log of the server says why."
            self._send(FrameKind.FAILURE, Failure(code="internal", message=message).encode())
        self._outside.outcomes[outcome] += 1

    async def _answer(self) -> str:
        """How it ended, after an answer was sent."""
        endpoint, cache = self._outside.endpoint, self._gateway.cache
        kept = cache.find(endpoint.name, self._query)
        if kept is not None:
            self._send(FrameKind.HEAD, kept.media_type.encode())
            await self._send_data(kept.body)
            self._send(FrameKind.END)
            return _CACHED
        async with self._outside.turn():
            return await self._fetch_anew()

    async def _fetch_anew(self) -> str:
        endpoint, breaker = self._outside.endpoint, self._outside.breaker
        try:
            breaker.admit()
        except BreakerOpen as error:
            message = f"{endpoint.label} failed several times and is left alone. Try again in {error.retry_after_s} s."
            raise FetchFailed("federation-paused", message, retry_after_s=error.retry_after_s) from error
        is_well: bool | None = None
        try:
            answer = await self._fetch_in_time()
            is_well = await self._verdict
            if not is_well:
                return "federation-failed"
        except FetchFailed as error:
            is_well = False if error.is_theirs else None
            if error.is_theirs:
                _log.warning("%s: %s", endpoint.name, error.message)
            raise
        finally:
            breaker.settle(is_well)
        if answer is not None:
            self._gateway.cache.keep(endpoint.name, self._query, answer, ttl_s=endpoint.cache_ttl_s)
        return _OK

    async def _fetch_in_time(self) -> KeptAnswer | None:
        endpoint = self._outside.endpoint
        try:
            async with asyncio.timeout(endpoint.timeout_s):
                return await self._fetch()
        except TimeoutError as error:
            message = f"{endpoint.label} did not answer within {endpoint.timeout_s:g} s. Ask it for less, or later."
            raise FetchFailed("federation-timeout", message) from error

    async def _fetch(self) -> KeptAnswer | None:
        """The answer, where it is small enough to be kept, after it was sent on."""
        kept: bytearray | None = bytearray()
        async with self._outside.client.ask(self._query) as reply:
            self._send(FrameKind.HEAD, reply.media_type.encode())
            async for chunk in reply.chunks:
                self._outside.received_bytes += len(chunk)
                await self._send_data(chunk)
                if kept is not None and len(kept) + len(chunk) <= self._gateway.cache.largest_bytes:
                    kept += chunk
                else:
                    kept = None
        self._send(FrameKind.END)
        return None if kept is None else KeptAnswer(reply.media_type, bytes(kept))

    async def _send_data(self, data: bytes) -> None:
        for at in range(0, len(data), FRAME_BYTES):
            self._send(FrameKind.DATA, data[at : at + FRAME_BYTES])
            # While the worker does not take it, nothing more is read from outside.
            await self._writer.drain()

    def _send(self, kind: FrameKind, body: bytes = b"") -> None:
        self._writer.write(encode_frame(kind, body))
