"""Which graphs an update can change, as its tokens tell: so that these alone have to be compared afterwards.

This is only a short cut. Where it is not sure, all graphs are compared; and what was changed is counted (kg.candidate),
so an update that does more than is seen here is found out.
"""

from __future__ import annotations

from typing import Final

from endpoint.sparql.lexer import Kind, Token, iter_tokens

__all__ = ["find_targets"]

# What a graph's name comes after, where an operation changes it.
_BEFORE_NAMES: Final = frozenset(["GRAPH", "WITH", "TO", "COPY", "MOVE", "ADD", "CLEAR", "DROP", "CREATE", "SILENT"])
# Graphs without a name of their own, and what may hide a name from us.
_UNSURE: Final = frozenset(["ALL", "NAMED", "DEFAULT", "BASE"])
_TEMPLATES: Final = frozenset(["INSERT", "DELETE", "DATA"])


def find_targets(update: str) -> frozenset[str] | None:
    """The IRIs of all graphs that an update may change; None where that can be any.

    >>> sorted(find_targets("PREFIX g: <urn:g:> INSERT DATA { GRAPH g:1 { <urn:s> <urn:p> 1 } } ; DROP GRAPH <urn:2>"))
    ['urn:2', 'urn:g:1']
    >>> find_targets("INSERT DATA { <urn:s> <urn:p> 1 }") is None
    True
    """
    if "\\" in update:
        return None
    prefixes: dict[str, str] = {}
    targets: set[str] = set()
    tokens = list(iter_tokens(update))
    depth, in_template, has_with = 0, False, False
    for index, token in enumerate(tokens):
        word = token.text.upper() if token.kind is Kind.WORD else ""
        before = tokens[index - 1].text.upper() if index and tokens[index - 1].kind is Kind.WORD else ""
        if word in _UNSURE and depth == 0:
            return None
        if token.text == "{":
            depth += 1
            in_template = in_template if depth > 1 else before in _TEMPLATES or _is_delete_where(tokens, index)
        elif token.text == "}":
            depth -= 1
        elif token.text == ";" and depth == 0:
            has_with = False
        elif before == "PREFIX" and depth == 0 and index + 1 < len(tokens):
            prefixes[token.text] = tokens[index + 1].text[1:-1]
        elif before in _BEFORE_NAMES and word not in _BEFORE_NAMES:
            name = _expand(token, prefixes)
            if name is not None:
                targets.add(name)
                has_with |= before == "WITH"
            elif before != "GRAPH" or in_template:
                return None
        elif depth == 1 and in_template and not has_with and word != "GRAPH" and token.text != ".":
            # A triple of the default graph.
            return None
    return frozenset(targets)


def _is_delete_where(tokens: list[Token], index: int) -> bool:
    return [each.text.upper() for each in tokens[max(0, index - 2) : index]] == ["DELETE", "WHERE"]


def _expand(token: Token, prefixes: dict[str, str]) -> str | None:
    if token.kind is Kind.IRI:
        iri = token.text[1:-1]
        return iri if ":" in iri else None
    if token.kind is Kind.NAME:
        prefix, _, local = token.text.partition(":")
        namespace = prefixes.get(prefix + ":")
        return None if namespace is None or ":" not in namespace else namespace + local
    return None
