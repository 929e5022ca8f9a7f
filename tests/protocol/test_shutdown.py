"""``kg serve`` ends soon after SIGTERM, whatever its clients do, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.protocol.processes import find_workers, is_running, wait_until

GONE_S = 5.0
GET = "GET {} HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\n\r\n"
ENDLESS = quote("SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }")
HUGE = quote("SELECT * WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }")
# What a client has sent when the signal comes.
HELD = {
    "nothing": "",
    "idle keep-alive": GET.format("/health/live"),
    "half a head": "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "half a body": "POST /sparql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sparql-query\r\n"
    "Content-Length: 50\r\n\r\nASK",
    "long query": GET.format(f"/sparql?query={ENDLESS}"),
    "result that is not read": GET.format(f"/sparql?query={HUGE}"),
}


@dataclass(frozen=True)
class Serving:
    """A ``kg serve`` that listens."""

    process: subprocess.Popen[bytes]
    port: int
    log_path: Path

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def listens(self) -> bool:
        assert self.process.poll() is None, self.log_path.read_text(encoding="utf-8")
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return False
        return True


@contextmanager
def kg_serve(releases_dir: Path, log_path: Path) -> Iterator[Serving]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kg = Path(sys.executable).with_name("kg")
    command = [str(kg), "serve", "--port", str(port), "--query-workers", "2", "--releases", str(releases_dir)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ENDPOINT_")}
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    serving = Serving(process, port, log_path)
    try:
        assert wait_until(serving.listens, seconds=20)
        yield serving
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def end(serving: Serving) -> None:
    """Send SIGTERM, and see everything go in time."""
    workers = find_workers(serving.process.pid)
    assert len(workers) >= 2
    started = time.monotonic()
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(2 * GONE_S) == 0
    assert time.monotonic() - started < GONE_S
    assert not any(is_running(pid) for pid in workers)
    log = serving.log_path.read_text(encoding="utf-8")
    assert "Traceback" not in log, log


@pytest.mark.parametrize("held", [*HELD, "all of them"])
def test_server_ends_soon_though_a_client_holds(releases_dir: Path, tmp_path: Path, held: str) -> None:
    with kg_serve(releases_dir, tmp_path / "log") as serving, ExitStack() as open_connections:
        for name, data in HELD.items():
            if held in (name, "all of them"):
                open_connections.enter_context(serving.connect()).sendall(data.encode())
        time.sleep(0.5)
        end(serving)


def test_ended_server_can_be_started_again_at_once(releases_dir: Path, tmp_path: Path) -> None:
    with kg_serve(releases_dir, tmp_path / "log") as serving, serving.connect() as half:
        half.sendall(HELD["half a head"].encode())
        end(serving)
        # The connection that was cut must not keep the port.
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", serving.port))
