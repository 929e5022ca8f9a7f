"""A query whose SERVICE clauses have other addresses, and the way back to the places of the text as it came."""

from __future__ import annotations

from collections.abc import Sequence

from endpoint.sparql.frames import Call

__all__ = ["locate_original", "write_calls"]


def write_calls(text: str, calls: Sequence[Call], addresses: Sequence[str]) -> str:
    """The text with an address in place of each call's endpoint."""
    pieces: list[str] = []
    done = 0
    for call, address in zip(calls, addresses, strict=True):
        pieces += [text[done : call.start], f"<{address}>"]
        done = call.end
    return "".join(pieces) + text[done:]


def locate_original(
    text: str, calls: Sequence[Call], addresses: Sequence[str], line: int, column: int
) -> tuple[int, int]:
    """Line and column in the text, for those in what ``write_calls`` made of it (both from 1)."""
    for call, address in zip(calls, addresses, strict=True):
        before = text[: call.start]
        call_line = before.count("\n") + 1
        call_column = len(before) - (before.rfind("\n") + 1) + 1
        if call_line == line and column > call_column:
            # Calls further on in the line are found at their place in the original.
            column = max(call_column, column - len(address) - len("<>") + call.end - call.start)
    return line, column
