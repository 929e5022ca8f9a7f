"""One change of a releases directory at a time, between all processes of a machine."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kg.durable import make_directory, translate_disk_errors
from kg.errors import ReleaseError

__all__ = ["lock_completion", "lock_releases", "look_at_releases"]

_WAIT_S: Final = 30.0


@contextmanager
def lock_releases(root: Path, *, wait_s: float = _WAIT_S) -> Iterator[None]:
    """Hold the lock of a releases directory; the kernel frees it when the process ends, however it ends.

    Raises:
        ReleaseError: another process held it for all of ``wait_s`` seconds.
        DiskError: the disk refuses what is done inside the ``with``, or to make the directory.
    """
    with translate_disk_errors("a change of the releases"):
        make_directory(root)
        descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            deadline = time.monotonic() + wait_s
            while not _try_lock(descriptor):
                if time.monotonic() >= deadline:
                    raise ReleaseError(f"another build or write holds {root / '.lock'}; try again when it is done")
                time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)


@contextmanager
def look_at_releases(root: Path) -> Iterator[bool]:
    """Whether nobody is changing a releases directory; if so nobody begins to, meanwhile. It writes nothing."""
    try:
        descriptor = os.open(root / ".lock", os.O_RDONLY)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


@contextmanager
def lock_completion(root: Path, *, waits: bool = True) -> Iterator[bool]:
    """Whether this process alone completes releases of a directory, meanwhile; by waiting for it, always.

    It takes long, and whoever holds it may wait for the lock of the directory; so who has that one does not wait here.

    Raises:
        OSError: the lock cannot be made.
    """
    descriptor = os.open(root / ".completing.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if waits:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield waits or _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
