from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, RdfFormat, parse

from kg.errors import RdfError, RdfSyntaxError
from kg.rdfio import (
    GENID,
    content_digest,
    iter_sorted_lines,
    load_graph,
    load_prefixes,
    skolemise,
    write_sorted_nquads,
    write_turtle,
)
from kg.settings import asset_directory
from tests.unit.kg.conftest import make_quads

GRAPH = "https://w3id.org/chap/graph/example"
LIST = "@prefix e: <http://example.com/> . e:a e:in ( e:x e:y ) ; e:name 'A' ."
LIST_REWRITTEN = """@prefix e: <http://example.com/> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
_:second rdf:rest rdf:nil ; rdf:first e:y .
_:first rdf:rest _:second ; rdf:first e:x .
e:a e:name 'another name' ; e:in _:first ."""


def test_load_graph_puts_statements_into_the_named_graph(tmp_path: Path) -> None:
    path = tmp_path / "one.ttl"
    path.write_text("<http://e/s> <http://e/p> 'ä'@de .", encoding="utf-8")
    quad = Quad(NamedNode("http://e/s"), NamedNode("http://e/p"), Literal("ä", language="de"), NamedNode(GRAPH))
    assert load_graph(path, graph_iri=GRAPH) == [quad]


def test_load_graph_with_broken_turtle_names_path_and_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.ttl"
    path.write_text("<http://e/s> <http://e/p> 1 .\n<http://e/s> <http://e/p> .\n", encoding="utf-8")
    with pytest.raises(RdfSyntaxError, match=r"broken\.ttl, line 2: "):
        load_graph(path, graph_iri=GRAPH)


@pytest.mark.parametrize(("name", "problem"), [("missing.ttl", "missing"), ("table.csv", "'.csv'")])
def test_load_graph_of_an_unreadable_file_says_which(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(RdfError, match=problem):
        load_graph(tmp_path / name, graph_iri=GRAPH)


def test_load_graph_leaves_no_blank_node(tmp_path: Path) -> None:
    path = tmp_path / "list.ttl"
    path.write_text(LIST, encoding="utf-8")
    quads = load_graph(path, graph_iri=GRAPH)
    assert len(quads) == 6
    assert not any(isinstance(term, BlankNode) for quad in quads for term in (quad.subject, quad.object))
    assert sum(str(quad.subject).startswith(f"<{GENID}") for quad in quads) == 4


def test_skolem_iris_survive_order_labels_and_edits_elsewhere(tmp_path: Path) -> None:
    subjects = []
    for name, text in (("a.ttl", LIST), ("b.ttl", LIST_REWRITTEN)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        subjects.append({str(each.subject) for each in load_graph(tmp_path / name, graph_iri=GRAPH)})
    assert subjects[0] == subjects[1]


def test_skolem_iris_of_different_content_differ() -> None:
    def subject_of(text: str) -> str:
        return str(skolemise([Quad(BlankNode("x"), NamedNode("http://e/p"), Literal(text))])[0].subject)

    assert subject_of("one") != subject_of("two")


def test_content_digest_ignores_order_and_doubles(quads: list[Quad]) -> None:
    shuffled = quads * 2
    random.Random(3).shuffle(shuffled)
    assert content_digest(shuffled) == content_digest(quads)
    assert content_digest(quads[1:]) != content_digest(quads)


def test_sorted_lines_do_not_depend_on_how_many_fit_in_memory() -> None:
    quads = make_quads(*(f"c{number}" for number in range(40)))
    whole = list(iter_sorted_lines(quads))
    assert whole == sorted(set(whole))
    for run_length in (1, 7, len(quads), len(quads) + 1):
        assert list(iter_sorted_lines(iter(quads), run_length=run_length)) == whole


def test_written_nquads_are_the_same_quads_and_give_the_digest(quads: list[Quad]) -> None:
    output = io.BytesIO()
    assert write_sorted_nquads(quads, output) == content_digest(quads)
    assert set(parse(output.getvalue(), format=RdfFormat.N_QUADS)) == set(quads)


@pytest.mark.parametrize(
    "quad",
    [
        Quad(BlankNode("a"), NamedNode("http://e/p"), Literal("x"), NamedNode(GRAPH)),
        Quad(NamedNode("http://e/s"), NamedNode("http://e/p"), BlankNode("a"), NamedNode(GRAPH)),
        Quad(NamedNode("http://e/s"), NamedNode("http://e/p"), Literal("x"), DefaultGraph()),
    ],
    ids=["blank-subject", "blank-object", "default-graph"],
)
def test_quad_that_no_release_may_hold_is_refused(quad: Quad) -> None:
    with pytest.raises(RdfError):
        content_digest([quad])


def test_turtle_uses_the_prefixes_and_groups_a_subject(quads: list[Quad]) -> None:
    output = io.BytesIO()
    write_turtle(quads[4:8], output, prefixes={"chap": "https://w3id.org/chap/def#"})
    text = output.getvalue().decode()
    assert "@prefix chap: <https://w3id.org/chap/def#> ." in text
    assert "chap:Cluster" in text
    assert {each.triple for each in parse(text, format=RdfFormat.TURTLE)} == {each.triple for each in quads[4:8]}


def test_prefix_map_of_the_project_loads() -> None:
    prefixes = load_prefixes(asset_directory("ontology") / "prefixes.ttl")
    assert prefixes["chap"] == "https://w3id.org/chap/def#"
    assert list(prefixes) == sorted(prefixes)


def test_prefix_with_two_namespaces_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prefixes.ttl"
    declaration = (
        "<http://e/{0}> <http://www.w3.org/ns/shacl#prefix> 'e' ; <http://www.w3.org/ns/shacl#namespace> '{0}' ."
    )
    path.write_text(declaration.format("a") + declaration.format("b"), encoding="utf-8")
    with pytest.raises(RdfError, match="two namespaces"):
        load_prefixes(path)
