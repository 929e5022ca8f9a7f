"""Dumps, descriptions, catalogue and feed follow what was published, whatever came in between, and say how far."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kg.cli import main
from kg.complete import complete_current
from kg.feed.log import load_feed
from kg.lock import lock_completion
from kg.release import Releases
from kg.settings import KgSettings
from tests.protocol.processes import find_children, wait_until
from tests.writes.conftest import TURTLE, WRITTEN, Writable, comment, run_writable
from tests.writes.test_releases import write_graph

PATIENCE_S = 120.0
# More than a write puts into one file, and less than the statements of a release, which dumps are made from.
FULL_BYTES = 8 * 1024 * 1024


@pytest.fixture(scope="module")
def running(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writable]:
    """A server that began over a release without dumps, and over what a completer left behind that was killed."""
    directory = tmp_path_factory.mktemp("completion")
    origin = directory / "origin"
    shutil.copytree(releases_dir, origin, symlinks=True)
    write_graph(KgSettings(releases_dir=origin), "before", comment("before the start"), directory)
    (origin / ".completing-killed" / "files").mkdir(parents=True)
    with run_writable(origin, directory) as running:
        yield running


@pytest.fixture
def client(running: Writable) -> Iterator[httpx.Client]:
    with running.client() as client:
        yield client


def read_lag(client: httpx.Client) -> dict[str, object]:
    answer = client.get("/health/ready")
    assert answer.status_code == 200, answer.text
    lag = answer.json()["derived"]
    assert isinstance(lag, dict)
    return lag


def read_metric(client: httpx.Client, name: str) -> float:
    (line,) = [each for each in client.get("/metrics").text.splitlines() if each.startswith(f"{name} ")]
    return float(line.partition(" ")[2])


def examine(root: Path, *options: str) -> int:
    return main(["doctor", "--quick", "--patience", "0", *options, "--releases", str(root)])


def wait_until_complete(client: httpx.Client, root: Path) -> None:
    """Wait for it, and see that all is there."""

    def is_caught_up() -> bool:
        lag = read_lag(client)
        return (lag["releases_behind"], lag["feed_steps_behind"], lag["seconds_behind"]) == (0, 0, 0)

    assert wait_until(is_caught_up, seconds=PATIENCE_S), read_lag(client)
    assert "trouble" not in read_lag(client)
    assert read_metric(client, "chap_derived_releases_behind") == read_metric(client, "chap_feed_steps_behind") == 0
    current = Releases(root).current()
    assert current is not None
    assert current.is_complete
    assert load_feed(root).steps == load_feed(root).seen == len(Releases(root).journal())
    assert client.get("/dumps", headers={"Accept": "application/json"}).json()["release"] == current.id
    assert not [*root.glob(".completing-*")]
    assert examine(root) == 0


def test_release_that_waits_at_the_start_is_completed(client: httpx.Client, running: Writable) -> None:
    wait_until_complete(client, running.releases_dir)


def test_killed_completer_begins_again(client: httpx.Client, running: Writable, tmp_path: Path) -> None:
    """And what the command line published is completed as well."""
    root = running.releases_dir
    failures = read_metric(client, "chap_derived_failures_total")
    write_graph(KgSettings(releases_dir=root), "killed", comment("killed"), tmp_path)
    # It is at work, and has some files.
    assert wait_until(lambda: any(root.glob(".completing-*/named.nq")), seconds=PATIENCE_S)
    (completer,) = find_children(running.server.process.pid, "endpoint.writes.completer")
    os.kill(completer, signal.SIGKILL)
    assert wait_until(lambda: read_metric(client, "chap_derived_failures_total") > failures, seconds=PATIENCE_S)
    assert "SIGKILL" in str(read_lag(client)["trouble"])
    wait_until_complete(client, root)


def test_full_disk_is_told_and_made_up_for_when_there_is_room(
    client: httpx.Client, running: Writable, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kernel's limit for the size of a file does for a disk: no process of the server can make a longer one."""
    root, pid = running.releases_dir, running.server.process.pid
    before = Releases(root).current_id()
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL_BYTES, unlimited[1]))
    try:
        response = client.put(f"/graph-store?graph={WRITTEN}holm-full", content=comment("full"), headers=TURTLE)
        assert response.status_code == 201, response.text
        assert wait_until(lambda: "trouble" in read_lag(client), seconds=PATIENCE_S)
        lag = read_lag(client)
        assert (lag["releases_behind"], lag["feed_steps_behind"]) == (1, 1)
        assert "too large" in str(lag["trouble"])
        assert str(root) not in str(lag)
        assert float(str(lag["seconds_behind"])) > 0
        assert read_metric(client, "chap_derived_releases_behind") == read_metric(client, "chap_feed_steps_behind") == 1
        assert read_metric(client, "chap_derived_seconds_behind") > 0
        # Harvesters get what was complete before.
        assert client.get("/dumps", headers={"Accept": "application/json"}).json()["release"] == before
        capsys.readouterr()
        assert examine(root) == 1
        assert "waits for its dumps" in capsys.readouterr().out
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    wait_until_complete(client, root)


def test_doctor_waits_and_completes_when_asked_to(
    releases_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a server, too, and what a killed completer left is no damage."""
    root = tmp_path / "releases"
    shutil.copytree(releases_dir, root, symlinks=True)
    settings = KgSettings(releases_dir=root)
    release = write_graph(settings, "doctor", comment("doctor"), tmp_path).release
    assert main(["doctor", "--quick", "--releases", str(root)]) == 0
    long_ago = time.time() - 3600
    os.utime(release.path / ".pending", (long_ago, long_ago))
    (root / ".completing-killed").mkdir()
    capsys.readouterr()
    with lock_completion(root):
        # Somebody may be at it.
        assert main(["doctor", "--quick", "--releases", str(root)]) == 1
        told = capsys.readouterr().out
        assert "waits for its dumps" in told
        assert ".completing-killed" not in told
    assert main(["doctor", "--quick", "--releases", str(root)]) == 1
    assert ".completing-killed" in capsys.readouterr().out
    assert main(["doctor", "--quick", "--repair", "--releases", str(root)]) == 0
    assert release.is_complete
    assert load_feed(root).seen == 2
    assert complete_current(settings) is None
