"""USING written into an update: what changes is exactly what the protocol's dataset lets a pattern see."""

from __future__ import annotations

from itertools import combinations
from typing import TypeAlias

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint.http.problems import Problem
from endpoint.sparql.using import insert_using

A, B, C = "urn:g:a", "urn:g:b", "urn:g:c"
GRAPHS = [A, B, C, "urn:g:nowhere"]
Dataset: TypeAlias = tuple[list[str], list[str]]
DATA = f"""
    INSERT DATA {{
      <urn:s:0> <urn:p> 0 . <urn:s:0> <urn:q> 0 .
      GRAPH <{A}> {{ <urn:s:1> <urn:p> 1 . <urn:s:9> <urn:p> 9 . <urn:s:9> <urn:q> 'WHERE }} USING' }}
      GRAPH <{B}> {{ <urn:s:2> <urn:p> 2 . <urn:s:9> <urn:p> 9 }}
      GRAPH <{C}> {{ <urn:s:3> <urn:p> 3 . <urn:s:3> <urn:q> 3 }}
    }}
"""
FOUND = "<urn:found>"
# Patterns over the default graph and over named graphs, with nests in which WHERE and USING are something else.
PATTERNS = [
    "{ ?s <urn:p> ?o }",
    "{ GRAPH ?g { ?s <urn:p> ?o } }",
    "{ ?s <urn:p> ?o FILTER NOT EXISTS { ?s <urn:q> ?any } }",
    "{ { SELECT ?s ?o WHERE { ?s <urn:p> ?o } } }",
    "{ { SELECT ?s ?o { { SELECT * WHERE { ?s <urn:p> ?o } ORDER BY ?o } } LIMIT 9 } }",
    "{ ?s <urn:p> ?o . OPTIONAL { GRAPH ?g { ?s <urn:q> ?q } } BIND('WHERE { USING' AS ?text) # WHERE\n }",
    f"{{ GRAPH <{A}> {{ ?s <urn:p> ?o }} }}",
    f"{{ {{ ?s <urn:p> ?o }} UNION {{ GRAPH <{B}> {{ ?s <urn:p> ?o }} }} }}",
]


def evaluate(update: str) -> set[str]:
    """The quads that the example has after an update."""
    store = ox.Store()
    store.update(DATA)
    store.update(update)
    return {str(quad) for quad in store}


def solve(pattern: str, dataset: Dataset) -> set[tuple[str, str]]:
    """The solutions of a pattern over a dataset, as the engine's query gives them: the measure of the updates."""
    store = ox.Store()
    store.update(DATA)
    named: list[ox.NamedNode | ox.BlankNode] = [ox.NamedNode(each) for each in dataset[1]]
    solutions = store.query(
        f"SELECT ?s ?o WHERE {pattern}",
        default_graph=[ox.NamedNode(each) for each in dataset[0]],
        named_graphs=named,
    )
    assert isinstance(solutions, ox.QuerySolutions)
    return {(str(each["s"]), str(each["o"])) for each in solutions}


SUBSETS = [[each for each in GRAPHS if each in chosen] for size in range(4) for chosen in combinations(GRAPHS, size)]
datasets = st.sampled_from([(default, named) for default in SUBSETS for named in SUBSETS if default or named])
patterns = st.sampled_from(PATTERNS)


@settings(deadline=None)
@given(patterns, datasets, st.sampled_from(["where", "WHERE", "Where"]))
def test_insert_finds_exactly_what_the_dataset_holds(pattern: str, dataset: Dataset, word: str) -> None:
    update = f"INSERT {{ ?s {FOUND} ?o }} {word} {pattern}"
    found = {f"{s} {FOUND} {o}" for s, o in solve(pattern, dataset)}
    after = evaluate(insert_using(update, default_graphs=dataset[0], named_graphs=dataset[1]))
    assert after == evaluate("") | found


@settings(deadline=None)
@given(st.sampled_from(["{ ?s <urn:p> ?o . }", "{ GRAPH ?g { ?s <urn:p> ?o } }"]), datasets)
def test_delete_where_deletes_as_delete_with_a_template_does(pattern: str, dataset: Dataset) -> None:
    default_graphs, named_graphs = dataset
    using = " ".join(
        [f"USING <{each}>" for each in default_graphs] + [f"USING NAMED <{each}>" for each in named_graphs]
    )
    short = insert_using(f"DELETE WHERE {pattern}", default_graphs=default_graphs, named_graphs=named_graphs)
    assert evaluate(short) == evaluate(f"DELETE {pattern} {using} WHERE {pattern}")


