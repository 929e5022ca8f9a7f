"""The other side of federation: a real SPARQL server on loopback that keeps a log, and can be told to misbehave."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyoxigraph as ox

__all__ = ["Outside", "Request", "run_outside"]

JSON = "application/sparql-results+json"
# Twenty hubs here have an opening year and a label there.
DATA = "".join(
    f'<urn:outside:{number}> <urn:year> {2000 + number} ; <urn:label> "hub {number}"@en ; '
    f'<urn:slug> "hub-{number}" ; <urn:part> [ <urn:size> {number} ] .\n'
    for number in range(20)
)


@dataclass(frozen=True)
class Request:
    """One line of the log."""

    method: str
    path: str
    query: str
    headers: dict[str, str]

    @property
    def values(self) -> list[str]:
        """The rows of VALUES in the query."""
        found = re.search(r"VALUES [^{]*\{(.*?)\}", self.query)
        return re.findall(r"<[^>]*>|\"[^\"]*\"", found[1]) if found else []


@dataclass
class Outside:
    """A server that runs. ``answer``, where it is set, answers in place of the engine."""

    url: str
    port: int
    log: list[Request] = field(default_factory=list)
    answer: Callable[[Handler], None] | None = None
    store: ox.Store = field(default_factory=ox.Store)

    def forget(self) -> None:
        self.log.clear()
        self.answer = None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    outside: Outside
    query = ""

    def do_GET(self) -> None:
        self._take(parse_qs(urlsplit(self.path).query).get("query", [""])[0])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._take(parse_qs(body).get("query", [""])[0])

    def _take(self, query: str) -> None:
        self.query = query
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.outside.log.append(Request(self.command, urlsplit(self.path).path, query, headers))
        try:
            if self.outside.answer is not None:
                self.outside.answer(self)
            else:
                self.evaluate()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def evaluate(self) -> None:
        """Answer as the engine does."""
        result = self.outside.store.query(self.query)
        assert isinstance(result, ox.QuerySolutions)
        body = result.serialize(format=ox.QueryResultsFormat.JSON)
        assert body is not None
        self.reply(200, body)

    def reply(self, status: int, body: bytes, content_type: str = JSON, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is http.server's
        pass


@contextmanager
def run_outside(host: str = "127.0.0.1") -> Iterator[Outside]:
    """A server of one's own."""
    handler = type("OneHandler", (Handler,), {})
    server = ThreadingHTTPServer((host, 0), handler)
    port = server.server_address[1]
    outside = Outside(f"http://{host}:{port}/sparql", port)
    outside.store.load(DATA.encode(), format=ox.RdfFormat.TURTLE)
    handler.outside = outside  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield outside
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def slow(seconds: float) -> Callable[[Handler], None]:
    """An answer that comes late."""

    def answer(handler: Handler) -> None:
        time.sleep(seconds)
        handler.evaluate()

    return answer
