"""The log of the feed: what is published in it, and nothing else is.

    releases/feed/log.jsonl                     a line per entry of the journal that the feed has taken in
    releases/feed/pages/<number>.nq.gz          the members of a page as N-Quads; the last page grows
    releases/feed/entities-<sequence>.tsv.gz    the things as the feed last saw them

A line commits: it says how long each page is that its step wrote to, and bytes beyond that were never published. So a
reader needs no lock, and a crash leaves nothing that a reader could see.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from kg.durable import append_line, sync_directory
from kg.errors import ReleaseDamaged
from kg.lines import LineReader

__all__ = ["FEED_NAME", "Feed", "FeedPage", "PageLength", "Step", "append_step", "load_feed", "read_log"]

FEED_NAME: Final = "feed"
# Lines as append_step writes them: scanning is many times as fast as reading JSON.
_PAGE: Final = r'\{"number":(\d+),("members":\d+,"stored_bytes":\d+,"plain_bytes":\d+)\}'
_LENGTHS: Final = re.compile(_PAGE, re.ASCII)
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
_WRITTEN: Final = re.compile(
    r'^\{"sequence":(\d+),"release":"(\d{4,}-[0-9a-f]{8})","instant":"([0-9TZ:.+-]+)","passed":(true|false),'
    rf'"pages":\[((?:{_PAGE.replace("(", "(?:")},?)*)\]\}}$',
    re.MULTILINE | re.ASCII,
)
_CURE: Final = "restore the directory from a backup, or move it away: the feed then begins anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLength:
    """How far a page reaches: members, bytes of its file, and bytes of the N-Quads in it."""

    number: int
    members: int
    stored_bytes: int
    plain_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one entry of the journal brought: its sequence, its release, the instant of its members, pages written to.

    A step ``passed`` is one whose release could not be read: what it changed comes with the next.
    """

    sequence: int
    release: str
    instant: str
    passed: bool
    pages: tuple[PageLength, ...]


@dataclass(frozen=True, kw_only=True)
class FeedPage:
    """A page as it is published: its length, and the instants of its first and its last member."""

    length: PageLength
    first: str
    last: str


@dataclass(frozen=True, kw_only=True)
class Feed:
    """All that is published: the number of steps, the last of them, the pages by number.

    ``seen`` is the sequence of the last step that was not passed: the things as they were then are the feed's state.
    """

    root: Path
    steps: int = 0
    last: Step | None = None
    seen: int = 0
    pages: Mapping[int, FeedPage] = field(default_factory=dict)

    @property
    def members(self) -> int:
        """How many members there are on all pages."""
        return sum(page.length.members for page in self.pages.values())

    @property
    def log_path(self) -> Path:
        """The file whose lines commit."""
        return self.root / "log.jsonl"

    def page_path(self, number: int) -> Path:
        """The file of a page."""
        return self.root / "pages" / f"{number:06d}.nq.gz"

    def entities_path(self, sequence: int) -> Path:
        """The things as they were after the step of that sequence."""
        return self.root / f"entities-{sequence:06d}.tsv.gz"

    def add(self, step: Step) -> Feed:
        """The feed after one more step."""
        pages = dict(self.pages)
        _extend(pages, step)
        seen = self.seen if step.passed else step.sequence
        return Feed(root=self.root, steps=step.sequence, last=step, seen=seen, pages=pages)


def load_feed(releases_root: Path, *, until: int | None = None) -> Feed:
    """What the feed of a releases directory has published, or had after a step; empty when there is none yet.

    A process reads the log once, and after that only what was appended (kg.lines).

    Raises:
        ReleaseDamaged: a line of its log is no step, or one is missing.
    """
    if until is None:
        return _follow(releases_root.absolute()).read()
    feed = Feed(root=releases_root / FEED_NAME)
    return _add_lines(feed, b"".join(read_log(feed).splitlines(keepends=True)[:until]))


