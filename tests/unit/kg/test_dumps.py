"""Parts of the dumps: columns, separators, turned lines, statements with dates."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, parse

from kg.dumps.columns import make_tables
from kg.dumps.entities import ColumnKey, Entity, Value, iter_entities
from kg.dumps.profile import SEPARATORS, profile_entities
from kg.dumps.statements import write_statements
from kg.dumps.syntaxes import SYNTAXES, write_syntax
from kg.dumps.tables import write_tables
from kg.rdfio import sort_lines
from kg.terms import CHAP

XSD = "http://www.w3.org/2001/XMLSchema#"
CLASS = CHAP + "Cluster"
TYPE = ColumnKey("http://www.w3.org/1999/02/22-rdf-syntax-ns#type", "")
NOTE = ColumnKey(CHAP + "note", "")


def make_entity(iri: str, *values: str, datatype: str | None = f"{XSD}string") -> Entity:
    return Entity(iri, {TYPE: [Value(CLASS, None)], NOTE: [Value(each, datatype) for each in values]})


def write_table(directory: Path, *entities: Entity) -> tuple[dict[str, str], list[dict[str, str]]]:
    """What the column of notes is said to be, and the rows."""
    profiles, _ = profile_entities(entities, classes={CLASS}, labels={})
    (table,) = make_tables(profiles, prefixes={})
    write_tables(entities, [table], directory, labels={})
    (column,) = [each.describe({}) for each in table.columns if each.name == "note"]
    with (directory / "Cluster.csv").open(encoding="utf-8", newline="") as file:
        return column, list(csv.DictReader(file))


def test_cell_with_several_values_can_be_taken_apart(tmp_path: Path) -> None:
    column, rows = write_table(tmp_path, make_entity("a:1", "x", "y,z"), make_entity("a:2", 'line\n"two"'))
    assert column["separator"] == "|"
    assert [row["note"].split("|") for row in rows] == [["x", "y,z"], ['line\n"two"']]


def test_column_with_one_value_a_cell_has_no_separator(tmp_path: Path) -> None:
    column, rows = write_table(tmp_path, make_entity("a:1", "x|y"))
    assert "separator" not in column
    assert rows[0]["note"] == "x|y"


@pytest.mark.parametrize("taken", range(len(SEPARATORS) - 1))
def test_separator_is_one_that_no_value_holds(tmp_path: Path, taken: int) -> None:
    values = ["first", *(f"has {each} inside" for each in SEPARATORS[: taken + 1])]
    column, rows = write_table(tmp_path, make_entity("a:1", *values))
    assert column["separator"] == SEPARATORS[taken + 1]
    assert rows[0]["note"].split(column["separator"]) == values


@pytest.mark.parametrize(
    ("datatypes", "expected"),
    [
        ([f"{XSD}date"], "date"),
        ([f"{XSD}decimal"], "decimal"),
        ([None], "anyURI"),
        ([None, f"{XSD}string"], "string"),
        ([f"{XSD}decimal", f"{XSD}date"], "string"),
        (["http://www.opengis.net/ont/geosparql#wktLiteral"], "string"),
    ],
)
def test_datatype_is_that_of_all_values(tmp_path: Path, datatypes: list[str | None], expected: str) -> None:
    entities = [make_entity(f"a:{number}", "1", datatype=each) for number, each in enumerate(datatypes)]
    assert write_table(tmp_path, *entities)[0]["datatype"] == expected


def test_dates_of_unlike_precision_are_partial_dates(tmp_path: Path) -> None:
    entities = [
        make_entity("a:1", "2020", datatype=f"{XSD}gYear"),
        make_entity("a:2", "2020-05-01", datatype=f"{XSD}date"),
    ]
    datatype = write_table(tmp_path, *entities)[0]["datatype"]
    assert isinstance(datatype, dict)
    assert datatype["base"] == "string"


def test_entities_come_once_each_with_all_values(tmp_path: Path) -> None:
    path = tmp_path / "lines.nt"
    path.write_text('<a:1> <a:p> "x"@de .\n<a:1> <a:p> "x"@en .\n<a:1> <a:q> <a:2> .\n<a:2> <a:p> "1" .\n')
    first, second = iter_entities(path)
    assert first.values == {
        ColumnKey("a:p", "de"): [Value("x", "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString")],
        ColumnKey("a:p", "en"): [Value("x", "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString")],
        ColumnKey("a:q", ""): [Value("a:2", None)],
    }
    assert second.iri == "a:2"


def test_trig_has_one_block_a_graph(tmp_path: Path) -> None:
    lines = tmp_path / "lines.nq"
    text = '<a:1> <a:p> "x> <y" <a:g> .\n<a:1> <a:p> <a:2> <a:h> .\n<a:2> <a:p> "y"@de <a:g> .\n'
    lines.write_text(text)
    (trig,) = [each for each in SYNTAXES if each.suffix == "trig"]
    write_syntax(trig, tmp_path / "out.trig", lines_path=lines, prefixes={})
    written = (tmp_path / "out.trig").read_text()
    assert written.count("<a:g> {") == 1
    assert set(parse(written, format=RdfFormat.TRIG)) == set(parse(text, format=RdfFormat.N_QUADS))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["lines.nq", "out.trig"]


def test_lines_sort_alike_in_runs_of_any_length() -> None:
    lines = [f"{number * 7919 % 1000}\n".encode() for number in range(1000)]
    assert all(list(sort_lines(lines, run_length=length)) == sorted(lines) for length in (1, 7, 999, 1000, 5000))


def test_statement_has_the_dates_of_its_own_graph_first(tmp_path: Path) -> None:
    node = NamedNode("https://w3id.org/chap/id/involvement/x")
    first, second, third = (NamedNode(f"https://w3id.org/chap/graph/{each}") for each in "abc")
    day = NamedNode(f"{XSD}date")
    quads = [
        Quad(node, NamedNode(CHAP + "earliestStart"), Literal("2020-01-01", datatype=day), first),
        Quad(node, NamedNode(CHAP + "earliestStart"), Literal("2019-01-01", datatype=day), second),
        Quad(node, NamedNode(CHAP + "latestEnd"), Literal("2021-12-31", datatype=day), second),
        Quad(node, NamedNode(CHAP + "note"), Literal("a"), first),
        Quad(node, NamedNode(CHAP + "note"), Literal("c"), third),
    ]
    lines = tmp_path / "lines.nq"
    lines.write_text("".join(sorted(f"{quad} .\n" for quad in quads)))
    write_statements(tmp_path / "out.csv", nquads_path=lines, sources={first.value: ["s:1", "s:2"]})
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["value"]: row for row in csv.DictReader(file)}
    assert (rows["a"]["from"], rows["a"]["to"], rows["a"]["source"]) == ("2020-01-01", "2021-12-31", "s:1|s:2")
    assert (rows["c"]["from"], rows["c"]["to"], rows["c"]["source"]) == ("2019-01-01", "2021-12-31", "")
