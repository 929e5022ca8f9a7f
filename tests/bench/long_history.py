"""A long history around one real release: what years of writes leave in the journal and in the feed, made at once."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from kg.feed.log import load_feed
from kg.journal import format_instant, load_journal

__all__ = ["READABLE_EVERY", "lengthen"]

# So often the real release is published again; what lies between was pruned.
READABLE_EVERY = 10
_STEP = timedelta(minutes=5)


def lengthen(root: Path, entries: int) -> None:
    """Let a directory with one release have so many publications, the first and the last of that release.

    The feed has a step for each, and no member more than it had.
    """
    (first,) = load_journal(root / "journal.jsonl")
    feed = load_feed(root)
    assert feed.steps == feed.seen == 1
    moment = datetime.fromisoformat(first.instant).astimezone(UTC)
    numbers = count(2)
    journal, log = [], []
    for sequence in range(2, entries + 1):
        instant = format_instant(moment + sequence * _STEP)
        is_readable = sequence == entries or sequence % READABLE_EVERY == 0
        release = first.release if is_readable else f"{next(numbers):04d}-{sequence:08x}"
        action = "use" if is_readable else "write"
        journal.append({"sequence": sequence, "release": release, "action": action, "instant": instant})
        log.append({"sequence": sequence, "release": release, "instant": instant, "passed": False, "pages": []})
    for path, records in ((root / "journal.jsonl", journal), (feed.log_path, log)):
        with path.open("ab") as file:
            file.writelines(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in records)
    os.rename(feed.entities_path(1), feed.entities_path(entries))  # noqa: PTH104 - named as what it is
