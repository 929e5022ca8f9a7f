"""What people call a release by: its id, the beginning of it or of its digest, its number."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from kg.errors import ReleaseNotFound, ReleasePruned
from kg.journal import Journal

__all__ = ["find_release_id"]

_SHOWN: Final = 10
_LONGEST: Final = 100


def find_release_id(
    ref: str, *, journal: Journal, kept: Collection[str], has_digest: Callable[[str, str], bool]
) -> str:
    """The id of the release that a reference means; what it costs does not grow with the journal.

    Args:
        ref: the reference.
        journal: all publications.
        kept: the ids of the releases that are there.
        has_digest: whether the digest of a release of these begins so, where its id does not say it.

    Raises:
        ReleaseNotFound: nothing fits, or more than one release does.
        ReleasePruned: the release of that id or number was removed.
    """
    number = _parse_number(ref)
    known = ref if journal.find_places(ref) else None if number is None else journal.find_number(number)
    if known is not None and known in kept:
        return known
    found = [each for each in kept if ref and (each.startswith(ref) or _begins_digest(each, ref, has_digest))]
    if len(found) == 1:
        return found[0]
    names = _name_some(found or kept)
    if known and not found:
        first = journal[journal.find_places(known)[0]].instant
        raise ReleasePruned(f"{known}, first published {first}, was removed; there are: {names}")
    shown = ref if len(ref) <= _LONGEST else f"{ref[:_LONGEST]}..."
    problem = "fits more than one release" if found else "is no release"
    raise ReleaseNotFound(f"{shown!r} {problem}; there are: {names}")


def _name_some(release_ids: Collection[str]) -> str:
    """Some of many releases, the newest first."""
    newest = sorted(release_ids, key=lambda each: (len(each), each), reverse=True)
    rest = len(newest) - _SHOWN
    return (", ".join(newest[:_SHOWN]) or "none") + (f" and {rest:,} older ones" if rest > 0 else "")


def _parse_number(ref: str) -> int | None:
    # Python refuses to read numbers of thousands of digits.
    return int(ref) if ref.isdecimal() and len(ref) < 20 else None


def _begins_digest(release_id: str, beginning: str, has_digest: Callable[[str, str], bool]) -> bool:
    # An id ends with the first digits, so only a release that may be meant is asked.
    digits = release_id.partition("-")[2]
    return digits.startswith(beginning) or (beginning.startswith(digits) and has_digest(release_id, beginning))
