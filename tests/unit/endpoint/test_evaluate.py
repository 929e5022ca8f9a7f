"""Updates carried out quad by quad: they leave what the engine's own update leaves, and all of it is known."""

from __future__ import annotations

from collections.abc import Iterable

import pyoxigraph as ox
import pytest

from endpoint.reader.update import read_update
from endpoint.writes.evaluate import carry_out
from endpoint.writes.using import TwoDatasets, give_dataset
from kg.draft import Draft
from kg.errors import QueryError, WriteInvalid
from tests.plain.conftest import normalise

BASE = "http://example.org/"
PREFIXES = "PREFIX : <urn:x:> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> "
BEFORE = """
    PREFIX : <urn:x:>
    :a :p 1 , "one" , "eins"@de , [ :q 2 ] . :b :p 1 ; :knows :a .
    GRAPH :g { :a :p 1 , 2 . :b :p 2 ; :q :a . _:x :name "x" ; :knows _:y . _:y :name "y" }
    GRAPH :h { :a :p 3 ; :q "3" . :c :p 3 }
"""
UPDATES = [
    # Data.
    "INSERT DATA { :n :p 1 . GRAPH :g { :n :p 1 , 01 , 1.50 } GRAPH :new { :n :p _:b . _:b :p _:b } }",
    "INSERT DATA { :a :p 1 }",
    "INSERT DATA { GRAPH :new { } }",
    "DELETE DATA { :a :p 1 , 5 . GRAPH :g { :a :p 01 } GRAPH :none { :a :p 1 } }",
    "DELETE DATA { GRAPH :h { :a :p 3 ; :q '3' . :c :p 3 } }",
    "INSERT DATA { :n :p 1 } ; DELETE DATA { :n :p 1 } ; INSERT DATA { :n :p 2 }",
    "INSERT DATA { :n :p [ :q ( 1 [] 'two'@en ) ] , [] }",
    # Templates.
    "DELETE { ?s :p ?o } INSERT { ?s :r ?o } WHERE { ?s :p ?o }",
    "DELETE { ?s ?p ?o } INSERT { ?o ?p ?s } WHERE { ?s ?p ?o }",
    "DELETE { ?s :p ?o } INSERT { ?s :p ?n } WHERE { ?s :p ?o FILTER(isNumeric(?o)) BIND(?o + 1 AS ?n) }",
    "WITH :g DELETE { ?s :p ?o } INSERT { ?s :p ?n } WHERE { ?s :p ?o BIND(?o + 1 AS ?n) }",
    "INSERT { ?s :seen true } WHERE { ?s ?p ?o }",
    "INSERT { ?s :name 'x'@en--ltr } WHERE { ?s :p 1 }",
    "BASE <http://b.example/> INSERT { ?s :made ?i } WHERE { ?s :p 1 BIND(IRI('new') AS ?i) }",
    "INSERT { GRAPH :new { ?s ?p ?o } } WHERE { GRAPH :g { ?s ?p ?o } }",
    "INSERT { GRAPH ?g { ?s :in ?g } } WHERE { GRAPH ?g { ?s ?p ?o } }",
    "DELETE { GRAPH ?g { ?s ?p ?o } } INSERT { GRAPH ?h { ?s ?p ?o } } WHERE { GRAPH ?g { ?s ?p ?o } "
    "BIND(IRI(CONCAT(STR(?g), '2')) AS ?h) }",
    "DELETE WHERE { ?s :p ?o }",
    "DELETE WHERE { ?s :p ?o ; :knows ?t }",
    "DELETE WHERE { GRAPH ?g { ?s :p ?o } ?s :knows ?t }",
    "DELETE WHERE { GRAPH :h { ?s ?p ?o } }",
    # What a template makes of what is no quad.
    "INSERT { ?o :p ?s . ?s ?o 1 . ?s :r ?none . ?s :t ?o } WHERE { ?s :p ?o }",
    "INSERT { GRAPH ?o { ?s :p 1 } } WHERE { ?s :p ?o }",
    "INSERT { GRAPH ?none { ?s :p 1 } ?s :q 1 } WHERE { ?s :p ?o }",
    "INSERT { ?s :r ?x } WHERE { ?s :p ?o OPTIONAL { ?s :knows ?x } }",
    "DELETE { ?o :p ?s . ?s :p ?o . ?s ?none 1 } WHERE { ?s :p ?o }",
    "DELETE { GRAPH ?none { ?s :p ?o } } WHERE { ?s :p ?o }",
    # Blank nodes: of templates, others for each solution; of the data, themselves.
    "INSERT { [] :about ?s ; :has [ :value ?o ] } WHERE { ?s :p ?o }",
    "INSERT { _:b :about :one } WHERE { ?s :p ?o }",
    "INSERT { _:b :about ?s . ?s :on _:b } WHERE { ?s :p ?o }",
    "INSERT { ?s :list ( 1 ?o [] ) } WHERE { ?s :p ?o }",
    "INSERT { ?x :known ?y } WHERE { GRAPH :g { ?x :knows ?y } }",
    "DELETE { GRAPH :g { ?x :knows ?y } } WHERE { GRAPH :g { ?x :knows ?y } }",
    "INSERT { GRAPH :new { ?x :made ?y } } WHERE { ?x :knows ?z BIND(BNODE() AS ?y) }",
    # No variables.
    "INSERT { :n :p 1 } WHERE { }",
    "INSERT { :n :p 1 } WHERE { :a :p 1 }",
    "INSERT { :n :p 1 } WHERE { :a :p 99 }",
    "INSERT { :n :p [] } WHERE { ?s :p ?o }",
    "INSERT { :n :p [] } WHERE { :a :p 1 }",
    "DELETE { :a :p 1 } WHERE { }",
    "DELETE { :a :p 1 } INSERT { :a :p 1 } WHERE { }",
    "DELETE { } INSERT { } WHERE { ?s ?p ?o }",
    # Deletions go before insertions, and both are by the state before.
    "DELETE { ?s :p ?o } INSERT { ?s :p 1 } WHERE { ?s :p ?o }",
    "INSERT { ?o :p ?s . ?s :p2 ?o } WHERE { ?s ?p ?o FILTER(isIRI(?o)) }",
    # Datasets.
    "INSERT { ?s :r ?o } USING :g WHERE { ?s :p ?o }",
    "INSERT { ?s :r ?o } USING :g USING :h WHERE { ?s :p ?o }",
    "INSERT { ?s :r ?o } USING :g WHERE { GRAPH ?g { ?s :p ?o } }",
    "INSERT { ?s :r ?o } USING NAMED :g WHERE { ?s :p ?o }",
    "INSERT { ?s :r ?o } USING NAMED :g WHERE { GRAPH ?g { ?s :p ?o } }",
    "INSERT { ?s :r ?o . ?t :n ?u } USING :h USING NAMED :g WHERE { ?s :p ?o . GRAPH ?g { ?t :q ?u } }",
    "WITH :g INSERT { ?s :r ?o } USING :h WHERE { ?s :p ?o }",
    "WITH :g DELETE { ?s :p ?o } INSERT { GRAPH :h { ?s :r ?o } } WHERE { ?s :p ?o }",
    "WITH :g INSERT { ?s :r ?o } WHERE { GRAPH :h { ?s :p ?o } }",
    "WITH :none INSERT { ?s :r ?o } WHERE { ?s :p ?o }",
    "WITH :none INSERT { :s :r 1 } WHERE { }",
    "INSERT { ?s :r ?o } USING :none WHERE { ?s :p ?o }",
    # Patterns of every kind.
    "INSERT { ?s :count ?n } WHERE { SELECT ?s (COUNT(?o) AS ?n) WHERE { ?s :p ?o } GROUP BY ?s }",
    "INSERT { ?s :least ?o } WHERE { { SELECT ?s ?o { ?s :p ?o FILTER(isNumeric(?o)) } ORDER BY ?o LIMIT 1 } }",
    "INSERT { ?s :reaches ?t } WHERE { GRAPH :g { ?s (:knows|:q)+ ?t } }",
    "INSERT { ?s :v ?v } WHERE { VALUES (?s ?v) { (:a 1) (UNDEF 2) (:b UNDEF) } }",
    "INSERT { ?s :only true } WHERE { ?s :p ?o MINUS { ?s :knows ?x } FILTER NOT EXISTS { GRAPH :h { ?s :q ?y } } }",
    "INSERT { ?s :l ?l } WHERE { { ?s :p ?o BIND(LANG(?o) AS ?l) } UNION { GRAPH :h { ?s :q ?l } } }",
    "INSERT { ?s :made ?v } WHERE { ?s :p ?o BIND(STRDT('007', xsd:integer) AS ?v) }",
    "INSERT { ?s :n '01'^^xsd:integer , '1e0'^^xsd:double , 'x'@EN-gb , '\\u00e9\\n\"' } WHERE { ?s :p 1 }",
    # Whole graphs.
    "CLEAR GRAPH :g",
    "CLEAR DEFAULT",
    "CLEAR NAMED",
    "CLEAR ALL",
    "CLEAR SILENT GRAPH :none",
    "DROP GRAPH :g",
    "DROP DEFAULT",
    "DROP NAMED",
    "DROP ALL",
    "DROP SILENT GRAPH :none",
    "CREATE GRAPH :new",
    "CREATE SILENT GRAPH :g",
    "CREATE GRAPH :new ; DROP GRAPH :new ; CREATE GRAPH :new",
    "ADD :g TO :h",
    "ADD DEFAULT TO :g",
    "ADD :g TO DEFAULT",
    "ADD :none TO :g",
    "COPY :g TO :h",
    "COPY :g TO :new",
    "COPY :g TO DEFAULT",
    "COPY DEFAULT TO GRAPH :g",
    "COPY :g TO :g",
    "COPY :none TO :g",
    "MOVE :g TO :h",
    "MOVE :g TO DEFAULT",
    "MOVE DEFAULT TO :g",
    "MOVE :g TO :g",
    "MOVE SILENT :none TO :g",
    # One after another: each sees what those before it left.
    "DELETE WHERE { ?s :p ?o } ; INSERT { :left :count ?n } WHERE { SELECT (COUNT(*) AS ?n) { ?s :p ?o } }",
    "COPY :g TO :new ; DELETE WHERE { GRAPH :g { ?s ?p ?o } } ; MOVE :new TO :h ; INSERT { ?s :p ?o } WHERE "
    "{ GRAPH :h { ?s ?p ?o } }",
    "CLEAR ALL ; INSERT DATA { :a :p 1 } ; WITH :g INSERT { ?s ?p ?o } USING :h WHERE { ?s ?p ?o }",
]


