"""What a request asks for, out of its first line alone; what it says of the host is checked, and never used."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from endpoint.http.problems import Problem, problem_response

__all__ = ["HostCheck", "read_path", "read_query"]

# uri-host [ ":" port ] (RFC 9110, section 7.2; RFC 3986, section 3.2.2), which may be empty.
_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~!$&'()*+,;=%-]{0,255})(?::[0-9]{0,5})?")
# What may stand in a query (RFC 3986, section 3.4), and what is encoded already.
_IN_QUERY: Final = "!$&'()*+,;=:@/?-._~%"


def read_path(request: Request) -> str:
    """The path of a request, decoded. It holds whatever a client sends; where it becomes an address, quote it."""
    path: str = request.scope["path"]
    return path


def read_query(request: Request) -> str:
    """The query of a request with its question mark, fit for a header or an address; empty where there is none."""
    query: bytes = request.scope["query_string"]
    return f"?{quote(query, safe=_IN_QUERY)}" if query else ""


class HostCheck:
    """An ASGI application that lets through what names one host, and rightly (RFC 9112, section 3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Most requests name the host that the one before them named.
        self._good: list[bytes] = []

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request (ASGI); no coroutine of its own, which a look-up would pay for at each step."""
        if scope["type"] == "http":
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if hosts != self._good and (len(hosts) > 1 or not all(map(_HOST.fullmatch, hosts))):
                detail = "A request names its host once, as in 'Host: example.org:8000', and in no other form."
                return problem_response(Problem("bad-host", 400, detail))(scope, receive, send)
            self._good = hosts
        return self._app(scope, receive, send)
