"""Where the reader says one thing of a text, and the engine does another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import pyoxigraph as ox

from endpoint.http.problems import Problem
from endpoint.reader.parser import Unit, read
from endpoint.reader.reading import Unreadable
from endpoint.reader.terminals import SKIPPED, TOKEN, VOLATILE, Kind
from endpoint.sparql.guard import Limits, inspect_query
from tests.reader.engine import BASE, Engine, Outcome
from tests.reader.listening import Listener
from tests.reader.texts import Made, Way

__all__ = [
    "LIMITS",
    "Claims",
    "Tally",
    "claim_by_tokens",
    "claim_graphs_by_tokens",
    "find_broken_claims",
    "find_differences",
    "find_graphs_beyond",
]

LIMITS: Final = Limits(bytes_=1_000_000, depth=1_000, operators=10_000, base=BASE)
_MANY: Final = 300
_BEFORE_GRAPHS: Final = frozenset(["GRAPH", "WITH", "TO", "COPY", "MOVE", "ADD", "CLEAR", "DROP", "SILENT", "INTO"])


@dataclass
class Tally:
    """What was tried, and which ways of the grammar were in what the engine evaluated."""

    outcomes: Counter[str] = field(default_factory=Counter)
    ways: set[Way] = field(default_factory=set)
    refusals: Counter[str] = field(default_factory=Counter)

    def note(self, made: Made, outcome: Outcome) -> None:
        self.outcomes[outcome[0]] += 1
        if outcome[0] == "rows":
            self.ways |= made.ways
        if outcome[0] == "syntax":
            self.refusals[outcome[1][0].partition("expected ")[2]] += 1


def find_differences(unit: Unit, made: Made, engine: Engine, listener: Listener, tally: Tally) -> Iterator[str]:
    """Sentences, each about one difference."""
    try:
        spaced = read(made.plain, unit, base=BASE)
    except Unreadable as error:
        yield f"is made by the grammar, and cannot be read: {error}"
        return
    if read(spaced.text, unit, base=BASE).text != spaced.text:
        yield "is not read as itself once it was written anew"
    if not made.is_tight and read(made.odd, unit, base=BASE).text != spaced.text:
        yield "is read otherwise with other space"
    find = _find_query_differences if unit == "QueryUnit" else _find_update_differences
    yield from find(made, engine, listener, tally)


def _find_query_differences(made: Made, engine: Engine, listener: Listener, tally: Tally) -> Iterator[str]:
    try:
        inspection = inspect_query(made.odd, limits=LIMITS)
    except Problem as problem:
        tally.outcomes[problem.code] += 1
        return
    outcome = engine.query(inspection.text)
    tally.note(made, outcome)
    claims = Claims(has_service=False, is_volatile=inspection.is_volatile)
    yield from find_broken_claims(inspection.text, claims, engine, listener)
    if not made.is_tight and not inspection.is_volatile:
        yield from _compare(engine.query(made.odd), outcome)


def _find_update_differences(made: Made, engine: Engine, listener: Listener, tally: Tally) -> Iterator[str]:
    """The engine alone, by the text as it came and as it was written anew, against the operations that were read."""
    try:
        reading = read(made.odd, "UpdateUnit", base=BASE)
    except Unreadable as error:
        tally.outcomes[error.code] += 1
        return
    words = {each.text for each in reading.tokens if each.kind is Kind.WORD}
    if words & {"SERVICE", "LOAD"}:
        tally.outcomes["query-refused"] += 1
        return
    listener.take()
    outcome = engine.carry_out(reading.text)
    tally.note(made, outcome)
    if requests := listener.take():
        yield f"has no SERVICE, and the engine asked {requests}"
    if words & VOLATILE:
        return
    anew = engine.update(reading.text)
    if "rows" == anew[0] == outcome[0] and anew != outcome:
        yield f"makes {outcome[1]} by its operations, and {anew[1]} by the engine alone"
    if not made.is_tight:
        yield from _compare(engine.update(made.odd), anew)


@dataclass(frozen=True)
class Claims:
    """What is said of a query."""

    has_service: bool
    is_volatile: bool


def claim_by_tokens(text: str) -> Claims | None:
    """What the longest tokens alone say of a text, as it was before there was a reader; None for what is no token."""
    words = set()
    at = 0
    while (at := SKIPPED.match(text, at).end()) < len(text):  # type: ignore[union-attr]
        found = TOKEN.match(text, at)
        if found is None:
            return None
        if found.lastgroup == "WORD":
            words.add(found.group().upper())
        at = found.end()
    return Claims(has_service=bool(words & {"SERVICE", "LOAD"}), is_volatile=bool(words & VOLATILE))


def claim_graphs_by_tokens(text: str, prefixes: Mapping[str, str]) -> frozenset[str] | None:
    """The graphs that an update names, by its longest tokens alone; None where it may change any, or is no token."""
    graphs: set[str] = set()
    at, before = 0, ""
    while (at := SKIPPED.match(text, at).end()) < len(text):  # type: ignore[union-attr]
        found = TOKEN.match(text, at)
        if found is None:
            return None
        token, at = found.group(), found.end()
        if found.lastgroup == "WORD" and token.upper() in ("ALL", "NAMED", "DEFAULT"):
            return None
        if found.lastgroup == "VAR" and before == "GRAPH":
            return None
        if before in _BEFORE_GRAPHS and found.lastgroup == "IRIREF":
            graphs.add(token)
        if before in _BEFORE_GRAPHS and found.lastgroup == "NAME":
            prefix, _, local = token.partition(":")
            if prefix not in prefixes:
                return None
            graphs.add(f"<{prefixes[prefix]}{local}>")
        before = token.upper() if found.lastgroup == "WORD" else ""
    return frozenset(graphs)


def find_graphs_beyond(text: str, graphs: frozenset[str], engine: Engine) -> Iterator[str]:
    """The quads in named graphs that an update changes, as the engine reads it, beyond those which it is said to."""
    untouched, changed = engine.update("CLEAR SILENT GRAPH <urn:none>"), engine.update(text)
    if changed[0] == "rows":
        lines = " .\n".join([*({*untouched[1]} ^ {*changed[1]}), ""])
        for quad in ox.parse(lines, format=ox.RdfFormat.N_QUADS):
            if isinstance(quad.graph_name, ox.NamedNode) and str(quad.graph_name) not in graphs:
                yield f"changes {quad}, and names {sorted(graphs)}"


def find_broken_claims(text: str, claims: Claims, engine: Engine, listener: Listener) -> Iterator[str]:
    """What the engine does with a text that is not as claimed."""
    listener.take()
    outcome = engine.query(text)
    if (requests := listener.take()) and not claims.has_service:
        yield f"has no SERVICE, and the engine asked {requests}"
    if outcome[0] == "rows" and not claims.is_volatile and engine.query(text) not in (outcome, ("stopped", ())):
        yield "is not volatile, and has other results the second time"


def _compare(original: Outcome, ours: Outcome) -> Iterator[str]:
    if original[0] == "rows" and ours[0] in ("syntax", "error"):
        yield f"is taken by the engine as it came, and not as it was written anew: {ours[1]}"
    if original[0] == ours[0] == "rows" and original != ours and len(ours[1]) < _MANY:
        yield f"has {original[1]} as it came, and {ours[1]} as it was written anew"
