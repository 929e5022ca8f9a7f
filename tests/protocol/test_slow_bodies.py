"""A body that trickles in, or stops: 408 within the bound, the connection ends, and nobody else waits."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.protocol.conftest import RunningServer

# What endpoint/http/bodies.py promises; no setting changes it.
BOUND_S = 5.0
HEAD = "POST /sparql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sparql-query\r\n"
# The length is known and small, known and beyond what is read ahead for the cache, and not known: three ways in.
LENGTHS = ["Content-Length: 50", "Content-Length: 100000", "Transfer-Encoding: chunked"]


@dataclass(frozen=True)
class Ending:
    """What a client got until the server ended the connection, and when its first and last byte came."""

    received: bytes
    answered_s: float
    ended_s: float


def send_slowly(server: RunningServer, length: str, *, goes_on: bool) -> Ending:
    """Send a byte of a body, and others now and then if it goes on, until the server has ended the connection."""
    url = urlsplit(server.url)
    received, started, answered_s = b"", time.monotonic(), 0.0
    piece = b"1\r\n \r\n" if "chunked" in length else b" "
    with socket.create_connection((url.hostname, url.port), timeout=0.25) as connection:
        connection.sendall(f"{HEAD}{length}\r\n\r\n".encode() + piece)
        while time.monotonic() - started < 2 * BOUND_S:
            try:
                data = connection.recv(65536)
            except TimeoutError:
                if goes_on:
                    connection.sendall(piece)
                continue
            except ConnectionResetError:
                break  # it was ended while a byte of ours was on its way
            if not data:
                break
            answered_s = answered_s or time.monotonic() - started
            received += data
    return Ending(received, answered_s, time.monotonic() - started)


@pytest.fixture(scope="module")
def endings(server: RunningServer) -> dict[tuple[str, bool], Ending]:
    """All at once, since each takes its time; meanwhile another client is answered."""
    with ThreadPoolExecutor(2 * len(LENGTHS)) as threads, server.client() as client:
        slow = {
            (length, goes_on): threads.submit(send_slowly, server, length, goes_on=goes_on)
            for length in LENGTHS
            for goes_on in (True, False)
        }
        asked = 0
        while not all(each.done() for each in slow.values()):
            started = time.monotonic()
            assert client.post("/sparql", data={"query": f"ASK {{ ?s ?p {asked} }}"}).status_code == 200
            assert time.monotonic() - started < 1
            asked += 1
            time.sleep(0.05)
        assert asked > 20
        return {way: each.result() for way, each in slow.items()}


@pytest.mark.parametrize("goes_on", [True, False], ids=["trickles", "stalls"])
@pytest.mark.parametrize("length", LENGTHS)
def test_slow_body_is_408_and_ends_the_connection(
    endings: dict[tuple[str, bool], Ending], length: str, goes_on: bool
) -> None:
    ending = endings[length, goes_on]
    head, _, body = ending.received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 "), ending
    assert b"application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    assert json.loads(body)["code"] == "body-too-slow"
    assert BOUND_S <= ending.answered_s < BOUND_S + 1
    assert ending.ended_s < BOUND_S + 2
    assert ending.received.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("length", LENGTHS)
def test_slow_body_is_told_so_across_origins_too(endings: dict[tuple[str, bool], Ending], length: str) -> None:
    assert b"access-control-allow-origin: *" in endings[length, True].received.lower()
