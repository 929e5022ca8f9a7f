"""A server over a replica answers as the first one does; what is removed while a server runs is gone (410)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from kg.release import Release
from tests.assertions import assert_problem
from tests.harvest.memento_data import publish_history
from tests.protocol.conftest import run_server

PUBLIC = "https://example.org"
PATHS = [
    "/",
    "/hubs",
    "/doc/organisation/de-a.ttl",
    "/timemap/doc/organisation/de-a",
    "/sparql?query=SELECT%20*%20%7B%20%3Fs%20%3Fp%20%3Fo%20%7D",
    "/api/v1/hubs",
    "/catalog.ttl",
    "/.well-known/void",
    "/dumps",
    "/dumps/chap/latest/chap.nt",
    "/dumps/chap/latest/chap.csv-metadata.json",
    "/releases",
    "/releases.json",
    "/ldes",
    "/ldes/1",
    "/sitemap.xml",
]


def run_kg(*arguments: object) -> str:
    command = [sys.executable, "-m", "kg", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def read(client: httpx.Client, path: str) -> tuple[int, dict[str, str], bytes]:
    answer = client.get(path, headers={"Accept-Encoding": "identity"})
    wanted = ("etag", "content-type", "cache-control", "link", "location", "last-modified", "vary", "memento-datetime")
    return answer.status_code, {name: answer.headers[name] for name in wanted if name in answer.headers}, answer.content


def wait_for(client: httpx.Client, path: str, status: int) -> httpx.Response:
    deadline = time.monotonic() + 10
    while (answer := client.get(path)).status_code != status and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


@pytest.fixture
def history(tmp_path: Path) -> list[Release]:
    return publish_history(tmp_path / "releases")


def test_replica_answers_alike_and_pruned_releases_are_gone(tmp_path: Path, history: list[Release]) -> None:
    root, replica = tmp_path / "releases", tmp_path / "replica"
    first, _, third, _, _ = history
    run_kg("release", "cite", third.id, "--releases", root)
    with run_server(root, tmp_path / "log", public_url=PUBLIC) as server, server.client() as client:
        assert client.get(f"/hubs?release={history[1].id}").status_code == 200
        removed = run_kg("release", "prune", "--keep", 1, "--releases", root).splitlines()
        assert removed == [f"removed {each.id}" for each in (history[1], history[3])]
        for path in (f"/hubs?release={history[1].id}", f"/releases/{history[3].id}"):
            assert_problem(wait_for(client, path, 410), 410, "release-pruned")
        # The first is current again, the third was cited.
        for release in (first, third, history[4]):
            assert client.get(f"/hubs?release={release.id}").status_code == 200
        for release in (third, history[4], first):
            run_kg("release", "export", release.id, tmp_path / f"{release.id}.tar.zst", "--releases", root)
            run_kg("release", "import", tmp_path / f"{release.id}.tar.zst", "--releases", replica)
        assert run_kg("doctor", "--releases", replica).endswith("no problems\n")
        with run_server(replica, tmp_path / "log-replica", public_url=PUBLIC) as copied, copied.client() as other:
            for path in [*PATHS, f"/doc/organisation/de-late.ttl?release={third.id}", f"/hubs?release={history[1].id}"]:
                here, there = read(client, path), read(other, path)
                if here[1].get("content-type") == "application/problem+json":
                    assert here[0] == there[0]
                else:
                    assert here == there, path


def test_server_follows_what_is_imported(tmp_path: Path, history: list[Release]) -> None:
    root, replica = tmp_path / "releases", tmp_path / "replica"
    archives = {each.id: tmp_path / f"{each.id}.tar.zst" for each in history[1:3]}
    for release_id, path in archives.items():
        run_kg("release", "export", release_id, path, "--releases", root)
    replica.mkdir()
    with run_server(replica, tmp_path / "log") as server, server.client() as client:
        for release_id, path in archives.items():
            assert f"{release_id} is current\n" in run_kg("release", "import", path, "--releases", replica)
            deadline = time.monotonic() + 10
            while client.get("/health/ready").json().get("release") != release_id and time.monotonic() < deadline:
                time.sleep(0.1)
            assert client.get("/health/ready").json()["release"] == release_id
