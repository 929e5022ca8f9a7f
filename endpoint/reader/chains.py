"""Chains: operators and clauses in one pair of brackets, which the engine nests as it reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from endpoint.reader.reading import Token
from endpoint.reader.terminals import Kind

__all__ = ["find_long_chain"]

# Words that nest or chain in the engine as operators do.
_CHAINING: Final = frozenset(["UNION", "OPTIONAL", "MINUS", "FILTER", "BIND", "LATERAL", "GRAPH", "EXISTS"])


def find_long_chain(tokens: Iterable[Token], *, limit: int) -> int | None:
    """The number of the token with which a pair of brackets holds more operators than the limit; None where none does.

    Args:
        tokens: those of a reading, so that their brackets are in pairs.
        limit: how many operators may stand in one pair of brackets.
    """
    counts = [0]
    for at, token in enumerate(tokens):
        kind = token.kind
        if kind is Kind.OPEN:
            counts.append(0)
        elif kind is Kind.CLOSE:
            counts.pop()
        elif (kind is Kind.OPERATOR and token.text != "^^") or (kind is Kind.WORD and token.text in _CHAINING):
            counts[-1] += 1
            if counts[-1] > limit:
                return at
    return None
