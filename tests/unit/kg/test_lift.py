"""Lift: what rows become, seen through the graphs, for the cases that the shipped data may not hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pyoxigraph import Literal, NamedNode, QuerySolutions, Store

from kg.cells import parse_partial_date
from kg.errors import TableError
from kg.infer import infer
from kg.lift import Lifted, lift
from kg.settings import KgSettings
from kg.tables import RecordRef, Row, Table, load_tables
from kg.terms import CHAP, PROVENANCE_GRAPH, THING, mint_concept, mint_source

SETTINGS = KgSettings()
HOLM, FRAPORT = THING + "organisation/de-holm", THING + "organisation/de-fraport"
NODE = THING + "involvement/de-fraport--shareholder--de-holm"


@pytest.fixture(scope="module")
def tables() -> tuple[Table, ...]:
    return load_tables(SETTINGS.data_dir, SETTINGS.ontology_dir)


def _relation(
    line: int, source: str, start: str = "", end: str = "", relation: str = "shareholder-of", body: str = HOLM
) -> Row:
    cells: dict[str, tuple[NamedNode | Literal, ...]] = {
        "subject_id": (NamedNode(FRAPORT),),
        "relation": (Literal(relation),),
        "object_id": (NamedNode(body),),
        "source_id": (NamedNode(mint_source(source)),),
    }
    if start:
        cells["start"] = (parse_partial_date(start),)
    if end:
        cells["end"] = (parse_partial_date(end),)
    else:
        cells["end_state"] = (NamedNode(mint_concept("end-state", "unknown")),)
    return Row(RecordRef("relations", line, f"fraport {relation} holm"), cells)


def _lift(tables: tuple[Table, ...], *rows: Row) -> Lifted:
    only = tuple(replace(table, rows=rows) if table.name == "relations" else table for table in tables)
    return lift(only, SETTINGS.ontology_dir, SETTINGS.data_dir)


def _values(store: Store, name: str, node: str = NODE) -> set[str]:
    quads = store.quads_for_pattern(NamedNode(node), NamedNode(CHAP + name), None, None)
    return {str(getattr(quad.object, "value", quad.object)) for quad in quads}


@pytest.mark.parametrize(
    ("date", "earliest", "latest"),
    [
        ("2023", "2023-01-01", "2023-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2023-06-30", "2023-06-30", "2023-06-30"),
    ],
)
def test_a_date_as_sourced_stands_beside_the_days_it_can_mean(
    tables: tuple[Table, ...], date: str, earliest: str, latest: str
) -> None:
    store = _lift(tables, _relation(1, "src-dewiki-holm", start=date)).store
    assert _values(store, "earliestStart") == {earliest}
    assert _values(store, "latestStart") == {latest}


def test_sources_that_differ_in_precision_narrow_the_interval(tables: tuple[Table, ...]) -> None:
    store = _lift(
        tables, _relation(1, "src-dewiki-holm", start="2017"), _relation(2, "src-holm-10j", start="2017-12-13")
    ).store
    assert _values(store, "earliestStart") == {"2017-12-13"}
    assert _values(store, "latestStart") == {"2017-12-13"}


def test_sources_that_contradict_each_other_keep_both_dates_and_widen_the_interval(tables: tuple[Table, ...]) -> None:
    store = _lift(
        tables, _relation(1, "src-dewiki-holm", start="2009"), _relation(2, "src-holm-10j", start="2011")
    ).store
    assert _values(store, "earliestStart") == {"2009-01-01"}
    assert _values(store, "latestStart") == {"2011-12-31"}
    dates = store.quads_for_pattern(NamedNode(NODE), NamedNode("https://schema.org/startDate"), None, None)
    assert {quad.object.value for quad in dates} == {"2009", "2011"}  # type: ignore[union-attr]


def test_a_source_that_knows_the_end_settles_what_another_leaves_open(tables: tuple[Table, ...]) -> None:
    store = _lift(tables, _relation(1, "src-dewiki-holm"), _relation(2, "src-holm-10j", end="2020")).store
    assert _values(store, "endState") == set()
    assert _values(store, "latestEnd") == {"2020-12-31"}


def test_statements_of_two_sources_are_one_node_in_two_graphs(tables: tuple[Table, ...]) -> None:
    lifted = _lift(tables, _relation(1, "src-dewiki-holm"), _relation(2, "src-holm-10j"))
    graphs = {quad.graph_name for quad in lifted.store.quads_for_pattern(NamedNode(NODE), None, None, None)}
    assert len(graphs) == 2
    assert [record.line for record in lifted.trace[NODE] if record.table == "relations"] == [1, 2]


def test_shortcut_and_inverse_stand_in_the_graph_of_their_statement(tables: tuple[Table, ...]) -> None:
    store = _lift(tables, _relation(1, "src-dewiki-holm")).store
    found = store.quads_for_pattern(NamedNode(FRAPORT), NamedNode(CHAP + "shareholderOf"), NamedNode(HOLM), None)
    back = store.quads_for_pattern(NamedNode(HOLM), NamedNode(CHAP + "shareholder"), NamedNode(FRAPORT), None)
    assert [quad.graph_name for quad in found] == [quad.graph_name for quad in back] != []


def test_a_row_that_no_mapping_takes_is_an_error_with_its_cure(tables: tuple[Table, ...]) -> None:
    place = THING + "place/de-kassel"
    with pytest.raises(TableError, match="nothing was built") as caught:
        _lift(tables, _relation(4, "src-dewiki-holm", body=place))
    assert "relations.csv row 4" in str(caught.value)
    assert "organisation to organisation" in str(caught.value)


def test_a_row_that_loses_a_cell_is_an_error_with_its_cure(tables: tuple[Table, ...]) -> None:
    row = _relation(4, "src-dewiki-holm", relation="located-at", body=THING + "place/de-kassel")
    with pytest.raises(TableError) as caught:
        _lift(tables, row)
    assert "relations.csv row 4" in str(caught.value)
    assert "column end_state: nothing reads this cell for 'located-at'" in str(caught.value)
    assert "note_en" in str(caught.value)


def test_the_end_of_a_site_is_kept(tables: tuple[Table, ...]) -> None:
    row = _relation(
        4, "src-dewiki-holm", start="2010", end="2020", relation="located-at", body=THING + "place/de-kassel"
    )
    store = _lift(tables, row).store
    assert _values(store, "latestEnd", THING + "site/de-fraport--de-kassel") == {"2020-12-31"}


def test_every_graph_that_says_where_a_place_is_has_a_source(tables: tuple[Table, ...]) -> None:
    store = _lift(tables, _relation(1, "src-dewiki-holm")).store
    derived = NamedNode("http://www.w3.org/ns/prov#wasDerivedFrom")
    graphs = {
        str(quad.graph_name.value)
        for name in ("nutsCode", "districtKey")
        for quad in store.quads_for_pattern(None, NamedNode(CHAP + name), None, None)
        if isinstance(quad.graph_name, NamedNode)
    }
    stated = store.quads_for_pattern(None, derived, None, NamedNode(PROVENANCE_GRAPH))
    sourced = {str(getattr(quad.subject, "value", "")) for quad in stated}
    assert graphs
    assert graphs - sourced == set()


def test_the_date_of_a_name_stands_in_a_note_of_the_same_source(lifted: Lifted) -> None:
    hmd = NamedNode(THING + "organisation/de-hmd")
    notes = list(lifted.store.quads_for_pattern(hmd, NamedNode(CHAP + "note"), None, None))
    found = [quad.graph_name for quad in notes if "former name, as of 2023-02-06: " in str(quad.object)]
    assert found == [NamedNode("https://w3id.org/chap/graph/source-gsi-edih")]


def test_closures_stand_in_the_graph_of_inferred_statements_only(tables: tuple[Table, ...]) -> None:
    store = _lift(tables, _relation(1, "src-dewiki-holm")).store
    infer(store)
    found = store.query(
        """PREFIX graph: <https://w3id.org/chap/graph/> PREFIX chap: <https://w3id.org/chap/def#>
        SELECT ?hub WHERE { GRAPH graph:inferred { ?hub a chap:Actor } GRAPH ?stated { ?hub a chap:Actor }
          FILTER(?stated != graph:inferred) }"""
    )
    assert isinstance(found, QuerySolutions)
    assert list(found) == []
    holm = store.quads_for_pattern(
        NamedNode(HOLM), None, NamedNode(CHAP + "Actor"), NamedNode("https://w3id.org/chap/graph/inferred")
    )
    assert len(list(holm)) == 1