@settings(deadline=None)
@given(patterns, datasets)
def test_every_operation_of_a_sequence_gets_the_dataset_and_those_without_pattern_stay(
    pattern: str, dataset: Dataset
) -> None:
    default_graphs, named_graphs = dataset
    operations = [
        "PREFIX where: <urn:where:>\nINSERT DATA { GRAPH <urn:g:a> { <urn:s:new> <urn:p> 'WHERE' } }",
        f"INSERT {{ GRAPH <{C}> {{ ?s {FOUND} ?o }} }} WHERE {pattern}",
        f"CLEAR SILENT GRAPH <{B}>",
        f"DELETE {{ GRAPH <{C}> {{ ?s <urn:p> ?o }} }} INSERT {{ ?s where:USING '}} WHERE' }} # USING\nWHERE {pattern}",
        "DELETE WHERE { ?s <urn:q> ?o }",
    ]
    whole = insert_using(" ;\n".join(operations), default_graphs=default_graphs, named_graphs=named_graphs)
    apart = [
        insert_using(each, default_graphs=default_graphs, named_graphs=named_graphs)
        for each in [operations[0], *(f"PREFIX where: <urn:where:> {each}" for each in operations[1:])]
    ]
    store = ox.Store()
    store.update(DATA)
    for each in apart:
        store.update(each)
    assert evaluate(whole) == {str(quad) for quad in store}
    assert apart[0] == operations[0]
    assert "USING" not in apart[2]


@pytest.mark.parametrize(
    "update",
    [
        "INSERT DATA { <urn:s> <urn:p> 'WHERE' }",
        "DELETE DATA { GRAPH <urn:WHERE> { <urn:s> <urn:p> 1 } } # WHERE",
        "CLEAR ALL",
        "DROP SILENT NAMED",
        "COPY DEFAULT TO <urn:g:where>",
        "PREFIX where: <urn:where:> INSERT DATA { where:s where:WHERE where:o }",
        "",
    ],
)
def test_operation_without_pattern_stays_as_it_is(update: str) -> None:
    assert insert_using(update, default_graphs=[A], named_graphs=[B]) == update


def test_update_without_dataset_stays_as_it_is() -> None:
    update = "WITH <urn:g:a> DELETE { ?s ?p ?o } USING <urn:g:b> WHERE { ?s ?p ?o }"
    assert insert_using(update, default_graphs=[], named_graphs=[]) == update


def test_template_is_applied_to_its_own_graph_not_to_the_dataset() -> None:
    """USING says where to look, not where to write (SPARQL 1.1 Update, section 3.1.3)."""
    update = "DELETE { ?s <urn:p> ?o } WHERE { ?s <urn:p> ?o }"
    assert evaluate(insert_using(update, default_graphs=[A], named_graphs=[])) == evaluate("")


def test_text_between_and_around_the_operations_is_kept() -> None:
    update = "# first\nDELETE { ?s ?p 1 }\nwhere\n{ ?s ?p 1 } ; # last\n"
    assert (
        insert_using(update, default_graphs=["urn:ü"], named_graphs=["urn:n"])
        == "# first\nDELETE { ?s ?p 1 }\nUSING <urn:ü> USING NAMED <urn:n> where\n{ ?s ?p 1 } ; # last\n"
    )


@pytest.mark.parametrize(
    "update",
    [
        "DELETE { ?s ?p ?o } USING <urn:g:a> WHERE { ?s ?p ?o }",
        "DELETE { ?s ?p ?o } using named <urn:g:a> WHERE { ?s ?p ?o }",
        "WITH <urn:g:a> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }",
        "INSERT DATA { <urn:s> <urn:p> 1 } ; PREFIX e: <urn:> with e:g INSERT { ?s ?p 2 } WHERE { ?s ?p 1 }",
    ],
)
def test_dataset_in_request_and_update_together_is_refused(update: str) -> None:
    with pytest.raises(Problem) as caught:
        insert_using(update, default_graphs=[A], named_graphs=[])
    assert (caught.value.status, caught.value.code) == (400, "bad-parameter")
    assert "{word}" not in caught.value.detail
