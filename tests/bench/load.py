"""Load on a server: wrk for throughput and latency, plain sockets for clients that misbehave."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.peers import Peer

__all__ = ["Measured", "Runaways", "measure"]

_LUA = """
-- One request after the other, from a file of URL-encoded queries, cycling; each thread starts elsewhere.
local queries, index, offset = {}, 0, 0
function setup(thread) thread:set("offset", offset); offset = offset + 7919 end
function init(args)
  for line in io.lines(args[1]) do queries[#queries + 1] = line end
  index = offset
end
function request()
  index = index + 1
  wrk.headers["Accept"] = args_accept
  return wrk.format("GET", args_path .. queries[(index % #queries) + 1])
end
"""


@dataclass(frozen=True)
class Measured:
    """Answers a second, latency in ms, and how many answers were no 2xx (-1: the server was gone)."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


def measure(
    peer: Peer,
    queries: list[str],
    *,
    seconds: float,
    connections: int = 8,
    accept: str = "application/sparql-results+json",
) -> Measured:
    """GET the queries in turn over keep-alive connections.

    Raises:
        FileNotFoundError: wrk is missing (apt-get install wrk).
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise FileNotFoundError("wrk is missing (apt-get install wrk)")
    url = urllib.parse.urlsplit(peer.url)
    path = (url.path or "/") + "?" + (url.query + "&" if url.query else "") + "query="
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "load.lua"
        script.write_text(
            _LUA.replace("args_accept", f'"{accept}"').replace("args_path", f'"{path}"'), encoding="utf-8"
        )
        texts = Path(directory) / "queries"
        texts.write_text("\n".join(urllib.parse.quote(query, safe="") for query in queries), encoding="utf-8")
        command = [
            wrk, "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:.0f}s",
            "--timeout", "60s", "--latency", "--script", str(script), f"{url.scheme}://{url.netloc}/", "--", str(texts),
        ]  # fmt: skip
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        # wrk gives up when it cannot connect: the server is gone, and every look-up would fail.
        return Measured(0.0, float("inf"), float("inf"), errors=-1)
    return _parse_wrk(done.stdout)


def _parse_wrk(printed: str) -> Measured:
    def milliseconds(percentile: str) -> float:
        match = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s|m)", printed)
        if match is None:
            return float("nan")
        return float(match[1]) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[match[2]]

    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", printed)
    errors = (int(refused[1]) if refused else 0) + (sum(map(int, broken.groups())) if broken else 0)
    return Measured(float(rate[1]) if rate else 0.0, milliseconds("50"), milliseconds("99"), errors)


class Runaways:
    """Clients that submit queries without end, each from a loopback address of its own, until told to stop."""

    def __init__(self, peer: Peer, queries: list[str]) -> None:
        self.statuses: Counter[str] = Counter()
        self.longest_s = 0.0
        self._stop = threading.Event()
        self._open: set[socket.socket | None] = set()
        self._threads = [
            threading.Thread(target=self._run, args=(peer, query, f"127.0.0.{number + 10}"), daemon=True)
            for number, query in enumerate(queries)
        ]

    def __enter__(self) -> Runaways:
        for thread in self._threads:
            thread.start()
        return self

    def hang_up(self) -> None:
        """Submit nothing more, and leave what still runs."""
        self._stop.set()
        for connection in [each for each in self._open if each]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __exit__(self, *exception: object) -> None:
        self.hang_up()
        for thread in self._threads:
            thread.join(90)

    def _run(self, peer: Peer, query: str, address: str) -> None:
        url = urllib.parse.urlsplit(peer.url)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        body = urllib.parse.urlencode({"query": query})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/sparql-results+json"}
        while not self._stop.is_set():
            connection = http.client.HTTPConnection(
                url.hostname or "", url.port, timeout=80, source_address=(address, 0)
            )
            started = time.monotonic()
            taken: socket.socket | None = None
            try:
                connection.connect()
                taken = connection.sock
                self._open.add(taken)
                connection.request("POST", target, body, headers)
                response = connection.getresponse()
                while response.read(65536):
                    pass
                outcome = str(response.status)
                pause = min(float(response.headers.get("Retry-After", "0.2")), 2.0)
            except (OSError, http.client.HTTPException) as error:
                outcome, pause = type(error).__name__, 0.2
            finally:
                self._open.discard(taken)
                connection.close()
            if self._stop.is_set():
                return
            self.statuses[outcome] += 1
            if outcome not in ("429", "503"):
                self.longest_s = max(self.longest_s, time.monotonic() - started)
            self._stop.wait(pause)
