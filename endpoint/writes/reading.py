"""What an update says, once it may be carried out: read in the writer, where a long text delays no reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from endpoint.reader.chains import find_long_chain
from endpoint.reader.operations import Operation
from endpoint.reader.parser import read
from endpoint.reader.reading import Place, Reading, TooDeep, Unreadable
from endpoint.reader.terminals import Kind
from endpoint.reader.update import find_operations
from kg.errors import KgError, QueryRefused, QuerySyntaxError

__all__ = ["UpdateLimits", "UpdateRefused", "read_operations"]

_REFUSED: Final = {
    "LOAD": "fetch the document yourself and send it to /graph-store",
    "SERVICE": "ask the other endpoint yourself and put its answer into VALUES",
}


@dataclass(frozen=True, kw_only=True)
class UpdateLimits:
    """How deep an update may be, and how many operators may stand in one pair of brackets."""

    depth: int
    operators: int


class UpdateRefused(KgError):
    """An update is none, or may not be carried out; ``problem`` is what to call that, ``place`` where it shows."""

    def __init__(self, problem: str, message: str, place: Place) -> None:
        super().__init__(message)
        self.problem = problem
        self.place = place


def read_operations(text: str, *, base: str, limits: UpdateLimits) -> tuple[Operation, ...]:
    """The operations of an update.

    Args:
        text: what a client sent.
        base: an absolute IRI for the relative ones.
        limits: what the engine can do with.

    Raises:
        UpdateRefused: it is no update, is too deep or long-chained, or would make this process send requests.
    """
    try:
        reading = read(text, "UpdateUnit", base=base, depth=limits.depth)
        _refuse_requests(reading)
        operations = find_operations(reading)
    except TooDeep as error:
        raise _too_deep(limits.depth, "brackets deep", error.place) from error
    except Unreadable as error:
        near = f", at {error.near!r}" if error.near else ""
        message = f"The update is not SPARQL at line {error.place.line}, column {error.place.column}{near}: {error}"
        raise UpdateRefused(QuerySyntaxError.code, message, error.place) from error
    at = find_long_chain(reading.tokens, limit=limits.operators)
    if at is not None:
        raise _too_deep(limits.operators, "operators long inside one pair of brackets", reading.locate(at))
    return operations


def _refuse_requests(reading: Reading) -> None:
    for at, token in enumerate(reading.tokens):
        if token.kind is Kind.WORD and (cure := _REFUSED.get(token.text)):
            message = f"{token.text} would make this server send requests of its own, which it does not do: {cure}."
            raise UpdateRefused(QueryRefused.code, message, reading.locate(at))


def _too_deep(limit: int, what: str, place: Place) -> UpdateRefused:
    message = f"The update is more than {limit} {what}. Split it, or send data to /graph-store."
    return UpdateRefused("query-too-deep", message, place)
