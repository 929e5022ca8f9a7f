"""What the tests of the graph share: lifting the shipped tables with some rows left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from kg.describe import describe
from kg.infer import infer
from kg.lift import Lifted, lift
from kg.settings import KgSettings
from kg.tables import Row, Table, load_tables

from .records import Relation, read_table

LiftWithout = Callable[[Iterable[str]], Lifted]


@pytest.fixture(scope="session")
def relations() -> list[Relation]:
    """Every relation of the tables with what it becomes for its kinds of subject and object."""
    kinds = {row["id"]: row["kind"] for row in read_table("iris")} | {
        row["id"]: "source" for row in read_table("sources")
    }
    types = {
        (row["relation"], subject_kind, object_kind): row
        for row in read_table("relation-types")
        for subject_kind in row["subject_kinds"].split("|")
        for object_kind in row["object_kinds"].split("|")
    }
    return [
        Relation(row, types[row["relation"], kinds[row["subject_id"]], kinds.get(row["object_id"], "concept")])
        for row in read_table("relations")
    ]


@pytest.fixture(scope="session")
def tables() -> tuple[Table, ...]:
    settings = KgSettings()
    return load_tables(settings.data_dir, settings.ontology_dir)


@pytest.fixture(scope="session")
def lift_without(tables: tuple[Table, ...]) -> LiftWithout:
    """Lifts the tables of Hesse less the rows named as ``table:key`` (cells of the key with blanks between them)."""

    def lift_rest(dropped: Iterable[str]) -> Lifted:
        settings = KgSettings()
        # What the European catalogue says is most of the rows, and no statement rests on it.
        rest = tuple(replace(each, rows=()) if each.name.startswith("edih/") else each for each in tables)
        for each in dropped:
            rest = _drop(rest, each)
        lifted = lift(rest, settings.ontology_dir, settings.data_dir)
        infer(lifted.store)
        describe(lifted.store)
        return lifted

    return lift_rest


def _drop(tables: tuple[Table, ...], named: str) -> tuple[Table, ...]:
    name, _, key = named.partition(":")

    def is_named(table: Table, row: Row) -> bool:
        return table.name == name and row.record.key.split() == key.split()

    rest = tuple(replace(table, rows=tuple(row for row in table.rows if not is_named(table, row))) for table in tables)
    before, after = (sum(len(table.rows) for table in each) for each in (tables, rest))
    assert before - after == 1, f"{named} names {before - after} rows, not one"
    return rest
