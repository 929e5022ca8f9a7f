"""SPARQL 1.1 Protocol, section 2.1: how a query may be sent, and what is wrong with it when it may not."""

from __future__ import annotations

import httpx
import pytest

from tests.assertions import assert_problem

ASK = "ASK { ?s ?p ?o }"
FORM = "application/x-www-form-urlencoded"
QUERY = "application/sparql-query"
JSON = "application/sparql-results+json"


def is_true(response: httpx.Response) -> bool:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == JSON
    answer: dict[str, object] = response.json()
    return answer["boolean"] is True


def test_query_by_get_is_answered(client: httpx.Client) -> None:
    assert is_true(client.get("/sparql", params={"query": ASK}))


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=UTF-8", f'{FORM};charset="utf-8"', FORM.upper()])
def test_query_by_form_is_answered(client: httpx.Client, content_type: str) -> None:
    body = "query=ASK%20%7B+%3Fs+%3Fp+%3Fo+%7D"
    assert is_true(client.post("/sparql", content=body, headers={"Content-Type": content_type}))


@pytest.mark.parametrize("content_type", [QUERY, f"{QUERY}; charset=utf-8"])
def test_query_in_body_is_answered(client: httpx.Client, content_type: str) -> None:
    assert is_true(client.post("/sparql", content=ASK, headers={"Content-Type": content_type}))


def test_query_in_url_of_a_post_without_body_is_answered(client: httpx.Client) -> None:
    assert is_true(client.post("/sparql", params={"query": ASK}))


def test_query_in_body_with_graphs_in_url_is_answered(client: httpx.Client) -> None:
    graph = "https://w3id.org/chap/graph/ontology"
    response = client.post(
        "/sparql",
        params={"default-graph-uri": graph},
        content="ASK { <https://w3id.org/chap/def#Cluster> a ?class }",
        headers={"Content-Type": QUERY},
    )
    assert is_true(response)


def test_unknown_parameters_are_left_alone(client: httpx.Client) -> None:
    assert is_true(client.get("/sparql", params={"query": ASK, "timeout": "5", "debug": "on", "x": "1"}))


def test_characters_beyond_ascii_survive(client: httpx.Client) -> None:
    query = 'SELECT ("Größe 🎈 \U0001f9ea" AS ?word) {}'
    for response in (
        client.get("/sparql", params={"query": query}),
        client.post("/sparql", data={"query": query}),
        client.post("/sparql", content=query.encode(), headers={"Content-Type": QUERY}),
    ):
        assert response.json()["results"]["bindings"][0]["word"]["value"] == "Größe 🎈 \U0001f9ea"