def fill() -> ox.Store:
    store = ox.Store()
    store.load(BEFORE, format=ox.RdfFormat.TRIG)
    return store


def update(text: str, *, using: Iterable[str] = (), using_named: Iterable[str] = ()) -> ox.Store:
    """The example after an update; what was changed is all told."""
    store = fill()
    before = set(store)
    draft = Draft(store)
    operations = read_update(PREFIXES + text, base=BASE)
    carry_out(give_dataset(operations, using=list(using), using_named=list(using_named)), draft)
    assert draft.delta.added == set(store) - before
    assert draft.delta.removed == before - set(store)
    assert set(store.named_graphs()) == {quad.graph_name for quad in store} - {ox.DefaultGraph()}
    return store


@pytest.mark.parametrize("text", UPDATES)
def test_update_leaves_what_the_engine_leaves(text: str) -> None:
    expected = fill()
    expected.update(PREFIXES + text)
    assert normalise(update(text)) == normalise(expected)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        # Sections 3.1.5 and 3.2.2: what is not recorded when it is empty is cleared and dropped with success.
        ("CLEAR GRAPH :none", ""),
        ("DROP GRAPH :none", ""),
        ("CREATE GRAPH :new", ""),
        ("DELETE WHERE { GRAPH :h { ?s ?p ?o } } ; CREATE GRAPH :h ; DROP GRAPH :h", "DROP GRAPH :h"),
        # An emptied graph is not found.
        ("DELETE WHERE { GRAPH :h { ?s ?p ?o } } ; INSERT { ?g :is :here } WHERE { GRAPH ?g { } }",
         "DROP GRAPH :h ; INSERT DATA { :g :is :here }"),
        # PREFIX and BASE before any operation, which the engine takes before the first only.
        ("DROP GRAPH :h ; PREFIX x: <urn:x:x> INSERT DATA { x:a x:b <rel> }",
         f"DROP GRAPH :h ; INSERT DATA {{ :xa :xb <{BASE}rel> }}"),
    ],
)  # fmt: skip
def test_update_leaves_what_the_specification_says(text: str, same: str) -> None:
    assert normalise(update(text)) == normalise(update(same))


