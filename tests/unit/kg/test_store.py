from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, Store

from kg.errors import LicenceUnknown, NotAcceptable, QueryError, QuerySyntaxError, ReleaseDamaged
from kg.store import GRAPH_MEDIA_TYPES, RESULT_MEDIA_TYPES, create_store, open_read_only, run_query
from kg.terms import GRAPH
from tests.unit.kg.conftest import CLOSED, OPEN

ROWS = "SELECT ?s ?label { ?s <http://www.w3.org/2004/02/skos/core#prefLabel> ?label } ORDER BY ?label"
TRIPLES = "CONSTRUCT { ?s a ?class } WHERE { ?s a ?class }"


@pytest.fixture
def store(tmp_path: Path, quads: list[Quad]) -> Store:
    create_store(tmp_path / "store", quads, open_licences=[OPEN])
    return open_read_only(tmp_path / "store")


def ask(store: Store, text: str, media_type: str = "application/sparql-results+json") -> str:
    output = io.BytesIO()
    run_query(store, text, output=output, media_type=media_type)
    return output.getvalue().decode()


def test_named_graphs_are_stored_as_given(store: Store, quads: list[Quad]) -> None:
    assert {each for each in store if each.graph_name != DefaultGraph()} == set(quads)


def test_default_graph_is_the_merge_of_the_open_graphs(store: Store, quads: list[Quad]) -> None:
    closed = NamedNode(GRAPH + "source-closed")
    merged = [each.triple for each in store.quads_for_pattern(None, None, None, DefaultGraph())]
    assert len(merged) == len(set(merged))
    assert set(merged) == {each.triple for each in quads if each.graph_name != closed}


def test_triple_in_two_open_graphs_counts_once(store: Store) -> None:
    answer = json.loads(ask(store, "SELECT (COUNT(*) AS ?n) { ?s a <https://w3id.org/chap/def#Cluster> }"))
    assert answer["results"]["bindings"][0]["n"]["value"] == "2"


def test_restricted_graph_is_there_by_name_only(store: Store) -> None:
    note = "?s <https://w3id.org/chap/def#note> ?note"
    assert json.loads(ask(store, f"ASK {{ {note} }}"))["boolean"] is False
    assert json.loads(ask(store, f"ASK {{ GRAPH <{GRAPH}source-closed> {{ {note} }} }}"))["boolean"] is True


def test_graph_with_an_open_and_a_closed_licence_stays_out(tmp_path: Path, quads: list[Quad]) -> None:
    licence = quads[0]
    both = [*quads, Quad(licence.subject, licence.predicate, NamedNode(CLOSED), licence.graph_name)]
    create_store(tmp_path / "both", both, open_licences=[OPEN])
    assert json.loads(
        ask(open_read_only(tmp_path / "both"), "ASK { ?s <http://www.w3.org/2004/02/skos/core#prefLabel> ?l }")
    ) == {
        "head": {},
        "boolean": False,
    }


def test_prefixes_of_literals_do_not_break_the_merge(tmp_path: Path, quads: list[Quad]) -> None:
    subject, name = NamedNode("http://e/s"), NamedNode("http://e/p")
    values = [
        Literal(text, language=tag) for text in ("a", "a ", "a.", 'a"', "a <b> .") for tag in (None, "de", "de-at")
    ]
    extra = [
        Quad(subject, name, value, NamedNode(GRAPH + graph)) for graph in ("source-a", "source-b") for value in values
    ]
    create_store(tmp_path / "literals", quads + extra, open_licences=[OPEN])
    found = open_read_only(tmp_path / "literals").quads_for_pattern(subject, name, None, DefaultGraph())
    assert sorted(str(each.object) for each in found) == sorted(map(str, values))


def test_graph_without_licence_is_refused_by_name(tmp_path: Path, quads: list[Quad]) -> None:
    with pytest.raises(LicenceUnknown, match="source-b"):
        create_store(tmp_path / "store", [each for each in quads if each != quads[1]], open_licences=[OPEN])
    assert not (tmp_path / "store").exists()


def test_store_on_disk_cannot_be_written(store: Store, quads: list[Quad]) -> None:
    with pytest.raises(RuntimeError):
        store.add(quads[0])


def test_missing_store_is_a_damaged_release(tmp_path: Path) -> None:
    with pytest.raises(ReleaseDamaged, match="nothing-here"):
        open_read_only(tmp_path / "nothing-here")


@pytest.mark.parametrize("media_type", RESULT_MEDIA_TYPES)
def test_rows_come_in_every_table_type(store: Store, media_type: str) -> None:
    answer = ask(store, ROWS, media_type)
    assert answer.index("de-alpha") < answer.index("de-beta")
    assert "„beta“" in answer


@pytest.mark.parametrize("media_type", GRAPH_MEDIA_TYPES)
def test_triples_come_in_every_graph_type(store: Store, media_type: str) -> None:
    assert "de-alpha" in ask(store, TRIPLES, media_type)


@pytest.mark.parametrize(("text", "media_type"), [(ROWS, "text/turtle"), (TRIPLES, "text/csv"), (ROWS, "image/png")])
def test_type_that_cannot_hold_the_result_is_not_acceptable(store: Store, text: str, media_type: str) -> None:
    with pytest.raises(NotAcceptable, match=media_type):
        ask(store, text, media_type)


def test_syntax_error_keeps_its_position(store: Store) -> None:
    with pytest.raises(QuerySyntaxError, match=r"1:11"):
        ask(store, "SELECT * {")


def test_substitution_binds_a_projected_variable_only(store: Store) -> None:
    output = io.BytesIO()
    iri = NamedNode("https://w3id.org/chap/id/organisation/de-beta")
    run_query(store, ROWS, output=output, media_type="text/csv", substitutions={"s": iri})
    assert "beta" in output.getvalue().decode()
    assert "alpha" not in output.getvalue().decode()
    with pytest.raises(QueryError, match=r"\?unknown"):
        run_query(store, ROWS, output=output, media_type="text/csv", substitutions={"unknown": iri})


def test_reader_that_leaves_ends_the_query(store: Store) -> None:
    class Leaving(io.BytesIO):
        def write(self, _content: object) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_query(store, ROWS, output=Leaving(), media_type="text/csv")
