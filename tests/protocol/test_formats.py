"""Results in every format, chosen by Accept or by a parameter."""

from __future__ import annotations

import json
from io import BytesIO
from xml.etree import ElementTree

import httpx
import pyoxigraph as ox
import pytest

from tests.assertions import assert_problem

SELECT = "SELECT ?class WHERE { ?class a <http://www.w3.org/2002/07/owl#Class> } ORDER BY ?class LIMIT 3"
ASK = "ASK { ?s ?p ?o }"
CONSTRUCT = "CONSTRUCT { ?class a ?type } WHERE { ?class a ?type . FILTER(?class = <https://w3id.org/chap/def#Hub>) }"
DESCRIBE = "DESCRIBE <https://w3id.org/chap/def#Hub>"
RESULTS = {
    "json": "application/sparql-results+json",
    "xml": "application/sparql-results+xml",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
}
GRAPHS = {
    "turtle": "text/turtle",
    "nt": "application/n-triples",
    "jsonld": "application/ld+json",
    "rdf": "application/rdf+xml",
    "nq": "application/n-quads",
    "trig": "application/trig",
    "n3": "text/n3",
}


def media_type(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.headers["content-type"]).partition(";")[0]


def get(client: httpx.Client, query: str, accept: str | None = None, **parameters: str) -> httpx.Response:
    headers = {} if accept is None else {"Accept": accept}
    request = client.build_request("GET", "/sparql", params={"query": query, **parameters}, headers=headers)
    if accept is None:
        del request.headers["Accept"]
    return client.send(request)


@pytest.mark.parametrize("name", RESULTS)
def test_select_comes_in_every_result_format(client: httpx.Client, name: str) -> None:
    by_accept = get(client, SELECT, RESULTS[name])
    assert media_type(by_accept) == RESULTS[name]
    assert by_accept.content == get(client, SELECT, "*/*", format=name).content
    table = ox.QueryResultsFormat.from_media_type(RESULTS[name])
    assert table is not None
    if name == "csv":
        assert len(by_accept.text.splitlines()) == 4
        return
    solutions = ox.parse_query_results(by_accept.content, format=table)
    assert isinstance(solutions, ox.QuerySolutions)
    assert len(list(solutions)) == 3


def test_ask_comes_in_every_result_format(client: httpx.Client) -> None:
    assert get(client, ASK, RESULTS["json"]).json() == {"head": {}, "boolean": True}
    xml = ElementTree.fromstring(get(client, ASK, RESULTS["xml"]).text)
    assert xml.findtext("{http://www.w3.org/2005/sparql-results#}boolean") == "true"
    assert get(client, ASK, RESULTS["csv"]).text == "true"
    assert get(client, ASK, RESULTS["tsv"]).text == "true"


@pytest.mark.parametrize("query", [CONSTRUCT, DESCRIBE])
@pytest.mark.parametrize("name", GRAPHS)
def test_graph_comes_in_every_rdf_format(client: httpx.Client, query: str, name: str) -> None:
    response = get(client, query, GRAPHS[name])
    assert media_type(response) == GRAPHS[name]
    rdf_format = ox.RdfFormat.from_media_type(GRAPHS[name])
    assert rdf_format is not None
    triples = {str(quad.triple) for quad in ox.parse(BytesIO(response.content), format=rdf_format)}
    plain = ox.parse(BytesIO(get(client, query, "application/n-triples").content), format=ox.RdfFormat.N_TRIPLES)
    assert triples == {str(quad.triple) for quad in plain}
    assert triples


