"""No query harms another: not by running for ever, not by its memory, not by its depth, not by its client leaving."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.assertions import assert_problem
from tests.protocol.conftest import TIMEOUT_S, RunningServer, run_server
from tests.protocol.processes import find_workers, is_running, resident_bytes, wait_until

ASK = "ASK { ?s ?p ?o }"
SMALL = "SELECT ?p ?o WHERE { <https://w3id.org/chap/id/organisation/de-holm> ?p ?o }"
ENDLESS = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
HUGE = "SELECT * WHERE { ?a ?b ?c . ?d ?e ?f }"
GREEDY = "SELECT * WHERE { ?a ?b ?c . ?d ?e ?f } ORDER BY ?c ?f"
TOO_DEEP = {
    "nested parentheses": f"SELECT * {{ ?s ?p ?o FILTER({'(' * 10_000}1{')' * 10_000}) }}",
    "nested groups": f"SELECT * {{ {'{' * 5_000} ?s ?p ?o {'}' * 5_000} }}",
    "nested optionals": f"SELECT * {{ {'OPTIONAL { ?s ?p ?o ' * 3_000} {'}' * 3_000} }}",
    "nested blank nodes": f"SELECT * {{ ?s ?p {'[ <a:p> ' * 3_000} 1 {']' * 3_000} }}",
    "path of 2,000 steps": f"SELECT * {{ ?s {'/'.join(['<a:p>'] * 2_000)} ?o }}",
    "alternatives": f"SELECT * {{ ?s {'|'.join(['<a:p>'] * 2_000)} ?o }}",
    "chain of &&": f"SELECT * {{ ?s ?p ?o FILTER({'&&'.join(['?s = ?o'] * 10_000)}) }}",
    "chain of UNION": f"SELECT * {{ {'UNION'.join(['{?s ?p ?o}'] * 10_000)} }}",
    "chain of OPTIONAL": f"SELECT * {{ {'OPTIONAL {?s ?p ?o}' * 5_000} }}",
    "chain of BIND": f"SELECT * {{ {' '.join(f'BIND(1 AS ?v{n})' for n in range(5_000))} }}",
    "row of !": f"SELECT * {{ ?s ?p ?o FILTER({'!' * 10_000}?o) }}",
}


@contextmanager
def small_questions(server: RunningServer) -> Iterator[list[float]]:
    """Another client, which asks small questions all the while; gives how long each took, and all must be answered."""
    latencies: list[float] = []
    failures: list[str] = []
    done = threading.Event()

    def ask() -> None:
        with server.client() as client:
            while not done.is_set():
                started = time.monotonic()
                response = client.post("/sparql", data={"query": SMALL})
                latencies.append(time.monotonic() - started)
                if response.status_code != 200 or not response.json()["results"]["bindings"]:
                    failures.append(response.text)
                time.sleep(0.01)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield latencies
    finally:
        done.set()
        asker.join()
    assert failures == []


def test_others_are_answered_while_killers_come(server: RunningServer) -> None:
    with small_questions(server) as latencies, server.client() as client:
        for query in TOO_DEEP.values():
            problem = assert_problem(client.post("/sparql", data={"query": query}), 400, "query-too-deep")
            assert problem["limit"]
            assert problem["line"] == 1
        started = time.monotonic()
        problem = assert_problem(client.post("/sparql", data={"query": ENDLESS}), 504, "query-timeout")
        assert problem["limit_s"] == TIMEOUT_S
        assert TIMEOUT_S <= time.monotonic() - started < TIMEOUT_S + 1
    assert len(latencies) > 20
    assert max(latencies) < 1


def test_long_queries_beyond_their_places_are_sent_away(server: RunningServer) -> None:
    with small_questions(server) as latencies, ThreadPoolExecutor(4) as threads, server.client() as client:
        answers = list(threads.map(lambda _: client.post("/sparql", data={"query": ENDLESS}), range(4)))
    assert {answer.status_code for answer in answers} <= {503, 504}
    for answer in answers:
        if answer.status_code == 503:
            assert_problem(answer, 503, "busy")
            assert int(answer.headers["retry-after"]) > 0
        else:
            assert_problem(answer, 504, "query-timeout")
    assert sum(answer.status_code == 504 for answer in answers) >= 1
    # In the worst case a small question waits twice for two queries to leave the quick lane, 1 s each.
    assert max(latencies) < 3


def _count_long(client: httpx.Client) -> int:
    return int(client.get("/health/ready").json()["pool"]["long"])


def test_result_on_its_way_is_not_cut_off_for_long_queries(server: RunningServer) -> None:
    with ThreadPoolExecutor(1) as threads, server.client() as client:
        endless = threads.submit(client.post, "/sparql", data={"query": ENDLESS})
        assert wait_until(lambda: _count_long(client) == 1, seconds=3)
        with client.stream("POST", "/sparql", data={"query": HUGE}, headers={"Accept": "text/csv"}) as response:
            assert wait_until(lambda: _count_long(client) == 2 or endless.done(), seconds=3)
            assert not endless.done()
            assert next(response.iter_raw())
        assert endless.result().status_code == 504


def test_long_query_finds_a_place_beside_results_on_their_way(server: RunningServer) -> None:
    with (
        server.client() as client,
        client.stream("POST", "/sparql", data={"query": HUGE}, headers={"Accept": "text/csv"}) as response,
    ):
        assert response.status_code == 200
        assert wait_until(lambda: _count_long(client) == 1, seconds=3)
        assert_problem(client.post("/sparql", data={"query": ENDLESS}), 504, "query-timeout")


def test_many_waiting_queries_are_sent_away(releases_dir: Path, tmp_path: Path) -> None:
    settings = {"query_workers": 1, "query_queue": 1, "query_queue_wait_s": 0.5, "query_long_after_s": 60}
    with (
        run_server(releases_dir, tmp_path / "log", query_timeout_s=2, **settings) as server,
        ThreadPoolExecutor(4) as threads,
        server.client() as client,
    ):
        answers = list(threads.map(lambda _: client.post("/sparql", data={"query": ENDLESS}), range(4)))
        assert sorted(answer.status_code for answer in answers) == [503, 503, 503, 504]
        # The worker that was killed has to be replaced first.
        assert wait_until(lambda: client.post("/sparql", data={"query": ASK}).status_code == 200, seconds=10)


def test_greedy_query_dies_alone(releases_dir: Path, tmp_path: Path) -> None:
    with (
        run_server(releases_dir, tmp_path / "log", query_memory_mib=64) as server,
        small_questions(server),
        server.client() as client,
    ):
        before = resident_bytes(server.process.pid)
        assert_problem(client.post("/sparql", data={"query": GREEDY}), 507, "query-out-of-memory")
        assert resident_bytes(server.process.pid) - before < 30_000_000
        assert wait_until(lambda: client.get("/health/ready").json()["pool"]["workers"] == 2, seconds=3)


def test_client_that_leaves_takes_its_query_along(server: RunningServer) -> None:
    with server.client() as client:
        before = find_workers(server.process.pid)
        with pytest.raises(httpx.ReadTimeout):
            client.post("/sparql", data={"query": ENDLESS}, timeout=0.4)
        assert wait_until(lambda: len(before - find_workers(server.process.pid)) == 1, seconds=1)
        assert wait_until(lambda: client.get("/health/ready").json()["pool"]["idle"] == 2, seconds=2)


def test_client_that_leaves_in_the_middle_takes_its_query_along(server: RunningServer) -> None:
    with server.client() as client:
        before = find_workers(server.process.pid)
        with client.stream("POST", "/sparql", data={"query": HUGE}, headers={"Accept": "text/csv"}) as response:
            assert response.status_code == 200
            next(response.iter_raw())
        assert wait_until(lambda: len(before - find_workers(server.process.pid)) == 1, seconds=1)
        assert wait_until(lambda: client.get("/health/ready").json()["pool"]["idle"] == 2, seconds=2)


def test_result_that_runs_out_of_time_is_never_complete(server: RunningServer) -> None:
    with server.client() as client, client.stream("POST", "/sparql", data={"query": HUGE}) as response:
        assert response.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in response.iter_raw():
                pass


def test_slow_reader_costs_no_memory(server: RunningServer) -> None:
    with server.client() as client:
        before = resident_bytes(server.process.pid)
        with client.stream("POST", "/sparql", data={"query": HUGE}, headers={"Accept": "text/csv"}) as response:
            next(response.iter_raw())
            time.sleep(1)
            assert resident_bytes(server.process.pid) - before < 30_000_000
            assert client.post("/sparql", data={"query": ASK}).json()["boolean"] is True


def test_large_result_arrives_whole(server: RunningServer) -> None:
    query = "SELECT * WHERE { ?s ?p ?o }"
    with server.client() as client:
        rows = client.post("/sparql", data={"query": query}, headers={"Accept": "text/csv"}).text.splitlines()
        count = client.post("/sparql", data={"query": "SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }"}).json()
    assert len(rows) - 1 >= int(count["results"]["bindings"][0]["n"]["value"])


def test_workers_have_no_network(server: RunningServer) -> None:
    with server.client() as client:
        ready = client.get("/health/ready").json()
    pool, fences = ready["pool"], ready["fences"]
    # Each fence where the kernel grants it, and the same ones around all; see tests/fences for what they hold.
    assert pool["without_network"] == (pool["workers"] if "namespace" in fences["queries"] else 0)
    assert fences["queries"] == fences["writer"]


def test_workers_end_with_a_server_that_is_killed(releases_dir: Path, tmp_path: Path) -> None:
    log_path = tmp_path / "log"
    context = run_server(releases_dir, log_path)
    server = context.__enter__()
    workers = find_workers(server.process.pid)
    assert len(workers) == 2
    with ThreadPoolExecutor(1) as threads, server.client() as client:
        endless = threads.submit(client.post, "/sparql", data={"query": ENDLESS})
        time.sleep(0.3)
        workers |= find_workers(server.process.pid)
        server.process.send_signal(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            endless.result()
    server.process.wait()
    assert wait_until(lambda: not any(is_running(pid) for pid in workers), seconds=2)


def test_server_stops_at_once_though_a_query_runs(releases_dir: Path, tmp_path: Path) -> None:
    with run_server(releases_dir, tmp_path / "log") as server, ThreadPoolExecutor(1) as threads:
        workers = find_workers(server.process.pid)
        with server.client() as client:
            endless = threads.submit(client.post, "/sparql", data={"query": ENDLESS})
            time.sleep(0.3)
            started = time.monotonic()
            subprocess.run(["kill", "-TERM", str(server.process.pid)], check=True)
            assert server.process.wait(5) == 0
            assert time.monotonic() - started < 3
            assert_problem(endless.result(), 503, "closing")
        assert not any(is_running(pid) for pid in workers)
