"""The tables read as text, without the code under test: what the graph is compared with."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from kg.settings import KgSettings

Cells = dict[str, str]


@dataclass(frozen=True)
class Relation:
    """A row of relations.csv and the row of relation-types.csv that says what it becomes."""

    cells: Cells
    reviewed: Cells


def read_table(name: str) -> list[Cells]:
    """The rows of a table as text, read without the code under test."""
    with (KgSettings().data_dir / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
