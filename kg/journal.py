"""The journal of a releases directory: append-only JSON lines, and the only place where time is kept.

A line is committed once its newline is on disk. What follows the last newline after a crash was never committed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

from kg.durable import append_line, drop_torn_line
from kg.errors import ReleaseDamaged, SettingsError

__all__ = [
    "JOURNAL_NAME",
    "RELEASE_ID",
    "Action",
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
_ACTIONS: Final[dict[str, Action]] = {"build": "build", "write": "write", "use": "use"}


@dataclass(frozen=True, kw_only=True)
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


def load_journal(path: Path) -> tuple[JournalEntry, ...]:
    """All committed entries, oldest first; none when there is no journal yet.

    Raises:
        ReleaseDamaged: a committed line is not an entry, or the sequence has a gap.
    """
    if not path.exists():
        return ()
    committed, _, _ = path.read_bytes().rpartition(b"\n")
    entries = tuple(_parse_entry(line, f"{path}, line {n}") for n, line in enumerate(committed.splitlines(), start=1))
    for number, entry in enumerate(entries, start=1):
        if entry.sequence != number:
            raise ReleaseDamaged(f"{path}, line {number}: expected sequence {number}, found {entry.sequence}")
    return entries


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


def _parse_entry(line: bytes, where: str) -> JournalEntry:
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
    return JournalEntry(sequence=sequence, release=release, action=action, instant=instant)
