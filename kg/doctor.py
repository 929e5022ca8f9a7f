"""What is wrong with a releases directory, and what to do about it (decision 0031). Nothing here writes.

What a crash leaves behind is no damage: the next change puts it right, and so does ``kg doctor --repair``, both by
kg.commit.recover. Everything else needs somebody to choose, so the cure is a sentence with a command.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kg.checksums import CHECKSUMS_NAME, Digests, add_checksums
from kg.commit import COMPLETING, LEFTOVERS, WORKSPACE
from kg.durable import is_torn
from kg.errors import ReleaseDamaged
from kg.examine import examine_feed, examine_release
from kg.feed.log import load_feed
from kg.journal import RELEASE_ID, Journal, load_journal
from kg.lock import lock_completion
from kg.manifest import PENDING_NAME, UNCOMMITTED_NAME
from kg.release import Release, Releases
from kg.retention import load_kept

__all__ = ["Problem", "examine_directory", "examine_one", "list_releases", "repair_one"]

# Dumps of a million statements take some seconds, and those of an older release may be under way.
_PATIENCE_S: Final = 600.0
_REPAIR: Final = "nothing is lost; the next change clears it up, or now: kg doctor --repair"
_JOURNAL_CURE: Final = (
    "restore the newest journal.jsonl from a backup, or begin another directory with the newest archive: "
    "kg release import FILE --releases DIR"
)
_RELEASE_CURE: Final = (
    "put it back from an archive with 'kg release import FILE'; or leave it: 'kg build' makes a new release, "
    "'kg release use ID' publishes another one, and 'kg release prune' removes it when it is old"
)
_COMPLETION_CURE: Final = (
    "'kg serve' makes them, again and again until there is room (/health/ready says why not yet); "
    "or now: kg doctor --repair"
)
_CHECKSUMS_CURE: Final = "kg doctor --repair, without --quick: it examines the release and then writes them"
_FEED_CURE: Final = (
    "restore feed/ from a backup; or move it away, and the next change begins it anew (readers of /ldes start over)"
)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong: where, what, and what to do; ``is_safe`` when ``kg doctor --repair`` does it.

    ``is_note`` says that it is no damage.
    """

    where: str
    what: str
    cure: str
    is_safe: bool = False
    is_note: bool = False


def examine_directory(root: Path, *, patience_s: float = _PATIENCE_S) -> Iterator[Problem]:
    """What is wrong beside the releases themselves. Nobody should be changing the directory meanwhile.

    Args:
        root: the releases directory.
        patience_s: seconds after which dumps and descriptions of what was published last should be there.
    """
    releases = Releases(root)
    if not releases.journal_path.exists() and not any(_iter_directories(root)):
        return
    try:
        journal = load_journal(releases.journal_path)
    except ReleaseDamaged as error:
        # All else is judged by the journal.
        yield Problem(where="journal", what=str(error), cure=_JOURNAL_CURE)
        return
    yield from _examine_journal(releases)
    yield from _examine_strays(root, journal)
    yield from _examine_current(releases, journal)
    yield from _examine_completion(root, journal, patience_s)
    yield from _examine_kept(releases)
    yield from _examine_feed(root, journal)


def list_releases(root: Path) -> tuple[Release, ...]:
    """The releases to be examined, oldest first: all that are there, whatever the journal says of them."""
    found = (path for path in _iter_directories(root) if not (path / UNCOMMITTED_NAME).exists())
    return tuple(Release(path.name, int(path.name.partition("-")[0]), path) for path in found)


def examine_one(release: Release, *, quick: bool = False, digests: Digests | None = None) -> Iterator[Problem]:
    """What is wrong with one release; ``digests`` are those of files that it may share with others."""
    is_sound = True
    for what in examine_release(release, quick=quick, digests=digests):
        is_sound = False
        yield Problem(where=release.id, what=what, cure=_RELEASE_CURE)
    if is_sound and not (release.path / CHECKSUMS_NAME).exists():
        what = f"{release.path}: has no checksums, since an earlier version made it, so not all damage can be found"
        yield Problem(where=release.id, what=what, cure=_CHECKSUMS_CURE, is_safe=True, is_note=True)


def repair_one(release: Release) -> None:
    """Write the checksums of a release that has none, and in which nothing else is wrong; the caller holds the lock.

    One whose dumps are still to be made has to wait for them.

    Raises:
        ReleaseError: they cannot be written.
    """
    if not release.is_awaited and not (release.path / CHECKSUMS_NAME).exists():
        add_checksums(release.path)


