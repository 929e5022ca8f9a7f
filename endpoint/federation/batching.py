"""Which values bind a SERVICE, and how it is asked for them in batches.

A SERVICE that stands in the outermost group is joined with what stands beside it, so only such remote solutions count
as agree with the rest on the variables that both share. The rest is asked first for the distinct values of those;
they go to the remote in VALUES. Every step here may only widen the set of values: the engine joins in the end, and the
answer is the same as without batches. Where that cannot be known, there is no batching (decision 0024).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from endpoint.federation.groups import Element, Group, GroupUnreadable, Part, read_group
from endpoint.reader.parser import read
from endpoint.reader.reading import Reading, Token, Unreadable
from endpoint.reader.terminals import VOLATILE, Kind

__all__ = ["BindingPlan", "is_anchored", "name_variables", "plan_bindings", "write_batches"]

_FORMS: Final = frozenset(["SELECT", "CONSTRUCT", "ASK", "DESCRIBE"])
_WHOLE: Final = ("SELECT", "*", "WHERE", "{")
_NO_BASE: Final = "urn:x-chap:none"


@dataclass(frozen=True, slots=True)
class BindingPlan:
    """The query that gives the values of the variables which a SERVICE shares with the rest of its query."""

    variables: tuple[str, ...]
    query: str


def plan_bindings(text: str, address: str, *, limit: int) -> BindingPlan | None:
    """How to find the values for the SERVICE with that address; None where it is asked without.

    Args:
        text: a query whose SERVICE clauses have addresses of the gateway.
        address: the one of the clause; no other has it.
        limit: the number of solutions after which the query that finds them stops.
    """
    try:
        reading = _read(text)
        tokens = reading.tokens
        frame = _find_frame(tokens)
        group = read_group(tokens, frame.group)
    except (GroupUnreadable, IndexError):
        return None
    found = _find_service(tokens, group.elements, f"<{address}>")
    if found is None:
        return None
    service, beside = found
    kept, determined = _choose_elements(tokens, beside, asked_before=service.start)
    asked = frozenset().union(*(each.certain for each in service.groups[0].leading()))
    variables = tuple(sorted(determined & asked))
    if not variables:
        return None
    pieces = [
        "SELECT DISTINCT",
        *(f"?{each}" for each in variables),
        reading.write(frame.dataset, frame.where),
        "WHERE {",
        # A full stop ends triples, and may stand there twice only between them.
        *(reading.write(each.start, each.end).removesuffix(".") + " ." * (each.part is Part.TRIPLES) for each in kept),
        f"}} LIMIT {limit}",
    ]
    return BindingPlan(variables, "\n".join(pieces))


def write_batches(
    query: str, variables: Sequence[str], rows: Sequence[Sequence[str]], *, size: int
) -> Iterator[str] | None:
    """The query once for each batch of rows, which stand in it as VALUES; None where its form does not allow that.

    Args:
        query: what the engine asks of a SERVICE.
        variables: names, without question mark.
        rows: for each variable an RDF term as SPARQL writes it.
        size: the number of rows of a batch.
    """
    try:
        reading = _read(query)
        tokens = reading.tokens
        is_whole = tuple(each.text for each in tokens[: len(_WHOLE)]) == _WHOLE
        # A subquery with a projection or a limit of its own stays whole, in a group beside the values.
        first = len(_WHOLE) if is_whole else 0
        before, after = reading.write(0, first), f" {reading.write(first, len(tokens))}"
        group = read_group(tokens, 3) if is_whole else _read_wrapped(query)
    except (GroupUnreadable, IndexError):
        return None
    # What counts solutions would count those of a batch.
    if (is_whole and group.end != len(tokens)) or any(each.has_limit for each in group.elements):
        return None
    if not set(variables) <= frozenset().union(*(each.certain for each in group.leading())):
        return None
    return _iter_batches((before, after), variables, rows, size)


def _iter_batches(
    parts: tuple[str, str], variables: Sequence[str], rows: Sequence[Sequence[str]], size: int
) -> Iterator[str]:
    before, after = parts
    for first in range(0, len(rows), size):
        batch = rows[first : first + size]
        if len(variables) == 1:
            values = f"VALUES ?{variables[0]} {{ {' '.join(row[0] for row in batch)} }}"
        else:
            names = " ".join(f"?{each}" for each in variables)
            values = f"VALUES ({names}) {{ {' '.join('(' + ' '.join(row) + ')' for row in batch)} }}"
        yield f"{before} {values}{after}" if before else f"{' '.join(_WHOLE)} {values} {{ {after} }} }}"


def is_anchored(query: str) -> bool:
    """Whether something holds the solutions of what the engine asks to a part of the remote data."""
    try:
        return _read_wrapped(query).is_anchored
    except GroupUnreadable:
        return True  # not known; the limits of the endpoint hold in any case


def name_variables(query: str, text: str) -> str:
    """The query with stable names for the variables that the engine made up, so that a cache knows it again.

    Args:
        query: what the engine asks of an endpoint, by names of its own that are others each time.
        text: the query that it evaluates; the variables in it keep their names.

    >>> name_variables("SELECT * WHERE { ?a <u:p> ?3856acc26b . ?3856acc26b <u:q> 1 }", "ASK { ?a <u:p>/<u:q> 1 }")
    'SELECT * WHERE { ?a <u:p> ?anonymous1 . ?anonymous1 <u:q> 1 }'
    """
    try:
        reading = _read(query)
        taken = {each.text[1:] for each in _read(text).tokens if each.kind is Kind.VARIABLE}
    except GroupUnreadable:
        return query
    names: dict[str, str] = {}
    pieces: list[str] = []
    ours, done, number = reading.text, 0, 0
    for token in reading.tokens:
        if token.kind is not Kind.VARIABLE or token.text[1:] in taken:
            continue
        while token.text not in names:
            number += 1
            if f"anonymous{number}" not in taken:
                names[token.text] = f"?anonymous{number}"
        pieces += [ours[done : token.position], names[token.text]]
        done = token.position + len(token.text)
    return "".join(pieces) + ours[done:]


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the form, the dataset clauses, what follows them, and the outermost group begin, as numbers of tokens."""

    form: int
    dataset: int
    where: int
    group: int


