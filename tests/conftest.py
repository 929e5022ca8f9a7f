"""What many tests share: the release of the shipped data, built once for all workers of a run."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from kg.build import build, lift_all
from kg.lift import Lifted
from kg.release import Release, Releases
from kg.settings import KgSettings

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"
# Begins the reason of a skip that no installation cures.
KERNEL_DENIES = "the kernel denies it"


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The design documents and inputs beside the checkout, where this machine has them."""
    if not SHARED.is_dir():
        pytest.skip("the inputs this data was carried over from are not beside the checkout on this machine")
    return SHARED


@pytest.fixture(scope="session")
def lifted() -> Lifted:
    """The named graphs of the shipped data, in memory."""
    return lift_all(KgSettings())


@pytest.fixture(scope="session")
def releases_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A releases directory with the shipped data built into it, shared by the workers of one run."""
    base = tmp_path_factory.getbasetemp()
    shared_base = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    directory = shared_base / "releases"
    with _locked(shared_base / "releases.lock"):
        if Releases(directory).current() is None:
            build(KgSettings(releases_dir=directory))
    return directory


@pytest.fixture(scope="session")
def release(releases_dir: Path) -> Release:
    """The release of the shipped data."""
    current = Releases(releases_dir).current()
    assert current is not None
    return current


class _locked:
    """An exclusive lock between processes, held inside the ``with``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.file = self.path.open("w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *exception: object) -> None:
        self.file.close()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is installed (CI says so), a test that skips is a test that is missing.

    But for one that needs what only the kernel of the machine can grant.
    """
    if not os.environ.get("CHAP_NO_SKIPS") or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if any(KERNEL_DENIES not in str(each.longrepr) for each in skipped):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