def _iter_directories(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from (path for path in sorted(root.iterdir()) if RELEASE_ID.fullmatch(path.name))


def _examine_journal(releases: Releases) -> Iterator[Problem]:
    if is_torn(releases.journal_path):
        what = f"{releases.journal_path}: its last line is torn; it was never committed"
        yield Problem(where="journal", what=what, cure=_REPAIR, is_safe=True)


def _examine_strays(root: Path, journal: Journal) -> Iterator[Problem]:
    for path in sorted(_find_leftovers(root)):
        what = f"{path}: left behind by a change that was broken off"
        yield Problem(where="strays", what=what, cure=_REPAIR, is_safe=True)
    for path in _iter_directories(root):
        is_marked = (path / UNCOMMITTED_NAME).exists()
        if is_marked:
            what = (
                "is published, and still marked as uncommitted"
                if journal.find_places(path.name)
                else "was never published"
            )
            yield Problem(where="strays", what=f"{path}: {what}", cure=_REPAIR, is_safe=True)
        elif not journal.find_places(path.name):
            cure = f"{_JOURNAL_CURE}; or move {path.name} out of the directory, if it should not be there"
            yield Problem(where="journal", what=f"{path}: the journal does not know it, so lines are lost", cure=cure)


def _find_leftovers(root: Path) -> Iterator[Path]:
    yield from root.glob(f"{WORKSPACE}*")
    yield from (root / name for name in LEFTOVERS if os.path.lexists(root / name))
    if completing := [*root.glob(f"{COMPLETING}*")]:
        with lock_completion(root, waits=False) as is_alone:
            yield from completing if is_alone else ()


def _examine_current(releases: Releases, journal: Journal) -> Iterator[Problem]:
    try:
        current_id = releases.current_id()
    except ReleaseDamaged as error:
        yield Problem(
            where="current", what=str(error), cure=f"mv {releases.current_path} elsewhere; then kg doctor --repair"
        )
        return
    if not journal:
        return
    wanted = journal[-1].release
    target = str(releases.current_path.readlink()) if current_id else "nothing"
    if not (releases.root / wanted).is_dir():
        cure = f"put {wanted} back with 'kg release import FILE', or publish another one: 'kg release use ID'"
        yield Problem(where="current", what=f"{wanted}, which was published last, is gone", cure=cure)
    elif target != wanted:
        what = f"{releases.current_path}: points at {target}, and {wanted} was published last"
        yield Problem(where="current", what=what, cure=_REPAIR, is_safe=True)


def _examine_completion(root: Path, journal: Journal, patience_s: float) -> Iterator[Problem]:
    """Whether what was published last waits for its dumps and descriptions longer than it should."""
    if not journal:
        return
    release = Release(journal[-1].release, 0, root / journal[-1].release)
    try:
        waits_s = time.time() - (release.path / PENDING_NAME).stat().st_mtime
        is_awaited = release.is_awaited
    except (FileNotFoundError, ReleaseDamaged):
        return  # it has them, or is told about as damaged
    if is_awaited and waits_s >= patience_s:
        what = f"{release.id} waits for its dumps, descriptions and catalogue for {waits_s:,.0f} s"
        yield Problem(where="completion", what=what, cure=_COMPLETION_CURE, is_safe=True)


def _examine_kept(releases: Releases) -> Iterator[Problem]:
    try:
        kept = load_kept(releases.root)
    except ReleaseDamaged as error:
        yield Problem(
            where="kept",
            what=str(error),
            cure="restore it from a backup, or move it away and 'kg release keep' what has to stay",
        )
        return
    for release_id in sorted(frozenset().union(*kept.values()) - {each.id for each in releases.list()}):
        cure = f"put it back with 'kg release import FILE', or let it go: 'kg release keep --undo {release_id}'"
        yield Problem(where="kept", what=f"{release_id} is kept or cited, and is gone", cure=cure)


def _examine_feed(root: Path, journal: Journal) -> Iterator[Problem]:
    problems = list(examine_feed(root, journal))
    for what in problems:
        yield Problem(where="feed", what=what, cure=_FEED_CURE)
    if problems:
        return
    feed = load_feed(root)
    # The list of things of what was written last may not be there yet.
    ready = len(journal)
    while ready > feed.steps and (root / journal[ready - 1].release / PENDING_NAME).exists():
        ready -= 1
    if feed.steps < ready:
        what = f"{feed.root}: has taken in {feed.steps} of {ready} publications"
        yield Problem(where="feed", what=what, cure=_REPAIR, is_safe=True)
    if is_torn(feed.log_path):
        what = f"{feed.log_path}: its last line is torn; it was never committed"
        yield Problem(where="feed", what=what, cure=_REPAIR, is_safe=True)