class _Follower:
    """A feed that this process has read, and what it read of it."""

    def __init__(self, releases_root: Path) -> None:
        self._lock = threading.Lock()
        self._begin = self._feed = Feed(root=releases_root / FEED_NAME)
        self.reader = LineReader(self._begin.log_path)

    def read(self) -> Feed:
        with self._lock:
            appended = self.reader.read()
            if appended.is_anew:
                self._feed = self._begin
            if appended.lines:
                self._feed = _add_lines(self._feed, appended.lines)
                self.reader.take(appended)
            return self._feed


@lru_cache(maxsize=4)
def _follow(releases_root: Path) -> _Follower:
    return _Follower(releases_root)


def _add_lines(feed: Feed, lines: bytes) -> Feed:
    """The feed after the steps of some lines of its log."""
    return _scan_lines(feed, lines) or _parse_lines(feed, lines)


def _scan_lines(feed: Feed, lines: bytes) -> Feed | None:
    """As :func:`_parse_lines`, for lines that are written just as we write them; None where one is not."""
    found = _WRITTEN.findall(lines.decode("ascii", errors="replace"))
    end = feed.steps + len(found)
    if len(found) != lines.count(b"\n") or [int(each[0]) for each in found] != list(range(feed.steps + 1, end + 1)):
        return None
    # Many steps write to one page, and its last length holds.
    reached: dict[str, tuple[str, str]] = {}
    first: dict[str, str] = {}
    for _, _, instant, _, lengths in found:
        for number, length in _LENGTHS.findall(lengths):
            reached[number] = (length, instant)
            first.setdefault(number, instant)
    pages = dict(feed.pages)
    for number, (length, instant) in reached.items():
        members, stored_bytes, plain_bytes = map(int, _DIGITS.findall(length))
        reach = PageLength(number=int(number), members=members, stored_bytes=stored_bytes, plain_bytes=plain_bytes)
        known = pages.get(reach.number)
        pages[reach.number] = FeedPage(length=reach, first=known.first if known else first[number], last=instant)
    seen = next((end - at for at, each in enumerate(reversed(found)) if each[3] == "false"), feed.seen)
    last = _parse_step(lines[lines.rfind(b"\n", 0, -1) + 1 :], f"{feed.log_path}, line {end}")
    return Feed(root=feed.root, steps=end, last=last, seen=seen, pages=pages)


def _parse_lines(feed: Feed, lines: bytes) -> Feed:
    pages, last, seen, steps = dict(feed.pages), feed.last, feed.seen, feed.steps
    for steps, line in enumerate(lines.splitlines(), start=feed.steps + 1):
        last = _parse_step(line, f"{feed.log_path}, line {steps}")
        if last.sequence != steps:
            raise ReleaseDamaged(f"{feed.log_path}, line {steps}: expected step {steps}; {_CURE}")
        _extend(pages, last)
        seen = seen if last.passed else steps
    return Feed(root=feed.root, steps=steps, last=last, seen=seen, pages=pages)


def read_log(feed: Feed) -> bytes:
    """The committed lines of the log of a feed."""
    if not feed.log_path.exists():
        return b""
    content = feed.log_path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def append_step(feed: Feed, step: Step) -> Feed:
    """The feed with one more step, once that is on disk.

    The caller holds the lock of the releases directory, and has repaired the log.
    """
    # The state after the step has its name on disk before the step counts.
    sync_directory(feed.root)
    append_line(feed.log_path, json.dumps(asdict(step), separators=(",", ":")).encode() + b"\n")
    return feed.add(step)


def _extend(pages: dict[int, FeedPage], step: Step) -> None:
    for length in step.pages:
        known = pages.get(length.number)
        pages[length.number] = FeedPage(length=length, first=known.first if known else step.instant, last=step.instant)


def _parse_step(line: bytes, where: str) -> Step:
    try:
        record = json.loads(line)
        return Step(
            sequence=int(record["sequence"]),
            release=str(record["release"]),
            instant=str(record["instant"]),
            passed=bool(record["passed"]),
            pages=tuple(_parse_lengths(record["pages"])),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseDamaged(f"{where}: no step of the feed ({error!r}); {_CURE}") from error


def _parse_lengths(records: Iterable[Mapping[str, int]]) -> Iterable[PageLength]:
    for record in records:
        yield PageLength(**{name: int(record[name]) for name in ("number", "members", "stored_bytes", "plain_bytes")})
