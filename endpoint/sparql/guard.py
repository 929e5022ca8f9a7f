"""What a query text asks for, told by the reader before any worker sees it.

SERVICE makes the engine send requests, and a deep or long text ends its process (ARCHITECTURE, "Depth kills"). Both are
found here, where nothing is evaluated; what a worker gets is the reader's text, never the client's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from endpoint.federation.calls import find_calls
from endpoint.http.budget import FairShare
from endpoint.http.problems import Problem
from endpoint.reader.chains import find_long_chain
from endpoint.reader.parser import read
from endpoint.reader.reading import Place, Reading, TooDeep, Unreadable
from endpoint.reader.shapes import Stencil, cut_stencil, find_shape
from endpoint.reader.terminals import VOLATILE, Kind
from endpoint.sparql.failures import syntax_problem
from endpoint.sparql.frames import Call
from endpoint.sparql.librarian import LIBRARIAN, QUICK_LENGTH
from kg.allowlist import OutsideEndpoint
from kg.errors import QueryRefused

__all__ = ["Form", "Inspection", "Limits", "inspect_query", "inspect_unhurried"]

Form: TypeAlias = Literal["select", "ask", "construct", "describe"]

_FORMS: Final[dict[str, Form]] = {"SELECT": "select", "ASK": "ask", "CONSTRUCT": "construct", "DESCRIBE": "describe"}
_UPDATES: Final = frozenset(["INSERT", "DELETE", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH", "LOAD"])
_WORD: Final = re.compile(r"[A-Za-z]+")

# What is known of shapes of queries that may be evaluated.
_KNOWN: Final[dict[tuple[str, Limits], tuple[Stencil, Inspection]]] = {}
_KNOWN_SHAPES: Final = 1_000
_USUAL_LENGTH: Final = 4_096
# What reading shorter texts takes is not worth counting.
_FREE_LENGTH: Final = 1_024


# One for each server, and looked up by what it is: its fields are not compared at each query.
@dataclass(frozen=True, kw_only=True, eq=False)
class Limits:
    """How long and how deep a query may be, and which endpoints its SERVICE may name, by their IRIs.

    ``base`` is an absolute IRI, for the relative ones of texts without BASE.
    """

    bytes_: int
    depth: int
    operators: int
    base: str
    services: Mapping[str, OutsideEndpoint] = field(default_factory=dict)


class Inspection(NamedTuple):
    """What a query is: the text for the engine, its form, whether it answers anew each time, its SERVICE clauses."""

    text: str
    form: Form
    is_volatile: bool
    calls: tuple[Call, ...] = ()


async def inspect_unhurried(text: str, *, limits: Limits, share: FairShare) -> Inspection:
    """What :func:`inspect_query` says, while the loop goes on where the text is long.

    Args:
        text: what a client sent.
        limits: what it has to keep to.
        share: what the time is charged to.

    Raises:
        Problem: as of :func:`inspect_query`; or 429, the client has overdrawn its budget.
    """
    if len(text) <= _FREE_LENGTH:
        return inspect_query(text, limits=limits)
    if len(text) <= QUICK_LENGTH:
        with share.charge() or nullcontext():
            return inspect_query(text, limits=limits)
    _check_length(text, limits)
    return await LIBRARIAN.do(lambda: inspect_query(text, limits=limits), share=share)


def inspect_query(text: str, *, limits: Limits) -> Inspection:
    """What a query is, when it may be evaluated.

    Raises:
        Problem: it is too long or too deep, is no query or an update, uses a prefix that it does not declare, or holds
            a SERVICE that is not allowed.
    """
    _check_length(text, limits)
    shape = find_shape(text) if len(text) <= _USUAL_LENGTH else None
    if shape is not None and (known := _KNOWN.get((shape.skeleton, limits))):
        stencil, inspection = known
        if (ours := stencil.fill(shape.contents)) is not None:
            return inspection._replace(text=ours)
    try:
        reading = read(text, "QueryUnit", base=limits.base, depth=limits.depth)
    except TooDeep as error:
        raise _too_deep("brackets deep", limits.depth, error.place) from error
    except Unreadable as error:
        raise _explain(error) from error
    inspection = _inspect(reading, limits)
    if shape is not None and not inspection.calls and (cut := cut_stencil(reading, shape)):
        if len(_KNOWN) >= _KNOWN_SHAPES:
            _KNOWN.clear()
        _KNOWN[shape.skeleton, limits] = (cut, inspection)
    return inspection


def _check_length(text: str, limits: Limits) -> None:
    size = len(text) if text.isascii() else len(text.encode())
    if size > limits.bytes_:
        detail = f"The query has {size} bytes; {limits.bytes_} is the limit."
        raise Problem("query-too-long", 413, detail, members={"limit": limits.bytes_})


def _inspect(reading: Reading, limits: Limits) -> Inspection:
    tokens = reading.tokens
    at = find_long_chain(tokens, limit=limits.operators)
    if at is not None:
        raise _too_deep("operators long inside one pair of brackets", limits.operators, reading.locate(at))
    form = _FORMS[tokens[0].text]
    words = {each.text for each in tokens if each.kind is Kind.WORD}
    is_volatile = bool(words & VOLATILE) or (form == "construct" and _makes_blank_nodes(reading))
    calls = find_calls(reading, limits.services) if "SERVICE" in words else ()
    return Inspection(text=reading.text, form=form, is_volatile=is_volatile or bool(calls), calls=calls)


def _makes_blank_nodes(reading: Reading) -> bool:
    """Whether a template has blank nodes, which are new ones each time."""
    templates = (each for each in reading.root.children if each.rule in ("ConstructTemplate", "ConstructPattern"))
    return any(
        token.kind is Kind.BLANK or token.text in ("[", "(", "<<", "{|", "~")
        for each in templates
        for token in reading.tokens[each.start : each.end]
    )


def _explain(error: Unreadable) -> Problem:
    """Why a text is no query, or no query at all."""
    word = _WORD.match(error.near)
    if not error.has_begun and word and word[0].upper() in _UPDATES:
        members = {"line": error.place.line, "column": error.place.column}
        if word[0].upper() == "LOAD":
            detail = "LOAD would make this server send requests of its own, which it does not do."
            return Problem(QueryRefused.code, 403, detail, members=members)
        detail = f"{word[0].upper()} is an update, sent as a query. Send it as one, with POST and a token."
        return Problem("query-is-update", 400, detail, members=members)
    return syntax_problem(str(error), error.place.line, error.place.column, error.near)


def _too_deep(what: str, limit: int, place: Place) -> Problem:
    """A text nests or chains further than there is room for."""
    detail = f"The query is more than {limit} {what}. Split it, or use VALUES or IN for long lists."
    members = {"limit": limit, "line": place.line, "column": place.column}
    return Problem("query-too-deep", 400, detail, members=members)
