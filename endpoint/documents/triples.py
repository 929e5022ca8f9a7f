"""Triples in the HTTP process: N-Triples from a worker, read line by line; nothing else is parsed here.

What a release holds has no blank nodes, so a subject is always an IRI, and the engine writes one triple a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

from endpoint.sparql.ask import Term

__all__ = ["Description", "Triple", "describe", "parse_ntriples"]

_LINE: Final = re.compile(
    r'<([^>]*)> <([^>]*)> (?:<([^>]*)>|"((?:[^"\\]|\\.)*)"(?:@([A-Za-z0-9-]+)|\^\^<([^>]*)>)?) \.'
)
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_SHORT: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class Triple(NamedTuple):
    """One statement."""

    subject: str
    predicate: str
    object: Term


# For each subject its predicates, for each of them its values, in the order of the triples.
Description: TypeAlias = Mapping[str, Mapping[str, list[Term]]]


def parse_ntriples(body: bytes) -> list[Triple]:
    r"""The triples of an N-Triples document without blank nodes, as the engine writes it (RDF 1.1 N-Triples).

    Raises:
        ValueError: a line is something else.

    >>> parse_ntriples(b'<a:s> <a:p> "x\\ny"@de .\n')[0].object
    Term(kind='literal', value='x\ny', language='de', datatype=None)
    """
    triples = []
    # Not splitlines(): a literal may hold U+2028 and its like, which are line ends to Python only.
    for line in body.decode().split("\n"):
        if not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"no triple of the kind that a release holds: {line[:200]}")
        subject, predicate, iri, text, language, datatype = found.groups()
        value = Term("uri", iri) if iri is not None else Term("literal", _unescape(text), language, datatype)
        triples.append(Triple(subject, predicate, value))
    return triples


def describe(triples: Iterable[Triple]) -> Description:
    """The triples by subject and predicate."""
    found: dict[str, dict[str, list[Term]]] = {}
    for subject, predicate, value in triples:
        found.setdefault(subject, {}).setdefault(predicate, []).append(value)
    return found


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_replace, text) if "\\" in text else text


def _replace(found: re.Match[str]) -> str:
    short, long, letter = found.groups()
    return chr(int(short or long, 16)) if short or long else _SHORT.get(letter, letter)
