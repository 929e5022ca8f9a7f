"""A proxy before a server: it counts what passes, and cuts, refuses, keeps back or delays what a test wants it to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

import httpx

__all__ = ["Passing", "Proxy", "run_proxy"]


@dataclass(frozen=True)
class Passing:
    """A request on its way."""

    method: str
    graph: str
    authorization: str | None


Rule: TypeAlias = Callable[[Passing], int | str | None]
"""What becomes of a request: a status answers it, ``cut`` ends its connection, ``lose`` says yes and does nothing."""


@dataclass
class Proxy:
    url: str
    rule: Rule = lambda _: None
    passed: list[Passing] = field(default_factory=list)

    def count(self, method: str) -> int:
        """How many graphs went through by a method, the one that says what was published left out."""
        return sum(each.method == method and not each.graph.endswith("/published") for each in self.passed)


@contextmanager
def run_proxy(upstream: str) -> Iterator[Proxy]:
    """A proxy on loopback before the server at an address."""
    proxy = Proxy("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            graph = parse_qs(urlsplit(self.path).query).get("graph", [""])[0]
            passing = Passing(self.command, graph, self.headers.get("authorization"))
            fate = proxy.rule(passing)
            if fate == "cut":
                self.close_connection = True
                return
            if isinstance(fate, int) or fate == "lose":
                self._answer(fate if isinstance(fate, int) else 204, b"", {})
                return
            headers = {
                name: value for name, value in self.headers.items() if name.lower() in ("accept", "content-type")
            }
            response = httpx.request(self.command, upstream + self.path, content=body, headers=headers, timeout=60)
            proxy.passed.append(passing)
            self._answer(
                response.status_code, response.content, {"Content-Type": response.headers.get("content-type", "")}
            )

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 204:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is the library's
            """Say nothing."""

        do_GET = do_POST = do_PUT = do_DELETE = _pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
