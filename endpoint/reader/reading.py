"""What was read of a text: its tokens, written so that they can be read in one way only, and its structure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from endpoint.reader.terminals import Kind
from kg.errors import QuerySyntaxError

__all__ = ["Node", "Place", "Reading", "Token", "TooDeep", "Unreadable", "locate"]


class Place(NamedTuple):
    """Where something stands in the text as it came; both from 1."""

    line: int
    column: int


class Unreadable(QuerySyntaxError):
    """A text is no SPARQL, or can be read in more than one way."""

    def __init__(self, message: str, place: Place, near: str, *, has_begun: bool = True) -> None:
        """Say what is wrong, where, and what stands there; and whether anything stood before but the prologue."""
        super().__init__(message)
        self.place = place
        self.near = near
        self.has_begun = has_begun


class TooDeep(Unreadable):
    """More brackets stand inside each other than there may."""


class Token(NamedTuple):
    """A token as the engine gets it, where that is in the text of ours, and where it was in the text as it came."""

    kind: Kind
    text: str
    position: int
    origin: int


@dataclass(slots=True)
class Node:
    """A part of a text: the rule of the grammar that it follows, its tokens from ``start`` up to ``end``, its parts."""

    rule: str
    start: int
    end: int = -1
    children: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """The node and all below it, in the order of the text."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read.

    Attributes:
        written: the text as it came.
        tokens: its tokens, without the prologue.
        root: its structure.
        prefixes: the namespaces that it declares, the last one where a prefix is declared again.
        contents: where its IRIs between angle brackets and its strings begin, the prologue included.
        bases: what relative IRIs are relative to at each function that makes one of a string, by its token.
    """

    written: str
    tokens: Sequence[Token]
    root: Node
    prefixes: Mapping[str, str]
    contents: Sequence[int]
    bases: Mapping[int, str]

    @property
    def text(self) -> str:
        """The text of ours: the tokens, written so that they can be read in one way."""
        return self.write_prologue(0, len(self.tokens)) + self.write(0, len(self.tokens))

    def write_prologue(self, start: int, end: int) -> str:
        """The BASE that some tokens need: IRI("a") resolves its argument when it is evaluated (section 17.4.2.8)."""
        base = next((base for at, base in self.bases.items() if start <= at < end), None)
        return "" if base is None else f"BASE <{base}> "

    def write(self, start: int, end: int) -> str:
        """The text of some tokens."""
        return _join(self.tokens[start:end])

    def locate(self, token: int) -> Place:
        """Where a token was in the text as it came; its end for the number after the last."""
        origin = self.tokens[token].origin if token < len(self.tokens) else len(self.written)
        return locate(self.written, origin)

    def find_token(self, line: int, column: int) -> int:
        """The number of the token at a place in the text of ours; both from 1."""
        start = 0
        text = self.text
        for _ in range(line - 1):
            start = text.find("\n", start) + 1
        offset = start + column - 1
        found = bisect_right(self.tokens, offset, key=lambda each: each.position) - 1
        # Between two tokens, the second is where it went wrong.
        return found + (offset >= self.tokens[found].position + len(self.tokens[found].text))


def locate(text: str, at: int) -> Place:
    """Where a character of a text stands."""
    return Place(text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1)


def _join(tokens: Sequence[Token]) -> str:
    parts: list[str] = []
    end = tokens[0].position if tokens else 0
    for _, text, position, _ in tokens:
        if position > end:
            parts.append(" ")
        parts.append(text)
        end = position + len(text)
    return "".join(parts)
