"""Directories for files that nobody needs afterwards, beside those of all programs of the machine.

Whoever makes one holds a lock on it (flock(2)), which the kernel frees when the process ends, however it ends. So what
a killed one left is known, and the next to come removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["clear_scratch", "make_scratch"]

_PREFIX: Final = "chap-scratch-"


@contextmanager
def make_scratch(purpose: str) -> Iterator[Path]:
    """A directory that is removed in the end; ``purpose`` is a part of its name.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-"))
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.is_dir():
            break
        # Somebody cleared up between its making and its lock.
        os.close(descriptor)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def clear_scratch() -> None:
    """Remove what processes of this user left behind that are no more."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # it is gone meanwhile, or another user's
        try:
            if os.fstat(descriptor).st_uid == os.getuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            pass  # somebody works in it
        finally:
            os.close(descriptor)
