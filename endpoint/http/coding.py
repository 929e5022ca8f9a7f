"""Compressed answers (zstd, br, gzip), each with an ETag of its own: the codings of one answer are different bytes."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware, add_compress_type

__all__ = ["Codings"]

_SUFFIXES: Final = ("-zstd", "-br", "-gzip")
_OURS: Final = (
    "application/sparql-results+json",
    "application/sparql-results+xml",
    "application/sparql-query",
    "application/ld+json",
    "application/n-quads",
    "application/n-triples",
    "application/rdf+xml",
    "application/trig",
    "application/problem+json",
    "text/csv",
    "text/n3",
    "text/tab-separated-values",
    "text/turtle",
)
for _media_type in _OURS:
    add_compress_type(_media_type)


class Codings:
    """An ASGI application that compresses what another answers, where the client takes it."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._coded = CompressMiddleware(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._plain(scope, receive, send)
            return
        names = {name for name, _ in scope["headers"]}
        if b"accept-encoding" not in names and b"if-none-match" not in names:
            await self._plain(scope, receive, _send_plain(send))
            return
        asked = {name: value for name, value in scope["headers"] if name == b"if-none-match"}.get(b"if-none-match", b"")
        if asked:
            # The application inside knows the tags of its own bytes only.
            plain = asked.decode("latin-1")
            for suffix in _SUFFIXES:
                plain = plain.replace(f'{suffix}"', '"')
            headers = [each for each in scope["headers"] if each[0] != b"if-none-match"]
            scope = {**scope, "headers": [*headers, (b"if-none-match", plain.encode("latin-1"))]}

        async def send_tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                etag = headers.get("etag", "")
                coding = headers.get("content-encoding")
                if coding and etag.endswith('"'):
                    headers["etag"] = f'{etag[:-1]}-{coding}"'
                elif message["status"] == 304 and etag:
                    headers["etag"] = _find_asked(asked.decode("latin-1"), etag)
            await send(message)

        await self._coded(scope, receive, send_tagged)


def _send_plain(send: Send) -> Send:
    """A ``send`` for a client that takes no coding: the answer would differ for one that does."""

    async def send_varying(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            at = next((number for number, header in enumerate(headers) if header[0] == b"vary"), None)
            if at is None:
                headers.append((b"vary", b"Accept-Encoding"))
            else:
                headers[at] = (b"vary", headers[at][1] + b", Accept-Encoding")
            message = {**message, "headers": headers}
        await send(message)

    return send_varying


def _find_asked(asked: str, etag: str) -> str:
    """The tag with which a client asked for what turned out unchanged."""
    tagged = [f'{etag[:-1]}{suffix}"' for suffix in _SUFFIXES]
    return next((each for each in tagged if each in asked), etag)
