"""What every answer goes through: cross-origin reading, HEAD, safe headers, and a last net for our own bugs."""

from __future__ import annotations

import errno
import re
import secrets
import sys
from logging import getLogger
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endpoint.http.paths import PathHider
from endpoint.http.problems import Problem, problem_response
from endpoint.http.proxies import ProxyWatch

__all__ = ["Envelope", "dressed", "internal_problem"]

_log = getLogger(__name__)
_EXPOSED: Final = (
    b"ETag, Link, Location, Memento-Datetime, Retry-After, "
    b"CHAP-Release, CHAP-Rows, CHAP-Limits, CHAP-Hint, CHAP-Changes, Server-Timing"
)
_ALWAYS: Final = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", _EXPOSED),
    (b"x-content-type-options", b"nosniff"),
)
# Everything comes from here, nothing runs inline, nobody frames us.
_POLICY: Final = (
    b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_FOR_PAGES: Final = (
    (b"content-security-policy", _POLICY),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
)


class Envelope:
    """An ASGI application around the routes."""

    def __init__(self, app: ASGIApp, *, watch: ProxyWatch, hider: PathHider) -> None:
        self._app = app
        self._watch = watch
        self._hider = hider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._watch.look(scope)
        # Files come as bytes: what codes and counts answers knows no other form of them (ASGI, path send extension).
        scope.get("extensions", {}).pop("http.response.pathsend", None)
        held: Message | None = None
        has_begun = has_ended = False

        async def send_dressed(message: Message) -> None:
            nonlocal held, has_begun, has_ended
            if message["type"] == "http.response.start":
                # Held back until there are bytes: what fails before them can still be answered honestly.
                held = {**message, "headers": _dress(message.get("headers", []))}
                return
            if held is not None:
                start, held, has_begun = held, None, True
                await send(start)
            has_ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        if scope["method"] == "OPTIONS":
            await _answer_options(send_dressed)
            return
        try:
            await self._app(scope, receive, send_dressed)
        except Exception as error:
            if has_ended:
                # The framework has answered and passes the exception on for whoever logs it.
                _log.exception("%s %s failed", scope["method"], scope["path"])
                return
            if has_begun:
                # The server cuts the connection: what went out must not look complete.
                raise
            held = None
            problem = error.__cause__ if isinstance(error.__cause__, Problem) else internal_problem(scope)
            problem.detail = self._hider.hide(problem.detail)
            await problem_response(problem)(scope, receive, send_dressed)


def internal_problem(scope: Scope) -> Problem:
    """The problem that a bug of ours is to a client; call it while the exception is handled, so that it is logged.

    Where the machine has no file descriptor left, that is no bug, and passes.
    """
    request_id = secrets.token_hex(8)
    error = sys.exception()
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        _log.error("request %s failed, since too many files are open: %s", request_id, scope["path"])
        detail = "This server has too many files open. Try again in a few seconds."
        return Problem("overloaded", 503, detail, headers={"Retry-After": "5"})
    _log.exception("request %s failed: %s %s", request_id, scope["method"], scope["path"])
    return Problem(
        "internal", 500, "This is our bug; the log of the server has it.", members={"request_id": request_id}
    )


def dressed(send: Send) -> Send:
    """A ``send`` that gives an answer the headers that all have, for those who answer outside the envelope."""

    async def send_dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": _dress(message.get("headers", []))}
        await send(message)

    return send_dressed


def _dress(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    if _CONTROL.search(b"".join([value for _, value in headers])):
        # The last net; what makes a header of a text has endpoint.http.responses.write_header.
        headers = [(name, _CONTROL.sub(b" ", value)) for name, value in headers]
    for name, value in headers:
        if name == b"content-type" and value.startswith(b"text/html"):
            return [*headers, *_ALWAYS, *_FOR_PAGES]
    return [*headers, *_ALWAYS]


async def _answer_options(send: Send) -> None:
    """The answer to a preflight (https://fetch.spec.whatwg.org/#cors-preflight-request): all may read."""
    allowed = b"GET, HEAD, POST, OPTIONS"
    headers = [
        (b"allow", allowed),
        (b"access-control-allow-methods", allowed),
        (
            b"access-control-allow-headers",
            b"Accept, Accept-Datetime, Accept-Language, Content-Type, If-None-Match, Authorization",
        ),
        (b"access-control-max-age", b"86400"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
