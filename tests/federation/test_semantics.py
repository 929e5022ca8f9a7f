"""Batches, caching and the way through the gateway change no answer: the engine alone is the measure."""

from __future__ import annotations

import json
from itertools import islice

import pyoxigraph as ox
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.federation.conftest import CLUSTERS, IRI, Federation, expand
from tests.federation.outside import Outside

LOCAL = "?ours a chap:Cluster ."
# Each query, and whether the second server was told values.
QUERIES: dict[str, tuple[str, bool]] = {
    "before": (f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?year }} }}", True),
    "after": (f"SELECT * {{ SERVICE @open {{ ?ours o:year ?year }} {LOCAL} }}", True),
    "no full stop": ("SELECT * { ?ours a chap:Cluster SERVICE @open { ?ours o:year ?year } }", True),
    "between": (
        "SELECT * { ?ours a chap:Cluster . SERVICE @open { ?ours o:year ?year } ?ours a ?type }",
        True,
    ),
    "dollar": ("SELECT * { $ours a chap:Cluster . SERVICE @open { ?ours o:year $year } }", True),
    "filter on remote": (f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y }} FILTER(?y > 2010) }}", True),
    "filter on local": (
        f"SELECT * {{ {LOCAL} FILTER(STRLEN(STR(?ours)) > 50) SERVICE @open {{ ?ours o:year ?year }} }}",
        True,
    ),
    "filter on both": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y }} FILTER(?y > STRLEN(STR(?ours))) }}",
        True,
    ),
    "filter with EXISTS": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y }} FILTER EXISTS {{ ?ours a ?t }} }}",
        True,
    ),
    "filter inside": (f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y FILTER(?y < 2005) }} }}", True),
    "optional inside": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y OPTIONAL {{ ?ours o:note ?n }} }} }}",
        True,
    ),
    "optional first inside": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ OPTIONAL {{ ?ours o:note ?n }} ?ours o:year ?y }} }}",
        False,
    ),
    "only optional inside": (f"SELECT * {{ {LOCAL} SERVICE @open {{ OPTIONAL {{ ?ours o:note ?n }} }} }}", False),
    "minus inside": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y MINUS {{ ?ours o:note 'odd' }} }} }}",
        True,
    ),
    "minus first inside": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ MINUS {{ ?ours o:note 'odd' }} ?ours o:year ?y }} }}",
        False,
    ),
    "union inside": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ {{ ?ours o:year ?y }} UNION {{ ?ours o:note ?n }} }} }}",
        True,
    ),
    "union of other variables inside": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ {{ ?ours o:year ?y }} UNION {{ ?x o:note ?n }} }} }}",
        False,
    ),
    "bind inside": (f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y BIND(?y + 1 AS ?z) }} }}", True),
    "bind first inside": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ BIND(STR(?ours) AS ?z) ?ours o:year ?y }} }}",
        False,
    ),
    "path inside": (f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:part/o:size ?s }} }}", True),
    "blank node inside": (
        f"SELECT ?ours ?s {{ {LOCAL} SERVICE @open {{ ?ours o:part [ o:size ?s ] }} }}",
        True,
    ),
    "blank node that comes back": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:part ?p . ?p o:size ?s }} }}",
        True,
    ),
    "subquery inside": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ SELECT ?ours (MAX(?y) AS ?m) {{ ?ours o:year ?y }} GROUP BY ?ours }} }}",
        True,
    ),
    "limit inside": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ SELECT ?ours ?y {{ ?ours o:year ?y }} ORDER BY DESC(?y) LIMIT 30 }} }}",
        False,
    ),
    "values inside": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ VALUES ?y {{ 2003 2004 }} ?ours o:year ?y }} }}",
        True,
    ),
    "two variables": (
        "SELECT * { VALUES (?ours ?y) { (o:thing1 1) (o:thing2 3) (o:thing4 4) } SERVICE @open { ?ours o:year ?y } }",
        True,
    ),
    "values with a gap": (
        "SELECT * { VALUES (?ours ?y) { (o:thing1 UNDEF) (UNDEF 3) (o:thing4 4) } SERVICE @open { ?ours o:year ?y } }",
        False,
    ),
    "values at the end": (
        "SELECT * { SERVICE @open { ?ours o:year ?y } } VALUES ?ours { o:thing1 o:thing2 }",
        False,
    ),
    "one value twice": (
        "SELECT * { VALUES ?ours { o:thing1 o:thing1 o:thing2 } SERVICE @open { ?ours o:year ?y } }",
        True,
    ),
    "literals": (
        """SELECT * { VALUES ?l { "cluster 1"@en "cluster 2" "a \\"quote\\"\\n" } SERVICE @open { ?s o:label ?l } }""",
        True,
    ),
    "bind outside": (
        "SELECT * { VALUES ?n { 1 2 300 } BIND(IRI(CONCAT('urn:o:thing', STR(?n))) AS ?ours) "
        "SERVICE @open { ?ours o:year ?y } }",
        True,
    ),
    "bind that fails for some": (
        "SELECT * { VALUES ?n { 1 'x' 300 } BIND(?n + 1 AS ?y) SERVICE @open { ?ours o:year ?y } }",
        False,
    ),
    "bind of an optional": (
        "SELECT * { VALUES ?n { 1 2 } OPTIONAL { VALUES (?n ?m) { (1 5) } } "
        "BIND(COALESCE(?m, ?n) AS ?y) SERVICE @open { ?ours o:year ?y } }",
        False,
    ),
    "bind after": ("SELECT * { VALUES ?n { 7 } SERVICE @open { ?ours o:year ?n } BIND(?n * 2 AS ?m) }", True),
    "optional outside": (
        f"SELECT * {{ {LOCAL} OPTIONAL {{ ?ours chap:nothing ?x }} SERVICE @open {{ ?ours o:year ?year }} }}",
        True,
    ),
    "shared variable of an optional": (
        f"SELECT * {{ {LOCAL} OPTIONAL {{ ?ours chap:nothing ?year }} SERVICE @open {{ ?ours o:year ?year }} }}",
        True,
    ),
    "minus outside": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y }} MINUS {{ VALUES ?y {{ 2003 }} }} }}",
        True,
    ),
    "union outside": (
        f"SELECT * {{ {{ {LOCAL} }} UNION {{ VALUES ?ours {{ o:thing1 }} }} SERVICE @open {{ ?ours o:year ?year }} }}",
        True,
    ),
    "subquery outside": (
        f"SELECT * {{ {{ SELECT DISTINCT ?ours {{ {LOCAL} }} }} SERVICE @open {{ ?ours o:year ?year }} }}",
        True,
    ),
    "subquery with a limit outside": (
        f"SELECT * {{ {{ SELECT ?ours {{ {LOCAL} }} ORDER BY ?ours LIMIT 3 }} SERVICE @open {{ ?ours o:year ?y }} }}",
        False,
    ),
    "subquery that hides a variable": (
        f"SELECT * {{ {{ SELECT ?t {{ ?ours a ?t . {LOCAL} }} }} SERVICE @open {{ ?ours o:year 2003 }} }}",
        False,
    ),
    "graph outside": (
        "SELECT * { GRAPH ?g { ?ours a chap:Cluster } SERVICE @open { ?ours o:year ?year } }",
        True,
    ),
    "from": (
        "SELECT * FROM <https://w3id.org/chap/graph/no> { ?ours a chap:Cluster . SERVICE @open { ?ours o:year ?y } }",
        True,
    ),
    "from named": (
        "SELECT * FROM NAMED <https://w3id.org/chap/graph/none> WHERE { GRAPH ?g { ?ours a chap:Cluster } "
        "SERVICE @open { ?ours o:year ?y } }",
        True,
    ),
    "nothing bound here": ("SELECT * { ?ours a o:Nothing . SERVICE @open { ?ours o:year ?year } }", True),
    "aggregate": (
        f"SELECT (SUM(?y) AS ?n) {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y }} }} HAVING (SUM(?y) > 0)",
        True,
    ),
    "exists in having": (
        f"SELECT ?ours {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y }} }} GROUP BY ?ours HAVING(EXISTS {{?ours a []}})",
        True,
    ),
    "two services": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y }} SERVICE @get {{ ?ours o:label ?l }} }}",
        True,
    ),
    "one service feeds the next": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:part ?p . ?p o:size ?n }} SERVICE @get {{ ?t o:year ?n }} }}",
        True,
    ),
    "same service twice": (
        f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?y }} SERVICE @open {{ ?ours o:note ?n }} }}",
        True,
    ),
    "inside optional": (f"SELECT * {{ {LOCAL} OPTIONAL {{ SERVICE @open {{ ?ours o:note ?n }} }} }}", True),
    "inside optional with filter": (
        f"SELECT * {{ {LOCAL} OPTIONAL {{ SERVICE @open {{ ?ours o:year ?n }} FILTER(?n > 2010) }} }}",
        True,
    ),
    "inside optional with more": (
        f"SELECT * {{ {LOCAL} OPTIONAL {{ SERVICE @open {{ ?ours o:year ?n }} ?ours a ?t }} }}",
        False,
    ),
    "inside optional before": (
        f"SELECT * {{ OPTIONAL {{ SERVICE @open {{ ?ours o:note ?n }} }} {LOCAL} }}",
        False,
    ),
    "inside minus": (f"SELECT * {{ {LOCAL} MINUS {{ SERVICE @open {{ ?ours o:note ?n }} }} }}", False),
    "inside union": (
        f"SELECT * {{ {LOCAL} {{ SERVICE @open {{ ?ours o:note ?n }} }} UNION {{ ?ours a ?t }} }}",
        False,
    ),
    "inside group": (f"SELECT * {{ {LOCAL} {{ SERVICE @open {{ ?ours o:note ?n }} }} }}", False),
    "inside exists": (f"SELECT * {{ {LOCAL} FILTER EXISTS {{ SERVICE @open {{ ?ours o:note ?n }} }} }}", False),
    "inside subquery": (
        f"SELECT * {{ {LOCAL} {{ SELECT ?ours {{ SERVICE @open {{ ?ours o:note ?n }} }} }} }}",
        False,
    ),
    "inside graph": (f"SELECT * {{ {LOCAL} GRAPH ?g {{ SERVICE @open {{ ?ours o:note ?n }} }} }}", False),
    "silent": (f"SELECT * {{ {LOCAL} SERVICE SILENT @open {{ ?ours o:year ?year }} }}", True),
    "alone": ("SELECT * { SERVICE @open { ?s o:year ?y } } ORDER BY ?y LIMIT 7", False),
    "small letters": (f"select * where {{ {LOCAL} service silent @open {{ ?ours o:year ?year }} }}", True),
}


