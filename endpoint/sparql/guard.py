"""What a query text asks for, told from its tokens before any worker sees it.

SERVICE and LOAD make the engine send requests, and a deep or long text ends its process (ARCHITECTURE, "Depth
kills"). Both are found here, where nothing is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from endpoint.federation.calls import find_calls
from endpoint.http.problems import Problem
from endpoint.sparql.frames import Call
from endpoint.sparql.lexer import VOLATILE, Kind, Token, find_shape, iter_tokens
from kg.allowlist import OutsideEndpoint
from kg.errors import QueryRefused, QuerySyntaxError

__all__ = ["Form", "Inspection", "Limits", "inspect_query"]

Form: TypeAlias = Literal["select", "ask", "construct", "describe"]

_FORMS: Final[dict[str, Form]] = {"SELECT": "select", "ASK": "ask", "CONSTRUCT": "construct", "DESCRIBE": "describe"}
_UPDATES: Final = frozenset(["INSERT", "DELETE", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH"])
_NO_FORM: Final = "A query begins with SELECT, ASK, CONSTRUCT or DESCRIBE, after its prefixes."
_PROLOGUE: Final = frozenset(["PREFIX", "BASE", "VERSION"])
_REFUSED: Final = frozenset(["SERVICE", "LOAD"])
# Words that nest or chain in the engine as operators do.
_CHAINING: Final = frozenset(["UNION", "OPTIONAL", "MINUS", "FILTER", "BIND", "LATERAL", "GRAPH", "EXISTS"])


# Of queries that may be evaluated.
_KNOWN: Final[dict[tuple[str, Limits], Inspection]] = {}
_KNOWN_SHAPES: Final = 1_000
_USUAL_LENGTH: Final = 4_096


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long and how deep a query may be, and which endpoints its SERVICE may name, by their IRIs."""

    bytes_: int
    depth: int
    operators: int
    services: Mapping[str, OutsideEndpoint] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a query text is: its form, whether it answers anew each time, and its SERVICE clauses."""

    form: Form
    is_volatile: bool
    calls: tuple[Call, ...] = ()


def inspect_query(text: str, *, limits: Limits) -> Inspection:
    """What a query is, when it may be evaluated.

    Raises:
        Problem: it is too long or too deep, is no query or an update, uses a prefix that it does not declare, holds
            LOAD, or a SERVICE that is not allowed.
    """
    size = len(text) if text.isascii() else len(text.encode())
    if size > limits.bytes_:
        detail = f"The query has {size} bytes; {limits.bytes_} is the limit."
        raise Problem("query-too-long", 413, detail, members={"limit": limits.bytes_})
    # Programs ask the same again and again with another IRI or string in it, which nothing here looks at.
    shape = find_shape(text) if size <= _USUAL_LENGTH else None
    if shape is not None and (known := _KNOWN.get((shape, limits))):
        return known
    inspector = _Inspector(text, limits)
    takers = inspector.takers
    for token in iter_tokens(text):
        if take := takers.get(token.kind):
            take(token)
    inspection = inspector.conclude()
    if shape is not None and not inspection.calls:
        if len(_KNOWN) >= _KNOWN_SHAPES:
            _KNOWN.clear()
        _KNOWN[shape, limits] = inspection
    return inspection


class _Inspector:
    """What is known of a query after some of its tokens."""

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._form: Form | None = None
        self._declares_prefix = False
        self._prefixes = {"_:"}
        self._is_prologue = True
        self._is_volatile = False
        self._makes_blank_nodes = False
        self._has_service = False
        # How many operators stand in each pair of brackets that is open, the outermost first.
        self._operators = [0]
        # The kinds of token that say something; the others pass.
        self.takers: Final[Mapping[Kind, Callable[[Token], None]]] = {
            Kind.WORD: self._take_word,
            Kind.OPERATOR: self._count,
            Kind.OPEN: self._take_open,
            Kind.CLOSE: self._take_close,
            Kind.NAME: self._take_name,
            Kind.OTHER: self._take_other,
        }

    def conclude(self) -> Inspection:
        if self._form is None:
            raise Problem(QuerySyntaxError.code, 400, _NO_FORM, members=self._position(None))
        # The blank nodes of a template are new ones each time.
        is_new = self._form == "construct" and self._makes_blank_nodes
        calls = find_calls(self._text, self._limits.services) if self._has_service else ()
        return Inspection(form=self._form, is_volatile=self._is_volatile or is_new or bool(calls), calls=calls)

    def _take_word(self, token: Token) -> None:
        word = token.text.upper()
        if word in _REFUSED:
            if word == "SERVICE" and self._limits.services:
                self._has_service = True
                return
            detail = (
                f"{word} would make this server send requests of its own, which it does not do. "
                "Ask the other endpoint yourself and put its answer into VALUES."
            )
            raise Problem(QueryRefused.code, 403, detail, members=self._position(token))
        if self._is_prologue and word not in _PROLOGUE:
            self._is_prologue = False
            self._form = _FORMS.get(word)
            if self._form is None and word not in _UPDATES:
                raise Problem(QuerySyntaxError.code, 400, _NO_FORM, members=self._position(token))
            if word in _UPDATES:
                detail = f"{word} is an update, sent as a query. Send it as one, with POST and a token."
                raise Problem("query-is-update", 400, detail, members=self._position(token))
        self._declares_prefix = self._is_prologue and word == "PREFIX"
        self._is_volatile |= word in VOLATILE
        if word in _CHAINING:
            self._count(token)

    def _take_open(self, token: Token) -> None:
        self._operators.append(0)
        self._makes_blank_nodes |= token.text in ("[", "<<")
        self._check(token, "brackets deep", len(self._operators) - 1, self._limits.depth)

    def _take_close(self, _: Token) -> None:
        if len(self._operators) > 1:
            self._operators.pop()

    def _take_other(self, token: Token) -> None:
        if token.text[0] in "\"'":
            detail = "The string that begins here has no end."
            raise Problem(QuerySyntaxError.code, 400, detail, members=self._position(token))

    def _take_name(self, token: Token) -> None:
        prefix = token.text[: token.text.index(":") + 1]
        self._makes_blank_nodes |= prefix == "_:"
        if self._declares_prefix:
            self._prefixes.add(prefix)
            self._declares_prefix = False
        elif prefix not in self._prefixes:
            detail = f"The prefix {prefix!r} is not declared; begin the query with PREFIX {prefix} <...>."
            raise Problem(QuerySyntaxError.code, 400, detail, members=self._position(token))

    def _count(self, token: Token) -> None:
        self._operators[-1] += 1
        self._check(token, "operators long inside one pair of brackets", self._operators[-1], self._limits.operators)

    def _check(self, token: Token, what: str, found: int, limit: int) -> None:
        if found > limit:
            detail = f"The query is more than {limit} {what}. Split it, or use VALUES or IN for long lists."
            raise Problem("query-too-deep", 400, detail, members={"limit": limit, **self._position(token)})

    def _position(self, token: Token | None) -> dict[str, object]:
        """Where a token stands, or the end of the text."""
        before = self._text if token is None else self._text[: token.position]
        return {"line": before.count("\n") + 1, "column": len(before) - (before.rfind("\n") + 1) + 1}
