"""Time: a filter by day finds what is dated to a year, a month or a day, and counts nothing that was over by then."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, QuerySolutions, Store

from kg.queries import load_query
from kg.release import Release

from .records import Relation, read_table

DAY = "2023-06-30"
XSD = "http://www.w3.org/2001/XMLSchema#"


@pytest.fixture(scope="module")
def active(release: Release) -> list[dict[str, NamedNode | Literal]]:
    query = load_query(Path(__file__).parent / "queries" / "active-on-a-day.rq")
    assert f'"{DAY}"' in query.text
    answer = Store.read_only(str(release.store_path)).query(query.text)
    assert isinstance(answer, QuerySolutions)
    names = [variable.value for variable in answer.variables]
    return [{name: solution[name] for name in names} for solution in answer]


@pytest.mark.parametrize("precision", ["gYear", "gYearMonth", "date"])
def test_active_on_a_day_finds_starts_of_each_precision(
    active: list[dict[str, NamedNode | Literal]], precision: str
) -> None:
    starts = [row["start"] for row in active]
    assert any(isinstance(start, Literal) and start.datatype.value == XSD + precision for start in starts)


def test_active_on_a_day_gives_what_the_tables_say(
    active: list[dict[str, NamedNode | Literal]], relations: list[Relation]
) -> None:
    """Told anew from the cells as text: a date of less than a day may mean any day of its year or month."""
    iris = {row["id"]: row["iri"] for row in read_table("iris")}
    rows = defaultdict(list)
    for relation in relations:
        if relation.reviewed["becomes"] in {"membership", "involvement"}:
            cells = relation.cells
            rows[iris[cells["subject_id"]], relation.reviewed["role"], iris[cells["object_id"]]].append(cells)
    # Where several rows state one involvement the interval is theirs together; those of one row can be told here.
    single = {key: found[0] for key, found in rows.items() if len(found) == 1 and found[0]["start"]}
    expected = {
        key
        for key, row in single.items()
        if row["start"] <= DAY[: len(row["start"])] and (not row["end"] or row["end"] >= DAY[: len(row["end"])])
    }
    given = {(row["agent"].value, row["role"].value.rpartition("/")[2], row["body"].value) for row in active}
    assert expected
    assert expected < set(single)
    assert given & set(single) == expected
