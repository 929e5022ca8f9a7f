"""A real server over a real socket: one a session and xdist worker, others where a test needs settings of its own."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

TIMEOUT_S = 3.0


@dataclass(frozen=True)
class RunningServer:
    """A server that answers."""

    url: str
    process: subprocess.Popen[bytes]
    log_path: Path

    def client(self, **options: object) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, **options)  # type: ignore[arg-type]


def start_server(releases_dir: Path, log_path: Path, **settings: object) -> RunningServer:
    """A server of its own, with ``ENDPOINT_`` settings, once it answers; whoever starts it ends it.

    ``wrapper`` is no setting but a command, which becomes the one that is written behind it.
    """
    wrapper = shlex.split(str(settings.pop("wrapper", "")))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    chosen = {"port": port, "releases_dir": releases_dir, "query_workers": 2, "query_long_workers": 1} | settings
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ENDPOINT_")}
    environment |= {f"ENDPOINT_{name.upper()}": str(value) for name, value in chosen.items()}
    with log_path.open("wb") as log:
        command = [*wrapper, sys.executable, "-m", "endpoint.server"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    host = str(settings.get("host", "127.0.0.1"))
    server = RunningServer(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}", process, log_path)
    try:
        _wait_until_live(server)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return server


@contextmanager
def run_server(releases_dir: Path, log_path: Path, **settings: object) -> Iterator[RunningServer]:
    """As :func:`start_server`; stopped by SIGTERM, and stopped well."""
    server = start_server(releases_dir, log_path, **settings)
    try:
        yield server
        assert server.process.poll() in (None, 0), log_path.read_text(encoding="utf-8")
    finally:
        server.process.terminate()
        try:
            status = server.process.wait(10)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()
            raise
    assert status == 0, log_path.read_text(encoding="utf-8")
    assert "Traceback" not in log_path.read_text(encoding="utf-8"), log_path.read_text(encoding="utf-8")


def _wait_until_live(server: RunningServer) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.log_path.read_text(encoding="utf-8")
        try:
            if httpx.get(f"{server.url}/health/live").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(server.log_path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def server(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    log_path = tmp_path_factory.mktemp("server") / "log"
    with run_server(releases_dir, log_path, query_timeout_s=TIMEOUT_S, query_long_after_s=1) as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client
