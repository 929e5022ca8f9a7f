"""Answers that were given once, ahead of everything else: a hot answer costs a look-up, no route and no worker.

Content is a function of (release, request), history one of (journal, request), so an entry is right for ever; whatever
changes either changes the key.
Only what says of itself that it may be shared is kept: status 200, an ETag, ``Cache-Control: public``. Volatile answers
(NOW, RAND, UUID, STRUUID, BNODE, SERVICE) are ``no-store`` and pass by.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endpoint.http.bodies import find_length, read_body
from endpoint.http.middleware import dressed
from endpoint.http.problems import Problem, problem_response

__all__ = ["ResponseCache"]

_Headers: TypeAlias = list[tuple[bytes, bytes]]
# Of key and entry alike: plain tuples of bytes, headers packed into one. The collector looks at each object of a cache
# that fills, and of tuples in tuples (a dozen for an answer) it did so for up to 80 ms at a time.
# Release (and history), path, query string, the headers that select a representation, whether it is a POST, its body.
_Key: TypeAlias = tuple[object, str, bytes, bytes, bool, bytes]
# ETag, headers, body, and the size of all.
_Entry: TypeAlias = tuple[bytes, bytes, bytes, int]

# What a representation may depend on, beside the release and the address.
_SELECTING: Final = (b"accept", b"accept-datetime", b"accept-language", b"accept-encoding", b"content-type")
# An entry without the bytes that it is for: names of headers, objects, places in the dictionary (measured, rounded up).
_OVERHEAD: Final = 1_200
_POST_PATH: Final = "/sparql"
# Files: the kernel keeps them in memory, and a range of one is another answer.
_FILES_PATH: Final = "/dumps/"
_POST_LIMIT: Final = 64 * 1024
_OF_THE_BODY: Final = (b"content-length", b"content-type", b"content-encoding")


class ResponseCache:
    """An ASGI application around another; bounded by bytes, the least recently used entries go first."""

    def __init__(self, app: ASGIApp, *, find_version: Callable[[], object], capacity_bytes: int) -> None:
        self._app = app
        self._find_version = find_version
        self._capacity = capacity_bytes
        self._entry_limit = capacity_bytes // 16
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self.held_bytes = 0
        self.hits = 0
        self.misses = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._answer(scope, receive, send)
        except Problem as problem:
            await problem_response(problem)(scope, receive, dressed(send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        method = scope["method"]
        if method == "POST":
            length = find_length(scope["headers"])
            if scope["path"] != _POST_PATH or length is None or length > _POST_LIMIT:
                await self._app(scope, receive, send)
                return
            body, receive = await _read_ahead(receive, length)
        elif method not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        selecting, if_none_match, hosts = _select_headers(scope["headers"])
        if hosts != 1 and scope["http_version"] == "1.1":
            # RFC 9112, section 3.2; the server underneath leaves it to us.
            raise Problem("bad-host", 400, "A request names its host once.")
        if scope["path"].startswith(_FILES_PATH):
            await self._app(scope, receive, send)
            return
        key: _Key = (self._find_version(), scope["path"], scope["query_string"], selecting, method == "POST", body)
        entry = self._entries.get(key)
        if entry is not None:
            self.hits += 1
            self._entries.move_to_end(key)
            await _answer(entry, if_none_match, is_head=method == "HEAD", send=send)
            return
        self.misses += 1
        if method == "HEAD" or if_none_match:
            # Neither brings a body that could be kept.
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Recorder(self, key, send))

    def keep(self, key: _Key, start: Message, body: bytes) -> None:
        """Keep an answer, if it may be kept and fits."""
        headers: _Headers = start["headers"]
        etag = caching = b""
        has_length = False
        _, path, query, selecting, _, asked = key
        size = len(body) + _OVERHEAD + len(path) + len(query) + len(selecting) + len(asked)
        for name, value in headers:
            size += len(value)
            if name == b"etag":
                etag = value
            elif name == b"cache-control":
                caching = value
            elif name == b"content-length":
                has_length = True
        if not etag or b"public" not in caching or key in self._entries:
            return
        if not has_length:
            headers = [*headers, (b"content-length", str(len(body)).encode())]
        self._entries[key] = (etag, _pack(headers), body, size)
        self.held_bytes += size
        while self.held_bytes > self._capacity:
            _, (*_, dropped) = self._entries.popitem(last=False)
            self.held_bytes -= dropped

    @property
    def entry_limit(self) -> int:
        """The size, in bytes, beyond which a body is not kept."""
        return self._entry_limit


class _Recorder:
    """Passes an answer on, and offers it to the cache once it is complete."""

    def __init__(self, cache: ResponseCache, key: _Key, send: Send) -> None:
        self._cache = cache
        self._key = key
        self._send = send
        self._start: Message | None = None
        self._chunks: list[bytes] = []
        self._size = 0

    async def __call__(self, message: Message) -> None:
        """Take one message (ASGI)."""
        if message["type"] == "http.response.start":
            self._start = message if message["status"] == 200 else None
        elif message["type"] == "http.response.body" and self._start is not None:
            chunk = message.get("body", b"")
            self._size += len(chunk)
            if self._size > self._cache.entry_limit:
                self._start = None
                self._chunks.clear()
            else:
                self._chunks.append(chunk)
                if not message.get("more_body", False):
                    self._cache.keep(self._key, self._start, b"".join(self._chunks))
        await self._send(message)


async def _answer(entry: _Entry, if_none_match: bytes, *, is_head: bool, send: Send) -> None:
    etag, packed, body, _ = entry
    is_known = bool(if_none_match) and _matches(if_none_match, etag)
    headers = _unpack(packed)
    if is_known:
        headers = [each for each in headers if each[0] not in _OF_THE_BODY]
    await send({"type": "http.response.start", "status": 304 if is_known else 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_known or is_head else body})


def _pack(headers: _Headers) -> bytes:
    """Headers as one piece; no zero byte is in any (RFC 9110, section 5.5)."""
    return b"\0".join(part for pair in headers for part in pair)


def _unpack(packed: bytes) -> _Headers:
    parts = iter(packed.split(b"\0"))
    return list(zip(parts, parts, strict=True))


def _matches(header: bytes, etag: bytes) -> bool:
    """Weak comparison, as for all conditional reads (RFC 9110, section 13.1.2)."""
    return any(tag.strip().removeprefix(b"W/") in (etag, b"*") for tag in header.split(b","))


def _select_headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes, int]:
    """What an answer depends on, what the client has, and how often it names a host."""
    found: _Headers = []
    if_none_match = b""
    hosts = 0
    for name, value in headers:
        if name in _SELECTING:
            found.append((name, value))
        elif name == b"if-none-match":
            if_none_match += value if not if_none_match else b"," + value
        elif name == b"host":
            hosts += 1
    found.sort()
    return _pack(found), if_none_match, hosts


async def _read_ahead(receive: Receive, length: int) -> tuple[bytes, Receive]:
    """The body of a request, and a ``receive`` that gives it once more."""
    body = await read_body(receive, declared=length, limit=_POST_LIMIT)
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return body, again
