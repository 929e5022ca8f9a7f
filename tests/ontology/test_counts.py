"""Counts: the graph has one involvement for each agent, body and role of the tables, however many sources state it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyoxigraph import QuerySolutions, Store

from kg.queries import load_query
from kg.release import Release

from .records import Relation, read_table

Key = tuple[str, str, str]


@pytest.fixture(scope="module")
def counted(release: Release) -> dict[str, int]:
    query = load_query(Path(__file__).parent / "queries" / "count-involvements.rq")
    answer = Store.read_only(str(release.store_path)).query(query.text)
    assert isinstance(answer, QuerySolutions)
    return {solution["class"].value.rpartition("#")[2]: int(solution["nodes"].value) for solution in answer}


def _keys(relations: list[Relation], becomes: str) -> set[Key]:
    """The distinct agent, body and role of the relations that become a membership or another involvement."""
    return {
        (each.cells["subject_id"], each.cells["object_id"], each.reviewed["role"])
        for each in relations
        if each.reviewed["becomes"] == becomes
    }


def test_count_of_memberships_equals_the_distinct_keys_of_the_tables(
    counted: dict[str, int], relations: list[Relation]
) -> None:
    assert counted["Membership"] == len(_keys(relations, "membership"))


def test_count_of_involvements_equals_the_distinct_keys_of_the_tables(
    counted: dict[str, int], relations: list[Relation]
) -> None:
    operators = {(row["operator_id"], row["id"], "operator") for row in read_table("hubs")}
    managers = {(row["managing_org_id"], row["id"], "operator") for row in read_table("clusters")}
    named = {key for key in operators | managers if key[0]}
    assert counted["Involvement"] == len(_keys(relations, "membership") | _keys(relations, "involvement") | named)