def ask_engine(federation: Federation, query: str) -> list[tuple[str, ...]]:
    """What the engine says when it asks the second server itself."""
    text = expand(query).replace(f"<{IRI}", f"<{federation.outside.url}/")
    answer = federation.store.query(text)
    assert isinstance(answer, ox.QuerySolutions)
    body = answer.serialize(format=ox.QueryResultsFormat.JSON)
    assert body is not None
    document = json.loads(body)
    return federation.show(document)


@pytest.mark.parametrize("name", QUERIES)
def test_answer_is_that_of_the_engine_alone(federation: Federation, outside: Outside, name: str) -> None:
    query, is_bound = QUERIES[name]
    expected = ask_engine(federation, query)
    outside.forget()
    assert federation.rows(query) == expected
    # One query has VALUES of its own.
    told = [request for request in outside.log if request.values and "VALUES ( ?y )" not in request.query[:30]]
    assert bool(told) == (is_bound and bool(outside.log))
    assert bool(outside.log) or expected == [] or name == "nothing bound here"


@pytest.mark.parametrize(
    "form", ["CONSTRUCT { ?ours o:y ?year } WHERE", "CONSTRUCT { ?ours o:y ?year }", "DESCRIBE ?ours"]
)
def test_graphs_are_made_of_bound_values_too(federation: Federation, outside: Outside, form: str) -> None:
    query = f"{form} {{ {LOCAL} SERVICE @open {{ ?ours o:year ?year }} }}"
    response = federation.ask(query, Accept="application/n-triples")
    assert response.status_code == 200, response.text
    subjects = {line.split(" ")[0] for line in response.text.splitlines()}
    assert len(subjects) >= CLUSTERS
    assert all(request.values for request in outside.log)
    assert federation.ask(f"ASK {{ {LOCAL} SERVICE @open {{ ?ours o:year 2003 }} }}").json()["boolean"] is True


