"""The 26 statements of the seed: each is true on the graph, names its source, and rests on the rows that it names."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from pyoxigraph import QueryBoolean, Store

from kg.lift import Lifted
from kg.queries import Query, load_directory
from kg.release import Release
from kg.settings import KgSettings
from kg.store import open_read_only

STATEMENTS = tuple(load_directory(Path(__file__).parent / "statements"))


def _rows(statement: Query) -> list[str]:
    return [row.strip() for row in (statement.find_note("rows") or "").split(";")]


def _is_true(store: Store, statement: Query) -> bool:
    # What is lifted has named graphs only; in a release the default graph is their merge.
    answer = store.query(statement.text, use_default_graph_as_union=True)
    assert isinstance(answer, QueryBoolean)
    return bool(answer)


def test_there_is_a_question_for_each_of_the_26_statements() -> None:
    assert [statement.id for statement in STATEMENTS] == [f"s{number:02d}" for number in range(1, 27)]
    assert {(statement.kind, statement.expect) for statement in STATEMENTS} == {("seed", "true")}


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: each.id)
def test_statement_asks_for_its_source(statement: Query) -> None:
    body = "\n".join(line for line in statement.text.splitlines() if not line.startswith("#+"))
    assert f"prov:wasDerivedFrom <{statement.find_note('source')}>" in body


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: each.id)
def test_statement_is_true_on_the_lifted_data(lifted: Lifted, statement: Query) -> None:
    assert _is_true(lifted.store, statement), statement.summary


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: each.id)
def test_statement_is_true_on_the_default_graph_of_the_release(release: Release, statement: Query) -> None:
    answer = open_read_only(release.store_path).query(statement.text)
    assert isinstance(answer, QueryBoolean)
    assert bool(answer), statement.summary


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        pytest.param(statement, row, id=f"{statement.id}-{number}")
        for statement in STATEMENTS
        for number, row in enumerate(_rows(statement), start=1)
    ],
)
def test_statement_is_false_without_a_row_behind_it(
    lift_without: Callable[[Iterable[str]], Lifted], statement: Query, row: str
) -> None:
    assert not _is_true(lift_without([row]).store, statement), f"true without {row}"


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: each.id)
def test_statement_names_the_rows_that_the_accounting_names(statement: Query) -> None:
    with (KgSettings().data_dir / "accounting.csv").open(encoding="utf-8", newline="") as file:
        entries = [row for row in csv.DictReader(file) if row["input"] == "seed/statements.csv"]
    targets = {target for entry in entries if entry["key"] == statement.id for target in entry["target"].split("|")}
    named = {"/".join([table, *key.split()]) for table, _, key in (row.partition(":") for row in _rows(statement))}
    assert targets
    assert targets <= named
