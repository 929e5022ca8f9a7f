"""Commit: how a directory of files becomes the current release, and what a crash in the midst of it leaves behind.

A publication is committed by its line in the journal. Until then a directory carries our mark of being uncommitted, and
``current`` follows the journal. Whatever a crash left is put right, under the lock, by the next change (decision 0009).
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from logging import getLogger
from pathlib import Path
from typing import Final

from kg.durable import drop_torn_line, put_in_place, scratch_path, settle_lines, sync_directory, sync_tree
from kg.errors import DiskError, DiskUnclear, ReleaseDamaged
from kg.feed.steps import take_in
from kg.journal import (
    JOURNAL_NAME,
    RELEASE_ID,
    Action,
    JournalEntry,
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
    "conclude_publication",
    "find_next_sequence",
    "is_committed",
    "list_directories",
    "make_current",
    "make_workspace",
    "read_current_id",
    "recover",
    "remove_tree",
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
        remove_tree(workspace)


def remove_tree(path: Path) -> None:
    """Remove a directory in which an engine may still be noting things down; what stays, the next change clears up."""
    for _ in range(_REMOVAL_ATTEMPTS):
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                break
            time.sleep(_REMOVAL_PAUSE_S)
        else:
            return
    _log.warning("%s could not be removed; the next change does it", path)


def commit_release(root: Path, assembled: Path, *, release_id: str, action: Action, instant: datetime) -> None:
    """Make a directory with all of its files the current release; the caller holds the lock.

    Raises:
        DiskUnclear: nobody knows whether it is.
        OSError: it is not.
    """
    (assembled / UNCOMMITTED_NAME).touch()
    sync_tree(assembled)
    assembled.rename(root / release_id)
    sync_directory(root)
    _publish(root, release_id, action=action, instant=instant)


def make_current(root: Path, release_id: str, *, instant: datetime | None) -> None:
    """Make a release that is there already the current one; the caller holds the lock.

    Raises:
        DiskUnclear: nobody knows whether it is.
        OSError: it is not.
    """
    _publish(root, release_id, action="use", instant=instant)


def _publish(root: Path, release_id: str, *, action: Action, instant: datetime | None) -> None:
    journal_path = root / JOURNAL_NAME
    before = len(load_journal(journal_path))
    # What takes room is done before the line that commits.
    link = _make_link(root, release_id)
    try:
        append_entry(journal_path, release=release_id, action=action, instant=instant)
    except DiskUnclear as error:
        conclude_publication(root, before, error)
        return
    try:
        if not is_committed(root / release_id):
            _remove_mark(root / release_id)
        put_in_place(link, root / CURRENT_NAME)
    except (OSError, DiskUnclear) as error:
        conclude_publication(root, before, error)
    else:
        _let_feed_follow(root, load_journal(journal_path))


def conclude_publication(root: Path, before: int, error: OSError | DiskUnclear) -> None:
    """Settle a publication in which the disk failed, as the next change would: it came about where this returns.

    Args:
        root: the releases directory; the caller holds the lock.
        before: how many lines the journal had.
        error: how the disk failed.

    Raises:
        DiskUnclear: nobody knows whether it came about, since the disk fails still.
        OSError: it did not.
    """
    try:
        recover(root)
        after = load_journal(root / JOURNAL_NAME)
    except (OSError, DiskError) as again:
        raise DiskUnclear(
            f"the disk failed while a release was published ({_find_cause(again).strerror}), and whether it was is "
            "unclear: "
            "'kg doctor --repair' or the next change settles it when the disk is sound; 'kg release list' and "
            "/releases say what came of it"
        ) from again
    if len(after) <= before:
        raise _find_cause(error)
    _log.warning("%s was published, though the disk failed amid it: %s", after[-1].release, _find_cause(error))


def _find_cause(error: OSError | DiskError) -> OSError:
    cause = error if isinstance(error, OSError) else error.__cause__
    assert isinstance(cause, OSError), error
    return cause


def _let_feed_follow(root: Path, journal: Sequence[JournalEntry]) -> None:
    """Take a publication into the feed; where the disk refuses, the next change makes up for it."""
    try:
        take_in(root, journal)
    except DiskError as error:
        _log.warning("%s; what is published stays so, and the next change takes it into the feed", error)


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

    Nothing is removed but workspaces and directories that carry our mark of being uncommitted. A last line of the
    journal that nothing followed yet may not be on disk, or may have been what a flush failed for. Readers saw it, so
    it counts, and it is made sure before anything follows from it.

    Raises:
        OSError: the disk refuses.
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
    _remove_workspaces(root)
    for path in strays:
        # Out of sight in one step: without its mark, but with its name, a part of it would be a riddle.
        path.rename(root / f"{WORKSPACE}{path.name}")
    if strays:
        sync_directory(root)
        _remove_workspaces(root)
    _clear_completing(root)
    for name in LEFTOVERS:
        (root / name).unlink(missing_ok=True)
    marked = [path for path in directories if path not in strays and not is_committed(path)]
    target = str((root / CURRENT_NAME).readlink()) if current_id else None
    is_behind = bool(journal) and target != journal[-1].release and (root / journal[-1].release).is_dir()
    if marked or is_behind:
        settle_lines(journal_path)
    for path in marked:
        _remove_mark(path)
    if is_behind:
        put_in_place(_make_link(root, journal[-1].release), root / CURRENT_NAME)
    _let_feed_follow(root, journal)


def _remove_workspaces(root: Path) -> None:
    for path in root.glob(f"{WORKSPACE}*"):
        shutil.rmtree(path)


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


def _make_link(root: Path, release_id: str) -> Path:
    """What is to take the place of ``current``."""
    link = scratch_path(root / CURRENT_NAME)
    link.unlink(missing_ok=True)
    link.symlink_to(release_id)
    return link


def _remove_mark(path: Path) -> None:
    (path / UNCOMMITTED_NAME).unlink()
    sync_directory(path)