@pytest.mark.parametrize(
    "text",
    ["CREATE GRAPH :g", "CREATE GRAPH :new ; CREATE GRAPH :new", "MOVE :none TO :g", "MOVE :new TO :g"],
)
def test_operation_that_fails_is_told(text: str) -> None:
    with pytest.raises(QueryError, match="SILENT"):
        update(text)


def test_function_that_the_engine_does_not_know_is_told() -> None:
    with pytest.raises(QueryError, match="urn:x:f"):
        update("INSERT { ?s :r ?v } WHERE { ?s :p ?o BIND(<urn:x:f>(?o) AS ?v) }")


GIVEN = [
    "INSERT { ?s :r ?o } %s WHERE { ?s :p ?o }",
    "INSERT { GRAPH :new { ?s :r ?o } } %s WHERE { GRAPH ?g { ?s :p ?o } }",
    "DELETE { GRAPH :g { ?s :p ?o } } %s WHERE { ?s :p ?o }",
    "DELETE { ?s :p ?o } INSERT { ?s :n ?n } %s WHERE { { SELECT ?s ?o (1 AS ?n) WHERE { ?s :p ?o } } }",
    "CLEAR GRAPH :h ; DELETE { ?s :p ?o } %s WHERE { ?s :p ?o } ; INSERT DATA { :a :p 'WHERE' }",
]


