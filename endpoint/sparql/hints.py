"""Hints for a query that uses a class or property which the release does not have: why a result is empty."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from endpoint.sparql.lexer import Kind, iter_tokens

__all__ = ["Vocabulary", "find_hints"]

_NEAR: Final = 3
_MOST: Final = 5
# A term that is longer than this is none that somebody misspelt.
_LONGEST: Final = 200
_RDF_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
# Words after which an IRI is no term of a pattern.
_OUTSIDE: Final = frozenset(["PREFIX", "BASE", "FROM", "NAMED", "GRAPH", "SERVICE"])


class Vocabulary:
    """The classes and properties that a release uses, by the names that they are looked for."""

    def __init__(self, terms: Iterable[str]) -> None:
        self.terms = frozenset(terms)
        self.namespaces = frozenset(_split(term)[0] for term in self.terms)
        self.by_name: dict[str, list[str]] = {}
        for term in sorted(self.terms):
            self.by_name.setdefault(_split(term)[1].casefold(), []).append(term)


def find_hints(text: str, vocabulary: Vocabulary) -> list[str]:
    """Sentences about terms of a query that look like terms of the release's vocabularies but occur nowhere in it.

    Only IRIs in a namespace that the release uses for terms, or with the very name of one of its terms, are spoken of:
    the names of things may be anything.

    >>> find_hints("PREFIX x: <urn:v#> ASK { ?a x:mebmer ?b }", Vocabulary(["urn:v#member"]))
    ['x:mebmer is no class or property of this release; near: x:member']
    """
    prefixes, iris = _read_iris(text)
    hints: list[str] = []
    for iri in dict.fromkeys(iris):
        if iri in vocabulary.terms or iri == _RDF_TYPE or len(iri) > _LONGEST:
            continue
        if len(hints) == _MOST:
            break
        near = _find_near(iri, vocabulary)
        if near or _split(iri)[0] in vocabulary.namespaces:
            words = f"; near: {', '.join(_compress(each, prefixes) for each in near)}" if near else ""
            hints.append(f"{_compress(iri, prefixes)} is no class or property of this release{words}")
    return hints


def _find_near(iri: str, vocabulary: Vocabulary) -> list[str]:
    namespace, name = _split(iri)
    if not name:
        return []
    # In a namespace of ours a rough likeness is worth a word; elsewhere only the same name is (http://schema.org).
    cutoff = 0.6 if namespace in vocabulary.namespaces else 0.95
    names = get_close_matches(name.casefold(), list(vocabulary.by_name), n=_NEAR, cutoff=cutoff)
    return [term for each in names for term in vocabulary.by_name[each]][:_NEAR]


def _read_iris(text: str) -> tuple[dict[str, str], list[str]]:
    """The prefixes of a query, and the absolute IRIs in its patterns, in order."""
    prefixes: dict[str, str] = {}
    iris: list[str] = []
    before = ("", "")
    for token in iter_tokens(text):
        word_before, just_before = (word.upper() for word in before)
        if token.kind is Kind.IRI:
            iri = _unescape(token.text[1:-1])
            if word_before == "PREFIX":
                prefixes[before[1].removesuffix(":")] = iri
            elif just_before not in _OUTSIDE and ":" in iri:
                iris.append(iri)
        elif token.kind is Kind.NAME and just_before not in _OUTSIDE:
            prefix, _, local = token.text.partition(":")
            if prefix in prefixes:
                iris.append(prefixes[prefix] + re.sub(r"\\(.)", r"\1", local))
        before = (before[1], token.text)
    return prefixes, iris


def _compress(iri: str, prefixes: Mapping[str, str]) -> str:
    """The term as the query would write it."""
    namespace, name = _split(iri)
    prefix = next((key for key, value in prefixes.items() if value == namespace), None)
    return f"{prefix}:{name}" if prefix is not None else f"<{iri}>"


def _unescape(text: str) -> str:
    return re.sub(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})", lambda match: chr(int(match[1] or match[2], 16)), text)


def _split(iri: str) -> tuple[str, str]:
    """Namespace and local name, at the last ``#``, ``/`` or ``:``."""
    end = max(iri.rfind("#"), iri.rfind("/"), iri.rfind(":")) + 1
    return iri[:end], iri[end:]
