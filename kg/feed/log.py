"""The log of the feed: what is published in it, and nothing else is.

    releases/feed/log.jsonl                     a line per entry of the journal that the feed has taken in
    releases/feed/pages/<number>.nq.gz          the members of a page as N-Quads; the last page grows
    releases/feed/entities-<sequence>.tsv.gz    the things as the feed last saw them

A line commits: it says how long each page is that its step wrote to, and bytes beyond that were never published. So a
reader needs no lock, and a crash leaves nothing that a reader could see.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from kg.durable import append_line, sync_directory
from kg.errors import ReleaseDamaged

__all__ = ["FEED_NAME", "Feed", "FeedPage", "PageLength", "Step", "append_step", "load_feed", "read_log"]

FEED_NAME: Final = "feed"
_CURE: Final = "restore the directory from a backup, or move it away: the feed then begins anew"


@dataclass(frozen=True, kw_only=True)
class PageLength:
    """How far a page reaches: members, bytes of its file, and bytes of the N-Quads in it."""

    number: int
    members: int
    stored_bytes: int
    plain_bytes: int


@dataclass(frozen=True, kw_only=True)
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

    Raises:
        ReleaseDamaged: a line of its log is no step, or one is missing.
    """
    feed = Feed(root=releases_root / FEED_NAME)
    pages: dict[int, FeedPage] = {}
    step = None
    seen = 0
    for number, line in enumerate(read_log(feed).splitlines()[:until], start=1):
        step = _parse_step(line, f"{feed.log_path}, line {number}")
        if step.sequence != number:
            raise ReleaseDamaged(f"{feed.log_path}, line {number}: expected step {number}; {_CURE}")
        _extend(pages, step)
        seen = seen if step.passed else number
    return Feed(root=feed.root, steps=step.sequence if step else 0, last=step, seen=seen, pages=pages)


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