@pytest.mark.parametrize("text", GIVEN)
@pytest.mark.parametrize("using", [[], ["urn:x:g"], ["urn:x:g", "urn:x:h"], ["urn:x:none"]])
@pytest.mark.parametrize("using_named", [[], ["urn:x:g"], ["urn:x:h", "urn:x:none"]])
def test_dataset_of_the_request_is_as_using(text: str, using: list[str], using_named: list[str]) -> None:
    # SPARQL 1.1 Protocol, section 2.2.3.
    clauses = " ".join([*(f"USING <{each}>" for each in using), *(f"USING NAMED <{each}>" for each in using_named)])
    given = update(text.replace("%s", ""), using=using, using_named=using_named)
    expected = fill()
    expected.update(PREFIXES + text.replace("%s", clauses))
    assert normalise(given) == normalise(expected) == normalise(update(text.replace("%s", clauses)))


def test_dataset_of_the_request_is_for_delete_where_too() -> None:
    given = update("DELETE WHERE { GRAPH ?g { ?s :p ?o } }", using_named=["urn:x:g"])
    assert normalise(given) == normalise(update("DELETE { GRAPH :g { ?s :p ?o } } WHERE { GRAPH :g { ?s :p ?o } }"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("DELETE { ?s ?p ?o } USING :g WHERE { ?s ?p ?o }", "USING"),
        ("DELETE { ?s ?p ?o } using named :g WHERE { ?s ?p ?o }", "USING"),
        ("WITH :g DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }", "WITH"),
        ("INSERT DATA { :s :p 1 } ; PREFIX e: <urn:> with e:g INSERT { ?s ?p 2 } WHERE { ?s ?p 1 }", "WITH"),
    ],
)
def test_dataset_in_request_and_update_together_is_refused(text: str, word: str) -> None:
    with pytest.raises(TwoDatasets, match=f"with {word}"):
        update(text, using=["urn:x:g"])


