"""How a release becomes current, and what a crash in the midst of it leaves behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kg.commit import make_workspace, recover
from kg.errors import DiskFull, ReleaseDamaged, ReleaseNotFound
from kg.lock import lock_releases
from kg.release import Releases
from tests.unit.kg.conftest import names_in, publish

_ENDLESS = """
import sys, itertools
from pathlib import Path
from kg.release import Releases
from tests.unit.kg.conftest import OPEN, make_quads

def quads():
    for number in itertools.count():
        print(number, flush=True)
        yield from make_quads(f"c{number}")

Releases(Path(sys.argv[1])).publish(quads=quads(), open_licences=[OPEN], manifest_extra={}, report_turtle=b"")
"""


def test_crash_while_assembling_is_cleared_away(tmp_path: Path) -> None:
    release = publish(tmp_path, "alpha")
    (tmp_path / ".building-killed" / "release" / "store").mkdir(parents=True)
    assert Releases(tmp_path).list() == (release,)
    second = publish(tmp_path, "beta")
    assert names_in(tmp_path) == {release.id, second.id, "current", "feed", "journal.jsonl", ".lock"}


def test_crash_before_the_journal_never_published(tmp_path: Path) -> None:
    release = publish(tmp_path, "alpha")
    stray = tmp_path / "0002-0123abcd"
    stray.mkdir()
    (stray / ".uncommitted").touch()
    assert Releases(tmp_path).list() == (release,)
    assert publish(tmp_path, "beta").sequence == 2
    assert not stray.exists()


def test_crash_between_journal_and_swap_is_completed(tmp_path: Path) -> None:
    first, second = publish(tmp_path, "alpha"), publish(tmp_path, "beta")
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to(first.id)
    (tmp_path / ".current.part").symlink_to(second.id)
    with lock_releases(tmp_path):
        recover(tmp_path)
    assert Releases(tmp_path).current() == second


def test_lost_journal_stops_before_anything_is_removed(tmp_path: Path) -> None:
    release = publish(tmp_path, "alpha")
    (tmp_path / "journal.jsonl").unlink()
    with pytest.raises(ReleaseDamaged, match="backup"):
        publish(tmp_path, "beta")
    assert Releases(tmp_path).current() == release


def test_crash_before_the_mark_is_taken_off_is_completed(tmp_path: Path) -> None:
    release = publish(tmp_path, "alpha")
    mark = release.path / ".uncommitted"
    mark.touch()
    assert Releases(tmp_path).get(release.id) == release
    with lock_releases(tmp_path):
        recover(tmp_path)
    assert release.path.is_dir()
    assert not mark.exists()


def test_publication_that_fails_at_the_journal_leaves_nothing_that_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(tmp_path, "alpha")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kg.commit.append_entry", fail)
        with pytest.raises(DiskFull, match="prune"):
            publish(tmp_path, "beta")
    (stray,) = (name for name in names_in(tmp_path) if name.startswith("0002-"))
    with pytest.raises(ReleaseNotFound):
        Releases(tmp_path).get(stray)
    second = publish(tmp_path, "gamma")
    assert names_in(tmp_path) == {first.id, second.id, "current", "feed", "journal.jsonl", ".lock"}


def test_lost_journal_and_current_stop_before_anything_is_removed(tmp_path: Path) -> None:
    publish(tmp_path, "alpha")
    publish(tmp_path, "beta")
    (tmp_path / "journal.jsonl").unlink()
    (tmp_path / "current").unlink()
    before = names_in(tmp_path)
    with pytest.raises(ReleaseDamaged, match="backup"):
        publish(tmp_path, "gamma")
    with pytest.raises(ReleaseDamaged, match="backup"):
        Releases(tmp_path).use("1")
    assert names_in(tmp_path) == before


def test_older_journal_stops_before_anything_is_removed(tmp_path: Path) -> None:
    publish(tmp_path, "alpha")
    older = (tmp_path / "journal.jsonl").read_bytes()
    second = publish(tmp_path, "beta")
    (tmp_path / "journal.jsonl").write_bytes(older)
    before = names_in(tmp_path)
    with pytest.raises(ReleaseDamaged, match=second.id):
        publish(tmp_path, "gamma")
    assert names_in(tmp_path) == before
    assert Releases(tmp_path).current() == second


def test_killed_build_leaves_the_current_release_and_frees_the_lock(tmp_path: Path, repository: Path) -> None:
    release = publish(tmp_path, "alpha")
    environment = os.environ | {"PYTHONPATH": str(repository)}
    with subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, str(tmp_path)], stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    assert any(name.startswith(".building-") for name in names_in(tmp_path))
    assert Releases(tmp_path).current() == release
    second = publish(tmp_path, "beta")
    assert names_in(tmp_path) == {release.id, second.id, "current", "feed", "journal.jsonl", ".lock"}


def test_workspace_goes_while_something_still_writes_there(tmp_path: Path) -> None:
    """As an engine that is being closed does."""

    def note_things_down(directory: Path) -> None:
        end = time.monotonic() + 0.2
        for number in itertools.count():
            if time.monotonic() > end or not directory.is_dir():
                return
            with contextlib.suppress(FileNotFoundError):
                (directory / str(number)).touch()
            time.sleep(0.001)

    with make_workspace(tmp_path) as workspace:
        thread = threading.Thread(target=note_things_down, args=(workspace,))
        thread.start()
    thread.join()
    assert list(tmp_path.iterdir()) == []
