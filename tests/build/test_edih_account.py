"""Nothing of the EDIH inputs is lost: every record, level, label and fact is in the graph, or dropped for a reason."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from pyoxigraph import QuerySolutions, Store

from kg.edih.known import LISTS, load_known
from kg.edih.records import parse_levels
from kg.edih.sheet import read_sheet
from kg.lift import Lifted
from kg.settings import KgSettings

DATA = KgSettings().data_dir
INPUTS = ["edihs", "edihs_notes", "edihs_nuts_derivation", "vocabularies"]
PREFIXES = """
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX indicator: <https://w3id.org/chap/scheme/indicator/>
PREFIX org: <http://www.w3.org/ns/org#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
"""


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def select(store: Store, query: str) -> list[tuple[str, ...]]:
    answer = store.query(PREFIXES + query)
    assert isinstance(answer, QuerySolutions)
    return [tuple(getattr(term, "value", "") for term in solution) for solution in answer]


@pytest.fixture(scope="module")
def inputs(shared: Path) -> Path:
    return shared / "data" / "edih"


@pytest.fixture(scope="module")
def ids() -> dict[tuple[str, int], list[dict[str, str]]]:
    """What ``data/accounting.csv`` says of each row of the EDIH inputs."""
    found: dict[tuple[str, int], list[dict[str, str]]] = {}
    for entry in read(DATA / "accounting.csv"):
        if entry["input"].startswith("edih/"):
            found.setdefault((entry["input"], int(entry["row"])), []).append(entry)
    return found


@pytest.fixture(scope="module")
def hubs(ids: dict[tuple[str, int], list[dict[str, str]]]) -> dict[str, str]:
    """The hub that each record of ``edihs.csv`` became, by the key there."""
    return {
        entry["key"]: next(
            target.removeprefix("edih/hubs/")
            for target in entry["target"].split("|")
            if target.startswith("edih/hubs/")
        )
        for (name, _), (entry, *_) in ids.items()
        if name == "edih/edihs.csv"
    }


@pytest.mark.parametrize("table", INPUTS)
def test_every_row_of_an_input_table_is_accounted_for(
    inputs: Path, ids: dict[tuple[str, int], list[dict[str, str]]], table: str
) -> None:
    rows = read(inputs / f"{table}.csv")
    name = f"edih/{table}.csv"
    assert [line for line in range(1, len(rows) + 1) if (name, line) not in ids] == []
    assert [line for each, line in ids if each == name and line > len(rows)] == []
    assert [
        entry for group in ids.values() for entry in group if entry["outcome"] == "dropped" and not entry["reason"]
    ] == []


def test_all_457_records_are_hubs_of_the_graph_in_38_countries(
    inputs: Path, hubs: dict[str, str], lifted: Lifted
) -> None:
    records = read(inputs / "edihs.csv")
    assert len(records) == 457
    iris = {row["id"]: row["iri"] for row in read(DATA / "iris.csv")}
    expected = {iris[hubs[record["id"]]] for record in records}
    stated = select(lifted.store, "SELECT DISTINCT ?hub WHERE { GRAPH graph:edih-catalogue { ?hub a chap:Hub } }")
    assert {hub for (hub,) in stated} == expected
    assert len(expected) == 457
    countries = {row["country_id"] for row in read(DATA / "edih" / "hubs.csv")}
    assert len(countries) == 38


def test_types_are_those_of_the_records_and_dated(inputs: Path, hubs: dict[str, str]) -> None:
    types = {"EDIH": "edih", "Seal of Excellence": "seal-of-excellence", "DIH": "dih"}
    expected = {(hubs[record["id"]], types[record["status"]], "2025-05-05") for record in read(inputs / "edihs.csv")}
    shipped = {(row["hub_id"], row["type"], row["as_of"]) for row in read(DATA / "edih" / "statuses.csv")}
    assert shipped == expected
    assert Counter(kind for _, kind, _ in shipped) == {"edih": 168, "seal-of-excellence": 83, "dih": 206}


def test_all_8217_levels_are_engagements(inputs: Path, hubs: dict[str, str], lifted: Lifted) -> None:
    levels = read(inputs / "edih_levels.csv")
    assert len(levels) == 8217
    iris = {row["id"]: row["iri"] for row in read(DATA / "iris.csv")}
    wanted: dict[tuple[str, str], set[int]] = {}
    for row in levels:
        concept = f"https://w3id.org/chap/scheme/edih-{row['kind']}/{row['slug']}"
        wanted.setdefault((iris[hubs[row["edih_id"]]], concept), set()).add(int(row["level_1_to_5"]))
    served = select(
        lifted.store,
        "SELECT ?hub ?concept ?level ?note WHERE { GRAPH graph:edih-catalogue {"
        " ?e chap:engagedHub ?hub ; chap:engagedConcept ?concept ; chap:level ?level ."
        " OPTIONAL { ?e chap:note ?note FILTER(LANG(?note) = 'en') } } }",
    )
    assert len(served) == len(wanted) == 8199
    assert {(hub, concept): int(level) for hub, concept, level, _ in served} == {
        pair: max(found) for pair, found in wanted.items()
    }
    conflicts = {pair: min(found) for pair, found in wanted.items() if len(found) > 1}
    assert len(conflicts) == 3
    told = {(hub, concept): note for hub, concept, _, note in served if note}
    assert told == {pair: f"The same export gives level {low} too." for pair, low in conflicts.items()}


def test_cells_of_the_export_are_counted_as_the_account_says(inputs: Path) -> None:
    settings = KgSettings()
    sheet = read_sheet(inputs / "export-edihs.xlsx", header="EDIH Name")
    known = load_known(settings.data_dir, settings.ontology_dir)
    columns = {field: column for column in sheet.columns if (field := known.fields.get(column.casefold()))}
    cells = [entry for row in sheet.rows for field in LISTS for entry in parse_levels(row.cells[columns[field]])]
    (account,) = read(DATA / "edih" / "exports.csv")
    assert len(sheet.rows) == int(account["records"])
    assert len(cells) == int(account["cells"])
    assert len(read(DATA / "edih" / "engagements.csv")) == int(account["engagements"])
    conflicts = [row for row in read(DATA / "edih" / "engagements.csv") if row["lower_level"]]
    assert len(conflicts) == int(account["conflicts"])


def test_nuts_codes_from_postcodes_stay_outside_the_merge(lifted: Lifted, default_graph_of: Iterable[str]) -> None:
    codes = select(lifted.store, "SELECT ?site WHERE { GRAPH graph:edih-nuts { ?site chap:nutsCode ?region } }")
    assert len(codes) == 393
    assert "https://w3id.org/chap/graph/edih-nuts" not in default_graph_of
    assert "https://w3id.org/chap/graph/edih-catalogue" in default_graph_of


@pytest.fixture(scope="module")
def default_graph_of(lifted: Lifted) -> set[str]:
    """The graphs whose licence is on the open list."""
    licences = select(
        lifted.store,
        "SELECT ?g ?licence WHERE { GRAPH graph:provenance { ?g <http://purl.org/dc/terms/license> ?licence } }",
    )
    return {graph for graph, licence in licences if licence in KgSettings().open_licences}
