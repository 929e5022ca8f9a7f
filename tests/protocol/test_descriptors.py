"""File descriptors that are used up: connections that ask nothing make room, and nobody else notices."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from os import environ, kill
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.assertions import assert_problem
from tests.conftest import KERNEL_DENIES
from tests.protocol.conftest import run_server
from tests.protocol.processes import count_descriptors, find_workers, wait_until

LIMIT = 128
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER(?a < ?d && ?d < ?g) }"

pytestmark = pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit (apt-get install util-linux)")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_idle_connections_make_room_for_those_who_ask(releases_dir: Path, tmp_path: Path, host: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip(f"{KERNEL_DENIES}: no IPv6 on the loopback interface")
    wrapper = f"prlimit --nofile={LIMIT}:{LIMIT}"
    with (
        run_server(releases_dir, tmp_path / "log", host=host, wrapper=wrapper, query_timeout_s=8) as server,
        ExitStack() as held,
        ThreadPoolExecutor(1) as threads,
    ):
        url = urlsplit(server.url)
        kept = held.enter_context(server.client())
        long = threads.submit(lambda: kept.post("/sparql", data={"query": ENDLESS}))
        assert wait_until(lambda: httpx.get(f"{server.url}/health/ready").json()["pool"]["idle"] < 2, seconds=10)
        for number in range(200):
            idle = held.enter_context(socket.create_connection((url.hostname, url.port), timeout=30))
            # Some have asked once, some stop in the middle of a head, some say nothing.
            if number % 3:
                idle.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + b"\r\n" * (number % 3 - 1))
        for _ in range(5):
            # Each over a connection of its own.
            assert httpx.get(f"{server.url}/health/ready", timeout=30).json()["status"] == "ready"
        # What was asked before the flood is answered, on the connection that asked.
        assert_problem(long.result(), 504, "query-timeout")
        workers = find_workers(server.process.pid)
        for worker in workers:
            kill(worker, signal.SIGKILL)
        assert wait_until(lambda: len(find_workers(server.process.pid) - workers) == 2, seconds=20)
        assert httpx.get(f"{server.url}/sparql", params={"query": "ASK {}"}, timeout=30).status_code == 200
        assert count_descriptors(server.process.pid) < LIMIT
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "that asked nothing" in log
    assert "Too many open files" not in log


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_too_few_descriptors_are_refused_at_start(tmp_path: Path) -> None:
    command = ["prlimit", "--nofile=48:48", sys.executable, "-m", "endpoint.server"]
    environment = {**environ, "ENDPOINT_PORT": "0", "ENDPOINT_RELEASES_DIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "ulimit -n" in done.stderr