def test_dataset_of_the_protocol_holds_for_the_values(federation: Federation, outside: Outside) -> None:
    query = expand(f"SELECT * {{ {LOCAL} SERVICE @open {{ ?ours o:year ?year }} }}")
    response = federation.client.get("/sparql", params={"query": query, "default-graph-uri": "urn:nowhere"})
    assert response.json()["results"]["bindings"] == []
    assert outside.log == []


OUTER = [
    "VALUES ?a { o:thing1 o:thing2 o:thing3 }",
    "VALUES (?a ?b) { (o:thing1 1) (o:thing2 UNDEF) (UNDEF 3) }",
    "VALUES ?b { 1 2 3 4 }",
    "OPTIONAL { VALUES (?a ?c) { (o:thing1 1) (o:thing9 2) } }",
    "OPTIONAL { VALUES (?a ?b) { (o:thing1 1) (o:thing1 7) } }",
    "MINUS { VALUES ?a { o:thing2 } }",
    "BIND(?b + 1 AS ?c)",
    "BIND(COALESCE(?b, 3) AS ?y)",
    "BIND(IRI(CONCAT('urn:o:thing', STR(?b))) AS ?a)",
    "FILTER(?b > 1)",
    "FILTER(!BOUND(?c))",
    "FILTER(BOUND(?y))",
    "{ VALUES ?a { o:thing1 } } UNION { VALUES ?b { 2 } }",
    "{ SELECT ?a { VALUES (?a ?b) { (o:thing1 5) (o:thing4 4) } } }",
    "{ SELECT ?b (COUNT(*) AS ?a) { VALUES ?b { 1 1 2 } } GROUP BY ?b }",
]
INNER = [
    "?a o:year ?b .",
    "?a o:year ?y .",
    "?x o:year ?b .",
    "OPTIONAL { ?a o:note ?c }",
    "OPTIONAL { ?a o:year ?b }",
    "MINUS { ?a o:note 1 }",
    "FILTER(?b < 100)",
    "FILTER(!BOUND(?c) || ?c = 1)",
    "BIND(?b * 2 AS ?z)",
    "BIND(COALESCE(?b, 2) AS ?c)",
    "{ ?a o:year ?b } UNION { ?a o:note ?c }",
    "{ ?a o:year ?b } UNION { ?x o:note ?c }",
    "VALUES ?b { 1 2 UNDEF }",
    "{ SELECT ?a (MAX(?b) AS ?m) { ?a o:note ?b } GROUP BY ?a }",
    "{ SELECT ?a { ?a o:note ?b } ORDER BY ?b ?a LIMIT 2 }",
    "?a o:part* ?b .",
    "?a o:year? ?y .",
]
MOST = 2_000
CALLS = ["SERVICE @open {{ {} }}", "SERVICE SILENT @open {{ {} }}", "OPTIONAL {{ SERVICE @open {{ {} }} }}"]


# Always the same examples: what fails here is to fail for whoever changed it.
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    outer=st.lists(st.sampled_from(OUTER), max_size=4),
    inner=st.lists(st.sampled_from(INNER), min_size=1, max_size=3),
    call=st.sampled_from(CALLS),
    at=st.integers(0, 4),
)
def test_any_pattern_is_answered_as_by_the_engine_alone(
    federation: Federation, outer: list[str], inner: list[str], call: str, at: int
) -> None:
    elements = [*outer[:at], call.format(" ".join(inner)), *outer[at:]]
    query = f"SELECT * {{ {' '.join(elements)} }}"
    try:
        alone = federation.outside.store.query(expand(f"SELECT * {{ {' '.join(inner)} }}"))
        assert isinstance(alone, ox.QuerySolutions)
        if sum(1 for _ in islice(alone, MOST + 1)) > MOST:
            # A product beyond the limits of an answer, which other tests are about.
            return
        expected = ask_engine(federation, query)
    except SyntaxError:
        # BIND to a variable that is there already.
        return
    assert federation.rows(query) == expected, query
