"""The journal of a releases directory: append-only JSON lines, and the only place where time is kept.

A line is committed once its newline is on disk. What follows the last newline after a crash was never committed.
"""

from __future__ import annotations

import json
import os
import re
import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, Literal, TypeAlias, overload

from kg.durable import append_line, drop_torn_line
from kg.errors import ReleaseDamaged, SettingsError
from kg.lines import LineReader

__all__ = [
    "JOURNAL_NAME",
    "RELEASE_ID",
    "Action",
    "Journal",
    "JournalEntry",
    "append_entry",
    "find_instant",
    "format_instant",
    "load_journal",
    "parse_instant",
]

Action: TypeAlias = Literal["build", "write", "use"]
JOURNAL_NAME: Final = "journal.jsonl"
RELEASE_ID: Final = re.compile(r"(\d{4,})-([0-9a-f]{8})")
_PIECE: Final = 256 * 1024
# A line as append_entry writes it: scanning is ten times as fast as reading JSON.
_WRITTEN: Final = re.compile(
    r'^\{"sequence":(\d+),"release":"(\d{4,}-[0-9a-f]{8})","action":"(build|write|use)","instant":"([0-9TZ:.+-]+)"\}$',
    re.MULTILINE | re.ASCII,
)
_ACTIONS: Final[dict[str, Action]] = {"build": "build", "write": "write", "use": "use"}


