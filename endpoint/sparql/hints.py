"""Hints for a query that uses a class or property which the release does not have: why a result is empty."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Final

from endpoint.sparql.lexer import Kind, iter_tokens

__all__ = ["Vocabulary", "find_hints"]

_NEAR: Final = 3
_MOST: Final = 5
_RDF_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
# Words after which an IRI is no term of a pattern.
_OUTSIDE: Final = frozenset(["PREFIX", "BASE", "FROM", "NAMED", "GRAPH", "SERVICE"])


@dataclass(frozen=True)
class Vocabulary:
    """The classes and properties that a release uses."""

    terms: frozenset[str]
    prefixes: Mapping[str, str]

    @cached_property
    def namespaces(self) -> frozenset[str]:
        """The namespaces of the terms."""
        return frozenset(_split(term)[0] for term in self.terms)

    def compress(self, iri: str) -> str:
        """The term as a prefixed name where a prefix fits."""
        namespace, name = _split(iri)
        prefix = next((key for key, value in self.prefixes.items() if value == namespace), None)
        return f"{prefix}:{name}" if prefix is not None else f"<{iri}>"


def find_hints(text: str, vocabulary: Vocabulary) -> list[str]:
    """Sentences about terms of a query that look like terms of the release's vocabularies but occur nowhere in it.

    Only IRIs in a namespace that the release uses for terms, or whose local name is near to one of its terms, are
    spoken of: the names of things may be anything.
    """
    hints = []
    for iri in dict.fromkeys(_iter_iris(text)):
        if iri in vocabulary.terms or iri == _RDF_TYPE:
            continue
        namespace, name = _split(iri)
        near = _find_near(name, namespace, vocabulary)
        if namespace in vocabulary.namespaces or near:
            words = f"; near: {', '.join(vocabulary.compress(each) for each in near)}" if near else ""
            hints.append(f"{vocabulary.compress(iri)} is no class or property of this release{words}")
    return hints[:_MOST]


def _find_near(name: str, namespace: str, vocabulary: Vocabulary) -> list[str]:
    if not name:
        return []
    by_name: dict[str, list[str]] = {}
    for term in sorted(vocabulary.terms):
        by_name.setdefault(_split(term)[1].casefold(), []).append(term)
    # In a namespace of ours a rough likeness is worth a word; elsewhere only the same name is (http://schema.org).
    cutoff = 0.6 if namespace in vocabulary.namespaces else 0.95
    names = get_close_matches(name.casefold(), list(by_name), n=_NEAR, cutoff=cutoff)
    return [term for each in names for term in by_name[each]][:_NEAR]


def _iter_iris(text: str) -> Iterator[str]:
    """The absolute IRIs in the patterns of a query, in order; names with a prefix nobody declared are left out."""
    prefixes: dict[str, str] = {}
    before: list[str] = ["", ""]
    for token in iter_tokens(text):
        words = [word.upper() for word in before]
        if token.kind is Kind.IRI:
            iri = _unescape(token.text[1:-1])
            if words[0] == "PREFIX":
                prefixes[before[1].removesuffix(":")] = iri
            elif words[1] not in _OUTSIDE and ":" in iri:
                yield iri
        elif token.kind is Kind.NAME and words[1] not in _OUTSIDE:
            prefix, _, local = token.text.partition(":")
            if prefix in prefixes:
                yield prefixes[prefix] + re.sub(r"\\(.)", r"\1", local)
        before = [before[1], token.text]


def _unescape(text: str) -> str:
    return re.sub(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})", lambda match: chr(int(match[1] or match[2], 16)), text)


def _split(iri: str) -> tuple[str, str]:
    """Namespace and local name, at the last ``#``, ``/`` or ``:``."""
    end = max(iri.rfind("#"), iri.rfind("/"), iri.rfind(":")) + 1
    return iri[:end], iri[end:]
