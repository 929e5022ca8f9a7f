"""Releases from one directory in another: ``kg release export`` and ``import`` (decision 0031).

An archive holds a release with the history that led to it: the journal up to the last line that names the release, and
the feed up to there. So it is a function of the release and of that line, and an empty directory that takes it in looks
as the first one did at that moment: same numbers, same ids, same answers.

    journal.jsonl     as far as that line
    feed/             as far as its step; taken where the feed that is there is the beginning of it
    release/          the directory of the release, but for what the engine notes down for people
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kg.archive import ArchiveSource, unpack_archive, write_archive
from kg.checksums import CHECKSUMS_NAME, add_checksums, iter_files, load_checksums
from kg.commit import conclude_publication, make_workspace, recover
from kg.durable import make_directory, put_in_place, sync_directory
from kg.entities import ENTITIES_NAME
from kg.errors import ArchiveRefused, DiskUnclear, ReleaseDamaged, ReleaseError
from kg.examine import examine_feed, examine_release
from kg.feed.log import Feed, load_feed, read_log
from kg.journal import Journal, load_journal
from kg.lock import lock_releases
from kg.manifest import DAMAGE_CURE, PENDING_NAME, UNCOMMITTED_NAME
from kg.release import Release, Releases

__all__ = ["Imported", "export_release", "import_release"]

_JOURNAL: Final = "journal.jsonl"
_RELEASE: Final = "release"
# Half a million publications, graphs or files.
_MAX_WHOLE_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class Imported:
    """The release that is there after an import: whether it was not before, and whether readers see it now."""

    release: Release
    is_new: bool
    is_current: bool


def export_release(releases: Releases, ref: str, path: Path) -> str:
    """The SHA-256 of the archive of a release, once it is written; what was there under its name is replaced.

    Everything it is made from never changes, so no lock is held, and the same release gives the same bytes until it is
    published once more.

    Raises:
        ReleaseNotFound: there is no such release.
        ReleaseDamaged: it, the journal or the feed cannot be read.
        ReleaseError: the archive cannot be written.
    """
    release = releases.get(ref)
    until = releases.journal().find_places(release.id)[-1] + 1
    lines = releases.journal_path.read_bytes().splitlines(keepends=True)[:until]
    sources = [ArchiveSource(name=_JOURNAL, path=releases.journal_path, size=sum(map(len, lines)))]
    sources += _list_feed(releases, release, until=until)
    sources += _list_files(release)
    return write_archive(path, sources)


def _list_files(release: Release) -> Iterator[ArchiveSource]:
    """All files that count, and what tells how far the release is."""
    sums = load_checksums(release.path) or {}
    for name, path in iter_files(release.path):
        listed = sums.get(name)
        if sums and listed is None and release.is_complete:
            raise ReleaseDamaged(f"{path} is not in the list of checksums; {DAMAGE_CURE}")
        yield ArchiveSource(name=f"{_RELEASE}/{name}", path=path, sha256=listed.sha256 if listed else None)
    if gone := sorted(name for name in sums if not (release.path / name).is_file()):
        raise ReleaseDamaged(f"{release.path / gone[0]} is gone; {DAMAGE_CURE}")
    for name in (CHECKSUMS_NAME, PENDING_NAME):
        if (release.path / name).exists():
            yield ArchiveSource(name=f"{_RELEASE}/{name}", path=release.path / name)


def _list_feed(releases: Releases, release: Release, *, until: int) -> Iterator[ArchiveSource]:
    """The feed as far as a step; nothing where that step was passed over, since its state is known to nobody then."""
    if (release.path / PENDING_NAME).exists():
        return
    feed = load_feed(releases.root, until=until)
    if feed.steps < until:
        raise ReleaseError(f"the feed has not taken in publication {until} yet: run 'kg doctor --repair'")
    if feed.seen < until:
        return
    here = releases.root
    log_bytes = sum(map(len, read_log(feed).splitlines(keepends=True)[:until]))
    yield ArchiveSource(name=str(feed.log_path.relative_to(here)), path=feed.log_path, size=log_bytes)
    # The state after a step is the list of things of its release.
    yield ArchiveSource(name=str(feed.entities_path(until).relative_to(here)), path=release.path / ENTITIES_NAME)
    for number, page in feed.pages.items():
        page_path = feed.page_path(number)
        yield ArchiveSource(name=str(page_path.relative_to(here)), path=page_path, size=page.length.stored_bytes)


def import_release(root: Path, path: Path) -> Imported:
    """The release of an archive, once it is in a releases directory, with the numbers and ids it had.

    All is checked aside first: the checksums, the digest of the content, the counts, the store, the feed. Where the
    journal of the archive goes on from the one that is here, that becomes longer, and its last release current. Where
    the one here is longer, the release is only put back into its place, which heals a damaged one. A second time
    changes nothing.

    Raises:
        ArchiveRefused: the file is no archive, was damaged, or comes from a directory with another history.
        ReleaseError: another change is going on.
        DiskError: there is no room, or the disk refuses.
    """
    with lock_releases(root):
        recover(root)
        with make_workspace(root) as workspace:
            unpacked = workspace / "archive"
            unpack_archive(path, unpacked, find_limit=_find_limit)
            theirs, release = _examine_archive(unpacked, path)
            own = Releases(root).journal()
            _demand_one_history(own, theirs, path)
            place = root / release.id
            is_new = not place.is_dir() or any(examine_release(Releases(root).find(release.id)))
            if is_new:
                if not (release.path / CHECKSUMS_NAME).exists():
                    # From an earlier version; all of it was examined just now.
                    add_checksums(release.path)
                _put_release(release, place, workspace / "damaged")
            if len(own) < len(theirs):
                _take_journal(unpacked, root, before=len(own))
        # The rest is what follows a crash at this point: the mark goes, current follows the journal, the feed takes in.
        try:
            recover(root)
        except OSError as error:
            conclude_publication(root, len(own), error)
        releases = Releases(root)
        return Imported(releases.get(release.id), is_new=is_new, is_current=releases.current_id() == release.id)


def _find_limit(name: str) -> int | None:
    """How large a file of an archive may be: those that are read whole are bounded, the others are read in pieces."""
    is_whole = name.endswith((".json", ".jsonl")) or name.startswith("feed/pages/")
    return _MAX_WHOLE_BYTES if is_whole else None


def _put_release(release: Release, place: Path, damaged: Path) -> None:
    """Let a release take its place, marked as uncommitted, and a damaged one go."""
    (release.path / UNCOMMITTED_NAME).touch()
    sync_directory(release.path)
    if place.is_dir():
        place.rename(damaged)
    release.path.rename(place)
    sync_directory(place.parent)


def _take_journal(unpacked: Path, root: Path, *, before: int) -> None:
    """Let the journal be the longer one, which publishes its last release, and the feed that goes with it."""
    try:
        put_in_place(unpacked / _JOURNAL, root / _JOURNAL)
    except DiskUnclear as error:
        conclude_publication(root, before, error)
        return
    try:
        _take_feed(load_feed(unpacked), load_feed(root))
    except (OSError, DiskUnclear) as error:
        conclude_publication(root, before, error)


def _take_feed(theirs: Feed, own: Feed) -> None:
    """Let a feed be as long as another that goes on from it; its pages only grow, and its log commits."""
    if not theirs.steps or not read_log(theirs).startswith(read_log(own)):
        return
    make_directory(own.page_path(1).parent)
    for number in theirs.pages:
        theirs.page_path(number).replace(own.page_path(number))
    theirs.entities_path(theirs.seen).replace(own.entities_path(theirs.seen))
    sync_directory(own.page_path(1).parent)
    sync_directory(own.root)
    put_in_place(theirs.log_path, own.log_path)
    if own.seen:
        own.entities_path(own.seen).unlink(missing_ok=True)


def _examine_archive(unpacked: Path, path: Path) -> tuple[Journal, Release]:
    try:
        journal = load_journal(unpacked / _JOURNAL)
        if not journal:
            raise ReleaseDamaged("it has no journal")
        name = journal[-1].release
        release = Release(name, int(name.partition("-")[0]), unpacked / _RELEASE)
        problems = [*examine_release(release), *examine_feed(unpacked, journal)]
        feed = load_feed(unpacked)
        if feed.steps and not feed.steps == feed.seen == len(journal):
            problems.append(f"{feed.log_path}: does not end where the journal does")
    except (ReleaseDamaged, RecursionError) as error:
        problems = [str(error)]
    if problems:
        found = "; ".join(problems).replace(f"{unpacked}/", "")
        raise ArchiveRefused(f"{path} does not hold what it should: {found}. Make it anew with 'kg release export'")
    return journal, release


def _demand_one_history(own: Journal, theirs: Journal, path: Path) -> None:
    for here, there in zip(own, theirs, strict=False):
        if here != there:
            raise ArchiveRefused(
                f"{path} comes from a directory with another history: publication {here.sequence} is {there.release} "
                f"of {there.instant} there, and {here.release} of {here.instant} here. Numbers are never given anew: "
                "import it into a directory of its own, with --releases DIR"
            )
