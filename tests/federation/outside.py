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

__all__ = ["JSON", "Answer", "Handler", "Outside", "Request", "run_outside"]

JSON = "application/sparql-results+json"


@dataclass(frozen=True)
class Request:
    """One line of the log."""

    method: str
    path: str
    query: str
    headers: dict[str, str]

    @property
    def values(self) -> list[str]:
        """The terms that VALUES in the query names."""
        found = re.search(r"VALUES [^{]*\{(.*?)\}", self.query)
        return re.findall(r"<[^>]*>|\"[^\"]*\"", found[1]) if found else []


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    outside: Outside
    query = ""

    def do_GET(self) -> None:
        self._take(parse_qs(urlsplit(self.path).query).get("query", [""])[0])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        # The engine itself, when a test asks it, sends the query as it is.
        is_form = self.headers["Content-Type"] == "application/x-www-form-urlencoded"
        self._take(parse_qs(body).get("query", [""])[0] if is_form else body)

    def _take(self, query: str) -> None:
        self.query = query
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.outside.log.append(Request(self.command, urlsplit(self.path).path, query, headers))
        try:
            (self.outside.answer or Handler.evaluate)(self)
        except (BrokenPipeError, ConnectionResetError):
            self.outside.hung_up.set()
            self.close_connection = True

    def evaluate(self) -> None:
        """Answer as the engine does."""
        try:
            result = self.outside.store.query(self.query)
        except SyntaxError as error:
            self.reply(400, str(error).encode(), "text/plain")
            return
        if isinstance(result, ox.QueryTriples):
            body = result.serialize(format=ox.RdfFormat.N_TRIPLES)
            self.reply(200, body or b"", "application/n-triples")
        else:
            body = result.serialize(format=ox.QueryResultsFormat.JSON)
            self.reply(200, body or b"")

    def reply(self, status: int, body: bytes, content_type: str = JSON, **headers: str) -> None:
        self.begin(status, content_type, Content_Length=str(len(body)), **headers)
        self.wfile.write(body)

    def begin(self, status: int, content_type: str = JSON, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is http.server's
        """Say nothing; the log is kept elsewhere."""


Answer = Callable[[Handler], None]


@dataclass(repr=False)
class Outside:
    """A server that runs. ``answer``, where it is set, answers in place of the engine."""

    port: int
    log: list[Request] = field(default_factory=list)
    answer: Answer | None = None
    store: ox.Store = field(default_factory=ox.Store)
    hung_up: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def forget(self) -> None:
        """Begin anew."""
        self.log.clear()
        self.hung_up.clear()
        self.answer = None


@contextmanager
def run_outside() -> Iterator[Outside]:
    """A server of one's own."""
    handler = type("OneHandler", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    outside = Outside(server.server_address[1])
    handler.outside = outside  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield outside
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def slow(seconds: float) -> Answer:
    """An answer that comes late."""

    def answer(handler: Handler) -> None:
        time.sleep(seconds)
        handler.evaluate()

    return answer
