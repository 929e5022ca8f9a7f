"""What every answer goes through: cross-origin reading, HEAD, safe headers, and a last net for our own bugs."""

from __future__ import annotations

import secrets
from logging import getLogger
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endpoint.problems import Problem, problem_response

__all__ = ["Envelope"]

_log = getLogger(__name__)
_EXPOSED: Final = (
    "ETag, Link, Location, Memento-Datetime, Retry-After, "
    "CHAP-Release, CHAP-Rows, CHAP-Limits, CHAP-Hint, Server-Timing"
)
# Everything comes from here, nothing runs inline, nobody frames us.
_POLICY: Final = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


class Envelope:
    """An ASGI application around the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_dressed(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                _dress(MutableHeaders(raw=message.setdefault("headers", [])))
            await send(message)

        if scope["method"] == "OPTIONS":
            await _answer_options(send_dressed)
            return
        try:
            await self._app(scope, receive, send_dressed)
        except Exception:
            request_id = secrets.token_hex(8)
            if has_started:
                # The server cuts the connection: what went out must not look complete.
                raise
            _log.exception("request %s failed: %s %s", request_id, scope["method"], scope["path"])
            problem = Problem(
                "internal", 500, "This is our bug; the log of the server has it.", members={"request_id": request_id}
            )
            await problem_response(problem)(scope, receive, send_dressed)


def _dress(headers: MutableHeaders) -> None:
    headers["Access-Control-Allow-Origin"] = "*"
    headers["Access-Control-Expose-Headers"] = _EXPOSED
    headers["X-Content-Type-Options"] = "nosniff"
    if headers.get("content-type", "").startswith("text/html"):
        headers["Content-Security-Policy"] = _POLICY
        headers["Referrer-Policy"] = "strict-origin-when-cross-origin"


async def _answer_options(send: Send) -> None:
    """The answer to a preflight (https://fetch.spec.whatwg.org/#cors-preflight-request): all may read."""
    allowed = b"GET, HEAD, POST, OPTIONS"
    headers = [
        (b"allow", allowed),
        (b"access-control-allow-methods", allowed),
        (b"access-control-allow-headers", b"Accept, Accept-Language, Content-Type, If-None-Match, Authorization"),
        (b"access-control-max-age", b"86400"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
