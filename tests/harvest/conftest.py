"""A server with the limits that are shipped: a harvester's patience is no subject here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.protocol.conftest import RunningServer, run_server


@pytest.fixture(scope="session")
def server(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with run_server(releases_dir, tmp_path_factory.mktemp("harvest") / "log") as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client
