"""Content negotiation: by suffix, media type and language (RFC 9110, section 12.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers

from endpoint.http.problems import Problem

__all__ = [
    "DATASET_SYNTAXES",
    "HTML",
    "JSON_LD",
    "N_QUADS",
    "N_TRIPLES",
    "RDF_SYNTAXES",
    "RDF_XML",
    "TRIG",
    "TURTLE",
    "Choice",
    "MediaRange",
    "Syntax",
    "choose_syntax",
    "negotiate_language",
    "negotiate_media_type",
    "parse_accept",
    "read_accept",
]


@dataclass(frozen=True, slots=True)
class Syntax:
    """What a document can be written in: the suffix that fixes it, its media type, its name for people."""

    suffix: str
    media_type: str
    label: str

    @property
    def content_type(self) -> str:
        """The value of the header; text says its charset, since HTTP once had another default."""
        return f"{self.media_type}; charset=utf-8" if self.media_type.startswith("text/") else self.media_type


HTML: Final = Syntax("html", "text/html", "HTML")
TURTLE: Final = Syntax("ttl", "text/turtle", "Turtle")
JSON_LD: Final = Syntax("jsonld", "application/ld+json", "JSON-LD")
RDF_XML: Final = Syntax("rdf", "application/rdf+xml", "RDF/XML")
N_TRIPLES: Final = Syntax("nt", "application/n-triples", "N-Triples")
TRIG: Final = Syntax("trig", "application/trig", "TriG")
N_QUADS: Final = Syntax("nq", "application/n-quads", "N-Quads")
RDF_SYNTAXES: Final = (TURTLE, JSON_LD, RDF_XML, N_TRIPLES)
DATASET_SYNTAXES: Final = (*RDF_SYNTAXES, TRIG, N_QUADS)


@dataclass(frozen=True, slots=True)
class Choice:
    """A syntax, the path without the suffix that may have named it, and whether a suffix did."""

    syntax: Syntax
    path: str
    is_fixed: bool


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


def choose_syntax(path: str, headers: Headers, offers: Sequence[Syntax]) -> Choice:
    """The syntax that the path ends in, else the one that the Accept header likes best.

    Raises:
        Problem: 406, the header likes none.

    >>> choose_syntax("/def/1.0.0.nt", Headers(), [HTML, N_TRIPLES]).path
    '/def/1.0.0'
    """
    stem, _, suffix = path.rpartition(".")
    for each in offers:
        if stem and suffix == each.suffix:
            return Choice(each, stem, is_fixed=True)
    media_types = [each.media_type for each in offers]
    media_type = negotiate_media_type(read_accept(headers), media_types)
    for each in offers:
        if each.media_type == media_type:
            return Choice(each, path, is_fixed=False)
    raise Problem("not-acceptable", 406, f"Available are {', '.join(media_types)}.", members={"available": media_types})


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
