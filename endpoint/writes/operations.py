"""What the engine makes of an update, brought to what the specification means by it.

The engine (pyoxigraph 0.5.13) takes PREFIX and BASE before the first operation only, though they may stand before each
(SPARQL 1.1 Query, section 19.8, rule Update); and it records empty graphs, which a release does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from endpoint.sparql.lexer import Kind, iter_tokens

__all__ = ["split_data", "split_update", "take_missing_for_empty"]

_DECLARATIONS: Final = ("PREFIX", "BASE")
_REMOVALS: Final = ("CLEAR", "DROP")


def split_update(update: str) -> Iterator[str]:
    """The update in parts that follow each other; what was declared for one is declared again for the next.

    A part has the line breaks of those before it, so that errors are where they were.

    >>> list(split_update("PREFIX a: <urn:a> CLEAR ALL ; PREFIX b: <urn:b> DROP ALL"))
    ['PREFIX a: <urn:a> CLEAR ALL ; ', 'PREFIX a: <urn:a> PREFIX b: <urn:b> DROP ALL']
    """
    declared: list[str] = []
    repeated = ""
    start = depth = 0
    is_after_operation = is_declaring = False
    for token in iter_tokens(update):
        depth += (token.kind is Kind.OPEN) - (token.kind is Kind.CLOSE)
        if depth == 0 and token.kind is Kind.WORD and token.text.upper() in _DECLARATIONS:
            is_declaring = True
            if is_after_operation:
                yield repeated + update[start : token.position]
                repeated = "".join(f"{each} " for each in declared) + "\n" * update.count("\n", 0, token.position)
                start, is_after_operation = token.position, False
        if is_declaring:
            declared.append(token.text)
            is_declaring = token.kind is not Kind.IRI
        elif depth == 0 and token.text == ";":
            is_after_operation = True
    yield repeated + update[start:]


def split_data(update: str) -> list[tuple[bool, str]] | None:
    """The operations of an update that holds data alone: whether each inserts it, and an update that inserts it.

    What such an update touches does not depend on what is stored, so nothing has to be compared. None for others.

    >>> split_data("PREFIX a: <urn:a> DELETE DATA { a:s a:p 1 } ; INSERT DATA { a:s a:p 2 }")
    [(False, 'PREFIX a: <urn:a> INSERT DATA { a:s a:p 1 }'), (True, 'PREFIX a: <urn:a> INSERT DATA { a:s a:p 2 }')]
    >>> split_data("INSERT DATA { <urn:s> <urn:p> 1 } ; CLEAR ALL") is None
    True
    """
    operations: list[tuple[bool, str]] = []
    declared: list[str] = []
    words: list[str] = []
    start = depth = 0
    is_declaring = False
    for token in iter_tokens(update):
        depth += (token.kind is Kind.OPEN) - (token.kind is Kind.CLOSE)
        word = token.text.upper() if token.kind is Kind.WORD else ""
        if is_declaring or (depth == 0 and word in _DECLARATIONS):
            declared.append(token.text)
            is_declaring = token.kind is not Kind.IRI
        elif depth == 0 and word:
            words.append(word)
        elif depth == 1 and token.text == "{":
            start = token.position
        elif depth == 0 and token.text == "}":
            if words not in (["INSERT", "DATA"], ["DELETE", "DATA"]):
                return None
            data = update[start : token.position + 1]
            operations.append((words[0] == "INSERT", " ".join([*declared, "INSERT DATA", data])))
            words = []
        elif depth == 0 and token.text != ";":
            return None
    return operations if operations and not words else None


def take_missing_for_empty(update: str) -> str:
    """The update with its CLEAR and DROP silent: a graph that is not there is an empty one, which they leave as it is.

    See SPARQL 1.1 Update, sections 3.1.5 and 3.2.2, on stores that do not record empty graphs.

    >>> take_missing_for_empty("DROP GRAPH <urn:g> ; CLEAR SILENT ALL")
    'DROP SILENT GRAPH <urn:g> ; CLEAR SILENT ALL'
    """
    pieces: list[str] = []
    done = depth = 0
    for token, following in pairwise(iter_tokens(update)):
        depth += (token.kind is Kind.OPEN) - (token.kind is Kind.CLOSE)
        is_removal = depth == 0 and token.kind is Kind.WORD and token.text.upper() in _REMOVALS
        if is_removal and following.text.upper() != "SILENT":
            end = token.position + len(token.text)
            pieces += [update[done:end], " SILENT"]
            done = end
    return "".join(pieces) + update[done:]
