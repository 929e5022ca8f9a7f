"""How pages name things: names out of a document, terms of the ontology, words for the terms of others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from endpoint.documents.jsonld import Context
from endpoint.pages.links import find_href
from endpoint.pages.texts import write_number
from endpoint.pages.views import Row, View, pick
from endpoint.pages.wording import write_date
from endpoint.sparql.ask import Term

__all__ = ["Naming"]

_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
# XSD allows more, and data from outside may hold anything; that is shown as it is.
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DATES: Final = frozenset(_XSD + name for name in ("date", "gYearMonth", "gYear"))
_NUMBERS: Final = frozenset(_XSD + name for name in ("decimal", "integer", "nonNegativeInteger"))


@dataclass(frozen=True)
class Naming:
    """How to name things for people: names out of a document, terms of the ontology, words for terms of others."""

    language: str
    texts: Mapping[str, Any]
    names: Mapping[str, Row]
    context: Context

    def shorten(self, iri: str) -> str:
        """A compact IRI, or the IRI without its scheme."""
        compact = self.context.compact(iri)
        return compact if compact != iri else iri.removeprefix("https://").removeprefix("http://").rstrip("/")

    def name(self, iri: str) -> str:
        """The name of a thing or term, or the shortest form of its IRI."""
        if iri in self.names:
            return pick(self.names[iri], "name", self.language)
        short = self.shorten(iri)
        return str(self.texts["term"].get(short, short))

    def is_known(self, iri: str) -> bool:
        """Whether there is a name."""
        return iri in self.names or self.shorten(iri) in self.texts["term"]

    def write(self, value: Term) -> View:
        """A value, as a text and, of an IRI, where it leads."""
        if value.kind == "uri":
            href = find_href(value.value)
            return {"text": self.name(value.value), "href": href, "is_outside": href[:1] != "/", "language": ""}
        text = value.value
        if value.datatype in _DATES:
            text = write_date(text, self.language)
        elif value.datatype in _NUMBERS and _NUMBER.fullmatch(text):
            text = write_number(text, self.language)
        elif value.datatype == f"{_XSD}boolean" and text in ("true", "false"):
            text = str(self.texts["document"]["yes" if text == "true" else "no"])
        other = value.language if value.language and value.language != self.language else ""
        return {"text": text, "href": "", "is_outside": False, "language": other}

    def in_language(self, values: Iterable[Term]) -> list[Term]:
        """Those in the language of the page and those without one; all when there is none."""
        values = list(values)
        return [each for each in values if each.language in (None, self.language)] or values
