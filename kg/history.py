"""The history of a releases directory: which release was current when, read from the journal (kg.journal).

A release is current from its line in the journal until the next line. A release that was published again, such as by a
rollback, so has more than one span. Nothing is known before the first line.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, overload

from kg.journal import Action, Journal

__all__ = ["History", "Publication", "Publications", "Span"]

_LONGEST_NUMBER: Final = 10
_WRITTEN_LENGTH: Final = len("2026-01-02T00:00:00.000Z")


@dataclass(frozen=True, slots=True, kw_only=True)
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


class Publications(Sequence[Publication]):
    """Some of the publications of a history, oldest first; each is made when somebody looks at it."""

    def __init__(self, history: History, places: Sequence[int], length: int) -> None:
        self._history = history
        # It may grow behind what belongs to these.
        self._places = places
        self._length = length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Publication: ...

    @overload
    def __getitem__(self, index: slice) -> Publications: ...

    def __getitem__(self, index: int | slice) -> Publication | Publications:
        """The publication at a place, or those of a part."""
        if isinstance(index, slice):
            places = [self._places[at] for at in range(*index.indices(self._length))]
            return Publications(self._history, places, len(places))
        return self._history.get(self._places[range(self._length)[index]])


class History:
    """The publications of a journal, oldest first, and which of their releases are still there.

    One that goes on from another shares with it what they have in common: it costs what came since, and what went.
    """

    def __init__(self, journal: Journal, kept: Collection[str], *, before: History | None = None) -> None:
        self.journal = journal
        self.kept = frozenset(name for name in kept if journal.find_places(name))
        if before is not None and not journal.goes_on_from(before.journal):
            before = None
        # Both lists only ever grow, so whoever shares them sees what was there before.
        self._moments: list[datetime] = before._moments if before else []
        self._read_moments()
        self._readable = self._find_readable(before)
        self._readable_count = len(self._readable)

    @property
    def publications(self) -> Publications:
        """All of them."""
        return Publications(self, range(len(self.journal)), len(self.journal))

    @property
    def readable(self) -> Publications:
        """The publications whose releases are still there."""
        return Publications(self, self._readable, self._readable_count)

    def get(self, place: int) -> Publication:
        """The publication of a place in the journal."""
        entry = self.journal[place]
        return Publication(
            sequence=entry.sequence,
            release=entry.release,
            action=entry.action,
            instant=entry.instant,
            moment=self._moments[place],
        )

    def find_publications(self, release_id: str) -> Publications:
        """The publications of a release, oldest first; none when the journal does not know it."""
        places = self.journal.find_places(release_id)
        return Publications(self, places, len(places))

    def find_line(self, number: str) -> Publication | None:
        """The publication of a line of the journal, whose number is written as a number is; None when it has none."""
        place = int(number) - 1 if number.isdecimal() and len(number) < _LONGEST_NUMBER else -1
        is_there = 0 <= place < len(self.journal) and str(place + 1) == number
        return self.get(place) if is_there else None

    def find_at(self, moment: datetime) -> Publication | None:
        """What was current then: the last readable publication not after a moment, else the first; None without any.

        Where the release that was current has been removed, this is the one before it that is still there.
        """
        if not self._readable_count:
            return None
        found = bisect_right(self._readable, moment, hi=self._readable_count, key=self._moments.__getitem__)
        return self.get(self._readable[max(0, found - 1)])

    def find_span(self, publication: Publication) -> Span:
        """A publication and the readable ones around it."""
        place, places, end = publication.sequence - 1, self._readable, self._readable_count
        at = bisect_left(places, place, hi=end)
        after = at + 1 if at < end and places[at] == place else at
        return Span(
            first=self.get(places[0]) if at else publication,
            previous=self.get(places[at - 1]) if at else None,
            here=publication,
            next=self.get(places[after]) if after < end else None,
            last=self.get(places[end - 1]) if after < end else publication,
        )

    def says_the_same(self, other: History) -> bool:
        """Whether it says what another one said."""
        return self.journal.is_same(other.journal) and self.kept == other.kept

    def _read_moments(self) -> None:
        moments = self._moments
        for place in range(len(moments), len(self.journal)):
            moment = _read_moment(self.journal.get_instant(place))
            moments.append(max(moment, moments[-1]) if moments else moment)

    def _find_readable(self, before: History | None) -> list[int]:
        """The places of the readable publications, in order."""
        find_places, start = self.journal.find_places, len(before.journal) if before else 0
        fresh = [place for place in range(start, len(self.journal)) if self.journal.get_release(place) in self.kept]
        if before is None:
            return fresh
        gone = before.kept - self.kept
        # A directory that was put back, as an import does.
        back = [place for name in self.kept - before.kept for place in find_places(name) if place < start]
        places = before._readable
        if gone or back or len(places) > before._readable_count:
            stayed = (each for each in places[: before._readable_count] if self.journal.get_release(each) not in gone)
            places = sorted([*stayed, *back])
        places += fresh
        return places


def _read_moment(instant: str) -> datetime:
    """The whole second of an instant; one that is written as we write them is read three times as fast."""
    if len(instant) == _WRITTEN_LENGTH and instant[-1] == "Z":
        return datetime.fromisoformat(f"{instant[:19]}Z")
    return datetime.fromisoformat(instant).astimezone(UTC).replace(microsecond=0)
