"""A worker's side of the gateway: where the engine sends its SERVICE requests, and what becomes of them.

The engine calls an address of the loopback interface; a thread of the worker answers there. It asks the server to
fetch (``endpoint.federation.gateway``), in batches where the shared variables are bound, and puts the answers into one
document. Where the kernel gives a worker a network namespace of its own, the loopback interface is the worker's own,
too, and there is no other interface in it; elsewhere its port is the only one that the worker may connect to, and the
path of the address cannot be guessed and is new for each query.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import secrets
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

import pyoxigraph as ox

from endpoint.federation.batching import is_anchored, name_variables, plan_bindings, write_batches
from endpoint.federation.rewriting import locate_original, write_calls
from endpoint.federation.solutions import MEDIA_TYPE, NotSolutions, Solutions
from endpoint.sparql.frames import FRAME_BYTES, Failure, Frame, FrameDecoder, FrameKind, Job, encode_frame
from kg.errors import QueryError

__all__ = ["Relay", "RemoteFailed", "listen"]

_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1
_INTERFACE: Final = struct.Struct("16sH14x")
_HEAD_BYTES: Final = 16 * 1024
_NEAR: Final = 24
_UNBOUND: Final = (
    "SERVICE {endpoint} asks for more than can be fetched: {reason}. Let the outermost group of the query hold the "
    "SERVICE and patterns that bind some of its variables, write constants into it, or give it a sub-select with LIMIT."
)


class RemoteFailed(Exception):
    """An outside endpoint gave no answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class _Bound:
    """The values of the variables that a SERVICE shares with its query; ``rows`` is None when they are too many."""

    variables: tuple[str, ...]
    rows: list[list[str]] | None


@dataclass(slots=True)
class _State:
    """One job under way."""

    job: Job  # as it came
    relayed: Job  # with addresses of the relay in its text
    token: str
    addresses: tuple[str, ...]
    bound: dict[int, _Bound] = field(default_factory=dict)
    answers: dict[tuple[int, str], asyncio.Task[bytes]] = field(default_factory=dict)
    failure: Failure | None = None


