"""The details of the protocol that peers get wrong (../shared/design/PEERS.md, C.8), where no other test has them.

The rest of that list: HEAD, self-links ``test_server``; media types, 406, ASK in CSV, prefixes ``test_formats``;
charset, unknown and repeated parameters, 415, the dataset ``test_query``; results that break off ``test_isolation``.
"""

from __future__ import annotations

import http.client
import socket
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pyoxigraph as ox
import pytest

from tests.protocol.conftest import RunningServer, run_server

ASK = "ASK { ?s ?p ?o }"
HUB = "https://w3id.org/chap/def#Hub"
ENDLESS = "SELECT * WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
SPARQL_WRAPPER_ACCEPT = (
    "application/rdf+xml, application/n-triples, text/turtle, text/n3, text/rdf+n3, application/x-turtle"
)


def connect(server: RunningServer) -> closing[http.client.HTTPConnection]:
    url = urlsplit(server.url)
    assert url.hostname is not None
    return closing(http.client.HTTPConnection(url.hostname, url.port, timeout=10))


def test_head_leaves_the_connection_in_order(server: RunningServer) -> None:
    """Oxigraph's server answers HEAD with a body, which the next answer on the connection then begins with."""
    target = f"/sparql?query={quote(ASK)}"
    with connect(server) as connection:
        for method in ("HEAD", "GET", "HEAD", "HEAD", "GET"):
            connection.request(method, target)
            response = connection.getresponse()
            assert response.status == 200
            assert (b'"boolean":true' in response.read()) == (method == "GET")


