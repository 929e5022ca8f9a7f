"""The SERVICE clauses of a query text: found, their endpoints resolved and checked against the allow-list.

All at the level of tokens, where nothing is evaluated. What the engine sees after SERVICE is an address of ours
(``endpoint.federation.rewriting``), never what the client wrote; where this reading and the engine's differ, nothing
leaks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urljoin

from endpoint.http.problems import Problem
from endpoint.sparql.frames import Call
from endpoint.sparql.lexer import Kind, Token, iter_tokens
from kg.allowlist import OutsideEndpoint
from kg.errors import QueryRefused

__all__ = ["find_calls"]

_ESCAPE: Final = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
_LOCAL_ESCAPE: Final = re.compile(r"\\(.)")
_LARGEST_CODE_POINT: Final = 0x10FFFF


def find_calls(text: str, allowed: Mapping[str, OutsideEndpoint]) -> tuple[Call, ...]:
    """The SERVICE clauses of a query, in the order of the text; those inside another are not among them.

    Raises:
        Problem: an endpoint is not on the allow-list, or stands in a variable.
    """
    return _Finder(text, allowed).find()


class _Finder:
    """Reads the tokens of one text."""

    def __init__(self, text: str, allowed: Mapping[str, OutsideEndpoint]) -> None:
        self._text = text
        self._allowed = allowed
        self._tokens = list(iter_tokens(text))
        self._base = ""
        self._prefixes: dict[str, str] = {}

    def find(self) -> tuple[Call, ...]:
        tokens = self._tokens
        calls: list[Call] = []
        # The endpoint whose group is open, and how deep the brackets were before it.
        outer: tuple[OutsideEndpoint, int] | None = None
        depth = 0
        for index, token in enumerate(tokens):
            match token.kind:
                case Kind.OPEN:
                    depth += 1
                case Kind.CLOSE:
                    depth -= 1
                    if outer and depth <= outer[1]:
                        outer = None
                case Kind.WORD if token.text.upper() in ("BASE", "PREFIX") and depth == 0:
                    self._declare(index)
                case Kind.WORD if token.text.upper() == "SERVICE":
                    is_silent = self._word(index + 1) == "SILENT"
                    target = tokens[index + 1 + is_silent] if index + 1 + is_silent < len(tokens) else token
                    endpoint = self._check(token, target, outer[0] if outer else None)
                    if outer is None:
                        calls.append(_make_call(target, endpoint, is_silent=is_silent))
                        outer = (endpoint, depth)
        return tuple(calls)

    def _word(self, index: int) -> str:
        return self._tokens[index].text.upper() if index < len(self._tokens) else ""

    def _declare(self, index: int) -> None:
        """Take a declaration of the prologue; what is broken, the engine will tell."""
        following = self._tokens[index + 1 : index + 3]
        if self._word(index) == "BASE":
            if following and following[0].kind is Kind.IRI:
                self._base = self._resolve(following[0].text[1:-1])
        elif [each.kind for each in following] == [Kind.NAME, Kind.IRI]:
            self._prefixes[following[0].text] = self._resolve(following[1].text[1:-1])

    def _check(self, word: Token, target: Token, outer: OutsideEndpoint | None) -> OutsideEndpoint:
        """The endpoint that a SERVICE names; for one inside another, that other one."""
        if target.kind is Kind.VARIABLE:
            detail = f"SERVICE {target.text} names no endpoint: write its IRI, since it is checked before evaluation."
            raise self._refuse(detail, word)
        if target.kind is Kind.IRI:
            iri = self._resolve(target.text[1:-1])
        elif target.kind is Kind.NAME:
            prefix, _, local = target.text.partition(":")
            iri = self._prefixes.get(prefix + ":", prefix + ":") + _LOCAL_ESCAPE.sub(r"\1", local)
        else:
            raise self._refuse("After SERVICE stands the IRI of an endpoint.", word)
        if outer is not None:
            if iri in outer.inner:
                return outer
            inner = f" but {', '.join(f'<{each}>' for each in outer.inner)}" if outer.inner else ""
            raise self._refuse(f"A SERVICE inside SERVICE <{outer.iri}> may name nothing{inner}, not <{iri}>.", word)
        if iri not in self._allowed:
            names = ", ".join(f"<{each}>" for each in self._allowed)
            raise self._refuse(f"SERVICE <{iri}> is not on the allow-list of this server. Allowed are {names}.", word)
        return self._allowed[iri]

    def _resolve(self, written: str) -> str:
        """The IRI that was written between angle brackets, unescaped and resolved (RFC 3986, section 5)."""
        return urljoin(self._base, _ESCAPE.sub(_unescape, written)) if self._base else _ESCAPE.sub(_unescape, written)

    def _refuse(self, detail: str, token: Token) -> Problem:
        before = self._text[: token.position]
        members = {
            "line": before.count("\n") + 1,
            "column": len(before) - (before.rfind("\n") + 1) + 1,
            "allowed": [
                {"name": each.name, "iri": each.iri, "licence": each.licence, "example": each.example}
                for each in self._allowed.values()
            ],
        }
        return Problem(QueryRefused.code, 403, detail, members=members)


def _unescape(match: re.Match[str]) -> str:
    code_point = int(match[1] or match[2], 16)
    # What is no character is left as it was written, and so is on no allow-list.
    return chr(code_point) if code_point <= _LARGEST_CODE_POINT else match[0]


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