def _find_frame(tokens: Sequence[Token]) -> _Frame:
    form = next(at for at, each in enumerate(tokens) if each.kind is Kind.WORD and each.text.upper() in _FORMS)
    at = form + 1
    if tokens[form].text.upper() == "CONSTRUCT" and tokens[at].text == "{":
        at = _skip(tokens, at)
    dataset = None
    while tokens[at].text != "{":
        if tokens[at].kind is Kind.WORD and tokens[at].text.upper() == "FROM" and dataset is None:
            dataset = at
        at = _skip(tokens, at)
    where = at - 1 if tokens[at - 1].text.upper() == "WHERE" else at
    return _Frame(form, where if dataset is None else dataset, where, at)


def _skip(tokens: Sequence[Token], at: int) -> int:
    depth = 0
    while True:
        depth += (tokens[at].kind is Kind.OPEN) - (tokens[at].kind is Kind.CLOSE)
        at += 1
        if depth <= 0:
            return at


def _find_service(
    tokens: Sequence[Token], elements: Sequence[Element], address: str
) -> tuple[Element, list[Element]] | None:
    """The SERVICE and the elements whose solutions it is joined with.

    It is an element itself, or all that stands in an OPTIONAL: that one is joined with what stands before.
    """
    for index, element in enumerate(elements):
        inside = [each for group in element.groups for each in group.elements if each.part is not Part.FILTER]
        if element.part is Part.SERVICE and _names(tokens, element) == address:
            return element, [each for each in elements if each is not element]
        is_alone = element.part is Part.OPTIONAL and [each.part for each in inside] == [Part.SERVICE]
        if is_alone and _names(tokens, inside[0]) == address:
            return inside[0], list(elements[:index])
    return None


def _names(tokens: Sequence[Token], service: Element) -> str:
    """What stands after SERVICE or SERVICE SILENT."""
    return tokens[service.start + 1 + _is_silent(tokens, service)].text


def _is_silent(tokens: Sequence[Token], service: Element) -> bool:
    return tokens[service.start + 1].text.upper() == "SILENT"


def _choose_elements(
    tokens: Sequence[Token], elements: Sequence[Element], *, asked_before: int
) -> tuple[list[Element], frozenset[str]]:
    """Elements that can be asked without the others, and the variables that have the same values as with them.

    Leaving out OPTIONAL, MINUS or FILTER never takes a solution away. BIND and FILTER may stay where they see only
    variables whose values are settled before. LIMIT and volatile functions give other solutions each time.
    """
    kept: list[Element] = []
    filters: list[Element] = []
    determined: frozenset[str] = frozenset()
    for element in elements:
        words = {each.text.upper() for each in tokens[element.start : element.end] if each.kind is Kind.WORD}
        if element.has_limit or words & VOLATILE:
            continue
        if element.part is Part.SERVICE:
            # The solutions of one that stands before are known by then, unless it failed silently.
            if element.start < asked_before and not _is_silent(tokens, element):
                kept.append(element)
                determined |= element.certain
        elif element.part.is_joined and "SERVICE" not in words:
            kept.append(element)
            determined |= element.certain
        elif element.part is Part.BIND and "EXISTS" not in words:
            target = _last_variable(tokens, element)
            if element.variables - {target} <= determined:
                kept.append(element)
                determined |= {target}
        elif element.part is Part.FILTER and "EXISTS" not in words:
            filters.append(element)
    kept += [each for each in filters if each.variables <= determined]
    return kept, determined


def _last_variable(tokens: Sequence[Token], element: Element) -> str:
    names = [each.text[1:] for each in tokens[element.start : element.end] if each.kind is Kind.VARIABLE]
    return names[-1] if names else ""


def _read(text: str) -> Reading:
    """What a text says that the reader or the engine wrote, so that all of its IRIs are absolute.

    Raises:
        GroupUnreadable: the reader knows less than the engine.
    """
    try:
        return read(text, "QueryUnit", base=_NO_BASE)
    except Unreadable as error:
        raise GroupUnreadable(str(error)) from error


def _read_wrapped(query: str) -> Group:
    return read_group(_read(" ".join(["ASK", "{", "{", query, "}", "}"])).tokens, 2)
