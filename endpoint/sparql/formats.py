"""The media types that results come in, by the form of the query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from endpoint.http.negotiation import negotiate_media_type
from endpoint.http.problems import Problem
from endpoint.sparql.guard import Form

__all__ = ["GRAPHS", "RESULTS", "Format", "choose_format"]


@dataclass(frozen=True, slots=True)
class Format:
    """A media type, the one that the engine writes for it, and its short names."""

    media_type: str
    written_as: str
    names: tuple[str, ...] = ()

    @property
    def content_type(self) -> str:
        """The value of the header; text says its charset, since HTTP once had another default."""
        return f"{self.media_type}; charset=utf-8" if self.media_type.startswith("text/") else self.media_type


_JSON = "application/sparql-results+json"
_XML = "application/sparql-results+xml"
_JSON_LD = "application/ld+json"
_RDF_XML = "application/rdf+xml"

RESULTS: Final[Sequence[Format]] = (
    Format(_JSON, _JSON, ("json", "srj")),
    Format(_XML, _XML, ("xml", "srx")),
    Format("text/csv", "text/csv", ("csv",)),
    Format("text/tab-separated-values", "text/tab-separated-values", ("tsv",)),
    Format("application/json", _JSON),
    Format("application/xml", _XML),
    Format("text/xml", _XML),
)
GRAPHS: Final[Sequence[Format]] = (
    Format("text/turtle", "text/turtle", ("turtle", "ttl")),
    Format("application/n-triples", "application/n-triples", ("nt", "ntriples", "n-triples")),
    Format(_JSON_LD, _JSON_LD, ("jsonld", "json-ld", "json")),
    Format(_RDF_XML, _RDF_XML, ("rdf", "rdfxml", "rdf+xml", "xml")),
    Format("application/n-quads", "application/n-quads", ("nq", "nquads", "n-quads")),
    Format("application/trig", "application/trig", ("trig",)),
    Format("text/n3", "text/n3", ("n3",)),
    Format("application/json", _JSON_LD),
    Format("application/xml", _RDF_XML),
    Format("text/xml", _RDF_XML),
)
_OFFERS: Final[Mapping[str, Sequence[Format]]] = {
    "select": RESULTS,
    "ask": RESULTS,
    "construct": GRAPHS,
    "describe": GRAPHS,
}
_USUAL_LENGTH: Final = 256


def choose_format(form: Form, *, accept: str | None, override: str | None) -> Format:
    """The format of a result: the one that a parameter names, else the one that the Accept header likes best.

    Raises:
        Problem: none fits a result of this form.
    """
    offers = _OFFERS[form]
    if override is not None:
        wanted = override.strip().lower()
        # A plus that was not encoded arrives as a blank.
        for each in offers:
            if wanted.replace(" ", "+") in (each.media_type, *each.names):
                return each
        raise _not_acceptable(f"format={override} is no format of a result", form, offers)
    # Clients send the same few headers again and again; a long one is nobody's, and not worth the memory.
    negotiate = _negotiate if accept is None or len(accept) <= _USUAL_LENGTH else _negotiate.__wrapped__
    chosen = negotiate(form, accept)
    if chosen is None:
        raise _not_acceptable("The Accept header names no format of a result", form, offers)
    return chosen


@lru_cache(maxsize=256)
def _negotiate(form: Form, accept: str | None) -> Format | None:
    offers = _OFFERS[form]
    media_type = negotiate_media_type(accept, [each.media_type for each in offers])
    return next((each for each in offers if each.media_type == media_type), None)


def _not_acceptable(what: str, form: Form, offers: Sequence[Format]) -> Problem:
    names = [each.media_type for each in offers]
    return Problem(
        "not-acceptable", 406, f"{what} of {form.upper()}; there are {', '.join(names)}.", members={"available": names}
    )
