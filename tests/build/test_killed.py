"""Changes that are killed: what is current is whole, kg doctor tells what was left, the next change clears it up."""

from __future__ import annotations

import itertools
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from kg.commit import recover
from kg.doctor import Problem, examine_directory, examine_one, list_releases
from kg.lock import lock_releases
from kg.release import Releases
from kg.replica import export_release, import_release
from kg.retention import keep_release, prune_releases
from tests.killing import kill_changes, list_steps
from tests.protocol.conftest import run_server
from tests.unit.kg.conftest import OPEN, make_quads

KG = [sys.executable, "-m", "kg"]
# What happens in a workspace is all alike: nobody looks at it. A few steps of it are enough.
IN_WORKSPACE = ("mkdir .building-*/release #1", "fsync .building-*/release/manifest.json #1", "rmdir .building-* #1")
AROUND_THE_JOURNAL = ("fsync . #1", "fsync . #2")
# The first flush of the log is of a line that is there already (kg.durable.settle_lines), the second of a new one.
TORN = ("torn fsync journal.jsonl #1", "torn fsync feed/log.jsonl #2", "torn fsync feed/pages/000001.nq.gz #1")


def publish(root: Path, name: str = "gamma") -> None:
    Releases(root).publish(quads=make_quads(name), open_licences=[OPEN], manifest_extra={}, report_turtle=b"")


def use(root: Path) -> None:
    Releases(root).use("1")


def prune(root: Path) -> None:
    prune_releases(root, keep=1)


def keep(root: Path) -> None:
    keep_release(root, "1")


def publish_on_and_on(root: Path) -> None:
    for number in itertools.count():
        publish(root, f"thing-{number}")


def take_in(root: Path) -> None:
    import_release(root, root.parent / "archive")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two releases."""
    root = tmp_path_factory.mktemp("killed") / "base"
    for name in ("alpha", "beta"):
        publish(root, name)
    return root


def copy(root: Path, target: Path) -> Path:
    return shutil.copytree(root, target, symlinks=True) if root.is_dir() else target


def find_problems(root: Path) -> list[Problem]:
    found = list(examine_directory(root))
    return found + [problem for each in list_releases(root) for problem in examine_one(each, quick=True)]


def assert_whole(root: Path) -> str | None:
    """What readers see is a whole release of the journal, and nothing was left that the next change cannot clear."""
    assert [each for each in find_problems(root) if not each.is_safe] == []
    current = Releases(root).current()
    if current is None:
        return None
    assert current in Releases(root).list()
    assert list(examine_one(current)) == []
    return current.id


def select_steps(steps: list[str]) -> list[str]:
    """The steps that readers or the next change could notice, in the directory itself, and a few others."""
    names = r"\.|\.?current(\.part)?|\.?kept\.json(\.part)?|journal\.jsonl|feed\b.*|\d{4}-[^/]*(/\.uncommitted)?"
    seen = re.compile(rf"\w+ ({names}) #\d+")
    chosen = [each for each in steps if seen.fullmatch(each) or each in IN_WORKSPACE]
    return chosen + [each for each in TORN if each.removeprefix("torn ") in steps]


@pytest.mark.parametrize("change", ["use", "prune", "keep", "publish"])
def test_killed_change_happened_or_did_not(base: Path, tmp_path: Path, change: str) -> None:
    before = Releases(base).current_id()
    name = f"{__name__}:{change}"
    steps = select_steps(list_steps(name, copy(base, tmp_path / "whole")))
    after = Releases(tmp_path / "whole").current_id()
    if change == "publish":
        # What follows the swap is the same as in use.
        steps = [each for each in steps if not re.search("feed|current", each)]
    roots = {copy(base, tmp_path / str(number)): step for number, step in enumerate(steps)}
    kill_changes(name, roots)
    seen = []
    for root in roots:
        seen.append(assert_whole(root))
        if change == "publish" and seen[-1] == after and seen.count(after) == 1:
            publish(root, "delta")
            assert Releases(root).list()[-1].parent == after
        else:
            with lock_releases(root):
                recover(root)
        assert find_problems(root) == []
        assert Releases(root).current_id() in {before, after, Releases(root).list()[-1].id}
    assert set(seen) == {before, after}


def test_killed_import_happened_or_did_not(base: Path, tmp_path: Path) -> None:
    export_release(Releases(base), "current", tmp_path / "archive")
    steps = select_steps(list_steps(f"{__name__}:take_in", tmp_path / "whole"))
    # The journal comes whole, and is flushed as it is.
    steps = [each for each in steps if not each.startswith("torn fsync journal")]
    roots = {tmp_path / str(number): step for number, step in enumerate(steps)}
    kill_changes(f"{__name__}:take_in", roots)
    for root in roots:
        assert assert_whole(root) in {None, Releases(base).current_id()}
        take_in(root)
        assert find_problems(root) == []
        assert Releases(root).journal() == Releases(base).journal()
        assert Releases(root).current_id() == Releases(base).current_id()


def test_builds_killed_at_any_time(base: Path, tmp_path: Path) -> None:
    root = copy(base, tmp_path / "releases")
    moments = random.Random(6)
    published = len(Releases(root).journal())
    for _ in range(4):
        code = f"from pathlib import Path; import {__name__} as here; here.publish_on_and_on(Path({str(root)!r}))"
        with subprocess.Popen([sys.executable, "-c", code]) as process:
            while len(Releases(root).journal()) == published:
                time.sleep(0.01)
            time.sleep(moments.uniform(0, 0.5))
            process.send_signal(signal.SIGKILL)
        assert assert_whole(root)
        assert len(Releases(root).journal()) > published
        published = len(Releases(root).journal())
    publish(root, "omega")
    assert find_problems(root) == []


def test_server_starts_after_a_kill_with_what_was_published_last(base: Path, tmp_path: Path) -> None:
    before = Releases(base).current_id()
    roots = {copy(base, tmp_path / str(number)): step for number, step in enumerate(AROUND_THE_JOURNAL)}
    kill_changes(f"{__name__}:publish", roots)
    for root in roots:
        command = [*KG, "doctor", "--quick", "--releases", str(root)]
        doctor = subprocess.run(command, capture_output=True, text=True, check=False)
        assert doctor.returncode == 1, doctor.stderr
        assert "kg doctor --repair" in doctor.stdout
        last = Releases(root).journal()[-1].release
        with run_server(root, tmp_path / f"{root.name}.log") as server:
            assert httpx.get(f"{server.url}/health/ready").json()["release"] == last
        assert find_problems(root) == []
    assert Releases(tmp_path / "0").current_id() == before
    assert Releases(tmp_path / "1").current_id() != before


def test_server_over_a_directory_that_is_being_changed_serves_it_as_it_is(base: Path, tmp_path: Path) -> None:
    root = copy(base, tmp_path / "releases")
    (root / ".building-x").mkdir()
    with lock_releases(root), run_server(root, tmp_path / "log") as server:
        assert httpx.get(f"{server.url}/health/ready").json()["release"] == Releases(base).current_id()
    assert (root / ".building-x").is_dir()