@pytest.mark.parametrize(
    ("method", "url", "body", "content_type", "status", "code"),
    [
        ("GET", "?query=ASK%7B%7D&query=ASK%7B%7D", None, None, 400, "query-repeated"),
        ("GET", "?query=", None, None, 400, "query-missing"),
        ("GET", "?query=%20%0A", None, None, 400, "query-missing"),
        ("GET", "?query=ASK%7B%7", None, None, 400, "bad-encoding"),
        ("GET", "?query=100%", None, None, 400, "bad-encoding"),
        ("GET", "?query=%FF%FE", None, None, 400, "bad-encoding"),
        ("GET", "?query=ASK%7B%7D&default-graph-uri=here", None, None, 400, "invalid-iri"),
        ("GET", "?query=ASK%7B%7D&named-graph-uri=urn:a%20b", None, None, 400, "invalid-iri"),
        ("GET", "?query=ASK%7B%7D&format=a&format=b", None, None, 406, "not-acceptable"),
        ("GET", "?query=ASK%7B%7D&release=9999-00000000", None, None, 404, "release-not-found"),
        ("GET", "?query=ASK%7B%7D&format=docx", None, None, 406, "not-acceptable"),
        ("GET", "?update=CLEAR%20ALL", None, None, 405, "update-by-get"),
        ("POST", "", b"", None, 400, "query-missing"),
        ("POST", "", b"", FORM, 400, "query-missing"),
        ("POST", "", b"x=1", FORM, 400, "query-missing"),
        ("POST", "", b"query=ASK%7B%7D&query=ASK%7B%7D", FORM, 400, "query-repeated"),
        ("POST", "?query=ASK%7B%7D", b"query=ASK%7B%7D", FORM, 400, "query-repeated"),
        ("POST", "?query=ASK%7B%7D", b"ASK{}", QUERY, 400, "query-repeated"),
        ("POST", "", b"query=%GG", FORM, 400, "bad-encoding"),
        ("POST", "", "query=ä".encode(), FORM, 400, "bad-encoding"),
        ("POST", "", b"ASK { ?s ?p '\xff' }", QUERY, 400, "bad-encoding"),
        ("POST", "", b"ASK{}", f"{QUERY}; charset=latin-1", 415, "unsupported-media-type"),
        ("POST", "", b"ASK{}", "text/plain", 415, "unsupported-media-type"),
        ("POST", "", b"ASK{}", None, 415, "unsupported-media-type"),
        ("POST", "", b'{"query": "ASK{}"}', "application/json", 415, "unsupported-media-type"),
        ("POST", "", b"update=CLEAR%20ALL", FORM, 401, "token-missing"),
        ("POST", "", b"update=CLEAR%20ALL&query=ASK%7B%7D", FORM, 400, "query-and-update"),
        ("POST", "", b"INSERT DATA { <a:a> <a:b> <a:c> }", "application/sparql-update", 401, "token-missing"),
        ("POST", "", b"INSERT DATA { <a:a> <a:b> <a:c> }", QUERY, 400, "query-is-update"),
        ("POST", "", b"PREFIX a: <a:> DROP ALL", QUERY, 400, "query-is-update"),
        ("POST", "", b"LOAD <http://127.0.0.1:9/>", QUERY, 403, "query-refused"),
        ("PUT", "", b"ASK{}", QUERY, 405, "method-not-allowed"),
        ("DELETE", "?query=ASK%7B%7D", None, None, 405, "method-not-allowed"),
        ("PATCH", "", b"", None, 405, "method-not-allowed"),
    ],
)
def test_broken_request_gets_its_problem(
    client: httpx.Client, method: str, url: str, body: bytes | None, content_type: str | None, status: int, code: str
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert_problem(client.request(method, f"/sparql{url}", content=body, headers=headers), status, code)


def test_compressed_body_is_refused(client: httpx.Client) -> None:
    headers = {"Content-Type": QUERY, "Content-Encoding": "gzip"}
    assert_problem(client.post("/sparql", content=b"\x1f\x8b", headers=headers), 415, "unsupported-media-type")


def test_body_beyond_the_limit_is_refused(client: httpx.Client) -> None:
    body = b"ASK { }" + b" " * 3_000_000
    assert_problem(client.post("/sparql", content=body, headers={"Content-Type": QUERY}), 413, "body-too-large")
    chunks = (b" " * 100_000 for _ in range(30))
    assert_problem(client.post("/sparql", content=chunks, headers={"Content-Type": QUERY}), 413, "body-too-large")


def test_query_beyond_the_limit_is_refused(client: httpx.Client) -> None:
    body = b"ASK { }" + b" " * 300_000
    problem = assert_problem(
        client.post("/sparql", content=body, headers={"Content-Type": QUERY}), 413, "query-too-long"
    )
    assert problem["limit"] == 256 * 1024


@pytest.mark.parametrize(
    ("query", "line", "column"),
    [
        ("SELECT * WHERE { ?s ?p }", 1, 24),
        ("SELECT *\nWHERE {\n  ?s ?p ?o\n  FILTER(\n}", 5, 1),
        ("SELEKT * {}", 1, 1),
        ("PREFIX known: <http://e/>\nASK { ?s unknown:name ?o }", 2, 10),
        ("PREFIX a: <http://e/>\n", 2, 1),
        ("SELECT (COUNT(?s) AS ?n) ?o { ?s ?p ?o }", 1, 41),
    ],
)
def test_syntax_error_says_where(client: httpx.Client, query: str, line: int, column: int) -> None:
    problem = assert_problem(client.post("/sparql", data={"query": query}), 400, "query-syntax")
    assert (problem["line"], problem["column"]) == (line, column)


def test_dataset_of_the_protocol_is_honoured(client: httpx.Client) -> None:
    ontology, places = "https://w3id.org/chap/graph/ontology", "https://w3id.org/chap/graph/sources"
    cluster = "<https://w3id.org/chap/def#Cluster> ?p ?o"
    graphs = "SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }"

    def ask(query: str, **graphs: list[str]) -> bool:
        parameters = {name.replace("_", "-"): value for name, value in graphs.items()}
        found = client.get("/sparql", params={"query": query, **parameters}).json()
        return bool(found["boolean"])

    assert ask(f"ASK {{ {cluster} }}", default_graph_uri=[ontology])
    assert not ask(f"ASK {{ {cluster} }}", default_graph_uri=[places])
    assert ask(f"ASK {{ {cluster} }}", default_graph_uri=[places, ontology])
    assert not ask(f"ASK {{ {cluster} }}", named_graph_uri=[ontology])
    assert ask(f"ASK {{ GRAPH ?g {{ {cluster} }} }}", named_graph_uri=[ontology])
    assert not ask(f"ASK {{ GRAPH ?g {{ {cluster} }} }}", default_graph_uri=[ontology])
    # The dataset of the protocol wins over that of the query (section 2.1.4).
    assert not ask(f"ASK FROM <{ontology}> {{ {cluster} }}", default_graph_uri=[places])
    found = client.get("/sparql", params={"query": graphs, "named-graph-uri": [ontology, places]}).json()
    assert {row["g"]["value"] for row in found["results"]["bindings"]} == {ontology, places}


def test_nothing_leaves_the_machine(client: httpx.Client) -> None:
    hidden = [
        "SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }",
        "SELECT * { service silent <http://127.0.0.1:9/> { ?s ?p ?o } }",
        "PREFIX e: <http://127.0.0.1:9/> SELECT * { { SELECT * { SERVICE e:sparql { ?s ?p ?o } } } }",
        "BASE <http://127.0.0.1:9/> ASK { FILTER EXISTS { SERVICE <s> { ?s ?p ?o } } }",
        "SELECT * { ?s ?p ?o SERVICE#comment\n<http://127.0.0.1:9/>{ ?s ?p ?o } }",
        "SELECT * { VALUES ?e { <http://127.0.0.1:9/> } SERVICE ?e { ?s ?p ?o } }",
        "SELECT * { FILTER(?a<?b)SERVICE<http://127.0.0.1:9/>{} }",
        "SELECT * { ?s ?p '''it's''' SERVICE <\\u0068ttp://127.0.0.1:9/> { ?s ?p ?o } }",
        'SELECT * { ?s ?p "\\"" . SERVICE <http://127.0.0.1:9/> { } }',
        "PREFIX e: <http://e/> SELECT * { ?s e:a\\#b ?o SERVICE <http://127.0.0.1:9/> { } }",
    ]
    for query in hidden:
        assert_problem(client.post("/sparql", data={"query": query}), 403, "query-refused")


@pytest.mark.parametrize(
    "query",
    [
        "ASK { } # SERVICE <http://127.0.0.1:9/> { }",
        "ASK { FILTER(STRLEN('SERVICE <x> {} LOAD') > 0) }",
        "PREFIX service: <http://e/> ASK { OPTIONAL { ?service service:service <http://e/SERVICE/LOAD> } }",
        'ASK { OPTIONAL { ?load ?p """INSERT " DELETE SERVICE \\""" LOAD""" } }',
        "PREFIX e: <http://e/> ASK { OPTIONAL { ?s e:service\\,LOAD ?o } } # DROP ALL",
    ],
)
def test_words_that_are_no_keywords_do_no_harm(client: httpx.Client, query: str) -> None:
    response = client.post("/sparql", data={"query": query})
    assert response.status_code == 200, response.text
