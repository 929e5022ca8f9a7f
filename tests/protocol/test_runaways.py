"""Many runaway queries at once: each is stopped in time or sent away, and no work goes on for nobody."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.assertions import assert_problem
from tests.protocol.conftest import RunningServer, run_server
from tests.protocol.processes import find_workers

ENDLESS = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
LIMIT_S = 1.5
QUEUE_S = 0.3
RUNAWAYS = 12
ROUND_S = 3.0
IDLE_WITHIN_S = 2.0
IDLE_SHARE = 0.05
SETTINGS = {
    "query_timeout_s": LIMIT_S,
    "query_long_after_s": 0.4,
    "query_workers": 2,
    "query_long_workers": 2,
    "query_queue": 4,
    "query_queue_wait_s": QUEUE_S,
    # Spent by the first two that come to the limit, so that refusals by budget come too, on a busy machine as well.
    "client_budget_s": 2.5,
    "client_earned_per_s": 0.1,
}


@dataclass(frozen=True)
class Told:
    """What a client was told, and after how long."""

    response: httpx.Response
    seconds: float


def ask_again_and_again(server: RunningServer) -> list[Told]:
    """One client that does not give up during the round."""
    told = []
    end = time.monotonic() + ROUND_S
    with server.client() as client:
        while time.monotonic() < end:
            started = time.monotonic()
            response = client.post("/sparql", data={"query": ENDLESS})
            told.append(Told(response, time.monotonic() - started))
            time.sleep(0.1)
    return told


def spent_cpu_s(server_pid: int) -> float:
    """The processor time that a server and its workers have had so far, the workers that ended included."""
    ticks = 0
    for pid in {server_pid, *find_workers(server_pid)}:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended just now; its time is in the next sum, as that of a child
        fields = stat.rpartition(")")[2].split()
        # utime, stime, and of the server's children that it has waited for: cutime, cstime (proc(5)).
        ticks += sum(int(value) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def becomes_idle(server_pid: int) -> float | None:
    """The share of a core used over the first second that was idle, or the last one that had to be."""
    share = None
    end = time.monotonic() + IDLE_WITHIN_S
    while time.monotonic() < end:
        before, started = spent_cpu_s(server_pid), time.monotonic()
        time.sleep(1)
        share = (spent_cpu_s(server_pid) - before) / (time.monotonic() - started)
        if share < IDLE_SHARE:
            return share
    return share


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor times are read from /proc (Linux)")
def test_runaways_are_stopped_and_nothing_goes_on(releases_dir: Path, tmp_path: Path) -> None:
    with run_server(releases_dir, tmp_path / "log", **SETTINGS) as server:
        with ThreadPoolExecutor(RUNAWAYS) as threads:
            clients = [threads.submit(ask_again_and_again, server) for _ in range(RUNAWAYS)]
        told = [each for client in clients for each in client.result()]
        share = becomes_idle(server.process.pid)
        statuses = [each.response.status_code for each in told]
        assert set(statuses) <= {429, 503, 504}, statuses
        assert statuses.count(504) >= 2
        assert statuses.count(429) >= 1
        assert statuses.count(503) >= 1
        for each in told:
            if each.response.status_code == 504:
                assert_problem(each.response, 504, "query-timeout")
                assert LIMIT_S <= each.seconds < LIMIT_S + QUEUE_S + 1
            else:
                code = {429: "too-many-query-seconds", 503: "busy"}[each.response.status_code]
                assert_problem(each.response, each.response.status_code, code)
                assert int(each.response.headers["retry-after"]) >= 1
                assert each.seconds < LIMIT_S
        assert share is not None
        assert share < IDLE_SHARE
        # Whoever comes now is an ordinary client again, but for the budget: one look at the health says so.
        pool = httpx.get(f"{server.url}/health/ready").json()["pool"]
        assert (pool["idle"], pool["long"], pool["waiting"]) == (2, 0, 0)
