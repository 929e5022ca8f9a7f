"""Commit: how a directory of files becomes the current release, and what a crash in the midst of it leaves behind.

A publication is committed by its line in the journal. Until then a directory carries our mark of being uncommitted, and
``current`` follows the journal. Whatever a crash left is put right, under the lock, by the next change (decision 0009).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from logging import getLogger
from pathlib import Path
from typing import Final

from kg.durable import drop_torn_line, put_in_place, scratch_path, sync_directory, sync_tree
from kg.errors import ReleaseDamaged
from kg.feed.steps import take_in
from kg.journal import (
    JOURNAL_NAME,
    RELEASE_ID,
    Action,
    append_entry,
    load_journal,
)
from kg.lock import lock_completion
from kg.manifest import UNCOMMITTED_NAME

__all__ = [
    "COMPLETING",
    "CURRENT_NAME",
    "KEPT_NAME",
    "LEFTOVERS",
    "WORKSPACE",
    "commit_release",
    "find_next_sequence",
    "is_committed",
    "list_directories",
    "make_current",
    "make_workspace",
    "read_current_id",
    "recover",
]

_log = getLogger(__name__)
CURRENT_NAME: Final = "current"
# Directories of who is at work under the lock, or was when a crash came.
WORKSPACE: Final = ".building-"
# Directories of who makes dumps and descriptions (kg.complete), which takes no part in that lock.
COMPLETING: Final = ".completing-"
KEPT_NAME: Final = "kept.json"
# What takes the place of these in one step.
LEFTOVERS: Final = tuple(scratch_path(Path(name)).name for name in (CURRENT_NAME, KEPT_NAME))
_REMOVAL_ATTEMPTS: Final = 20
_REMOVAL_PAUSE_S: Final = 0.05


@contextmanager
def make_workspace(root: Path) -> Iterator[Path]:
    """A directory for the files of a release to be; the caller holds the lock."""
    workspace = Path(tempfile.mkdtemp(prefix=WORKSPACE, dir=root))
    try:
        yield workspace
    finally:
        _remove_tree(workspace)


def _remove_tree(path: Path) -> None:
    """Remove a directory in which an engine may still be noting things down; what stays, the next change clears up."""
    for _ in range(_REMOVAL_ATTEMPTS):
        try:
            shutil.rmtree(path)
        except OSError:
            time.sleep(_REMOVAL_PAUSE_S)
        else:
            return
    _log.warning("%s could not be removed; the next change does it", path)


def commit_release(root: Path, assembled: Path, *, release_id: str, action: Action, instant: datetime) -> None:
    """Make a directory with all of its files the current release; the caller holds the lock."""
    (assembled / UNCOMMITTED_NAME).touch()
    sync_tree(assembled)
    path = root / release_id
    assembled.rename(path)
    sync_directory(root)
    append_entry(root / JOURNAL_NAME, release=release_id, action=action, instant=instant)
    _remove_mark(path)
    _swap_symlink(root, release_id)
    take_in(root, load_journal(root / JOURNAL_NAME))


def make_current(root: Path, release_id: str, *, instant: datetime | None) -> None:
    """Make a release that is there already the current one; the caller holds the lock."""
    append_entry(root / JOURNAL_NAME, release=release_id, action="use", instant=instant)
    _swap_symlink(root, release_id)
    take_in(root, load_journal(root / JOURNAL_NAME))


def read_current_id(root: Path) -> str | None:
    """The id that ``current`` points at, whether or not it can be read; None when none was published yet.

    Raises:
        ReleaseDamaged: ``current`` is no symlink.
    """
    path = root / CURRENT_NAME
    try:
        return path.readlink().name
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReleaseDamaged(f"{path} is no symlink ({error}); move it away") from error


def is_committed(path: Path) -> bool:
    """Whether a directory is that of a release, and does not carry our mark of being uncommitted."""
    return path.is_dir() and not (path / UNCOMMITTED_NAME).exists()


def list_directories(root: Path) -> list[str]:
    """The names of the directories of releases, committed or not, in no order; none where there is no directory."""
    try:
        with os.scandir(root) as entries:
            return [each.name for each in entries if RELEASE_ID.fullmatch(each.name) and each.is_dir()]
    except FileNotFoundError:
        return []


def recover(root: Path) -> None:
    """Put right what a crash left behind; the caller holds the lock.

    Nothing is removed but workspaces and directories that carry our mark of being uncommitted.

    Raises:
        ReleaseDamaged: the journal does not know a release that is there or current, so a part of it is lost.
    """
    journal_path = root / JOURNAL_NAME
    drop_torn_line(journal_path)
    journal = load_journal(journal_path)
    current_id = read_current_id(root)
    directories = [root / name for name in list_directories(root)]
    unlisted = [path for path in directories if not journal.find_places(path.name)]
    strays = [path for path in unlisted if not is_committed(path) and path.name != current_id]
    unknown = {path.name for path in unlisted if path not in strays}
    if current_id and not journal.find_places(current_id):
        unknown.add(current_id)
    if unknown:
        raise ReleaseDamaged(
            f"{journal_path} does not know {', '.join(sorted(unknown))}: restore the newest journal from a "
            "backup, or move what should not be there out of the directory; nothing was changed"
        )
    for path in [*root.glob(f"{WORKSPACE}*"), *strays]:
        shutil.rmtree(path)
    _clear_completing(root)
    for name in LEFTOVERS:
        (root / name).unlink(missing_ok=True)
    for path in directories:
        if not is_committed(path) and path not in strays:
            _remove_mark(path)
    target = str((root / CURRENT_NAME).readlink()) if current_id else None
    if journal and target != journal[-1].release and (root / journal[-1].release).is_dir():
        _swap_symlink(root, journal[-1].release)
    take_in(root, journal)


def _clear_completing(root: Path) -> None:
    """Remove what who made dumps and descriptions left behind, unless somebody makes some now."""
    if not any(root.glob(f"{COMPLETING}*")):
        return
    with lock_completion(root, waits=False) as is_alone:
        for path in root.glob(f"{COMPLETING}*") if is_alone else ():
            shutil.rmtree(path)


def find_next_sequence(root: Path) -> int:
    """The number of the next release of a directory."""
    # From the journal, not from the directories: a pruned release never gives its number away.
    return load_journal(root / JOURNAL_NAME).next_number


def _swap_symlink(root: Path, release_id: str) -> None:
    path = root / CURRENT_NAME
    scratch = scratch_path(path)
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(release_id)
    put_in_place(scratch, path)


def _remove_mark(path: Path) -> None:
    (path / UNCOMMITTED_NAME).unlink()
    sync_directory(path)
