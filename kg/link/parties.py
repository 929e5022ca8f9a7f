"""The two sides of a comparison: the actors of the graph, and what a reference table says of others."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyoxigraph import Literal, NamedNode, QuerySolution, QuerySolutions, Store

from kg.errors import SourceError, UnknownPrefix
from kg.queries import QUERIES, load_query
from kg.terms import THING, expand_curie

__all__ = ["Party", "load_parties", "read_reference"]

_COLUMNS: Final = ("id", "label", "alternative_labels", "country", "town")


@dataclass(frozen=True, kw_only=True)
class Party:
    """An organisation as one side knows it.

    ``id`` is a compact IRI, ``country`` has two letters and is empty where it is unknown, as ``towns`` are;
    ``elsewhere`` are the IRIs that the organisation has in registers.
    """

    id: str
    label: str
    names: tuple[str, ...]
    country: str = ""
    towns: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def load_parties(store: Store) -> tuple[Party, ...]:
    """The actors that a store holds in its named graphs."""
    solutions = store.query(load_query(QUERIES / "candidates" / "parties.rq").text, use_default_graph_as_union=True)
    assert isinstance(solutions, QuerySolutions)
    return tuple(
        Party(
            id=_read(each, "party").removeprefix(THING).replace("/", ":", 1),
            label=_read(each, "label"),
            names=tuple(_read(each, "names").splitlines()),
            country=_read(each, "country"),
            towns=tuple(_read(each, "towns").splitlines()),
            elsewhere=tuple(_read(each, "elsewhere").splitlines()),
        )
        for each in solutions
    )


def _read(solution: QuerySolution, name: str) -> str:
    term = solution[name]
    return term.value if isinstance(term, NamedNode | Literal) else ""


def read_reference(path: Path, prefixes: Mapping[str, str]) -> tuple[Party, ...]:
    """The organisations of a table with the columns id, label, alternative_labels, country and town.

    An id is a compact IRI of ours or of a register (ror:05n911h24). Between several labels or towns stands ``|``.

    Raises:
        SourceError: the table cannot be read, lacks a column, or has a row without label or with an unknown prefix.
    """
    parties = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if missing := [column for column in _COLUMNS if column not in (reader.fieldnames or ())]:
                raise SourceError(
                    f"{path}: missing column(s) {', '.join(missing)}.\n"
                    f"  Cure: give the table the columns {', '.join(_COLUMNS)}, separated by commas."
                )
            for line, row in enumerate(reader, start=1):
                if None in row or None in row.values():
                    raise SourceError(
                        f"{path} row {line}: more or fewer cells than the header has.\n"
                        "  Cure: quote cells that hold a comma, and write a comma for each empty cell."
                    )
                cells = {column: row[column].strip() for column in _COLUMNS}
                _check(cells, f"{path} row {line}", prefixes)
                names = [cells["label"], *cells["alternative_labels"].split("|")]
                parties.append(
                    Party(
                        id=cells["id"],
                        label=cells["label"],
                        names=tuple(name.strip() for name in names if name.strip()),
                        country=cells["country"].upper(),
                        towns=tuple(town.strip() for town in cells["town"].split("|") if town.strip()),
                    )
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read as a table in UTF-8: {error}") from error
    return tuple(parties)


def _check(cells: Mapping[str, str], where: str, prefixes: Mapping[str, str]) -> None:
    try:
        expand_curie(cells["id"], prefixes)
    except UnknownPrefix as error:
        raise SourceError(
            f"{where}, column id: {error}.\n  Cure: write it as ror:05n911h24 or wikidata:Q310695."
        ) from None
    if not cells["label"]:
        raise SourceError(f"{where}, column label: the cell is empty.\n  Cure: write the name, or remove the row.")
    if cells["country"] and not (len(cells["country"]) == 2 and cells["country"].isalpha()):
        raise SourceError(
            f"{where}, column country: {cells['country']!r} is no country.\n"
            "  Cure: write its two letters (DE), or leave the cell empty."
        )
