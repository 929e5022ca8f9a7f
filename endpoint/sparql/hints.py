"""Hints for a query that uses a class or property which the release does not have: why a result is empty.

They are found on the event loop, so the work is bounded whatever the text: a text of some length is read, and each of
a few of its terms is compared with a bounded number of names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from rapidfuzz import fuzz, process

from endpoint.reader.parser import read
from endpoint.reader.reading import Reading
from endpoint.reader.terminals import Kind
from endpoint.sparql.frames import Written

__all__ = ["Vocabulary", "find_hints"]

_NEAR: Final = 3
_MOST: Final = 5
# A text that is longer was written by no hand that could use a hint.
_LONGEST_TEXT: Final = 8 * 1024
# A name that is longer than this is none that somebody misspelt; two of this length are compared in 0.1 us.
_LONGEST_NAME: Final = 64
_LONGEST: Final = 200
# With more of them than a release of ours will ever have, none is compared: only the very same name is near.
_MOST_NAMES: Final = 10_000
_LEAST_LIKENESS: Final = 65
_RDF_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
# Words after which an IRI is no term of a pattern.
_OUTSIDE: Final = frozenset(["FROM", "NAMED", "GRAPH", "SERVICE", "SILENT"])


class Vocabulary:
    """The classes and properties that a release uses, by the names that they are looked for."""

    def __init__(self, terms: Iterable[str], *, measure: Callable[..., float] = fuzz.ratio) -> None:
        """Take the terms; ``measure`` gives the likeness of two names, up to 100."""
        self.measure = measure
        self.terms = frozenset(terms)
        self.namespaces = frozenset(_split(term)[0] for term in self.terms)
        self.by_name: dict[str, list[str]] = {}
        for term in sorted(self.terms):
            self.by_name.setdefault(_split(term)[1].casefold(), []).append(term)
        names = [name for name in self.by_name if len(name) <= _LONGEST_NAME]
        self.names = names if len(names) <= _MOST_NAMES else []


def find_hints(written: Written, vocabulary: Vocabulary) -> list[str]:
    """Sentences about terms of a query that look like terms of the release's vocabularies but occur nowhere in it.

    Only IRIs in a namespace that the release uses for terms, or with the very name of one of its terms, are spoken of:
    the names of things may be anything.

    >>> written = Written("PREFIX x: <urn:v#> ASK { ?a x:mebmer ?b }", base="urn:base")
    >>> find_hints(written, Vocabulary(["urn:v#member"]))
    ['x:mebmer is no class or property of this release; near: x:member']
    """
    if len(written.text) > _LONGEST_TEXT:
        return []
    reading = read(written.text, "QueryUnit", base=written.base)
    prefixes = reading.prefixes
    hints: list[str] = []
    for iri in _iter_unknown(reading, vocabulary):
        if len(hints) == _MOST:
            break
        # In a namespace of ours a rough likeness is worth a word; elsewhere only the same name is (http://schema.org).
        is_ours = _split(iri)[0] in vocabulary.namespaces
        near = vocabulary.by_name.get(_split(iri)[1].casefold(), [])[:_NEAR]
        if not near and is_ours:
            near = _find_near(iri, vocabulary)
        if near or is_ours:
            words = f"; near: {', '.join(_compress(each, prefixes) for each in near)}" if near else ""
            hints.append(f"{_compress(iri, prefixes)} is no class or property of this release{words}")
    return hints


def _find_near(iri: str, vocabulary: Vocabulary) -> list[str]:
    name = _split(iri)[1].casefold()
    if not name or len(name) > _LONGEST_NAME:
        return []
    found: list[tuple[str, Any, Any]] = process.extract(
        name, vocabulary.names, scorer=vocabulary.measure, score_cutoff=_LEAST_LIKENESS, limit=_NEAR
    )
    return [term for each, _, _ in found for term in vocabulary.by_name[each]][:_NEAR]


def _iter_unknown(reading: Reading, vocabulary: Vocabulary) -> Iterator[str]:
    """The IRIs in the patterns of a query that are no terms of the vocabulary, in order, each once."""
    seen = {_RDF_TYPE}
    before = ""
    for kind, text, *_ in reading.tokens:
        if kind is Kind.IRI and before not in _OUTSIDE:
            iri = text[1:-1]
            if iri not in seen and iri not in vocabulary.terms and len(iri) <= _LONGEST:
                seen.add(iri)
                yield iri
        before = text


def _compress(iri: str, prefixes: Mapping[str, str]) -> str:
    """The term as the query would write it."""
    namespace, name = _split(iri)
    prefix = next((key for key, value in prefixes.items() if value == namespace), None)
    return f"{prefix}:{name}" if prefix is not None else f"<{iri}>"


def _split(iri: str) -> tuple[str, str]:
    """Namespace and local name, at the last ``#``, ``/`` or ``:``."""
    end = max(iri.rfind("#"), iri.rfind("/"), iri.rfind(":")) + 1
    return iri[:end], iri[end:]
