"""Taking the journal into the feed: one step for each entry, from the things as they were to those of its release.

Steps are made after the line in the journal, under the same lock. Whatever is missing is made up by the next change
(kg.commit.recover), so a crash in between, or a feed that was moved away, costs nothing but time.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from logging import getLogger
from pathlib import Path
from typing import Final

from kg.changes import iter_dump_lines
from kg.durable import drop_torn_line, make_directory, settle_lines, sync_directory, translate_disk_errors
from kg.entities import ENTITIES_NAME, Change, Descriptions, Entity, compare_entities, iter_entities
from kg.errors import ReleaseDamaged, ReleaseError
from kg.feed.log import Feed, PageLength, Step, append_step, load_feed
from kg.feed.members import Kind, Member, write_member
from kg.journal import JournalEntry, format_instant
from kg.manifest import CONTENT_NAME, PENDING_NAME

__all__ = ["PAGE_BYTES", "PAGE_MEMBERS", "take_in"]

# A page is finished when it holds so many members, or so much N-Quads.
PAGE_MEMBERS: Final = 1000
PAGE_BYTES: Final = 4 * 1024 * 1024
_log = getLogger(__name__)


def take_in(releases_root: Path, journal: Sequence[JournalEntry]) -> Feed:
    """The feed, once it has a step for every entry of the journal up to the last release that is complete.

    The caller holds the lock of the directory.

    Raises:
        ReleaseDamaged: the feed knows more than the journal, or is malformed.
        DiskError: it cannot be written.
    """
    feed = load_feed(releases_root)
    drop_torn_line(feed.log_path)
    if feed.steps > len(journal) or (feed.last and journal[feed.steps - 1].release != feed.last.release):
        raise ReleaseDamaged(
            f"{feed.log_path} knows publications that the journal does not: restore the newest journal from a backup, "
            f"or move {feed.root} away, and the feed begins anew"
        )
    # The list of things of the newest may not be there yet; whoever makes it comes back here (kg.complete).
    ready = len(journal)
    while ready > feed.steps and _is_pending(releases_root / journal[ready - 1].release):
        ready -= 1
    if feed.steps < ready:
        with translate_disk_errors("the feed"):
            if feed.steps:
                settle_lines(feed.log_path)
            for entry in journal[feed.steps : ready]:
                feed = _take_step(feed, releases_root / entry.release, entry)
    return feed


def _is_pending(release_path: Path) -> bool:
    return (release_path / PENDING_NAME).exists()


def _take_step(feed: Feed, release_path: Path, entry: JournalEntry) -> Feed:
    make_directory(feed.root / "pages")
    state_path = feed.entities_path(entry.sequence)
    instant = _later(entry.instant, feed.last.instant if feed.last else None)
    pages: tuple[PageLength, ...] = ()
    # Where the next write came before the list of things was made, its changes come with that of the next.
    is_passed = _is_pending(release_path)
    try:
        if not is_passed:
            pages = _write_changes(feed, release_path, entry, instant=instant)
            _copy(release_path / ENTITIES_NAME, state_path)
    except ReleaseDamaged as error:
        _log.warning("the feed passes publication %s over: %s", entry.sequence, error)
        is_passed, pages = True, ()
    step = Step(sequence=entry.sequence, release=entry.release, instant=instant, passed=is_passed, pages=pages)
    after = append_step(feed, step)
    for path in feed.root.glob("entities-*"):
        if path != after.entities_path(after.seen):
            path.unlink()
    return after


def _write_changes(feed: Feed, release_path: Path, entry: JournalEntry, *, instant: str) -> tuple[PageLength, ...]:
    """The pages that a step wrote to, on disk; nobody reads that far before the step is committed."""
    after = iter_entities(release_path / ENTITIES_NAME)
    descriptions = Descriptions(iter_dump_lines(release_path / CONTENT_NAME))
    writer = _PageWriter(feed)
    for position, change in enumerate(compare_entities(_iter_state(feed), after), start=feed.members + 1):
        kind, iri = _name_change(change)
        member = Member(
            kind=kind,
            entity_iri=iri,
            page=writer.turn_page(),
            position=position,
            sequence=entry.sequence,
            instant=instant,
            release=entry.release,
            description=descriptions.read(change.after) if change.after else None,
        )
        writer.add(write_member(member))
    return writer.finish()


class _PageWriter:
    """Adds members to the last page, and begins another when that is full. No more than one page is in memory."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._page = feed.pages[len(feed.pages)].length if feed.pages else _begin_page(1)
        self._waiting: list[bytes] = []
        self._written: list[PageLength] = []

    def turn_page(self) -> int:
        """The number of the page that the next member is for."""
        if self._page.members >= PAGE_MEMBERS or self._page.plain_bytes >= PAGE_BYTES:
            self._flush()
            self._page = _begin_page(self._page.number + 1)
        return self._page.number

    def add(self, member: bytes) -> None:
        """Put a member on that page."""
        self._waiting.append(member)
        self._page = replace(
            self._page, members=self._page.members + 1, plain_bytes=self._page.plain_bytes + len(member)
        )

    def finish(self) -> tuple[PageLength, ...]:
        """The pages that were written to, once they are on disk."""
        self._flush()
        sync_directory(self._feed.root / "pages")
        return tuple(self._written)

    def _flush(self) -> None:
        if not self._waiting:
            return
        compressed = gzip.compress(b"".join(self._waiting), 6, mtime=0)
        path = self._feed.page_path(self._page.number)
        path.touch()
        with path.open("r+b") as file:
            # A step that was not committed may have left more.
            file.truncate(self._page.stored_bytes)
            file.seek(self._page.stored_bytes)
            file.write(compressed)
            file.flush()
            os.fsync(file.fileno())
        self._page = replace(self._page, stored_bytes=self._page.stored_bytes + len(compressed))
        self._written.append(self._page)
        self._waiting.clear()


def _begin_page(number: int) -> PageLength:
    return PageLength(number=number, members=0, stored_bytes=0, plain_bytes=0)


def _iter_state(feed: Feed) -> Iterator[Entity]:
    """The things as the feed last saw them; damage to them is the feed's own, not that of a release."""
    if not feed.seen:
        return
    try:
        yield from iter_entities(feed.entities_path(feed.seen))
    except ReleaseDamaged as error:
        raise ReleaseError(f"{error}, or move {feed.root} away, and the feed begins anew") from error


def _name_change(change: Change) -> tuple[Kind, str]:
    if change.after is None:
        assert change.before is not None
        return "Delete", change.before.iri
    return ("Create" if change.before is None else "Update"), change.after.iri


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as content, target.open("wb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())


def _later(instant: str, last: str | None) -> str:
    """The instant, or the next after the last one where a clock was put back or did not move.

    >>> _later("2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z")
    '2026-01-02T00:00:00.001Z'
    """
    if last is None or instant > last:
        return instant
    return format_instant(datetime.fromisoformat(last) + timedelta(milliseconds=1))
