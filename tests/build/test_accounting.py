"""Nothing of the inputs is lost: each input row is carried over, merged, split, or dropped for a stated reason."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from kg.lift import Lifted
from kg.settings import KgSettings
from kg.tables import load_tables

DATA = KgSettings().data_dir
TABLES = "clusters organisations hubs programmes places concepts relations facts sources conflicts".split()


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def accounting() -> dict[tuple[str, int], list[dict[str, str]]]:
    found: dict[tuple[str, int], list[dict[str, str]]] = {}
    for entry in _read(DATA / "accounting.csv"):
        found.setdefault((entry["input"], int(entry["row"])), []).append(entry)
    return found


@pytest.mark.parametrize("table", TABLES)
def test_every_row_of_an_input_table_is_accounted_for(
    shared: Path, accounting: dict[tuple[str, int], list[dict[str, str]]], table: str
) -> None:
    rows = _read(shared / "data" / "hesse" / f"{table}.csv")
    missing = [line for line in range(1, len(rows) + 1) if (f"hesse/{table}.csv", line) not in accounting]
    assert missing == []
    beyond = [line for name, line in accounting if name == f"hesse/{table}.csv" and line > len(rows)]
    assert beyond == []


def test_every_seed_statement_is_accounted_for(
    shared: Path, accounting: dict[tuple[str, int], list[dict[str, str]]]
) -> None:
    rows = _read(shared / "data" / "seed" / "statements.csv")
    assert len(rows) == 26
    assert [line for line in range(1, 27) if ("seed/statements.csv", line) not in accounting] == []


def test_no_row_is_dropped_without_a_reason(accounting: dict[tuple[str, int], list[dict[str, str]]]) -> None:
    entries = [entry for group in accounting.values() for entry in group]
    assert {entry["outcome"] for entry in entries} <= {"carried", "merged", "split", "dropped"}
    assert [entry for entry in entries if entry["outcome"] == "dropped" and not entry["reason"]] == []
    assert [entry for entry in entries if entry["outcome"] != "dropped" and not entry["target"]] == []


def test_every_row_of_a_table_stands_behind_a_node_of_the_graph(lifted: Lifted) -> None:
    settings = KgSettings()
    records = {record for found in lifted.trace.values() for record in found}
    for table in load_tables(settings.data_dir, settings.ontology_dir):
        if table.name in {"kinds", "relation-types", "fact-types", "accounting"}:
            continue
        assert [row.record for row in table.rows if row.record not in records] == [], table.name