def patch(graph: ox.NamedNode | ox.DefaultGraph, text: str) -> ox.Store:
    store = fill()
    carry_out(read_update(PREFIXES + text, base=BASE), Draft(store), alone=graph)
    return store


ALONE = [
    "INSERT DATA { :n :p 1 }",
    "DELETE DATA { :a :p 1 }",
    "DELETE { ?s :p ?o } INSERT { ?s :r ?o } WHERE { ?s :p ?o }",
    "DELETE WHERE { ?s :p ?o }",
    "INSERT { :n :p [] } WHERE { }",
    "INSERT { ?s :r ?o } WHERE { GRAPH ?g { ?s ?p ?o } }",
    "CLEAR DEFAULT ; INSERT DATA { :n :p 1 }",
    "DROP ALL",
    "CLEAR NAMED",
    "COPY DEFAULT TO DEFAULT",
]


@pytest.mark.parametrize("text", ALONE)
@pytest.mark.parametrize("graph", [ox.DefaultGraph(), ox.NamedNode("urn:x:g"), ox.NamedNode("urn:x:new")])
def test_patch_sees_its_graph_as_the_default_graph_and_no_other(
    text: str, graph: ox.NamedNode | ox.DefaultGraph
) -> None:
    expected = fill()
    alone = ox.Store()
    alone.extend(ox.Quad(*quad.triple) for quad in expected.quads_for_pattern(None, None, None, graph))
    alone.update(PREFIXES + text)
    expected.clear_graph(graph)
    expected.extend(ox.Quad(each.subject, each.predicate, each.object, graph) for each in alone)
    assert normalise(patch(graph, text)) == normalise(expected)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT DATA { GRAPH :h { :s :p 1 } }",
        "DELETE DATA { GRAPH :h { :s :p 1 } }",
        "INSERT { GRAPH :g { ?s :r ?o } } WHERE { ?s :p ?o }",
        "DELETE { GRAPH ?s { ?s :p ?o } } WHERE { ?s :p ?o }",
        "DELETE WHERE { GRAPH ?g { ?s ?p ?o } }",
        "WITH :h DELETE { ?s :p ?o } WHERE { ?s :p ?o }",
        "INSERT { ?s :r ?o } USING :h WHERE { ?s :p ?o }",
        "INSERT { ?s :r ?o } USING NAMED :h WHERE { GRAPH :h { ?s :p ?o } }",
        "CLEAR GRAPH :h",
        "DROP SILENT GRAPH :none",
        "CREATE GRAPH :new",
        "COPY :h TO DEFAULT",
        "MOVE DEFAULT TO :h",
    ],
)
@pytest.mark.parametrize("graph", [ox.DefaultGraph(), ox.NamedNode("urn:x:g")])
def test_patch_that_names_a_graph_is_refused(text: str, graph: ox.NamedNode | ox.DefaultGraph) -> None:
    with pytest.raises(WriteInvalid, match="leave GRAPH, WITH and USING out"):
        patch(graph, text)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT { <http://[1]/> :p 1 } WHERE {}",
        "DELETE { GRAPH <http://[1]/> { ?s ?p ?o } } WHERE { ?s ?p ?o }",
        "WITH <http://[1]/> INSERT { :a :p 1 } WHERE {}",
        "INSERT { :a :p 1 } USING NAMED <http://[1]/> WHERE {}",
        "DROP GRAPH <http://[1]/>",
        "CREATE GRAPH <http://[1]/>",
        "COPY <http://[1]/> TO :g",
        "INSERT { :a :p 'x'@en-aaaaaaaaaaaa } WHERE {}",
        "INSERT { :a :p 'x'@en--up } WHERE {}",
    ],
)
def test_what_the_engine_takes_for_no_term_is_said(text: str) -> None:
    """Nothing else may come of it: the writer would end."""
    with pytest.raises(QueryError):
        carry_out(read_update(PREFIXES + text, base=BASE), Draft(ox.Store()))
