"""Clients share places, not queries: whoever sends many, or reads nothing, does not stand in the way of others."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from select import select
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from tests.assertions import assert_problem
from tests.protocol.conftest import RunningServer, run_server
from tests.protocol.processes import wait_until

ENDLESS = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
HUGE = "SELECT * WHERE { ?a ?b ?c . ?d ?e ?f }"
# Takes longer than a query may without a place for long ones, and ends.
LONG = """SELECT (COUNT(*) AS ?n) WHERE {
  { SELECT ?a WHERE { ?a ?b ?c } LIMIT 4000 } { SELECT ?d WHERE { ?d ?e ?f } LIMIT 4000 }
}"""
NUMBERS = itertools.count()
PATHS = (
    "/doc/organisation/de-holm",
    "/hubs",
    "/api/v1/actors",
    "/graph-store?graph=https://w3id.org/chap/graph/catalogue",
)
SETTINGS = {
    "query_workers": 3,
    "query_long_workers": 2,
    "query_long_after_s": 0.2,
    "query_timeout_s": 60,
    "query_queue_wait_s": 60,
    "client_patience_s": 0.2,
}


@contextmanager
def client_at(server: RunningServer, address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, transport=httpx.HTTPTransport(local_address=address), timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def crowded(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with run_server(releases_dir, tmp_path_factory.mktemp("crowded") / "log", **SETTINGS) as running:
        yield running


@pytest.fixture
def held(crowded: RunningServer) -> Iterator[ExitStack]:
    """Connections that are held; beforehand nobody holds any, and afterwards all are closed."""
    with client_at(crowded, "127.0.0.1") as watcher, ExitStack() as stack:
        assert wait_until(lambda: (count(watcher, "long"), count(watcher, "idle")) == (0, 3), seconds=20)
        yield stack


def count(client: httpx.Client, name: str) -> int:
    """How many workers are where; -1 while the first of them is being started again."""
    return int(client.get("/health/ready").json().get("pool", {}).get(name, -1))


def stopped(client: httpx.Client, reason: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    begin = f'chap_workers_stopped_total{{reason="{reason}"'
    return sum(float(each.split()[1]) for each in lines if each.startswith(begin))


def ask_long(client: httpx.Client) -> httpx.Response:
    """The answer to a long query that nobody has asked yet, so that no cache has it."""
    return client.get("/sparql", params={"query": f"{LONG} # {next(NUMBERS)}"})


def hold(held: ExitStack, server: RunningServer, address: str, query: str) -> socket.socket:
    """A connection from an address that has sent a query, and of whose answer nobody reads anything."""
    connection = held.enter_context(socket.socket())
    # What is not read stands still soon, and does not fill the buffers of the kernel for a while.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    connection.bind((address, 0))
    url = urlsplit(server.url)
    connection.connect((url.hostname, url.port))
    target = f"/sparql?{urlencode({'query': query})}"
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\n\r\n".encode())
    return connection


def test_one_client_cannot_keep_the_places_for_long_queries(crowded: RunningServer, held: ExitStack) -> None:
    with client_at(crowded, "127.0.0.3") as other:
        asked = [hold(held, crowded, "127.0.0.2", ENDLESS) for _ in range(2)]
        assert wait_until(lambda: count(other, "long") == 2, seconds=20)
        assert ask_long(other).status_code == 200
        answered, _, _ = select(asked, [], [], 0)
        (told,) = answered
        answer = told.recv(65536)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Other clients wanted the place" in answer


def test_results_that_one_client_does_not_read_make_room_for_others(crowded: RunningServer, held: ExitStack) -> None:
    with client_at(crowded, "127.0.0.3") as other:
        before = stopped(other, "share") + stopped(other, "slow-reader")
        for number in range(4):
            hold(held, crowded, "127.0.0.2", HUGE)
            assert wait_until(lambda expected=number + 1: count(other, "long") == expected, seconds=20)  # type: ignore[misc]
        assert ask_long(other).status_code == 200
        assert wait_until(lambda: stopped(other, "share") + stopped(other, "slow-reader") == before + 1, seconds=5)


def test_slowest_reader_makes_room_though_it_holds_one_place_only(crowded: RunningServer, held: ExitStack) -> None:
    with client_at(crowded, "127.0.0.9") as other:
        before = stopped(other, "slow-reader")
        for number in range(4):
            hold(held, crowded, f"127.0.0.{number + 2}", HUGE)
            assert wait_until(lambda expected=number + 1: count(other, "long") == expected, seconds=20)  # type: ignore[misc]
        # Until it is known how fast they read, who comes is sent away.
        assert wait_until(lambda: ask_long(other).status_code == 200, seconds=20)
        assert wait_until(lambda: stopped(other, "slow-reader") == before + 1, seconds=5)


def test_slow_reader_is_not_cut_off_while_nobody_waits(crowded: RunningServer, held: ExitStack) -> None:
    with client_at(crowded, "127.0.0.3") as other:
        before = stopped(other, "slow-reader") + stopped(other, "share")
        connections = [hold(held, crowded, "127.0.0.2", HUGE) for _ in range(2)]
        assert wait_until(lambda: count(other, "long") == 2, seconds=20)
        # There are places beside them.
        assert ask_long(other).status_code == 200
        assert stopped(other, "slow-reader") + stopped(other, "share") == before
        assert all(each.recv(17) == b"HTTP/1.1 200 OK\r\n" for each in connections)


@pytest.fixture(scope="module")
def spent(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, httpx.Client]]:
    """A server, and a client of it that has used up its budget."""
    settings = {"query_timeout_s": 2, "client_budget_s": 1.5, "client_earned_per_s": 0.001}
    log_path = tmp_path_factory.mktemp("spent") / "log"
    with run_server(releases_dir, log_path, **settings) as server, client_at(server, "127.0.0.2") as poor:
        assert_problem(poor.get("/sparql", params={"query": ENDLESS}), 504, "query-timeout")
        yield server, poor


@pytest.mark.parametrize("path", PATHS)
def test_route_that_asks_the_engine_is_within_the_budget(spent: tuple[RunningServer, httpx.Client], path: str) -> None:
    server, poor = spent
    problem = assert_problem(poor.get(path), 429, "too-many-query-seconds")
    assert "query seconds" in problem["detail"]
    with client_at(server, f"127.0.1.{PATHS.index(path)}") as rich:
        assert rich.get(path).status_code == 200
    if not path.startswith("/graph-store"):
        # What is remembered costs nothing.
        assert poor.get(path).status_code == 200


def test_pages_spend_the_budget(spent: tuple[RunningServer, httpx.Client]) -> None:
    server, _ = spent
    with client_at(server, "127.0.0.4") as reader:
        statuses = [200]
        for number in range(500):
            statuses.append(reader.get("/hubs", params={"q": f"{number}"}).status_code)
            if statuses[-1] != 200:
                break
    assert set(statuses[:-1]) == {200}
    assert statuses[-1] == 429
