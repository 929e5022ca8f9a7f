"""Which releases stay: ``keep`` pins one, ``prune`` removes what is neither current, nor kept, nor among the newest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kg.errors import ReleaseDamaged, ReleaseError
from kg.journal import sync_directory
from kg.lock import lock_releases
from kg.release import Release, Releases, recover

__all__ = ["keep_release", "load_kept", "prune_releases"]

_KEPT: Final = "kept.json"


def load_kept(root: Path) -> frozenset[str]:
    """The ids that pruning spares.

    Raises:
        ReleaseDamaged: kept.json is malformed.
    """
    path = root / _KEPT
    if not path.exists():
        return frozenset()
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))["kept"]
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseDamaged(f'{path}: expected {{"kept": [ids]}}: {error!r}') from error
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise ReleaseDamaged(f'{path}: expected {{"kept": [ids]}}')
    return frozenset(ids)


def keep_release(root: Path, ref: str, *, kept: bool = True) -> Release:
    """The release of that reference, once it is pinned (or, with ``kept=False``, no longer pinned).

    Raises:
        ReleaseNotFound: there is no such release.
        ReleaseError: another change is going on.
    """
    with lock_releases(root):
        recover(root)
        # What is damaged may go, so it must be possible to stop keeping it.
        release = Releases(root).get(ref) if kept else Releases(root).find(ref)
        ids = load_kept(root)
        _write_kept(root, ids | {release.id} if kept else ids - {release.id})
        return release


def prune_releases(root: Path, *, keep: int) -> tuple[Release, ...]:
    """The releases that were removed: all but the newest ``keep``, the current one and the kept ones.

    The journal stays as it is, so numbers are never given twice and history still names what is gone.

    Raises:
        ReleaseError: ``keep`` is below one, or another change is going on.
    """
    if keep < 1:
        raise ReleaseError("at least one release stays: use --keep 1 or more")
    with lock_releases(root):
        recover(root)
        releases = Releases(root)
        listed = releases.list()
        spared = load_kept(root) | {each.id for each in listed[-keep:]} | {releases.current_id()}
        removed = tuple(each for each in listed if each.id not in spared)
        for release in removed:
            # Out of sight in one step; a crash in the middle of the removal leaves only a stray workspace.
            hidden = root / f".building-pruned-{release.id}"
            release.path.rename(hidden)
            shutil.rmtree(hidden)
        sync_directory(root)
        return removed


def _write_kept(root: Path, ids: Iterable[str]) -> None:
    fresh = root / f".{_KEPT}"
    with fresh.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"kept": sorted(ids)}, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(root / _KEPT)
    sync_directory(root)
