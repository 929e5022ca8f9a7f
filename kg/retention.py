"""Which releases stay: ``keep`` and ``cite`` pin one, ``prune`` removes what is neither current, nor pinned, nor new.

releases/kept.json holds ``{"kept": [ids], "cited": [ids]}``.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

from kg.commit import KEPT_NAME, WORKSPACE, recover, remove_tree
from kg.durable import sync_directory, write_file
from kg.errors import DiskUnclear, ReleaseDamaged, ReleaseError
from kg.history import History
from kg.journal import find_instant
from kg.lock import lock_releases
from kg.release import Release, Releases

__all__ = ["Reason", "keep_release", "let_go", "load_kept", "prune_releases"]

Reason: TypeAlias = Literal["kept", "cited"]
_REASONS: Final[tuple[Reason, ...]] = ("kept", "cited")


def load_kept(root: Path) -> Mapping[Reason, frozenset[str]]:
    """The ids that pruning spares, by why it does: somebody said so, or cited the release.

    Raises:
        ReleaseDamaged: kept.json is malformed.
    """
    path = root / KEPT_NAME
    if not path.exists():
        return dict.fromkeys(_REASONS, frozenset())
    try:
        record = {"cited": [], **json.loads(path.read_text(encoding="utf-8"))}
        lists: dict[Reason, list[object]] = {each: record[each] for each in _REASONS}
        if not all(isinstance(each, list) and all(isinstance(name, str) for name in each) for each in lists.values()):
            raise TypeError("no lists of ids")
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseDamaged(f'{path}: expected {{"kept": [ids], "cited": [ids]}}: {error!r}') from error
    return {reason: frozenset(map(str, ids)) for reason, ids in lists.items()}


def keep_release(root: Path, ref: str, *, reason: Reason = "kept") -> Release:
    """The release of that reference, once it is pinned.

    Raises:
        ReleaseNotFound: there is no such release.
        ReleaseDamaged: it cannot be read.
        ReleaseError: another change is going on.
    """
    with lock_releases(root):
        recover(root)
        release = Releases(root).get(ref)
        kept = load_kept(root)
        if release.id not in kept[reason]:
            _write_kept(root, {**kept, reason: kept[reason] | {release.id}})
        return release


def let_go(root: Path, ref: str) -> str:
    """The id of a release that is no longer pinned, for whatever reason it was, be it damaged or gone.

    Raises:
        ReleaseNotFound: there is no such release.
        ReleaseError: another change is going on.
    """
    with lock_releases(root):
        recover(root)
        kept = load_kept(root)
        release_id = ref if any(ref in ids for ids in kept.values()) else Releases(root).find(ref).id
        _write_kept(root, {reason: ids - {release_id} for reason, ids in kept.items()})
        return release_id


def prune_releases(root: Path, *, keep: int, older_than: timedelta | None = None) -> tuple[Release, ...]:
    """The releases that were removed: all but the newest ``keep``, the current one, the kept and the cited ones.

    The journal stays as it is, so numbers are never given twice and history still names what is gone.

    Args:
        root: the releases directory.
        keep: how many of the newest stay, whatever their age.
        older_than: spare also what was current within this time, up to now or SOURCE_DATE_EPOCH.

    Raises:
        ReleaseError: ``keep`` is below one, or another change is going on.
    """
    if keep < 1:
        raise ReleaseError("at least one release stays: use --keep 1 or more")
    with lock_releases(root):
        recover(root)
        releases = Releases(root)
        listed = releases.list()
        spared = {each.id for each in listed[-keep:]} | {releases.current_id()}
        spared = spared.union(*load_kept(root).values())
        if older_than is not None:
            spared |= _find_recent(releases, older_than)
        removed = tuple(each for each in listed if each.id not in spared)
        _remove_releases(root, removed)
        return removed


def _remove_releases(root: Path, removed: Sequence[Release]) -> None:
    """Take releases away: out of sight first, so that a crash amid it leaves only stray workspaces."""
    hidden: list[Path] = []
    try:
        for release in removed:
            hidden.append(release.path.rename(root / f"{WORKSPACE}pruned-{release.id}"))
        sync_directory(root)
    except OSError as error:
        if not hidden:
            raise
        raise DiskUnclear(
            f"{len(hidden)} of {len(removed)} releases were taken away, and the disk failed before that was sure "
            f"({error.strerror}): prune once more when it is sound"
        ) from error
    for path in hidden:
        remove_tree(path)


def _find_recent(releases: Releases, age: timedelta) -> set[str]:
    """The releases that were current at some time within an age: each is so until the next line of the journal."""
    history = History(releases.journal(), ())
    earliest = find_instant() - age
    # Moments never go back, so those that count are at the end.
    since = bisect_left(history.publications, earliest, key=lambda each: each.moment)
    return {each.release for each in history.publications[max(0, since - 1) :]}


def _write_kept(root: Path, kept: Mapping[Reason, frozenset[str]]) -> None:
    record = {reason: sorted(ids) for reason, ids in kept.items()}
    write_file(root / KEPT_NAME, json.dumps(record, indent=2).encode() + b"\n")
