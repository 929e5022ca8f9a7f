"""A plain dataset that an ordinary user owns, and a port at which nobody may knock."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kg.build import build
from tests.conftest import KERNEL_DENIES
from tests.fences.ordinary import find_user, wrap
from tests.plain.conftest import plain_settings
from tests.protocol.test_federation_gate import Listener


def _is_possible() -> bool:
    """Whether there are filters of system calls here."""
    try:
        return subprocess.run([*wrap(), "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="module")
def ordinary_dir() -> Iterator[Path]:
    """A directory of an ordinary user, to whom those of pytest are closed; it holds the releases of a plain dataset."""
    if not _is_possible():
        pytest.skip(f"{KERNEL_DENIES}: needs seccomp, on x86-64 or arm64")
    directory = Path(tempfile.mkdtemp(prefix="chap-ordinary-"))
    try:
        build(plain_settings(directory / "releases"))
        give_away(directory)
        yield directory
    finally:
        shutil.rmtree(directory)


def give_away(path: Path) -> None:
    """Let the ordinary user own all of it."""
    if os.getuid() != (user := find_user()):
        for each in [path, *path.rglob("*")]:
            os.chown(each, user, user, follow_symlinks=False)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with closing(Listener()) as listening:
        yield listening