class Relay:
    """The listener of one worker; it serves one job after the other."""

    def __init__(self, link: socket.socket, listener: socket.socket) -> None:
        """Answer whom the listener hears; the link is a stream socket whose other end the server's gateway has."""
        self._link = link
        self._listener = listener
        self._port = listener.getsockname()[1]
        self._state: _State | None = None
        threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True).start()

    @contextmanager
    def serve(self, job: Job) -> Iterator[Job]:
        """The job with addresses of this relay after its SERVICE, which answer inside the context."""
        token = secrets.token_urlsafe(24)
        addresses = tuple(f"http://127.0.0.1:{self._port}/{token}/{index}" for index in range(len(job.calls)))
        relayed = replace(job, text=write_calls(job.text, job.calls, addresses))
        self._state = _State(job, relayed, token, addresses)
        try:
            yield relayed
        finally:
            self._state = None

    @property
    def failure(self) -> Failure | None:
        """Why a SERVICE that is not SILENT had no answer."""
        return self._current.failure

    def bind(self, store: ox.Store) -> None:
        """Find the values that each SERVICE of the job is to be asked for; a later one may rest on those before."""
        state = self._current
        for index, address in enumerate(state.addresses):
            state.bound |= _bind(store, state.relayed, index, address)

    def locate(self, failure: Failure) -> Failure:
        """A syntax error with its place in the text as it came, and what stands there."""
        state = self._current
        if failure.line is None or failure.column is None:
            return failure
        line, column = locate_original(state.job.text, state.job.calls, state.addresses, failure.line, failure.column)
        near = state.job.text.split("\n")[line - 1][column - 1 :][:_NEAR].strip()
        return replace(failure, line=line, column=column, near=near)

    @property
    def _current(self) -> _State:
        assert self._state is not None, "asked outside of a job"
        return self._state

    def check(self) -> None:
        """Let a result end.

        Raises:
            RemoteFailed: it was made without an answer that it needed: in FILTER, the engine takes a failed request
                for an error of an expression and goes on.
        """
        if self.failure is not None:
            raise RemoteFailed(self.failure)

    async def _run(self) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=self._link)
        fetcher = _Fetcher(reader, writer)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):  # whoever asked has gone, and nobody misses the answer
                await self._answer(reader, writer, fetcher)
            writer.close()

        server = await asyncio.start_server(answer, sock=self._listener, limit=_HEAD_BYTES)
        await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fetcher: _Fetcher) -> None:
        """One request of the engine (HTTP/1.1, POST with a length)."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
            query = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            return
        state, index = self._state, self._find_call(request)
        if state is None or index is None:
            _reply(writer, "404 Not Found", b"")
            return
        key = (index, name_variables(query, state.job.text))
        task = state.answers.get(key)
        if task is None:
            # The engine may ask the same again and again, once for each solution beside it.
            task = state.answers[key] = asyncio.ensure_future(_ask(state, key[0], key[1], fetcher))
        try:
            body = await asyncio.shield(task)
        except RemoteFailed as error:
            if not state.job.calls[index].is_silent:
                state.failure = state.failure or error.failure
            _reply(writer, "502 Bad Gateway", error.failure.message.encode())
        else:
            _reply(writer, "200 OK", body)
        await writer.drain()

    def _find_call(self, request: str) -> int | None:
        """The number of the call that a request line names, when it holds the secret of the job under way."""
        parts = request.split(" ")
        path = parts[1].split("/") if len(parts) == 3 else []
        state = self._state
        if state is None or len(path) != 3 or not secrets.compare_digest(path[1].encode(), state.token.encode()):
            return None
        return int(path[2]) if path[2].isdecimal() and int(path[2]) < len(state.job.calls) else None


def listen(*, has_own_loopback: bool) -> socket.socket:
    """A socket that listens on the loopback interface, which is switched on where the process has one of its own.

    Raises:
        OSError: the process may not.
    """
    if has_own_loopback:
        _raise_loopback()
    return socket.create_server(("127.0.0.1", 0))


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _, flags = _INTERFACE.unpack(fcntl.ioctl(control, _SIOCGIFFLAGS, _INTERFACE.pack(b"lo", 0)))
        fcntl.ioctl(control, _SIOCSIFFLAGS, _INTERFACE.pack(b"lo", flags | _IFF_UP))


def _bind(store: ox.Store, job: Job, index: int, address: str) -> dict[int, _Bound]:
    """The values for one call of a job whose text has addresses; nothing when it is to be asked as it stands."""
    limit = job.calls[index].max_bindings
    plan = plan_bindings(job.text, address, limit=limit + 1)
    if plan is None:
        return {}
    has_dataset = bool(job.default_graphs or job.named_graphs)
    try:
        solutions = store.query(
            plan.query,
            default_graph=[ox.NamedNode(each) for each in job.default_graphs] if has_dataset else None,
            named_graphs=[ox.NamedNode(each) for each in job.named_graphs] if has_dataset else None,
        )
        assert isinstance(solutions, ox.QuerySolutions)
        rows = [list(solution) for solution in solutions]
    except SyntaxError:
        # Of a broken query a part is broken, too; of the whole the engine will say what and where.
        return {}
    except (OSError, RuntimeError, ValueError) as error:
        raise QueryError(str(error)) from error
    if any(term is None or isinstance(term, ox.Triple) for row in rows for term in row):
        return {}
    if len(rows) > limit:
        return {index: _Bound(plan.variables, None)}
    # A blank node of ours is none of theirs.
    known = [[str(term) for term in row] for row in rows if not any(isinstance(each, ox.BlankNode) for each in row)]
    # Sorted, so that the same values make the same batches, which the cache knows again.
    return {index: _Bound(plan.variables, sorted(known))}


async def _ask(state: _State, index: int, query: str, fetcher: _Fetcher) -> bytes:
    """The solutions for one call, as the engine is to read them.

    Raises:
        RemoteFailed: there are none.
    """
    call = state.job.calls[index]
    bound = state.bound.get(index)
    solutions = Solutions(label=f"s{index}")
    if bound is not None and bound.rows == []:
        return solutions.write()
    queries: Sequence[str] | None = None
    if bound is not None and bound.rows is not None:
        batches = write_batches(query, bound.variables, bound.rows, size=call.batch_size)
        queries = None if batches is None else list(batches)
    if queries is None:
        if not call.takes_unbound and not is_anchored(query):
            reason = "no value stands in its pattern, and none is bound beside it"
            if bound is not None and bound.rows is None:
                reason = f"more than {call.max_bindings} values are bound beside it"
            message = _UNBOUND.format(endpoint=call.endpoint, reason=reason)
            raise RemoteFailed(Failure(code="federation-unbound", message=message))
        queries = [query]
    size = 0
    for each in queries:
        size += await fetcher.fetch(call.endpoint, each, solutions)
        if len(solutions) > call.max_rows or size > call.max_bytes:
            limit = f"{call.max_rows} solutions" if len(solutions) > call.max_rows else f"{call.max_bytes} bytes"
            message = f"The answer of {call.endpoint} is larger than {limit}. Ask it for less."
            raise RemoteFailed(Failure(code="federation-too-large", message=message))
    return solutions.write()


class _Fetcher:
    """Asks the server to fetch, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._lock = asyncio.Lock()
        self._frames = self._iter_frames()

    async def fetch(self, endpoint: str, query: str, solutions: Solutions) -> int:
        """The number of bytes that came, after their solutions were added.

        Raises:
            RemoteFailed: none came, or what came are no solutions.
        """
        async with self._lock:
            self._writer.write(encode_frame(FrameKind.FETCH, json.dumps([endpoint, query]).encode()))
            await self._writer.drain()
            body, media_type = bytearray(), ""
            while (frame := await anext(self._frames)).kind is not FrameKind.END:
                if frame.kind is FrameKind.FAILURE:
                    raise RemoteFailed(Failure.decode(frame.body))
                if frame.kind is FrameKind.HEAD:
                    media_type = frame.body.decode()
                else:
                    body += frame.body
            try:
                solutions.add(bytes(body), media_type)
            except NotSolutions as error:
                self._writer.write(encode_frame(FrameKind.VERDICT, b"\0"))
                message = f"The answer of {endpoint} cannot be read: {error}."
                raise RemoteFailed(Failure(code="federation-failed", message=message)) from error
            self._writer.write(encode_frame(FrameKind.VERDICT, b"\1"))
            return len(body)

    async def _iter_frames(self) -> AsyncIterator[Frame]:
        decoder = FrameDecoder()
        while data := await self._reader.read(FRAME_BYTES):
            for frame in decoder.feed(data):
                yield frame
        raise ConnectionError("the server has closed the link")


def _reply(writer: asyncio.StreamWriter, status: str, body: bytes) -> None:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
