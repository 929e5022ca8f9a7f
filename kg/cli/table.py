"""Query results as an aligned table for a terminal, IRIs shortened by our prefixes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import TextIO, TypeAlias

import pyoxigraph as ox

__all__ = ["write_table"]

_Term: TypeAlias = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple
_NARROWEST = 8


def write_table(result: ox.QuerySolutions | ox.QueryBoolean, output: TextIO, *, prefixes: Mapping[str, str]) -> None:
    """Write solutions as columns with a line of counts below, or a truth value as a word.

    On a terminal, cells are cut so that a row fits its width; in a file or a pipe they are whole.
    """
    if isinstance(result, ox.QueryBoolean):
        output.write("true\n" if result else "false\n")
        return
    header = [variable.value for variable in result.variables]
    longest_first = sorted(prefixes.items(), key=lambda each: -len(each[1]))
    rows = [[_shorten(solution[name], longest_first) for name in header] for solution in result]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    if output.isatty():
        widths = _fit(widths, shutil.get_terminal_size().columns)
    for row in (header, ["-" * width for width in widths], *rows):
        cells = (_cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True))
        output.write("  ".join(cells).rstrip() + "\n")
    output.write(f"({len(rows)} {'row' if len(rows) == 1 else 'rows'})\n")


def _shorten(term: _Term | None, prefixes: list[tuple[str, str]]) -> str:
    if term is None:
        return ""
    if isinstance(term, ox.Literal):
        return " ".join(term.value.split()) + (f" @{term.language}" if term.language else "")
    if isinstance(term, ox.NamedNode):
        for prefix, namespace in prefixes:
            if term.value.startswith(namespace) and "/" not in term.value.removeprefix(namespace):
                return f"{prefix}:{term.value.removeprefix(namespace)}"
        return f"<{term.value}>"
    return str(term)


def _fit(widths: list[int], room: int) -> list[int]:
    fitted = list(widths)
    while sum(fitted) + 2 * (len(fitted) - 1) > room and max(fitted) > _NARROWEST:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"
