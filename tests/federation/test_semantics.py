"""Batches, caching and the way through the gateway change no answer: the engine alone is the measure."""

from __future__ import annotations

import json
from itertools import islice

import pyoxigraph as ox
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.federation.conftest import HUBS, IRI, Federation, expand
from tests.federation.outside import Outside

HUB = "?hub a chap:Hub ."
# Each query, and whether the second server was told values.
QUERIES: dict[str, tuple[str, bool]] = {
    "before": (f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?year }} }}", True),
    "after": (f"SELECT * {{ SERVICE @open {{ ?hub o:year ?year }} {HUB} }}", True),
    "no full stop": ("SELECT * { ?hub a chap:Hub SERVICE @open { ?hub o:year ?year } }", True),
    "between": ("SELECT * { ?hub a chap:Hub . SERVICE @open { ?hub o:year ?year } ?hub a ?type }", True),
    "dollar": ("SELECT * { $hub a chap:Hub . SERVICE @open { ?hub o:year $year } }", True),
    "filter on remote": (f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?y }} FILTER(?y > 2010) }}", True),
    "filter on local": (
        f"SELECT * {{ {HUB} FILTER(STRLEN(STR(?hub)) > 50) SERVICE @open {{ ?hub o:year ?year }} }}",
        True,
    ),
    "filter on both": (f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?y }} FILTER(?y > STRLEN(STR(?hub))) }}", True),
    "filter with EXISTS": (
        f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?y }} FILTER EXISTS {{ ?hub a ?t }} }}",
        True,
    ),
    "filter inside": (f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?y FILTER(?y < 2005) }} }}", True),
    "optional inside": (f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?y OPTIONAL {{ ?hub o:note ?n }} }} }}", True),
    "optional first inside": (
        f"SELECT * {{ {HUB} SERVICE @open {{ OPTIONAL {{ ?hub o:note ?n }} ?hub o:year ?y }} }}",
        False,
    ),
    "only optional inside": (f"SELECT * {{ {HUB} SERVICE @open {{ OPTIONAL {{ ?hub o:note ?n }} }} }}", False),
    "minus inside": (f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?y MINUS {{ ?hub o:note 'odd' }} }} }}", True),
    "minus first inside": (
        f"SELECT * {{ {HUB} SERVICE @open {{ MINUS {{ ?hub o:note 'odd' }} ?hub o:year ?y }} }}",
        False,
    ),
    "union inside": (
        f"SELECT * {{ {HUB} SERVICE @open {{ {{ ?hub o:year ?y }} UNION {{ ?hub o:note ?n }} }} }}",
        True,
    ),
    "union of other variables inside": (
        f"SELECT * {{ {HUB} SERVICE @open {{ {{ ?hub o:year ?y }} UNION {{ ?x o:note ?n }} }} }}",
        False,
    ),
    "bind inside": (f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?y BIND(?y + 1 AS ?z) }} }}", True),
    "bind first inside": (f"SELECT * {{ {HUB} SERVICE @open {{ BIND(STR(?hub) AS ?z) ?hub o:year ?y }} }}", False),
    "path inside": (f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:part/o:size ?s }} }}", True),
    "blank node inside": (f"SELECT ?hub ?s {{ {HUB} SERVICE @open {{ ?hub o:part [ o:size ?s ] }} }}", True),
    "blank node that comes back": (f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:part ?p . ?p o:size ?s }} }}", True),
    "subquery inside": (
        f"SELECT * {{ {HUB} SERVICE @open {{ SELECT ?hub (MAX(?y) AS ?m) {{ ?hub o:year ?y }} GROUP BY ?hub }} }}",
        True,
    ),
    "limit inside": (
        f"SELECT * {{ {HUB} SERVICE @open {{ SELECT ?hub ?y {{ ?hub o:year ?y }} ORDER BY DESC(?y) LIMIT 30 }} }}",
        False,
    ),
    "values inside": (f"SELECT * {{ {HUB} SERVICE @open {{ VALUES ?y {{ 2003 2004 }} ?hub o:year ?y }} }}", True),
    "two variables": (
        "SELECT * { VALUES (?hub ?y) { (o:thing1 1) (o:thing2 3) (o:thing4 4) } SERVICE @open { ?hub o:year ?y } }",
        True,
    ),
    "values with a gap": (
        "SELECT * { VALUES (?hub ?y) { (o:thing1 UNDEF) (UNDEF 3) (o:thing4 4) } SERVICE @open { ?hub o:year ?y } }",
        False,
    ),
    "values at the end": ("SELECT * { SERVICE @open { ?hub o:year ?y } } VALUES ?hub { o:thing1 o:thing2 }", False),
    "one value twice": (
        "SELECT * { VALUES ?hub { o:thing1 o:thing1 o:thing2 } SERVICE @open { ?hub o:year ?y } }",
        True,
    ),
    "literals": (
        """SELECT * { VALUES ?l { "hub 1"@en "hub 2" "a \\"quote\\"\\n" } SERVICE @open { ?hub o:label ?l } }""",
        True,
    ),
    "bind outside": (
        "SELECT * { VALUES ?n { 1 2 300 } BIND(IRI(CONCAT('urn:o:thing', STR(?n))) AS ?hub) "
        "SERVICE @open { ?hub o:year ?y } }",
        True,
    ),
    "bind that fails for some": (
        "SELECT * { VALUES ?n { 1 'x' 300 } BIND(?n + 1 AS ?y) SERVICE @open { ?hub o:year ?y } }",
        False,
    ),
    "bind of an optional": (
        "SELECT * { VALUES ?n { 1 2 } OPTIONAL { VALUES (?n ?m) { (1 5) } } "
        "BIND(COALESCE(?m, ?n) AS ?y) SERVICE @open { ?hub o:year ?y } }",
        False,
    ),
    "bind after": ("SELECT * { VALUES ?n { 7 } SERVICE @open { ?hub o:year ?n } BIND(?n * 2 AS ?m) }", True),
    "optional outside": (
        f"SELECT * {{ {HUB} OPTIONAL {{ ?hub chap:nothing ?x }} SERVICE @open {{ ?hub o:year ?year }} }}",
        True,
    ),
    "shared variable of an optional": (
        f"SELECT * {{ {HUB} OPTIONAL {{ ?hub chap:nothing ?year }} SERVICE @open {{ ?hub o:year ?year }} }}",
        True,
    ),
    "minus outside": (
        f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?y }} MINUS {{ VALUES ?y {{ 2003 }} }} }}",
        True,
    ),
    "union outside": (
        f"SELECT * {{ {{ {HUB} }} UNION {{ VALUES ?hub {{ o:thing1 }} }} SERVICE @open {{ ?hub o:year ?year }} }}",
        True,
    ),
    "subquery outside": (
        f"SELECT * {{ {{ SELECT DISTINCT ?hub {{ {HUB} }} }} SERVICE @open {{ ?hub o:year ?year }} }}",
        True,
    ),
    "subquery with a limit outside": (
        f"SELECT * {{ {{ SELECT ?hub {{ {HUB} }} ORDER BY ?hub LIMIT 3 }} SERVICE @open {{ ?hub o:year ?year }} }}",
        False,
    ),
    "subquery that hides a variable": (
        f"SELECT * {{ {{ SELECT ?t {{ ?hub a ?t . {HUB} }} }} SERVICE @open {{ ?hub o:year 2003 }} }}",
        False,
    ),
    "graph outside": ("SELECT * { GRAPH ?g { ?hub a chap:Hub } SERVICE @open { ?hub o:year ?year } }", True),
    "from": (
        "SELECT * FROM <https://w3id.org/chap/graph/nowhere> { ?hub a chap:Hub . SERVICE @open { ?hub o:year ?y } }",
        True,
    ),
    "from named": (
        "SELECT * FROM NAMED <https://w3id.org/chap/graph/none> WHERE { GRAPH ?g { ?hub a chap:Hub } "
        "SERVICE @open { ?hub o:year ?y } }",
        True,
    ),
    "nothing bound here": ("SELECT * { ?hub a o:Nothing . SERVICE @open { ?hub o:year ?year } }", True),
    "aggregate": (f"SELECT (SUM(?y) AS ?n) {{ {HUB} SERVICE @open {{ ?hub o:year ?y }} }} HAVING (SUM(?y) > 0)", True),
    "exists in having": (
        f"SELECT ?hub {{ {HUB} SERVICE @open {{ ?hub o:year ?y }} }} GROUP BY ?hub HAVING (EXISTS {{ ?hub a ?t }})",
        True,
    ),
    "two services": (
        f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?y }} SERVICE @get {{ ?hub o:label ?l }} }}",
        True,
    ),
    "one service feeds the next": (
        f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:part ?p . ?p o:size ?n }} SERVICE @get {{ ?thing o:year ?n }} }}",
        True,
    ),
    "same service twice": (
        f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?y }} SERVICE @open {{ ?hub o:note ?n }} }}",
        True,
    ),
    "inside optional": (f"SELECT * {{ {HUB} OPTIONAL {{ SERVICE @open {{ ?hub o:note ?n }} }} }}", True),
    "inside optional with filter": (
        f"SELECT * {{ {HUB} OPTIONAL {{ SERVICE @open {{ ?hub o:year ?n }} FILTER(?n > 2010) }} }}",
        True,
    ),
    "inside optional with more": (
        f"SELECT * {{ {HUB} OPTIONAL {{ SERVICE @open {{ ?hub o:year ?n }} ?hub a ?t }} }}",
        False,
    ),
    "inside optional before": (f"SELECT * {{ OPTIONAL {{ SERVICE @open {{ ?hub o:note ?n }} }} {HUB} }}", False),
    "inside minus": (f"SELECT * {{ {HUB} MINUS {{ SERVICE @open {{ ?hub o:note ?n }} }} }}", False),
    "inside union": (f"SELECT * {{ {HUB} {{ SERVICE @open {{ ?hub o:note ?n }} }} UNION {{ ?hub a ?t }} }}", False),
    "inside group": (f"SELECT * {{ {HUB} {{ SERVICE @open {{ ?hub o:note ?n }} }} }}", False),
    "inside exists": (f"SELECT * {{ {HUB} FILTER EXISTS {{ SERVICE @open {{ ?hub o:note ?n }} }} }}", False),
    "inside subquery": (f"SELECT * {{ {HUB} {{ SELECT ?hub {{ SERVICE @open {{ ?hub o:note ?n }} }} }} }}", False),
    "inside graph": (f"SELECT * {{ {HUB} GRAPH ?g {{ SERVICE @open {{ ?hub o:note ?n }} }} }}", False),
    "silent": (f"SELECT * {{ {HUB} SERVICE SILENT @open {{ ?hub o:year ?year }} }}", True),
    "alone": ("SELECT * { SERVICE @open { ?s o:year ?y } } ORDER BY ?y LIMIT 7", False),
    "small letters": (f"select * where {{ {HUB} service silent @open {{ ?hub o:year ?year }} }}", True),
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
    "form", ["CONSTRUCT { ?hub o:y ?year } WHERE", "CONSTRUCT { ?hub o:y ?year }", "DESCRIBE ?hub"]
)
def test_graphs_are_made_of_bound_values_too(federation: Federation, outside: Outside, form: str) -> None:
    query = f"{form} {{ {HUB} SERVICE @open {{ ?hub o:year ?year }} }}"
    response = federation.ask(query, Accept="application/n-triples")
    assert response.status_code == 200, response.text
    subjects = {line.split(" ")[0] for line in response.text.splitlines()}
    assert len(subjects) >= HUBS
    assert all(request.values for request in outside.log)
    assert federation.ask(f"ASK {{ {HUB} SERVICE @open {{ ?hub o:year 2003 }} }}").json()["boolean"] is True


def test_dataset_of_the_protocol_holds_for_the_values(federation: Federation, outside: Outside) -> None:
    query = expand(f"SELECT * {{ {HUB} SERVICE @open {{ ?hub o:year ?year }} }}")
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
