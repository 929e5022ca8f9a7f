"""The SERVICE clauses of a query: found, and their endpoints checked against the allow-list.

The reader has resolved what they name. What the engine sees after SERVICE is an address of ours
(``endpoint.federation.rewriting``), never what the client wrote.
"""

from __future__ import annotations

from collections.abc import Mapping

from endpoint.http.problems import Problem
from endpoint.reader.reading import Reading, Token
from endpoint.reader.terminals import Kind
from endpoint.sparql.frames import Call
from kg.allowlist import OutsideEndpoint
from kg.errors import QueryRefused

__all__ = ["find_calls"]


def find_calls(reading: Reading, allowed: Mapping[str, OutsideEndpoint]) -> tuple[Call, ...]:
    """The SERVICE clauses of a query, in the order of the text; those inside another are not among them.

    Raises:
        Problem: an endpoint is not on the allow-list, or stands in a variable.
    """
    calls: list[Call] = []
    outer: OutsideEndpoint | None = None
    outer_end = 0
    for node in reading.root.walk():
        if node.rule != "ServiceGraphPattern":
            continue
        is_silent = reading.tokens[node.start + 1].text == "SILENT"
        at = node.start + 1 + is_silent
        if node.start >= outer_end:
            outer, outer_end = None, node.end
        endpoint = _Checker(reading, allowed, node.start).check(reading.tokens[at], outer)
        if outer is None:
            outer = endpoint
            calls.append(_make_call(reading.tokens[at], endpoint, is_silent=is_silent))
    return tuple(calls)


class _Checker:
    """Looks at one SERVICE, whose keyword is a token of the text."""

    def __init__(self, reading: Reading, allowed: Mapping[str, OutsideEndpoint], word: int) -> None:
        self._reading = reading
        self._allowed = allowed
        self._word = word

    def check(self, target: Token, outer: OutsideEndpoint | None) -> OutsideEndpoint:
        """The endpoint that it names; for one inside another, that other one."""
        if not self._allowed:
            detail = (
                "SERVICE would make this server send requests of its own, which it does not do. "
                "Ask the other endpoint yourself and put its answer into VALUES."
            )
            raise self._refuse(detail)
        if target.kind is Kind.VARIABLE:
            raise self._refuse(
                f"SERVICE {target.text} names no endpoint: write its IRI, since it is checked before evaluation."
            )
        iri = target.text[1:-1]
        if outer is not None:
            if iri in outer.inner:
                return outer
            inner = f" but {', '.join(f'<{each}>' for each in outer.inner)}" if outer.inner else ""
            raise self._refuse(f"A SERVICE inside SERVICE <{outer.iri}> may name nothing{inner}, not <{iri}>.")
        if iri not in self._allowed:
            names = ", ".join(f"<{each}>" for each in self._allowed)
            raise self._refuse(f"SERVICE <{iri}> is not on the allow-list of this server. Allowed are {names}.")
        return self._allowed[iri]

    def _refuse(self, detail: str) -> Problem:
        place = self._reading.locate(self._word)
        members: dict[str, object] = {"line": place.line, "column": place.column}
        if self._allowed:
            members["allowed"] = [
                {"name": each.name, "iri": each.iri, "licence": each.licence, "example": each.example}
                for each in self._allowed.values()
            ]
        return Problem(QueryRefused.code, 403, detail, members=members)


def _make_call(target: Token, endpoint: OutsideEndpoint, *, is_silent: bool) -> Call:
    return Call(
        start=target.position,
        end=target.position + len(target.text),
        endpoint=endpoint.name,
        is_silent=is_silent,
        batch_size=endpoint.batch_size,
        max_bindings=endpoint.max_bindings,
        max_rows=endpoint.max_rows,
        max_bytes=endpoint.max_bytes,
        takes_unbound=endpoint.takes_unbound,
    )
