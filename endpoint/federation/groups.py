"""What stands in a group of a query (SPARQL 1.1, section 5.2), read from its tokens.

Just enough of the grammar to tell which variables a part always binds. The engine has the last word on syntax: what
is not understood here ends in ``GroupUnreadable``, and the caller does without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from endpoint.reader.reading import Token
from endpoint.reader.terminals import Kind

__all__ = ["Element", "Group", "GroupUnreadable", "Part", "read_group"]

_PARTS: Final = frozenset(["OPTIONAL", "MINUS", "GRAPH", "SERVICE", "FILTER", "BIND", "VALUES", "UNION", "LATERAL"])
_OPEN: Final = frozenset("({[")


class GroupUnreadable(Exception):
    """The tokens make no group that is known here."""


class Part(Enum):
    """The kinds of element of a group."""

    TRIPLES = auto()
    GROUP = auto()  # a group, a UNION of groups, or a subquery
    GRAPH = auto()
    SERVICE = auto()
    OPTIONAL = auto()
    MINUS = auto()  # MINUS, and LATERAL, which nobody reads further
    FILTER = auto()
    BIND = auto()
    VALUES = auto()

    @property
    def is_joined(self) -> bool:
        """Whether an element of this kind is joined with the rest of its group, and nothing more."""
        return self in (Part.TRIPLES, Part.GROUP, Part.GRAPH, Part.SERVICE, Part.VALUES)


@dataclass(frozen=True, slots=True)
class Element:
    """One element: the tokens from ``start`` up to ``end``, the variables in it, and which of them it always binds.

    ``is_anchored`` says that something in it holds its solutions to a part of the data: a constant, not as predicate.
    ``groups`` are the groups in it, as far as they count (not those of a FILTER).
    """

    part: Part
    start: int
    end: int
    variables: frozenset[str]
    certain: frozenset[str]
    is_anchored: bool
    has_limit: bool = False
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """The elements between two braces; ``end`` is the token after the closing one."""

    elements: tuple[Element, ...]
    end: int

    @property
    def certain(self) -> frozenset[str]:
        """The variables that each solution of the group binds."""
        return frozenset().union(*(each.certain for each in self.elements))

    @property
    def is_anchored(self) -> bool:
        """Whether a joined element is."""
        return any(each.is_anchored for each in self.elements if each.part.is_joined)

    def leading(self) -> tuple[Element, ...]:
        """The elements before the first one that is more than a join; filters, which hold for all, left out."""
        found = []
        for element in self.elements:
            if element.part is Part.FILTER:
                continue
            if not element.part.is_joined or element.part is Part.SERVICE:
                break
            found.append(element)
        return tuple(found)


def read_group(tokens: Sequence[Token], start: int) -> Group:
    """The group whose opening brace is the token at ``start``.

    Raises:
        GroupUnreadable: there is none, or one that is broken.
    """
    try:
        return _Reader(tokens).read_group(start)
    except IndexError:
        raise GroupUnreadable("the text ends inside a group") from None


class _Reader:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens

    def read_group(self, start: int) -> Group:
        if self._tokens[start].text != "{":
            raise GroupUnreadable(f"a brace is missing before {self._tokens[start].text!r}")
        if self._word(start + 1) == "SELECT":
            return self._read_subquery(start)
        elements: list[Element] = []
        at = start + 1
        while self._tokens[at].text != "}":
            if self._tokens[at].text == ".":
                at += 1
                continue
            element = self._read_element(at)
            elements.append(element)
            at = element.end
        return Group(tuple(elements), at + 1)

    def _read_element(self, at: int) -> Element:  # noqa: PLR0911 - one for each kind
        word = self._word(at)
        if self._tokens[at].text == "{":
            return self._read_union(at)
        match word:
            case "OPTIONAL" | "MINUS" | "LATERAL":
                group = self.read_group(at + 1)
                part = Part.OPTIONAL if word == "OPTIONAL" else Part.MINUS
                return self._make(part, at, group.end, groups=(group,))
            case "GRAPH" | "SERVICE":
                is_silent = self._word(at + 1) == "SILENT"
                group = self.read_group(at + 2 + is_silent)
                name = self._variables(at + 1, at + 2) if word == "GRAPH" else frozenset()
                # One that fails silently binds nothing.
                certain = frozenset() if is_silent else group.certain | name
                part = Part.GRAPH if word == "GRAPH" else Part.SERVICE
                return self._make(part, at, group.end, certain, is_anchored=group.is_anchored, groups=(group,))
            case "FILTER":
                return self._make(Part.FILTER, at, self._skip_constraint(at + 1))
            case "BIND":
                return self._make(Part.BIND, at, self._skip_brackets(at + 1))
            case "VALUES":
                return self._read_values(at)
            case "UNION":
                raise GroupUnreadable("UNION stands before no group")
        return self._read_triples(at)

    def _read_union(self, at: int) -> Element:
        groups = [self.read_group(at)]
        while self._word(groups[-1].end) == "UNION":
            groups.append(self.read_group(groups[-1].end + 1))
        certain = frozenset.intersection(*(each.certain for each in groups))
        is_anchored = all(each.is_anchored for each in groups)
        has_limit = any(each.has_limit for group in groups for each in group.elements)
        end = groups[-1].end
        return self._make(Part.GROUP, at, end, certain, is_anchored=is_anchored, has_limit=has_limit, groups=groups)

    def _read_subquery(self, start: int) -> Group:
        """A group with one element, which binds what the subquery projects as it is."""
        at = start + 2
        projected: set[str] = set()
        is_all = False
        while self._tokens[at].text != "{" and self._word(at) != "WHERE":
            token = self._tokens[at]
            if token.text in _OPEN:
                at = self._skip_brackets(at)
                continue
            is_all |= token.text == "*"
            if token.kind is Kind.VARIABLE:
                projected.add(token.text[1:])
            at += 1
        group = self.read_group(at + (self._word(at) == "WHERE"))
        at = group.end
        has_limit = False
        while self._tokens[at].text != "}":
            has_limit |= self._word(at) in ("LIMIT", "OFFSET")
            at = self._skip_brackets(at) if self._tokens[at].text in _OPEN else at + 1
        certain = group.certain if is_all else group.certain & projected
        element = Element(
            Part.GROUP,
            start,
            at + 1,
            self._variables(start, at + 1),
            certain,
            is_anchored=has_limit or group.is_anchored,
            has_limit=has_limit or any(each.has_limit for each in group.elements),
        )
        return Group((element,), at + 1)

    def _read_values(self, at: int) -> Element:
        names = at + 1
        rows = self._skip_brackets(names) if self._tokens[names].text == "(" else names + 1
        end = self._skip_brackets(rows)
        has_gap = any(self._word(index) == "UNDEF" for index in range(rows, end))
        variables = self._variables(names, rows)
        # The engine writes VALUES without variables for a group in which nothing comes first.
        certain = frozenset() if has_gap else variables
        return self._make(Part.VALUES, at, end, certain, is_anchored=bool(variables))

    def _read_triples(self, start: int) -> Element:
        """Triples up to the next element: every variable is bound."""
        at = start
        is_anchored = False
        first = True  # the next token is a subject
        while (token := self._tokens[at]).text not in ("{", "}") and self._word(at) not in _PARTS:
            is_last = self._tokens[at + 1].text in (".", ";", ",", "}", "]") or self._word(at + 1) in _PARTS
            is_term = token.kind in (Kind.IRI, Kind.STRING, Kind.NUMBER, Kind.LANGUAGE) or (
                token.kind is Kind.WORD and token.text in ("true", "false")
            )
            is_anchored |= is_term and (first or is_last)
            if token.text in ("(", "<<"):
                # A path or a collection; a bracketed blank node is triples again.
                at = self._skip_brackets(at)
                first = False
                continue
            first = token.text == "."
            at += 1
        if at == start:
            raise GroupUnreadable(f"{token.text!r} begins no triples")
        variables = self._variables(start, at)
        return Element(Part.TRIPLES, start, at, variables, self._find_certain(start, at), is_anchored)

    def _find_certain(self, start: int, end: int) -> frozenset[str]:
        """The variables of triples but for those that only a path of length zero may bind.

        Told a value for one of these, engines find it at both ends of the path even where their data lack it.
        """
        certain: frozenset[str] = frozenset()
        subject: frozenset[str] = frozenset()
        is_outermost, depth, part = True, 0, start
        for at in range(start, end + 1):
            token = self._tokens[at]
            if at < end and token.text not in (".", ";"):
                depth += (token.kind is Kind.OPEN) - (token.kind is Kind.CLOSE)
                continue
            if part == start or self._tokens[part - 1].text == ".":
                subject = self._variables(part, min(part + 1, at))
            if not any(each.kind is Kind.OPERATOR and each.text in "*?" for each in self._tokens[part:at]):
                certain |= self._variables(part, at) | (subject if is_outermost else frozenset())
            is_outermost, part = depth == 0, at + 1
        return certain

    def _skip_constraint(self, at: int) -> int:
        """The token after the constraint of a FILTER: in brackets, a call, or [NOT] EXISTS and a group."""
        while self._tokens[at].text not in ("(", "{"):
            at += 1
        return self._skip_brackets(at)

    def _skip_brackets(self, at: int) -> int:
        """The token after the pair of brackets that begins here."""
        depth = 0
        while True:
            token = self._tokens[at]
            depth += (token.kind is Kind.OPEN) - (token.kind is Kind.CLOSE)
            at += 1
            if depth <= 0:
                return at

    def _make(  # noqa: PLR0913 - the fields of an element
        self,
        part: Part,
        start: int,
        end: int,
        certain: frozenset[str] = frozenset(),
        *,
        is_anchored: bool = False,
        has_limit: bool = False,
        groups: Sequence[Group] = (),
    ) -> Element:
        variables = self._variables(start, end)
        return Element(part, start, end, variables, certain, is_anchored, has_limit, tuple(groups))

    def _word(self, at: int) -> str:
        token = self._tokens[at]
        return token.text.upper() if token.kind is Kind.WORD else ""

    def _variables(self, start: int, end: int) -> frozenset[str]:
        return frozenset(each.text[1:] for each in self._tokens[start:end] if each.kind is Kind.VARIABLE)
