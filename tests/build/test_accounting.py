"""Nothing of the inputs is lost: each input row is carried over, merged, split, or dropped for a stated reason."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from pyoxigraph import NamedNode

from kg.lift import Lifted
from kg.rdfio import load_graph
from kg.settings import KgSettings
from kg.tables import load_tables
from kg.terms import mint_graph

DATA = KgSettings().data_dir
TABLES = ["clusters", "organisations", "hubs", "programmes", "places", "concepts", "relations", "facts"]
TABLES += ["sources", "conflicts"]


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
    assert {entry["outcome"] for entry in entries} <= {"carried", "merged", "split", "dropped", "added"}
    assert [entry for entry in entries if entry["outcome"] == "dropped" and not entry["reason"]] == []
    assert [entry for entry in entries if entry["outcome"] != "dropped" and not entry["target"]] == []


def _targets(accounting: dict[tuple[str, int], list[dict[str, str]]]) -> set[str]:
    return {
        target for group in accounting.values() for entry in group for target in entry["target"].split("|") if target
    }


def _name_rows(table: str) -> set[str]:
    """The rows of a table as the accounting names them: the key, of a relation without its date."""
    keys = {
        "relations": ["subject_id", "relation", "object_id", "source_id"],
        "edih/nuts": ["hub_id"],
        "edih/websites": ["hub_id"],
    }.get(table, ["id"])
    return {"/".join([table, *(row[key] for key in keys)]) for row in _read(DATA / f"{table}.csv")}


def test_every_target_is_a_row(accounting: dict[tuple[str, int], list[dict[str, str]]]) -> None:
    tables = {re.match(r"(edih/)?[^/]*", target)[0] for target in _targets(accounting)}  # type: ignore[index]
    known = {row for table in tables if (DATA / f"{table}.csv").exists() for row in _name_rows(table)}
    concepts = {
        quad.subject.value
        for path in (KgSettings().ontology_dir / "schemes").glob("*.ttl")
        for quad in load_graph(path, graph_iri=mint_graph("example"))
        if isinstance(quad.subject, NamedNode)
    }
    assert _targets(accounting) - known - concepts == set()


@pytest.mark.parametrize("table", [*sorted({*TABLES, "fundings", "objectives"} - {"concepts"})])
def test_every_row_of_the_data_is_a_target(accounting: dict[tuple[str, int], list[dict[str, str]]], table: str) -> None:
    assert _name_rows(table) - _targets(accounting) == set()


def test_every_row_of_a_table_stands_behind_a_node_of_the_graph(lifted: Lifted) -> None:
    settings = KgSettings()
    records = {record for found in lifted.trace.values() for record in found}
    for table in load_tables(settings.data_dir, settings.ontology_dir):
        if table.name in {"kinds", "relation-types", "fact-types", "accounting"}:
            continue
        if table.name in {"edih/columns", "edih/countries", "edih/towns"}:
            continue  # read by the import, not by the build
        assert [row.record for row in table.rows if row.record not in records] == [], table.name
