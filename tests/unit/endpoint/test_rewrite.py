"""Queries written anew for another engine mean what they meant, and what is put into them stays a value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import pyoxigraph as ox
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint.http.problems import Problem
from endpoint.sparql.frames import Binding
from endpoint.sparql.rewrite import Query, bind_values, write_term
from kg.queries import Query as StoredQuery
from kg.queries import load_directory
from kg.release import Release
from kg.terms import DEFAULT_GRAPH, GRAPH, PUBLISHED_GRAPH
from tests.conftest import REPOSITORY

STORED = tuple(load_directory(REPOSITORY / "endpoint" / "queries"))
CHAP = "https://w3id.org/chap/def#"
HUB, FOCUS = f"<{CHAP}Hub>", f"<{CHAP}focus>"
INTEGER = "http://www.w3.org/2001/XMLSchema#integer"
SOURCE_GRAPH = f"{GRAPH}source-dewiki-holm"
VALUES: Mapping[str, Binding] = {
    "thing": ("iri", "https://w3id.org/chap/id/organisation/de-holm", ""),
    "class": ("iri", "https://w3id.org/chap/def#Hub", ""),
    "dataset": ("iri", "https://w3id.org/chap/dataset/chap", ""),
    "graph": ("iri", SOURCE_GRAPH, ""),
    "held": ("iri", SOURCE_GRAPH, ""),
    "triples": ("typed", "7", INTEGER),
    "extent": ("literal", 'with "quotes"', "en"),
    "q": ("literal", "a", ""),
}


@pytest.fixture(scope="module")
def store(release: Release) -> ox.Store:
    return ox.Store.read_only(str(release.store_path))


@pytest.fixture(scope="module")
def moved(store: ox.Store) -> ox.Store:
    """The same data as another engine holds it: the default graph under its name, and what else may be there."""
    moved = ox.Store()
    default = ox.NamedNode(DEFAULT_GRAPH)
    for quad in store.quads_for_pattern(None, None, None, None):
        graph = default if isinstance(quad.graph_name, ox.DefaultGraph) else quad.graph_name
        moved.add(ox.Quad(quad.subject, quad.predicate, quad.object, graph))
    title = ox.NamedNode("http://purl.org/dc/terms/title")
    for name in (PUBLISHED_GRAPH, "http://www.openlinksw.com/schemas/virtrdf#"):
        moved.add(ox.Quad(ox.NamedNode("urn:s"), title, ox.Literal("not ours"), ox.NamedNode(name)))
    return moved


def make_term(binding: Binding) -> ox.NamedNode | ox.Literal:
    kind, value, extra = binding
    if kind == "iri":
        return ox.NamedNode(value)
    return (
        ox.Literal(value, datatype=ox.NamedNode(extra))
        if kind == "typed"
        else ox.Literal(value, language=extra or None)
    )


def evaluate(store: ox.Store, text: str, bindings: Mapping[str, Binding] | None = None) -> object:
    """The rows as often as they come, with their variables; the triples; or the truth."""
    terms: dict[ox.Variable, ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple] = {
        ox.Variable(name): make_term(value) for name, value in (bindings or {}).items()
    }
    result = store.query(text, substitutions=terms)
    if isinstance(result, ox.QueryBoolean):
        return bool(result)
    if isinstance(result, ox.QueryTriples):
        return {str(triple) for triple in result}
    names = [each.value for each in result.variables]
    # GROUP_CONCAT joins in any order.
    return Counter(tuple((name, sort_words(row[name])) for name in names) for row in result)


def find_rows(store: ox.Store, text: str) -> list[ox.QuerySolution]:
    result = store.query(text)
    assert isinstance(result, ox.QuerySolutions)
    return list(result)


def sort_words(term: object) -> str:
    return " ".join(sorted(re.sub('[",]', " ", str(term)).split()))


def place(text: str) -> str:
    query = Query(text).describe_as_construct()
    return query.place_default_graph(DEFAULT_GRAPH, namespace=GRAPH, hidden=[DEFAULT_GRAPH, PUBLISHED_GRAPH]).text


@pytest.mark.parametrize("query", STORED, ids=lambda each: each.id)
def test_stored_query_with_values_in_it_gives_the_same(store: ox.Store, moved: ox.Store, query: StoredQuery) -> None:
    bindings = {name: VALUES.get(name, ("iri", f"http://example.org/{name}", "")) for name in query.params}
    if query.id == "list":
        bindings = {name: bindings[name] for name in ("class", "q")}
    if query.id in ("is-known", "standing"):
        bindings["thing"] = ("iri", "https://w3id.org/chap/id/nothing", "")
    expected = evaluate(store, query.text, bindings)
    bound = bind_values(query.text, bindings)
    assert evaluate(store, bound) == expected
    assert evaluate(moved, place(bound)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }",
        "SELECT ?g (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s a ?o } } GROUP BY ?g",
        "SELECT DISTINCT $g { GRAPH $g { } }",
        f"SELECT ?s {{ ?s a {HUB} MINUS {{ GRAPH ?g {{ ?s {FOCUS} ?f }} }} }}",
        f"SELECT ?s {{ ?s a {HUB} FILTER NOT EXISTS {{ GRAPH ?g {{ ?s ?p 'not ours' }} }} }}",
        "SELECT ?t { { SELECT DISTINCT ?t { GRAPH ?g { ?s a ?t } } LIMIT 99 } MINUS { GRAPH ?h { ?t ?p 1 }}}",
        "# { GRAPH ?g {\nSELECT ?s { ?s <https://w3id.org/chap/def#kind> ?k FILTER(STR(?k) = '} {') } # }",
        "SELECT ?x { VALUES ?x { 1 2 } VALUES (?y ?z) { (1 2) (UNDEF 3) } }",
        "ASK { GRAPH ?g { ?s ?p 'not ours' } }",
        f"SELECT ?s (EXISTS {{ ?s {FOCUS} ?f }} AS ?focused) {{ ?s a {HUB} }} ORDER BY EXISTS {{ ?s {FOCUS} ?f }} ?s",
        f"SELECT ?k (COUNT(*) AS ?n) {{ ?s a {HUB} ; <{CHAP}kind> ?k }} GROUP BY ?k HAVING EXISTS {{ ?k ?p ?o }}",
        "ASK WHERE { ?s ?p 'not ours' }",
        f"CONSTRUCT WHERE {{ ?s a {HUB} ; {FOCUS} ?f }}",
        "CONSTRUCT { ?g a ?t } WHERE { GRAPH ?g { ?s a ?t } } # the end",
        "DESCRIBE <https://w3id.org/chap/id/organisation/de-holm> # the end",
        f"PREFIX c: <{CHAP}> DESCRIBE ?s c:Hub WHERE {{ ?s a c:Cluster }} ORDER BY ?s LIMIT 2 # the end",
        f"BASE <{CHAP}> SELECT ?s {{ ?s a <#Hub> ; <#focus>/^<#focus> ?o }} VALUES ?s {{ <id/organisation/de-edith> }}",
    ],
)
def test_query_over_the_moved_default_graph_gives_the_same(store: ox.Store, moved: ox.Store, text: str) -> None:
    assert evaluate(moved, place(text)) == evaluate(store, text)


@given(st.text(), st.sampled_from(["", "de", "en-GB"]))
def test_any_text_stays_the_value_that_it_is(value: str, language: str) -> None:
    bound = bind_values("SELECT ?v { VALUES ?one { 1 } FILTER(BOUND(?v)) }", {"v": ("literal", value, language)})
    (row,) = find_rows(ox.Store(), bound)
    assert row["v"] == ox.Literal(value, language=language or None)


@pytest.mark.parametrize("value", ["a:b> ?x <c:d", "a:b } } #", "a:b\\u003E", 'a:"b', "a: b\n"])
def test_what_is_no_iri_never_becomes_syntax(value: str) -> None:
    bound = bind_values("SELECT ?o { <a:s> ?v ?o }", {"v": ("iri", value, "")})
    store = ox.Store()
    store.update("INSERT DATA { <a:s> <c:d> 1 }")
    assert not find_rows(store, bound)
    assert "urn:x-chap:no-iri:" in bound


def test_unbound_variables_stay() -> None:
    text = "SELECT ?a ?b { ?a ?p ?b OPTIONAL { ?a ?q ?c } }"
    assert bind_values(text, {}) == text
    assert bind_values(text, {"c": ("iri", "a:c", "")}) == text.replace("?c", "<a:c>")


def test_group_by_a_bound_variable_has_no_row_for_nothing() -> None:
    text = "SELECT ?s (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?s"
    bound = bind_values(text, {"s": ("iri", "a:s", "")})
    assert find_rows(ox.Store(), bound) == []


@pytest.mark.parametrize(
    ("text", "limit"), [("SELECT * {} LIMIT 7", 7), ("SELECT * { { SELECT ?s {} LIMIT 7 } }", None), ("ASK {}", None)]
)
def test_limit_is_the_outermost(text: str, limit: int | None) -> None:
    assert Query(text).limit == limit


def test_dataset_of_a_query_is_found() -> None:
    assert Query("SELECT * FROM <a:g> { ?s ?p ?o }").names_dataset
    assert not Query("SELECT * { ?FROM <a:FROM> 'FROM' } # FROM").names_dataset


def test_solutions_of_a_construct_are_counted(store: ox.Store) -> None:
    for text in (
        f"CONSTRUCT {{ <a:s> <a:p> 1 }} WHERE {{ ?s a {HUB} }}",
        f"CONSTRUCT WHERE {{ ?s a {HUB} }} ORDER BY ?s",
    ):
        counted = find_rows(store, Query(text).count_solutions().text)
        assert len(counted) == len(find_rows(store, f"SELECT ?s {{ ?s a {HUB} }}"))


def test_describe_of_everything_is_refused() -> None:
    with pytest.raises(Problem) as caught:
        Query("DESCRIBE * { ?s ?p ?o }").describe_as_construct()
    assert caught.value.status == 400


def test_terms_are_written_as_sparql() -> None:
    assert write_term(("typed", "5", INTEGER)) == f'"5"^^<{INTEGER}>'
    assert write_term(("literal", "line\nend", "")) == '"line\\nend"'
