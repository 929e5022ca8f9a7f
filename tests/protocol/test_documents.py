"""Things and their documents: 303, negotiation, suffixes, and one content in every syntax."""

from __future__ import annotations

import httpx
import pytest
from rdflib import Graph, URIRef
from rdflib.compare import to_isomorphic

from kg.release import Release
from tests.assertions import assert_problem

THING = "https://w3id.org/chap/id/organisation/de-holm"
SYNTAXES = {
    "ttl": "text/turtle",
    "jsonld": "application/ld+json",
    "rdf": "application/rdf+xml",
    "nt": "application/n-triples",
}
PARSERS = {"ttl": "turtle", "jsonld": "json-ld", "rdf": "xml", "nt": "nt"}


def test_thing_redirects_to_its_document(client: httpx.Client) -> None:
    response = client.get("/id/organisation/de-holm?lang=de")
    assert response.status_code == 303
    assert response.headers["location"] == "/doc/organisation/de-holm?lang=de"


@pytest.mark.parametrize("suffix", SYNTAXES)
def test_document_comes_by_accept_and_by_suffix(client: httpx.Client, suffix: str) -> None:
    by_accept = client.get("/doc/organisation/de-holm", headers={"Accept": SYNTAXES[suffix]})
    by_suffix = client.get(f"/doc/organisation/de-holm.{suffix}", headers={"Accept": "text/html"})
    assert by_accept.status_code == by_suffix.status_code == 200
    assert by_accept.headers["content-type"].startswith(SYNTAXES[suffix])
    assert by_accept.content == by_suffix.content
    assert "Accept" in by_accept.headers["vary"]


def test_document_is_the_same_graph_in_every_syntax(client: httpx.Client) -> None:
    graphs = [
        to_isomorphic(
            Graph().parse(data=client.get(f"/doc/organisation/de-holm.{suffix}").text, format=PARSERS[suffix])
        )
        for suffix in SYNTAXES
    ]
    assert all(graph == graphs[0] for graph in graphs)
    assert (URIRef(THING), None, None) in graphs[0]


def test_document_holds_the_nodes_around_the_thing_with_labels(client: httpx.Client) -> None:
    graph = Graph().parse(data=client.get("/doc/organisation/de-holm.ttl").text, format="turtle")
    chap = "https://w3id.org/chap/def#"
    involvements = set(graph.subjects(URIRef(chap + "body"), URIRef(THING)))
    assert len(involvements) >= 3
    for involvement in involvements:
        (agent,) = set(graph.objects(involvement, URIRef(chap + "agent")))
        assert list(graph.objects(agent, URIRef("http://www.w3.org/2004/02/skos/core#prefLabel"))), agent
    assert list(graph.subjects(URIRef(chap + "about"), URIRef(THING)))


def test_document_that_a_client_has_is_not_sent_again(client: httpx.Client) -> None:
    first = client.get("/doc/organisation/de-holm.ttl")
    again = client.get("/doc/organisation/de-holm.ttl", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("path", ["/doc/organisation/de-holm", "/doc/organisation/de-holm.ttl", "/", "/api/v1/hubs"])
def test_head_is_get_without_a_body(client: httpx.Client, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    got, head = client.get(path, headers=plain), client.head(path, headers=plain)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["etag"] == got.headers["etag"]
    assert head.headers["content-length"] == str(len(got.content))


def test_document_names_licence_and_alternates(client: httpx.Client) -> None:
    links = client.get("/doc/organisation/de-holm.ttl").headers["link"]
    assert f'<{THING}>; rel="canonical"' in links
    assert 'rel="license"' in links
    assert 'type="application/ld+json"' in links


@pytest.mark.parametrize("suffix", SYNTAXES)
def test_paragraph_of_a_source_is_a_thing_like_others(client: httpx.Client, suffix: str) -> None:
    paragraph = "https://w3id.org/chap/id/source/bbfi-hessen-2024/p5"
    answer = client.get(f"/doc/source/bbfi-hessen-2024/p5.{suffix}")
    assert answer.status_code == 200
    graph = Graph().parse(data=answer.text, format=PARSERS[suffix])
    assert (URIRef(paragraph), None, None) in graph


@pytest.mark.parametrize("suffix", SYNTAXES)
@pytest.mark.parametrize("slug", ["rdf", "xml", "w3", "de-nothing"])
def test_unknown_slug_is_unknown_in_every_syntax(client: httpx.Client, slug: str, suffix: str) -> None:
    assert_problem(client.get(f"/doc/organisation/{slug}.{suffix}"), 404, "resource-not-found")


def test_links_of_a_named_release_stay_in_it(client: httpx.Client, release: Release) -> None:
    answer = client.get("/doc/organisation/de-holm.ttl", params={"release": release.id})
    assert f"/doc/organisation/de-holm.jsonld?release={release.id}" in answer.headers["link"]
    page = client.get("/doc/organisation/de-holm.html", params={"release": release.id}).text
    assert f'href="/doc/organisation/de-holm.ttl?release={release.id}"' in page


@pytest.mark.parametrize(
    "path",
    [
        "/doc/organisation/de-nothing",
        "/doc/organisation/de-nothing.ttl",
        "/doc/castle/de-holm",
        "/id/organisation/A",
        "/doc/organisation/de-holm/",
        "/id/x/..%2f",
    ],
)
def test_unknown_thing_is_a_problem(client: httpx.Client, path: str) -> None:
    assert_problem(client.get(path, follow_redirects=True), 404, "resource-not-found")


def test_syntax_that_nobody_offers_is_not_acceptable(client: httpx.Client) -> None:
    problem = assert_problem(
        client.get("/doc/organisation/de-holm", headers={"Accept": "image/png"}), 406, "not-acceptable"
    )
    assert "text/turtle" in str(problem["available"])
