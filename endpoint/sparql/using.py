"""The dataset that a request of the protocol gives to an update (SPARQL 1.1 Protocol, section 2.2.3).

The engine's update takes no dataset, so USING clauses are written into the text, at the level of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from endpoint.http.problems import Problem
from endpoint.sparql.lexer import Kind, Token, iter_tokens

__all__ = ["insert_using"]


def insert_using(update: str, *, default_graphs: Sequence[str], named_graphs: Sequence[str]) -> str:
    """The update with USING and USING NAMED before each WHERE that chooses what to change.

    Operations without a pattern (INSERT DATA, CLEAR ...) stay as they are. ``DELETE WHERE {...}`` has no place for
    USING, so it becomes ``DELETE {...} USING ... WHERE {...}``, which means the same.

    Args:
        update: an update that the engine can parse.
        default_graphs: absolute IRIs from ``using-graph-uri``.
        named_graphs: absolute IRIs from ``using-named-graph-uri``.

    Raises:
        Problem: 400, the update has USING, USING NAMED or WITH of its own, which the protocol forbids beside these.

    >>> insert_using("DELETE { ?s ?p 1 } WHERE { ?s ?p 1 }", default_graphs=["urn:g"], named_graphs=[])
    'DELETE { ?s ?p 1 } USING <urn:g> WHERE { ?s ?p 1 }'
    """
    if not default_graphs and not named_graphs:
        return update
    clauses = [f"USING <{iri}>" for iri in default_graphs] + [f"USING NAMED <{iri}>" for iri in named_graphs]
    using = " ".join(clauses) + " "
    tokens = list(iter_tokens(update))
    pieces: list[str] = []
    done = depth = 0
    for index, token in enumerate(tokens):
        if token.kind is Kind.OPEN:
            depth += 1
        elif token.kind is Kind.CLOSE:
            depth -= 1
        elif token.kind is Kind.WORD and depth == 0:
            word = token.text.upper()
            if word in ("USING", "WITH"):
                raise Problem(
                    "bad-parameter",
                    400,
                    f"The update names its dataset itself, with {word}; leave out using-graph-uri and "
                    "using-named-graph-uri, or {word}.".replace("{word}", word),
                )
            if word == "WHERE":
                pieces.append(update[done : token.position])
                if index and tokens[index - 1].text.upper() == "DELETE":
                    pieces.append(_read_group(update, tokens, index + 1) + " ")
                pieces.append(using)
                done = token.position
    return "".join(pieces) + update[done:]


def _read_group(update: str, tokens: Sequence[Token], start: int) -> str:
    """The text of the group that begins at a token."""
    depth = 0
    for token in tokens[start:]:
        depth += (token.text == "{") - (token.text == "}")
        if depth == 0:
            return update[tokens[start].position : token.position + 1]
    return update[tokens[start].position :]
