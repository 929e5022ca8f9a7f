"""What a thing can come to: merged, withdrawn, tied to too much for one document, stated only where it is not open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyoxigraph as ox
import pytest

from kg.release import Releases
from tests.assertions import assert_problem
from tests.protocol.conftest import run_server

CHAP = "https://w3id.org/chap/"
THING = f"{CHAP}id/organisation/"
OPEN = "http://creativecommons.org/licenses/by/4.0/"
CLOSED = "https://example.org/not-open"
SYNTAXES = {
    "ttl": ox.RdfFormat.TURTLE,
    "jsonld": ox.RdfFormat.JSON_LD,
    "rdf": ox.RdfFormat.RDF_XML,
    "nt": ox.RdfFormat.N_TRIPLES,
}
# Texts that break what is put together carelessly; RDF/XML has no control characters, so there are none.
ODD = 'quotes " and \\ backslashes,\ttabs\nlines\u2028more <b>&amp;</b> {{ }} 🦊'
MANY = 1_003
LARGE = 10_001
ROWS = 2_001
STATED = f"""
PREFIX chap: <{CHAP}def#>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX graph: <{CHAP}graph/>
PREFIX org: <{THING}>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
graph:provenance {{
  graph:provenance dcterms:license <{OPEN}> . graph:identity dcterms:license <{OPEN}> .
  graph:source-a dcterms:license <{OPEN}> . graph:large dcterms:license <{OPEN}> .
  graph:closed dcterms:license <{CLOSED}> .
}}
graph:identity {{
  org:de-first owl:deprecated true ; dcterms:isReplacedBy org:de-second .
  org:de-second owl:deprecated true ; dcterms:isReplacedBy org:de-now .
  org:de-gone owl:deprecated true ; chap:firstRelease "0.1.0" .
  org:de-lost owl:deprecated true ; dcterms:isReplacedBy org:de-gone .
  org:de-round owl:deprecated true ; dcterms:isReplacedBy org:de-about .
  org:de-about owl:deprecated true ; dcterms:isReplacedBy org:de-round .
}}
graph:source-a {{
  org:de-now a chap:Actor ; skos:prefLabel "Now"@en ; chap:latestStart "2020-01-01"^^xsd:date, "2020"^^xsd:gYear ;
    chap:kind "no concept", "odd"@en ; skos:altLabel "NOW", "Jetzt"@de, "7"^^xsd:integer ; chap:amount 7 .
  <{CHAP}id/place/de-odd> skos:prefLabel "Odd"@en ;
    chap:date "2020-13-45"^^xsd:date, "-0044"^^xsd:gYear, "2020Z"^^xsd:gYear ;
    chap:amount "many"^^xsd:decimal, "INF"^^xsd:double ; chap:preferred "maybe"^^xsd:boolean ;
    chap:to <mailto:a@example.org> .
  org:de-many a chap:Actor ; skos:prefLabel "Many"@en .
}}
graph:closed {{ org:de-hidden skos:prefLabel "Hidden"@en . org:de-now chap:note "not open"@en }}
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    directory = tmp_path_factory.mktemp("states")
    quads = list(ox.parse(STATED, format=ox.RdfFormat.TRIG))
    source, large = ox.NamedNode(f"{CHAP}graph/source-a"), ox.NamedNode(f"{CHAP}graph/large")
    note = ox.NamedNode(f"{CHAP}def#note")
    quads.append(ox.Quad(ox.NamedNode(f"{THING}de-now"), note, ox.Literal(ODD, language="en"), source))
    for number in range(MANY):
        node = ox.NamedNode(f"{CHAP}id/involvement/de-{number:04d}--member--de-many")
        quads.append(ox.Quad(node, ox.NamedNode(f"{CHAP}def#body"), ox.NamedNode(f"{THING}de-many"), source))
    for number in range(ROWS):
        quads.append(
            ox.Quad(ox.NamedNode(f"{THING}de-much"), note, ox.Literal(f"note {number}", language="en"), source)
        )
    for number in range(LARGE):
        quads.append(ox.Quad(ox.NamedNode(f"urn:x-test:{number}"), note, ox.Literal(str(number)), large))
    Releases(directory / "releases").publish(
        quads=quads, open_licences=[OPEN], manifest_extra={}, report_turtle=b"", prefixes={"chap": f"{CHAP}def#"}
    )
    with run_server(directory / "releases", directory / "log") as running, running.client() as client:
        yield client


