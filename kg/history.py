"""The history of a releases directory: which release was current when, read from the journal (kg.journal).

A release is current from its line in the journal until the next line. A release that was published again, such as by a
rollback, so has more than one span. Nothing is known before the first line.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from kg.journal import Action, JournalEntry

__all__ = ["History", "Publication", "Span"]


@dataclass(frozen=True, kw_only=True)
class Publication:
    """One line of the journal.

    ``instant`` is what the line says. ``moment`` is when the release became current, in whole seconds of UTC, as HTTP
    counts them (RFC 9110, section 5.6.7): the instant, but never before that of an earlier line, since a clock that
    was set back does not undo what was seen.
    """

    sequence: int
    release: str
    action: Action
    instant: str
    moment: datetime


@dataclass(frozen=True, kw_only=True)
class Span:
    """A publication among those that can still be read: the ones beside it, and the ends."""

    first: Publication
    previous: Publication | None
    here: Publication
    next: Publication | None
    last: Publication


class History:
    """The publications of a journal, oldest first, and which of their releases are still there."""

    def __init__(self, journal: Iterable[JournalEntry], kept: Collection[str]) -> None:
        publications: list[Publication] = []
        for entry in journal:
            moment = datetime.fromisoformat(entry.instant).astimezone(UTC).replace(microsecond=0)
            if publications:
                moment = max(moment, publications[-1].moment)
            publications.append(
                Publication(
                    sequence=entry.sequence,
                    release=entry.release,
                    action=entry.action,
                    instant=entry.instant,
                    moment=moment,
                )
            )
        self.publications = tuple(publications)
        self.kept = frozenset(kept) & {each.release for each in publications}

    @cached_property
    def readable(self) -> tuple[Publication, ...]:
        """The publications whose releases are still there."""
        return tuple(each for each in self.publications if each.release in self.kept)

    @cached_property
    def _by_release(self) -> dict[str, tuple[Publication, ...]]:
        found: dict[str, tuple[Publication, ...]] = {}
        for each in self.publications:
            found[each.release] = (*found.get(each.release, ()), each)
        return found

    @cached_property
    def _moments(self) -> list[datetime]:
        return [each.moment for each in self.readable]

    def find_publications(self, release_id: str) -> tuple[Publication, ...]:
        """The publications of a release, oldest first; none when the journal does not know it."""
        return self._by_release.get(release_id, ())

    def find_at(self, moment: datetime) -> Publication | None:
        """What was current then: the last readable publication not after a moment, else the first; None without any.

        Where the release that was current has been removed, this is the one before it that is still there.
        """
        if not self.readable:
            return None
        return self.readable[max(0, bisect_right(self._moments, moment) - 1)]

    def find_span(self, publication: Publication) -> Span:
        """A publication and the readable ones around it."""
        before = [each for each in self.readable if each.sequence < publication.sequence]
        after = [each for each in self.readable if each.sequence > publication.sequence]
        return Span(
            first=before[0] if before else publication,
            previous=before[-1] if before else None,
            here=publication,
            next=after[0] if after else None,
            last=after[-1] if after else publication,
        )
