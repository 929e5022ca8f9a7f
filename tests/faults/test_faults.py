"""Faults below the engine: after each, the state before or the state after, the right words, and a sound directory.

What is asked in detail is in tests.faults.trials; every fault at every step: ``python -m tests.faults --all``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from endpoint.writes.tokens import add_token
from kg.build import build
from kg.release import Releases
from tests.conftest import KERNEL_DENIES
from tests.faults.changes import CHANGES, RELEASES, find_leftovers, find_problems, settle
from tests.faults.disk import Fault, FaultKind, write_image
from tests.faults.mount import MountedDisk, find_obstacle, mount_disk
from tests.faults.trials import Bench, open_bench, sample_faults
from tests.plain.conftest import PLAIN, TURTLE, plain_settings
from tests.protocol.conftest import run_server

_GRAPH = "http://example.org/graph"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MountedDisk]:
    if obstacle := find_obstacle():
        reason = "not installed" if "installed" in obstacle or "loaded" in obstacle else KERNEL_DENIES
        pytest.skip(f"{reason}: faults need a file system of our own ({obstacle})")
    with mount_disk(tmp_path_factory.mktemp("faults")) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def bench(disk: MountedDisk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with open_bench(disk, tmp_path_factory.mktemp("bench")) as made:
        yield made


@pytest.mark.parametrize("name", [each.name for each in CHANGES])
def test_faulty_disk_leaves_the_state_before_or_after(bench: Bench, name: str) -> None:
    base = bench.base(name)
    faults = sample_faults(base.steps, is_long=base.change.is_long)
    wrong = [each for fault in faults for each in bench.try_fault(name, fault)]
    assert wrong == []


@pytest.mark.parametrize("name", [each.name for each in CHANGES])
def test_power_lost_at_any_time_leaves_the_state_before_or_after(bench: Bench, name: str) -> None:
    assert [each for problems in bench.try_losses(name) for each in problems] == []


@pytest.fixture(scope="module")
def served(disk: MountedDisk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client that may do everything with a plain dataset on the disk."""
    directory = tmp_path_factory.mktemp("served")
    (directory / "case").mkdir()
    build(plain_settings(directory / "case" / RELEASES))
    token = add_token(directory / "tokens.json", name="owner", graphs=[], admin=True, is_plain=True)
    case = disk.load("served", directory / "case")
    with (
        run_server(case / RELEASES, directory / "log", tokens_file=directory / "tokens.json", wrapper=PLAIN) as server,
        httpx.Client(base_url=server.url, timeout=120, headers={"Authorization": f"Bearer {token}"}) as client,
    ):
        put(client, 0).raise_for_status()
        yield client


def put(client: httpx.Client, number: int) -> httpx.Response:
    return client.put(
        "/graph-store", params={"graph": _GRAPH}, content=f"<urn:x:a> <urn:x:b> {number} .", headers=TURTLE
    )


def read(client: httpx.Client) -> list[int]:
    query = f"SELECT ?o {{ GRAPH <{_GRAPH}> {{ ?s ?p ?o }} }}"
    rows = client.get("/sparql", params={"query": query}).raise_for_status().json()["results"]["bindings"]
    return [int(row["o"]["value"]) for row in rows]


@pytest.mark.parametrize(
    ("step", "kind", "status", "code"),
    [
        ("write releases/.building-*/release/content.nq.gz #1", "is full", 507, "disk-full"),
        ("write releases/journal.jsonl #1", "is full", 507, "disk-full"),
        ("create releases/.building-*/release/store/LOG #1", "fails", 500, "disk"),
        ("fsync releases/journal.jsonl #1", "fails", 500, "disk"),
        ("fsync releases/journal.jsonl #1", "stays broken", 500, "disk-unclear"),
    ],
)
def test_client_is_told_what_became_of_its_write(
    disk: MountedDisk, served: httpx.Client, tmp_path: Path, step: str, kind: FaultKind, status: int, code: str
) -> None:
    put(served, 1).raise_for_status()
    disk.watch("served", Fault(step, kind))
    answer = put(served, 2)
    seen = read(served)
    assert disk.mend(), disk.steps()
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert str(disk.directory) not in answer.text
    assert "kg " in answer.text or "try again" in answer.text
    assert seen == [1]
    # What is left is cleared up by the next change, which goes well; before it, as after it, the doctor is content.
    write_image(disk.look(), tmp_path / "look")
    assert find_problems(tmp_path / "look") == []
    assert settle(tmp_path / "look") is None
    assert find_leftovers(tmp_path / "look") == []
    put(served, 3).raise_for_status()
    assert read(served) == [3]


def test_journal_line_whose_flush_failed_never_counts(disk: MountedDisk, served: httpx.Client, tmp_path: Path) -> None:
    put(served, 1).raise_for_status()
    disk.watch("served", Fault("fsync releases/journal.jsonl #1", "fails"))
    write_image(disk.look(), tmp_path / "before")
    before = Releases(tmp_path / "before" / RELEASES).journal()
    assert put(served, 2).status_code == 500
    disk.mend()
    for number, image in enumerate([disk.look(), *disk.lose_power()]):
        write_image(image, tmp_path / str(number))
        releases = Releases(tmp_path / str(number) / RELEASES)
        for _ in range(2):
            assert tuple(releases.journal()) == tuple(before)
            assert settle(tmp_path / str(number)) is None
        assert releases.current_id() == before[-1].release
    assert read(served) == [1]