def read(client: httpx.Client, path: str, suffix: str) -> set[ox.Triple]:
    """The triples of a document that answers, whatever its status."""
    body = client.get(f"{path}.{suffix}").content
    if suffix == "jsonld":
        document = json.loads(body)
        document["@context"] = client.get(urlsplit(document["@context"]).path).json()["@context"]
        body = json.dumps(document).encode()
    return {quad.triple for quad in ox.parse(body, format=SYNTAXES[suffix])}


@pytest.mark.parametrize("slug", ["de-first", "de-second"])
def test_merged_thing_leads_to_the_end_of_the_chain(client: httpx.Client, slug: str) -> None:
    for path, target in (
        (f"/id/organisation/{slug}?lang=de", "/id/organisation/de-now?lang=de"),
        (f"/doc/organisation/{slug}", "/doc/organisation/de-now"),
        (f"/doc/organisation/{slug}.ttl", "/doc/organisation/de-now.ttl"),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (301, target)
        assert client.get(path, headers={"Accept": "text/turtle"}, follow_redirects=True).status_code == 200


@pytest.mark.parametrize("slug", ["de-gone", "de-round"])
@pytest.mark.parametrize("kind", ["id", "doc"])
@pytest.mark.parametrize("media_type", ["text/html", "text/turtle", "application/ld+json", "application/rdf+xml"])
def test_withdrawn_thing_has_a_tombstone(client: httpx.Client, slug: str, kind: str, media_type: str) -> None:
    answer = client.get(f"/{kind}/organisation/{slug}", headers={"Accept": media_type})
    assert answer.status_code == 410
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.headers["cache-control"] == "no-store"
    assert "Accept" in answer.headers["vary"]
    assert f"{THING}{slug}" in answer.text or media_type == "text/turtle"


def test_tombstone_is_one_content_in_every_syntax_and_language(client: httpx.Client) -> None:
    contents = [read(client, "/doc/organisation/de-gone", suffix) for suffix in SYNTAXES]
    assert all(each == contents[0] for each in contents)
    deprecated = ox.Triple(
        ox.NamedNode(f"{THING}de-gone"),
        ox.NamedNode("http://www.w3.org/2002/07/owl#deprecated"),
        ox.Literal("true", datatype=ox.NamedNode("http://www.w3.org/2001/XMLSchema#boolean")),
    )
    assert deprecated in contents[0]
    for language, words in (("de", "zurückgezogen"), ("en", "withdrawn")):
        page = client.get("/doc/organisation/de-gone.html", params={"lang": language})
        assert page.status_code == 410
        assert words in page.text
        assert '<meta name="robots" content="noindex">' in page.text


@pytest.mark.parametrize(
    "path", ["/id/organisation/de-gone", "/doc/organisation/de-gone.html", "/doc/organisation/de-first"]
)
def test_head_is_get_without_a_body(client: httpx.Client, path: str) -> None:
    got = client.get(path, headers={"Accept-Encoding": "identity"})
    for _ in range(2):
        head = client.head(path, headers={"Accept-Encoding": "identity"})
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers.get("content-length") == got.headers.get("content-length")


def test_thing_merged_into_a_withdrawn_one_leads_to_its_tombstone(client: httpx.Client) -> None:
    answer = client.get("/id/organisation/de-lost", follow_redirects=True, headers={"Accept": "text/turtle"})
    assert [each.status_code for each in answer.history] == [301]
    assert answer.status_code == 410


def test_odd_values_are_the_same_in_every_syntax(client: httpx.Client) -> None:
    contents = [read(client, "/doc/organisation/de-now", suffix) for suffix in SYNTAXES]
    assert all(each == contents[0] for each in contents)
    values = {triple.object for triple in contents[0]}
    assert ox.Literal(ODD, language="en") in values
    page = client.get("/doc/organisation/de-now.html").text
    assert "<b>&amp;</b>" not in page
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in page


def test_value_that_is_not_of_its_datatype_is_shown_as_it_is(client: httpx.Client) -> None:
    page = client.get("/doc/place/de-odd.html")
    assert page.status_code == 200
    for text in ("2020-13-45", "-0044", "2020Z", "many", "maybe"):
        assert text in page.text
    contents = [read(client, "/doc/place/de-odd", suffix) for suffix in SYNTAXES]
    assert all(each == contents[0] for each in contents)


def test_document_with_too_many_nodes_says_so_and_links_them_all(client: httpx.Client) -> None:
    contents = [read(client, "/doc/organisation/de-many", suffix) for suffix in SYNTAXES]
    assert all(each == contents[0] for each in contents)
    body = ox.NamedNode(f"{CHAP}def#body")
    assert sum(triple.predicate == body for triple in contents[0]) == 1_000
    notices = {triple.object.value for triple in contents[0] if triple.predicate.value.endswith("#comment")}  # type: ignore[union-attr]
    assert any(f"1000 of the {MANY} nodes" in each for each in notices)
    (link,) = (triple.object.value for triple in contents[0] if triple.predicate.value.endswith("#seeAlso"))  # type: ignore[union-attr]
    query = parse_qs(urlsplit(link).query)["query"]
    answer = client.get("/sparql", params={"query": query}, headers={"Accept": "application/n-triples"})
    assert answer.text.count(f"<{body.value}>") == MANY


def test_page_with_too_many_rows_says_so(client: httpx.Client) -> None:
    page = client.get("/doc/organisation/de-much.html", params={"lang": "en"}).text
    assert "Only a part of what is tied to this thing is shown here" in page
    assert 'href="/doc/organisation/de-much.ttl"' in page
    assert "Only a part" not in client.get("/doc/organisation/de-now.html", params={"lang": "en"}).text
    assert len(read(client, "/doc/organisation/de-much", "ttl")) >= ROWS


def test_statement_that_is_not_open_stays_in_its_graph(client: httpx.Client) -> None:
    for path in ("/doc/organisation/de-now.ttl", "/doc/organisation/de-now.html", "/doc/organisation/de-hidden.ttl"):
        assert "not open" not in client.get(path).text
        assert "Hidden" not in client.get(path).text
    elsewhere = ox.Triple(
        ox.NamedNode(f"{THING}de-hidden"),
        ox.NamedNode("http://www.w3.org/2000/01/rdf-schema#seeAlso"),
        ox.NamedNode(f"{CHAP}graph/closed"),
    )
    assert elsewhere in read(client, "/doc/organisation/de-hidden", "ttl")
    assert client.get("/doc/organisation/de-hidden.html").status_code == 200
    graph = client.get("/graph/closed.ttl")
    assert "Hidden" in graph.text
    assert f'<{CLOSED}>; rel="license"' in graph.headers["link"]


def test_graph_too_large_for_a_document_says_where_its_triples_are(client: httpx.Client) -> None:
    for suffix in SYNTAXES:
        contents = read(client, "/graph/large", suffix)
        assert len(contents) < 20
        assert any(str(LARGE) in str(triple.object) for triple in contents)
        assert any(triple.predicate.value.endswith("#seeAlso") for triple in contents)
    assert re.search(r'class="notice">.*10001', client.get("/graph/large.html?lang=en").text)


@pytest.mark.parametrize(
    "path",
    [
        "/graph/nothing",
        "/graph/A",
        "/scheme/nothing",
        "/scheme/topic/nothing.ttl",
        "/scheme/a%20b",
        "/scheme/<x>",
        "/dataset/nothing",
        "/def/9.9.9",
        "/definition",
        "/shapes/x",
        "/.well-known/genid/x",
        "/id/organisation/de-nothing",
    ],
)
def test_unknown_iri_is_a_problem(client: httpx.Client, path: str) -> None:
    document: dict[str, Any] = client.get(path, headers={"Accept": "text/turtle"}).json()
    assert_problem(client.get(path, headers={"Accept": "text/turtle"}), 404, str(document["code"]))
    assert document["code"] in ("resource-not-found", "not-found")
