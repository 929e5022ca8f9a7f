"""The quads of a template or of data, out of its tokens: abbreviations written out, blank nodes named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

from endpoint.reader.iris import unescape
from endpoint.reader.operations import PatternTerm, QuadPattern
from endpoint.reader.reading import Node, Reading, Token, Unreadable
from endpoint.reader.terminals import XSD, Kind, find_datatype

__all__ = ["read_quads"]

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TYPE: Final = PatternTerm("iri", _RDF + "type")
_FIRST: Final = PatternTerm("iri", _RDF + "first")
_REST: Final = PatternTerm("iri", _RDF + "rest")
_NIL: Final = PatternTerm("iri", _RDF + "nil")
_STATEMENTS: Final = frozenset(["<<", "<<(", "{|", "~"])
_ESCAPE: Final = re.compile(r"\\(?:(?P<letter>[tbnrf\\\"'])|(?P<code>u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}))")
_LETTERS: Final = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f"}


def read_quads(reading: Reading, template: Node) -> tuple[QuadPattern, ...]:
    """The quads between the braces of a template, in the order of the text.

    Raises:
        Unreadable: there are statements about statements.
    """
    tokens = reading.tokens
    for at in range(template.start, template.end):
        if tokens[at].text in _STATEMENTS and tokens[at].kind is not Kind.STRING:
            message = "statements about statements (RDF 1.2) are not taken here: name the statement with an IRI"
            raise Unreadable(message, reading.locate(at), tokens[at].text)
    return tuple(_iter_quads(tokens, template))


def _iter_quads(tokens: Sequence[Token], template: Node) -> Iterator[QuadPattern]:
    numbers = count(1)
    for part in template.children:
        if part.rule == "QuadsNotTriples":
            graph = _Triples(tokens, part.start + 1, numbers).read_term()
            subjects = part.children
        else:
            graph, subjects = None, [part]
        for each in subjects:
            triples = _Triples(tokens, each.start, numbers)
            triples.read_subject(each.end)
            for subject, predicate, value in triples.found:
                yield QuadPattern(subject, predicate, value, graph)


class _Triples:
    """Reads the triples of one subject; the grammar has been checked, so only what is there is looked at."""

    def __init__(self, tokens: Sequence[Token], at: int, numbers: Iterator[int]) -> None:
        self.found: list[tuple[PatternTerm, PatternTerm, PatternTerm]] = []
        self._tokens = tokens
        self._at = at
        self._numbers = numbers
        # Subjects whose properties are being read, and cells whose collection is: what is inside stands on top.
        self._open: list[_Properties | _Collection] = []

    def read_subject(self, end: int) -> None:
        """Read up to a token; without recursion, since data may nest deep."""
        tokens = self._tokens
        self._open = [_Properties(None)]
        while self._at < end:
            top, text, kind = self._open[-1], tokens[self._at].text, tokens[self._at].kind
            if kind is Kind.SEPARATOR:
                self._at += 1
                if isinstance(top, _Properties) and text == ";":
                    top.predicate = None
            elif kind is Kind.CLOSE:
                self._at += 1
                self._open.pop()
                self._put(top.close(self))
            elif kind is Kind.OPEN:
                self._at += 1
                if tokens[self._at].kind is Kind.CLOSE:
                    self._at += 1
                    self._put(_NIL if text == "(" else self.make_blank())
                else:
                    self._open.append(_Collection() if text == "(" else _Properties(self.make_blank()))
            else:
                self._put(self.read_term())

    def _put(self, term: PatternTerm) -> None:
        self._open[-1].put(term, self)

    def make_blank(self) -> PatternTerm:
        """A blank node that no other place of the text names: labels of the text begin otherwise."""
        return PatternTerm("blank", f"-{next(self._numbers)}")

    def read_term(self) -> PatternTerm:  # noqa: PLR0911 - one for each kind
        """The term that the next tokens are."""
        token = self._tokens[self._at]
        self._at += 1
        match token.kind:
            case Kind.IRI:
                return PatternTerm("iri", token.text[1:-1])
            case Kind.VARIABLE:
                return PatternTerm("variable", token.text[1:])
            case Kind.BLANK:
                return PatternTerm("blank", token.text[2:])
            case Kind.NUMBER:
                return PatternTerm("literal", token.text, datatype=find_datatype(token.text))
            case Kind.WORD:
                return _TYPE if token.text == "a" else PatternTerm("literal", token.text, datatype=XSD + "boolean")
        value = _read_string(token.text)
        following = self._tokens[self._at]
        if following.kind is Kind.LANGUAGE:
            self._at += 1
            return PatternTerm("literal", value, language=following.text[1:])
        if following.text == "^^":
            self._at += 2
            return PatternTerm("literal", value, datatype=self._tokens[self._at - 1].text[1:-1])
        return PatternTerm("literal", value)


class _Properties:
    """A subject with its predicates and objects; without a subject, the first term is it."""

    def __init__(self, subject: PatternTerm | None) -> None:
        self._subject = subject
        self.predicate: PatternTerm | None = None

    def put(self, term: PatternTerm, triples: _Triples) -> None:
        if self._subject is None:
            self._subject = term
        elif self.predicate is None:
            self.predicate = term
        else:
            triples.found.append((self._subject, self.predicate, term))

    def close(self, _: _Triples) -> PatternTerm:
        assert self._subject is not None
        return self._subject


class _Collection:
    """The cells of a collection."""

    def __init__(self) -> None:
        self._head: PatternTerm | None = None
        self._last: PatternTerm | None = None

    def put(self, term: PatternTerm, triples: _Triples) -> None:
        cell = triples.make_blank()
        if self._last is None:
            self._head = cell
        else:
            triples.found.append((self._last, _REST, cell))
        triples.found.append((cell, _FIRST, term))
        self._last = cell

    def close(self, triples: _Triples) -> PatternTerm:
        assert self._head is not None
        assert self._last is not None
        triples.found.append((self._last, _REST, _NIL))
        return self._head


def _read_string(written: str) -> str:
    size = 3 if written[:3] in ('"""', "'''") and len(written) >= 6 else 1
    return _ESCAPE.sub(_find_character, written[size:-size])


def _find_character(escape: re.Match[str]) -> str:
    letter = escape["letter"]
    return unescape(escape.group()) if letter is None else _LETTERS.get(letter, letter)
