"""The service description (SPARQL 1.1 Service Description) says what is there and what works, no more and no less."""

from __future__ import annotations

import httpx
import pyoxigraph as ox
import pytest

from endpoint.sparql.formats import GRAPHS, RESULTS

SD = "http://www.w3.org/ns/sparql-service-description#"
FORMATS = "http://www.w3.org/ns/formats/"
PREFIXES = f"PREFIX sd: <{SD}> PREFIX void: <http://rdfs.org/ns/void#> "
# What W3C calls the formats (https://www.w3.org/ns/formats/).
TABLES = {
    "SPARQL_Results_JSON": "application/sparql-results+json",
    "SPARQL_Results_XML": "application/sparql-results+xml",
    "SPARQL_Results_CSV": "text/csv",
    "SPARQL_Results_TSV": "text/tab-separated-values",
}
SYNTAXES = {
    "Turtle": "text/turtle",
    "N-Triples": "application/n-triples",
    "N-Quads": "application/n-quads",
    "TriG": "application/trig",
    "N3": "text/n3",
    "JSON-LD": "application/ld+json",
    "RDF_XML": "application/rdf+xml",
}


@pytest.fixture
def description(client: httpx.Client) -> ox.Store:
    response = client.get("/sparql", headers={"Accept": "application/n-triples"})
    assert response.status_code == 200
    store = ox.Store()
    store.load(response.content, format=ox.RdfFormat.N_TRIPLES)
    return store


def select(description: ox.Store, pattern: str) -> list[tuple[str, ...]]:
    """The values of ?a and, where it is bound, ?b."""
    solutions = description.query(f"{PREFIXES} SELECT ?a ?b WHERE {{ {pattern} }}")
    assert isinstance(solutions, ox.QuerySolutions)
    return [tuple(term.value for term in row if isinstance(term, ox.NamedNode | ox.Literal)) for row in solutions]


def ask(client: httpx.Client, query: str) -> list[dict[str, str]]:
    rows = client.post("/sparql", data={"query": query}).json()["results"]["bindings"]
    return [{name: term["value"] for name, term in row.items()} for row in rows]


def test_named_graphs_are_those_of_the_release(client: httpx.Client, description: ox.Store) -> None:
    described = select(
        description,
        "?service sd:defaultDataset/sd:namedGraph ?named . ?named sd:name ?a ; void:triples ?b",
    )
    counted = ask(client, "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g")
    assert sorted(described) == sorted((row["g"], row["n"]) for row in counted)
    names = ask(client, "SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }")
    assert sorted(name for name, _ in described) == sorted(row["g"] for row in names)


def test_description_is_the_same_bytes_each_time_and_small_on_the_wire(client: httpx.Client) -> None:
    # Addresses of their own, so that the second is not what was kept of the first.
    first, second = (client.get(f"/sparql?again={n}", headers={"Accept": "text/turtle"}) for n in range(2))
    assert first.headers["etag"] == second.headers["etag"]
    assert first.content == second.content
    with client.stream("GET", "/sparql?again=2", headers={"Accept-Encoding": "gzip"}) as response:
        assert sum(len(chunk) for chunk in response.iter_raw()) < 32_000


def test_described_formats_are_those_that_are_served(description: ox.Store) -> None:
    described = {name.removeprefix(FORMATS) for (name,) in select(description, "?service sd:resultFormat ?a")}
    assert described == {*TABLES, *SYNTAXES}
    # Other media types are other names of these: the engine writes the same bytes for them.
    assert {each.written_as for each in RESULTS} == set(TABLES.values())
    assert {each.written_as for each in GRAPHS} == set(SYNTAXES.values())


@pytest.mark.parametrize("media_type", [*TABLES.values(), *SYNTAXES.values()])
def test_each_described_format_is_answered(client: httpx.Client, media_type: str) -> None:
    is_table = media_type in TABLES.values()
    query = "SELECT * { ?s ?p ?o } LIMIT 1" if is_table else "CONSTRUCT WHERE { ?s ?p ?o } LIMIT 1"
    response = client.get("/sparql", params={"query": query}, headers={"Accept": media_type})
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == media_type
    assert response.content


def test_described_language_is_spoken(client: httpx.Client, description: ox.Store) -> None:
    assert set(select(description, "?service sd:supportedLanguage ?a")) == {
        (f"{SD}SPARQL11Query",),
        (f"{SD}SPARQL11Update",),
    }
    # What SPARQL 1.0 had not: paths, subqueries, aggregates, BIND, VALUES, MINUS, EXISTS.
    query = """
        PREFIX owl: <http://www.w3.org/2002/07/owl#> PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
        SELECT ?n ?k WHERE {
          { SELECT (COUNT(?c) AS ?n) WHERE { ?c a/rdfs:subClassOf* owl:Class MINUS { ?c a owl:Ontology } } }
          BIND(?n + 1 AS ?m) VALUES ?k { 1 } FILTER(?m > ?k && EXISTS { ?c a owl:Class })
        }"""
    assert len(ask(client, query)) == 1
    # Updates are for those who have a token (tests/writes); LOAD is for nobody, so no input format is claimed.
    assert select(description, "?service sd:inputFormat ?a") == []
    assert client.post("/sparql", data={"update": "CLEAR ALL"}).status_code == 401


def test_no_feature_is_claimed_that_is_not_there(client: httpx.Client, description: ox.Store) -> None:
    # No feature at all: SERVICE is refused, FROM is not dereferenced, a dataset need not be given.
    assert select(description, "?service sd:feature ?a") == []
    assert select(description, "?service sd:extensionFunction|sd:extensionAggregate|sd:languageExtension ?a") == []
    federated = client.post("/sparql", data={"query": "SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }"})
    assert 400 <= federated.status_code < 500
    foreign = ask(client, "SELECT * FROM <http://www.w3.org/2002/07/owl> { ?s ?p ?o } LIMIT 1")
    assert foreign == []
