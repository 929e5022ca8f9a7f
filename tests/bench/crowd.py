"""``python -m tests.bench.crowd``: look-ups of a few clients while a crowd of others does what it should not.

Each of the crowd comes from a loopback address of its own, and no proxy is trusted: 1,000 connections that ask nothing,
64 readers that read next to nothing of large results, 16 clients that send queries without end, 8 writers, and 100
wrong tokens a second. Ends with status 1 when a look-up failed. The crowd shares the machine with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import http.client
import json
import multiprocessing
import os
import resource
import socket
import sys
import tempfile
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from itertools import count
from pathlib import Path
from statistics import median, quantiles

from kg.build import build
from kg.settings import KgSettings
from tests.writes.conftest import WRITTEN, run_writable

__all__ = ["Crowd", "main"]

_LOOKUP = "SELECT ?p ?o WHERE { <https://w3id.org/chap/id/organisation/de-holm> ?p ?o } # "
_ENDLESS = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } # "
_HUGE = "SELECT * WHERE { ?a ?b ?c . ?d ?e ?f } # "
_STATEMENT = '<https://w3id.org/chap/id/organisation/de-holm> <http://www.w3.org/2000/01/rdf-schema#comment> "{}"@en .'
_LOOKERS = 4
_IDLE, _READERS, _RUNAWAYS, _WRITERS, _TOKENS_PER_S = 1_000, 64, 16, 8, 100


class Crowd:
    """All the others, on an event loop of their own."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._host, self._port, self._token = host, port, token
        self._numbers = count()
        self.outcomes: Counter[str] = Counter()

    async def gather(self, seconds: float) -> None:
        """Be there for so long."""
        members: list[Coroutine[None, None, None]] = [self._idle(f"127.1.{n >> 8}.{n & 255}") for n in range(_IDLE)]
        members += [self._read_slowly(f"127.2.0.{n + 1}") for n in range(_READERS)]
        members += [self._run_away(f"127.3.0.{n + 1}") for n in range(_RUNAWAYS)]
        members += [self._write(f"127.4.0.{n + 1}", n) for n in range(_WRITERS)]
        members.append(self._guess())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*members)

    async def _open(self, address: str, *, limit: int = 65536) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.bind((address, 0))
        await asyncio.get_running_loop().sock_connect(connection, (self._host, self._port))
        return await asyncio.open_connection(sock=connection, limit=limit)

    async def _ask(self, address: str, request: bytes, what: str, pace_s: float = 0.0) -> None:
        """One request on a connection of its own, the answer read to its end: all at once, or a little in a while."""
        status = "cut"
        try:
            reader, writer = await self._open(address, limit=1024 if pace_s else 65536)
            try:
                writer.write(request)
                status = (await reader.readline()).decode("latin-1")[9:12] or "cut"
                while await reader.read(1024 if pace_s else 65536):
                    await asyncio.sleep(pace_s)
            finally:
                writer.close()
        except OSError:
            status = "refused"
        self.outcomes[f"{what} {status}"] += 1

    async def _idle(self, address: str) -> None:
        while True:
            with suppress(OSError):
                reader, writer = await self._open(address)
                await reader.read()
                writer.close()
                self.outcomes["idle closed"] += 1
            await asyncio.sleep(1)

    async def _read_slowly(self, address: str) -> None:
        while True:
            await self._ask(address, self._query(_HUGE), "reader", pace_s=1.0)
            await asyncio.sleep(1)

    async def _run_away(self, address: str) -> None:
        while True:
            await self._ask(address, self._query(_ENDLESS), "runaway")
            await asyncio.sleep(0.5)

    async def _write(self, address: str, number: int) -> None:
        target = f"/graph-store?{urllib.parse.urlencode({'graph': f'{WRITTEN}holm-crowd-{number}'})}"
        while True:
            body = _STATEMENT.format(next(self._numbers)).encode()
            await self._ask(address, self._put(target, self._token, body), "writer")
            await asyncio.sleep(0.2)

    async def _guess(self) -> None:
        target = f"/graph-store?{urllib.parse.urlencode({'graph': f'{WRITTEN}holm-crowd'})}"
        asking: set[asyncio.Task[None]] = set()
        while True:
            number = next(self._numbers)
            wrong = f"{number}.{base64.urlsafe_b64encode(os.urandom(32)).decode()}"
            guess = self._ask(f"127.5.{number >> 8 & 255}.{number & 255}", self._put(target, wrong, b""), "guesser")
            task = asyncio.create_task(guess)
            asking.add(task)
            task.add_done_callback(asking.discard)
            await asyncio.sleep(1 / _TOKENS_PER_S)

    def _query(self, text: str) -> bytes:
        target = f"/sparql?{urllib.parse.urlencode({'query': f'{text}{next(self._numbers)}'})}"
        return f"GET {target} HTTP/1.1\r\nHost: x\r\nAccept: text/csv\r\nConnection: close\r\n\r\n".encode()

    @staticmethod
    def _put(target: str, token: str, body: bytes) -> bytes:
        head = (
            f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Type: text/turtle\r\nContent-Length: {len(body)}\r\n"
            f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body


def _gather(host: str, port: int, token: str, seconds: float, path: Path) -> None:
    """The crowd as a process of its own; how its requests ended is in the file afterwards."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd = Crowd(host, port, token)
    asyncio.run(crowd.gather(seconds))
    path.write_text(json.dumps(crowd.outcomes), encoding="utf-8")


def _look_up(host: str, port: int, seconds: float) -> tuple[list[float], Counter[str]]:
    """Milliseconds of the look-ups of a few clients, and how those ended that failed."""
    times: list[float] = []
    failed: Counter[str] = Counter()
    end = time.monotonic() + seconds

    def ask(address: str) -> None:
        connection = http.client.HTTPConnection(host, port, timeout=30, source_address=(address, 0))
        for number in count():
            if time.monotonic() >= end:
                break
            target = "/sparql?" + urllib.parse.urlencode({"query": f"{_LOOKUP}{address} {time.monotonic()} {number}"})
            started = time.perf_counter()
            try:
                connection.request("GET", target, headers={"Accept": "application/sparql-results+json"})
                response = connection.getresponse()
                has_rows = bool(json.loads(response.read()).get("results", {}).get("bindings"))
                if response.status != 200 or not has_rows:
                    failed[str(response.status)] += 1
            except (OSError, http.client.HTTPException, ValueError) as error:
                failed[repr(error)] += 1
                connection.close()
            times.append((time.perf_counter() - started) * 1000)
            time.sleep(0.005)
        connection.close()

    threads = [threading.Thread(target=ask, args=(f"127.0.0.{number + 2}",)) for number in range(_LOOKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, failed


def _show(title: str, times: list[float], failed: Counter[str]) -> None:
    p99 = quantiles(times, n=100)[98]
    print(
        f"{title}: {len(times):,} look-ups, p50 {median(times):.1f} ms, p99 {p99:.1f} ms, longest {max(times):.0f} ms, "
        f"failed {sum(failed.values())} {dict(failed) or ''}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crowd", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chap-bench-") as name:
        directory = Path(name)
        build(KgSettings(releases_dir=directory / "built"))
        settings = {"query_workers": 2 * (os.cpu_count() or 1), "query_long_workers": os.cpu_count() or 1}
        (directory / "served").mkdir()
        with run_writable(directory / "built", directory / "served", **settings) as running:
            url = urllib.parse.urlsplit(running.server.url)
            host, port = str(url.hostname), int(url.port or 0)
            _show("alone", *_look_up(host, port, min(options.seconds, 10)))
            path = directory / "outcomes.json"
            arguments = (host, port, running.holm, options.seconds + 6, path)
            crowd = multiprocessing.get_context("spawn").Process(target=_gather, args=arguments)
            crowd.start()
            time.sleep(5)
            times, failed = _look_up(host, port, options.seconds)
            _show("beside the crowd", times, failed)
            crowd.join()
            # What was being written, when its client left, is written still.
            time.sleep(3)
            outcomes: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
            print(", ".join(f"{what}: {number}" for what, number in sorted(outcomes.items())))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
