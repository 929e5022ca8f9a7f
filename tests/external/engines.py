"""Real engines of other people on loopback, and releases published to them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import INSTALL, find_command, find_free_port, need_command, run_program, run_virtuoso

__all__ = ["Engine", "need", "publish", "run_oxigraph", "start_virtuoso"]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Where an engine takes graphs and queries, and how ``kg publish`` shows who it is."""

    name: str
    graph_store_url: str
    query_url: str
    pid: int
    access: tuple[str, ...] = ()


def need(command: str) -> None:
    """Skip the test where a program is not installed."""
    if find_command(command) is None:
        pytest.skip(f"{command} is not installed ({INSTALL[command]})")


@contextmanager
def run_oxigraph(location: Path) -> Iterator[Engine]:
    need("oxigraph")
    url = f"http://127.0.0.1:{find_free_port()}"
    command = [need_command("oxigraph"), "serve", "--location", str(location), "--bind", url.removeprefix("http://")]
    with run_program(command, f"{url}/query") as process:
        yield Engine(name="oxigraph", graph_store_url=f"{url}/store", query_url=f"{url}/query", pid=process.pid)


@contextmanager
def start_virtuoso(home: Path, *, sparql: str = "ResultSetMaxRows=1000000") -> Iterator[Engine]:
    need("virtuoso-t")
    with run_virtuoso(home, sparql=sparql) as running:
        yield Engine(
            name="virtuoso",
            graph_store_url=f"{running.url}/sparql-graph-crud-auth",
            query_url=f"{running.url}/sparql",
            pid=running.pid,
            access=("--user", "dba", "--password-env", "VIRTUOSO_PASSWORD"),
        )


def publish(engine: Engine, releases_dir: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """``kg publish``, as a user runs it."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "kg", "publish", "--to", engine.graph_store_url),
            *("--releases", str(releases_dir), *engine.access, *more),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "VIRTUOSO_PASSWORD": "dba"},
    )