def test_accept_in_two_fields_is_one_list(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.putrequest("GET", f"/sparql?query={quote(ASK)}")
        connection.putheader("Accept", "image/png, text/csv;q=0.2")
        connection.putheader("Accept", "application/sparql-results+xml;q=0.4")
        connection.endheaders()
        response = connection.getresponse()
        assert response.getheader("Content-Type") == "application/sparql-results+xml"
        response.read()


def test_description_is_small_and_cached(client: httpx.Client) -> None:
    first = client.get("/sparql")
    # It names every graph of the release, some 30 bytes each once it is compressed, as every client asks for it.
    assert first.headers["content-encoding"] in ("zstd", "br", "gzip")
    with client.stream("GET", "/sparql") as response:
        assert sum(len(chunk) for chunk in response.iter_raw()) < 30_000
    assert "max-age" in first.headers["cache-control"] or "no-cache" in first.headers["cache-control"]
    known = client.get("/sparql", headers={"If-None-Match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert client.get("/sparql").content == first.content


@pytest.mark.parametrize(
    "accept", ["text/turtle", "application/rdf+xml", "application/ld+json", "application/n-triples"]
)
def test_description_comes_in_every_rdf_format(client: httpx.Client, accept: str) -> None:
    response = client.get("/sparql", headers={"Accept": accept})
    rdf_format = ox.RdfFormat.from_media_type(accept)
    assert response.headers["content-type"].startswith(accept)
    assert list(ox.parse(response.content, format=rdf_format))


@pytest.mark.parametrize(
    "query",
    [
        "# INSERT DATA { <urn:a> <urn:b> <urn:c> }\nASK { }",
        "ASK { } # DELETE WHERE { ?s ?p ?o }",
        "PREFIX delete: <urn:d:> ASK { OPTIONAL { ?insert delete:drop 'CLEAR ALL' } }",
        "SELECT ?delete ?update { OPTIONAL { ?delete <urn:INSERT> ?update } }",
        'ASK { OPTIONAL { ?s ?p """\nDROP ALL ;\n""" } }',
    ],
)
def test_update_keyword_that_is_none_does_no_harm(client: httpx.Client, query: str) -> None:
    for response in (client.get("/sparql", params={"query": query}), client.post("/sparql", data={"query": query})):
        assert response.status_code == 200, response.text


def test_graphs_of_url_and_form_are_one_dataset(client: httpx.Client) -> None:
    graphs = [f"https://w3id.org/chap/graph/{name}" for name in ("ontology", "sources")]
    response = client.post(
        "/sparql",
        params={"named-graph-uri": graphs[0]},
        data={"query": "SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }", "named-graph-uri": graphs[1]},
    )
    assert {row["g"]["value"] for row in response.json()["results"]["bindings"]} == set(graphs)


def test_graph_that_is_not_there_is_empty(client: httpx.Client) -> None:
    parameters = {"query": ASK, "default-graph-uri": "urn:nowhere"}
    assert client.get("/sparql", params=parameters).json()["boolean"] is False


@pytest.mark.parametrize("graph", ["http://[", "http://a:b/", "urn:a%zz", "//a/b", "a", "", "urn:a b", "urn:<a>"])
@pytest.mark.parametrize("name", ["default-graph-uri", "named-graph-uri"])
def test_graph_that_is_no_iri_is_refused_by_name(client: httpx.Client, name: str, graph: str) -> None:
    response = client.get("/sparql", params={"query": ASK, name: graph})
    assert (response.status_code, response.json()["code"]) == (400, "invalid-iri")
    assert name in response.json()["detail"]


@pytest.mark.parametrize("accept", ["*/*", SPARQL_WRAPPER_ACCEPT, "application/sparql-results+xml, */*;q=0.1", None])
def test_describe_is_typed_as_rdf(client: httpx.Client, accept: str | None) -> None:
    """rdflib-endpoint labels it application/sparql-results+xml."""
    request = client.build_request("GET", "/sparql", params={"query": f"DESCRIBE <{HUB}>"})
    request.headers.pop("Accept")
    if accept:
        request.headers["Accept"] = accept
    response = client.send(request)
    media_type = response.headers["content-type"].partition(";")[0]
    rdf_format = ox.RdfFormat.from_media_type(media_type)
    assert rdf_format is not None, media_type
    assert {quad.subject for quad in ox.parse(response.content, format=rdf_format)} == {ox.NamedNode(HUB)}


def test_first_of_several_formats_counts(client: httpx.Client) -> None:
    """As SPARQLWrapper asks for TSV, JSON-LD and RDF/XML: by a short name, a media type, and under three names."""
    target = f"/sparql?query={quote(ASK)}&format=tsv&format=text/tab-separated-values&output=tsv&results=tsv"
    response = client.get(target)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/tab-separated-values")


@pytest.mark.parametrize("content_type", [None, "application/x-www-form-urlencoded", "application/sparql-query"])
def test_post_with_the_query_in_the_url_and_no_body_is_answered(client: httpx.Client, content_type: str | None) -> None:
    """As Blazegraph's clients do it, some with the content type of a body that is not there."""
    headers = {"Content-Type": content_type} if content_type else {}
    response = client.post("/sparql", params={"query": ASK}, content=b"", headers=headers)
    assert response.status_code == 200, response.text
    assert response.json()["boolean"] is True


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        (ENDLESS, "application/sparql-results+json"),
        (ENDLESS, "application/sparql-results+xml"),
        (ENDLESS, "text/csv"),
        (ENDLESS, "text/tab-separated-values"),
        (ENDLESS.replace("SELECT *", "CONSTRUCT { ?a ?e ?i }"), "text/turtle"),
    ],
)
def test_stream_that_breaks_off_has_neither_an_end_nor_words_of_ours(
    server: RunningServer, query: str, accept: str
) -> None:
    """Oxigraph's server ends it as if it were whole; others append an error to the JSON."""
    url = urlsplit(server.url)
    received = bytearray()
    with socket.create_connection((url.hostname, url.port or 80), timeout=20) as connection:
        # Read to a limit, at a slow pace: the time limit ends it.
        request = f"GET /sparql?query={quote(query)} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n"
        connection.sendall(request.encode())
        try:
            while chunk := connection.recv(1_000_000):
                received = received[-200_000:] + chunk
        except ConnectionResetError:
            pass
    assert not received.endswith(b"0\r\n\r\n")
    assert b"query-timeout" not in received
    assert not received.rstrip(b"\r\n").endswith((b"}]}}", b"</sparql>"))


def test_self_links_come_from_the_configured_address(releases_dir: Path, tmp_path: Path) -> None:
    public = "https://data.example/chap"
    false = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    with run_server(releases_dir, tmp_path / "log", public_url=public) as server, server.client() as client:
        for path in ("/sparql", "/doc/organisation/de-holm.ttl", "/doc/organisation/de-holm.html", "/api/v1/hubs"):
            response = client.get(path, headers=false)
            assert response.status_code == 200
            assert "evil.example" not in response.text + str(response.headers)
        assert f"<{public}/sparql>" in client.get("/sparql", headers={**false, "Accept": "application/n-triples"}).text
        assert "evil.example" not in client.get("/id/organisation/de-holm", headers=false).headers["location"]