def test_turtle_uses_our_prefixes_and_only_those_it_needs(client: httpx.Client) -> None:
    text = get(client, CONSTRUCT, "text/turtle").text
    assert "@prefix chap: <https://w3id.org/chap/def#> ." in text
    assert "chap:Hub a " in text
    assert "@prefix geo:" not in text


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, RESULTS["json"]),
        ("*/*", RESULTS["json"]),
        ("", RESULTS["json"]),
        ("text/csv;q=0.5, application/sparql-results+xml;q=0.9", RESULTS["xml"]),
        ("text/csv, application/sparql-results+xml;q=0.9", RESULTS["csv"]),
        ("text/*", RESULTS["csv"]),
        ("text/*;q=0.3, */*;q=0.1", RESULTS["csv"]),
        ("application/*", RESULTS["json"]),
        ("application/sparql-results+json;q=0, */*;q=0.1", RESULTS["xml"]),
        ("APPLICATION/SPARQL-RESULTS+XML", RESULTS["xml"]),
        ("application/sparql-results+xml; charset=utf-8; q=1.0", RESULTS["xml"]),
        ("application/json", "application/json"),
        ("application/xml", "application/xml"),
        ("text/turtle, */*;q=0.01", RESULTS["json"]),
        ("nonsense, text/csv", RESULTS["csv"]),
        ("text/tab-separated-values;q=0.001", RESULTS["tsv"]),
    ],
)
def test_select_is_negotiated(client: httpx.Client, accept: str | None, expected: str) -> None:
    response = get(client, SELECT, accept)
    assert media_type(response) == expected
    assert "Accept" in response.headers["vary"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "text/turtle"),
        ("*/*", "text/turtle"),
        ("application/rdf+xml, text/turtle;q=0.9", "application/rdf+xml"),
        ("application/json", "application/json"),
        ("application/sparql-results+json, */*;q=0.5", "text/turtle"),
    ],
)
def test_graph_is_negotiated(client: httpx.Client, accept: str | None, expected: str) -> None:
    assert media_type(get(client, CONSTRUCT, accept)) == expected


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        (SELECT, "text/turtle"),
        (SELECT, "image/png"),
        (CONSTRUCT, "text/csv"),
        (SELECT, "*/*;q=0"),
        (SELECT, "text/csv;q=2"),
    ],
)
def test_what_no_format_fits_is_406(client: httpx.Client, query: str, accept: str) -> None:
    problem = assert_problem(get(client, query, accept), 406, "not-acceptable")
    assert problem["available"]


def test_format_parameter_wins_over_accept(client: httpx.Client) -> None:
    assert media_type(get(client, SELECT, "text/csv", format="json")) == RESULTS["json"]
    assert media_type(get(client, SELECT, "text/csv", output="application/sparql-results+xml")) == RESULTS["xml"]
    assert media_type(get(client, CONSTRUCT, "text/csv", format="application/rdf+xml")) == "application/rdf+xml"


def test_no_query_gives_the_description_of_the_service(client: httpx.Client) -> None:
    for accept, rdf_format in (("*/*", ox.RdfFormat.TURTLE), ("application/ld+json", ox.RdfFormat.JSON_LD)):
        response = client.get("/sparql", headers={"Accept": accept})
        assert response.status_code == 200
        store = ox.Store()
        store.load(response.content, format=rdf_format)
        endpoint = str(client.base_url.join("/sparql"))
        sd = "http://www.w3.org/ns/sparql-service-description#"
        values = {"e": ox.NamedNode(endpoint)}
        found = store.query(
            f"PREFIX sd: <{sd}> SELECT ?e ?n {{ ?e a sd:Service ; sd:endpoint ?e ; "
            "sd:defaultDataset/sd:defaultGraph/<http://rdfs.org/ns/void#triples> ?n }",
            substitutions={ox.Variable(name): value for name, value in values.items()},
        )
        assert isinstance(found, ox.QuerySolutions)
        (row,) = list(found)
        count = get(client, "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", "application/json").json()
        assert str(row["n"].value) == count["results"]["bindings"][0]["n"]["value"]


def test_description_promises_no_federation(client: httpx.Client) -> None:
    assert "BasicFederatedQuery" not in client.get("/sparql").text


def test_browser_without_query_gets_the_editor(client: httpx.Client) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    response = client.get("/sparql", headers={"Accept": accept})
    assert media_type(response) == "text/html"
    assert "<textarea" in response.text
    assert 'name="query"' in response.text
    filled = client.get("/sparql", params={"query": "ASK { <a:&> ?p '<b>' }"}, headers={"Accept": accept})
    assert media_type(filled) == "text/html"
    assert "&lt;b&gt;" in filled.text


def test_json_is_json_of_the_form(client: httpx.Client) -> None:
    assert json.loads(get(client, SELECT, "application/json").content)["head"] == {"vars": ["class"]}
    assert json.loads(get(client, CONSTRUCT, "application/json").content)[0]["@id"] == "https://w3id.org/chap/def#Hub"
