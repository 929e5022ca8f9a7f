"""Content negotiation: one function for media types, one for languages (RFC 9110, section 12.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers

__all__ = ["MediaRange", "negotiate_language", "negotiate_media_type", "parse_accept", "read_accept"]


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One entry of an Accept header; ``type_`` and ``subtype`` may be ``*``."""

    type_: str
    subtype: str
    quality: float

    def specificity(self, media_type: str) -> int:
        """How exactly the range names the media type: 0 not at all, 1 ``*/*``, 2 ``text/*``, 3 by name."""
        if self.type_ == "*":
            return 1
        type_, _, subtype = media_type.partition("/")
        if self.type_ != type_:
            return 0
        return 2 if self.subtype == "*" else 3 * (self.subtype == subtype)


def read_accept(headers: Headers) -> str | None:
    """The Accept header: several fields are one list (RFC 9110, section 5.3)."""
    return ", ".join(headers.getlist("accept")) or None


def parse_accept(header: str) -> tuple[MediaRange, ...]:
    """The entries of an Accept header; malformed ones are left out.

    Parameters other than ``q`` are ignored: none of our types differs by one.

    >>> parse_accept("text/turtle;q=0.5, */*;q=0.1")[0].quality
    0.5
    """
    ranges = []
    for entry in header.split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        type_, slash, subtype = name.lower().partition("/")
        quality = _parse_quality(parameters)
        if slash and type_ and subtype and quality is not None and not (type_ == "*" and subtype != "*"):
            ranges.append(MediaRange(type_, subtype, quality))
    return tuple(ranges)


def negotiate_media_type(header: str | None, offers: Sequence[str]) -> str | None:
    """The offer that fits an Accept header best, or None when none is acceptable.

    Without a header the first offer wins. Equal quality: the range that names the type more exactly, then our order.

    >>> negotiate_media_type("text/*;q=0.8, application/json", ["text/csv", "application/json"])
    'application/json'
    >>> negotiate_media_type("text/csv;q=0", ["text/csv"]) is None
    True
    """
    if header is None or not header.strip():
        return offers[0]
    ranges = parse_accept(header)
    best: tuple[float, int, int] | None = None
    chosen = None
    for position, offer in enumerate(offers):
        matching = [(each.specificity(offer), each.quality) for each in ranges]
        # The most specific range decides about an offer, whatever its quality (RFC 9110, section 12.5.1).
        specificity, quality = max(matching, default=(0, 0.0))
        rank = (quality, specificity, -position)
        if specificity and quality > 0 and (best is None or rank > best):
            best, chosen = rank, offer
    return chosen


def negotiate_language(header: str | None, offers: Sequence[str], *, default: str) -> str:
    """The offered language that fits an Accept-Language header best; the default when none does.

    >>> negotiate_language("fr, de-AT;q=0.8, en;q=0.5", ["de", "en"], default="en")
    'de'
    """
    best, chosen = 0.0, default
    for entry in (header or "").split(","):
        tag, *parameters = (part.strip() for part in entry.split(";"))
        language = tag.lower().partition("-")[0]
        quality = _parse_quality(parameters)
        if language in offers and quality is not None and quality > best:
            best, chosen = quality, language
    return chosen


def _parse_quality(parameters: Sequence[str]) -> float | None:
    """The ``q`` of an entry: 1 when there is none, None when it is no number from 0 to 1."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                quality = float(value)
            except ValueError:
                return None
            return quality if 0 <= quality <= 1 else None
    return 1.0