# Releases, actions and instants of some lines.
_Parts: TypeAlias = tuple[Sequence[str], Sequence[Action], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One publication: the how-manieth it is, which release became current, how and when (UTC, ISO 8601)."""

    sequence: int
    release: str
    action: Action
    instant: str


def parse_instant(environ: Mapping[str, str]) -> datetime:
    """The instant of a publication: SOURCE_DATE_EPOCH where it is set (reproducible-builds.org), else now, in UTC.

    Raises:
        SettingsError: SOURCE_DATE_EPOCH is no whole number of seconds.

    >>> parse_instant({"SOURCE_DATE_EPOCH": "0"}).isoformat()
    '1970-01-01T00:00:00+00:00'
    """
    epoch = environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise SettingsError(f"SOURCE_DATE_EPOCH must be whole seconds since 1970, not {epoch!r}") from error


def find_instant() -> datetime:
    """The instant of :func:`parse_instant` in this process's environment."""
    return parse_instant(os.environ)


def format_instant(moment: datetime) -> str:
    """An instant as it is written everywhere: UTC, milliseconds, Z.

    >>> format_instant(datetime(2026, 1, 2, tzinfo=UTC))
    '2026-01-02T00:00:00.000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Journal(Sequence[JournalEntry]):
    """The entries of a journal as they were when it was read, oldest first.

    One that is read later shares what they have in common, so it costs no more than what came since.
    """

    def __init__(self, columns: _Columns | None = None) -> None:
        self._columns = columns or _Columns()
        self._length = len(self._columns.releases)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> JournalEntry: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[JournalEntry, ...]: ...

    def __getitem__(self, index: int | slice) -> JournalEntry | tuple[JournalEntry, ...]:
        """The entry at a place, or those of a part."""
        if isinstance(index, slice):
            return tuple(map(self._columns.make, range(*index.indices(self._length))))
        return self._columns.make(range(self._length)[index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Journal) and (self.is_same(other) or tuple(self) == tuple(other))

    def __hash__(self) -> int:
        return hash(self._length)

    def __repr__(self) -> str:
        return f"<Journal of {self._length} entries>"

    @property
    def next_number(self) -> int:
        """The number of the next release: a pruned one never gives its number away."""
        return self._columns.find_greatest() + 1

    @cached_property
    def releases(self) -> tuple[str, ...]:
        """The releases, once each, the one that was published last first."""
        return tuple(dict.fromkeys(reversed(self._columns.releases[: self._length])))

    def is_same(self, other: Journal) -> bool:
        """Whether it is the same journal, read at the same length; one that only holds the same entries is not."""
        return self._columns is other._columns and self._length == other._length

    def goes_on_from(self, other: Journal) -> bool:
        """Whether it begins with what another one holds."""
        return self._columns is other._columns and self._length >= other._length

    def get_release(self, place: int) -> str:
        """The release of the entry at a place."""
        return self._columns.releases[place]

    def get_instant(self, place: int) -> str:
        """The instant of the entry at a place."""
        return self._columns.instants[place]

    def find_places(self, release_id: str) -> Sequence[int]:
        """Where the entries of a release are, oldest first; none when the journal does not know it."""
        places = self._columns.find_places(release_id)
        return places if not places or places[-1] < self._length else places[: bisect_left(places, self._length)]

    def find_entries(self, release_id: str) -> tuple[JournalEntry, ...]:
        """The entries of a release, oldest first; none when the journal does not know it."""
        return tuple(map(self._columns.make, self.find_places(release_id)))

    def find_number(self, number: int) -> str | None:
        """The release of a number; None when there was none."""
        release_id = self._columns.find_number(number)
        return release_id if release_id and self.find_places(release_id) else None


class _Columns:
    """Entries, a list for each thing they say: a hundred thousand of them are read at every start of a program."""

    def __init__(self) -> None:
        self.releases: list[str] = []
        self._actions: list[Action] = []
        self.instants: list[str] = []
        self._first: dict[str, int] = {}
        self._unique: list[str] = []
        # Of the few releases that were published more than once.
        self._all: dict[str, list[int]] = {}
        self._numbers: dict[int, str] = {}
        self._numbered = self._greatest = 0

    def make(self, place: int) -> JournalEntry:
        return JournalEntry(
            sequence=place + 1,
            release=self.releases[place],
            action=self._actions[place],
            instant=self.instants[place],
        )

    def find_places(self, release_id: str) -> Sequence[int]:
        first = self._first.get(release_id)
        return () if first is None else self._all.get(release_id, (first,))

    def find_number(self, number: int) -> str | None:
        self._number()
        return self._numbers.get(number)

    def find_greatest(self) -> int:
        self._number()
        return self._greatest

    def _number(self) -> None:
        """Read the numbers of the releases that came since this was done last."""
        for at in range(self._numbered, len(self._unique)):
            number = int(self._unique[at].partition("-")[0])
            self._numbers.setdefault(number, self._unique[at])
            self._greatest = max(self._greatest, number)
            self._numbered = at + 1

    def add(self, lines: bytes, path: Path) -> None:
        """Take in more lines of a file, all or none.

        Raises:
            ReleaseDamaged: one of them is not an entry, or the sequence has a gap.
        """
        start = len(self.releases)
        columns = _scan_lines(lines, start + 1) or _parse_lines(lines, start + 1, path)
        for place, release in enumerate(columns[0], start=start):
            first = self._first.setdefault(release, place)
            if first == place:
                self._unique.append(release)
            else:
                self._all.setdefault(release, [first]).append(place)
        self._actions += columns[1]
        self.instants += columns[2]
        # What others look at is there when its length says so.
        self.releases += columns[0]


class _Follower:
    """A journal that this process has read, and what it read of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.reader = LineReader(path)
        self._columns = _Columns()

    def read(self) -> Journal:
        with self._lock:
            appended = self.reader.read()
            if appended.is_anew:
                self._columns = _Columns()
            if appended.lines:
                self._columns.add(appended.lines, self._path)
                self.reader.take(appended)
            return Journal(self._columns)


@lru_cache(maxsize=4)
def _follow(path: Path) -> _Follower:
    return _Follower(path)


def load_journal(path: Path) -> Journal:
    """All committed entries, oldest first; none when there is no journal yet.

    A process reads a journal once, and after that only what was appended (kg.lines).

    Raises:
        ReleaseDamaged: a committed line is not an entry, or the sequence has a gap.
    """
    return _follow(path.absolute()).read()


def append_entry(path: Path, *, release: str, action: Action, instant: datetime | None = None) -> JournalEntry:
    """The new entry, once it is on disk. The caller holds the lock of the directory.

    Without an ``instant`` it is that of :func:`find_instant`.

    Raises:
        ReleaseDamaged: the journal so far is damaged.
        DiskUnclear: nobody knows whether the entry is there; kg.commit.recover makes it sure.
        OSError: it is not there.
    """
    moment = instant or find_instant()
    drop_torn_line(path)
    entry = JournalEntry(
        sequence=len(load_journal(path)) + 1,
        release=release,
        action=action,
        instant=format_instant(moment),
    )
    append_line(path, json.dumps(asdict(entry), separators=(",", ":")).encode() + b"\n")
    return entry


def _scan_lines(lines: bytes, number: int) -> _Parts | None:
    """The parts of lines that are written just as we write them; None where one is not."""
    releases: list[str] = []
    actions: list[Action] = []
    instants: list[str] = []
    start = 0
    # Piece by piece: what a scan finds takes many times the memory of what is kept of it.
    while start < len(lines):
        end = lines.find(b"\n", start + _PIECE) + 1 or len(lines)
        found = _WRITTEN.findall(lines[start:end].decode("ascii", errors="replace"))
        place = number + len(releases)
        if [int(each[0]) for each in found] != list(range(place, place + lines.count(b"\n", start, end))):
            return None
        releases += [each[1] for each in found]
        actions += [_ACTIONS[each[2]] for each in found]
        instants += [each[3] for each in found]
        start = end
    try:
        for each in instants:
            datetime.fromisoformat(each)
    except ValueError:
        return None
    return releases, actions, instants


def _parse_lines(lines: bytes, number: int, path: Path) -> _Parts:
    entries = [_parse_entry(line, f"{path}, line {at}", at) for at, line in enumerate(lines.splitlines(), start=number)]
    return [each.release for each in entries], [each.action for each in entries], [each.instant for each in entries]


def _parse_entry(line: bytes, where: str, expected: int) -> JournalEntry:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ReleaseDamaged(f"{where}: not JSON: {error}") from error
    if not isinstance(record, dict):
        raise ReleaseDamaged(f"{where}: not an entry")
    sequence, release, instant = (record.get(key) for key in ("sequence", "release", "instant"))
    action = _ACTIONS.get(str(record.get("action")))
    if not isinstance(sequence, int) or not isinstance(release, str) or not isinstance(instant, str) or action is None:
        raise ReleaseDamaged(f"{where}: expected sequence, release, action ({', '.join(_ACTIONS)}) and instant")
    if not RELEASE_ID.fullmatch(release):
        raise ReleaseDamaged(f"{where}: {release!r} is no id of a release")
    try:
        datetime.fromisoformat(instant)
    except ValueError as error:
        raise ReleaseDamaged(f"{where}: {instant!r} is no instant") from error
    if sequence != expected:
        raise ReleaseDamaged(f"{where}: expected sequence {expected}, found {sequence}")
    return JournalEntry(sequence=sequence, release=release, action=action, instant=instant)
