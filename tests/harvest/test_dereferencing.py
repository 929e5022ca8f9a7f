"""IRIs of our namespace answer: a crawl over hundreds of each kind, and over some of each kind in every syntax."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pyoxigraph as ox
import pytest
from rdflib import Graph, URIRef
from rdflib.compare import to_isomorphic

from kg.rdfio import load_prefixes
from kg.release import Release
from kg.terms import BASE
from tests.protocol.conftest import RunningServer

TURTLE = {"text/turtle": ox.RdfFormat.TURTLE}
RDF = TURTLE | {
    "application/ld+json": ox.RdfFormat.JSON_LD,
    "application/rdf+xml": ox.RdfFormat.RDF_XML,
    "application/n-triples": ox.RdfFormat.N_TRIPLES,
}
GRAPHS = {"application/trig": ox.RdfFormat.TRIG, "application/n-quads": ox.RdfFormat.N_QUADS}
CONNECTIONS = 4
# So many documents of a kind are asked for, and so many of them in every syntax.
MOST = 250
SAMPLE = 25
PATIENCE = 5

Answer = tuple[int, dict[str, str], bytes]
# Its IRI, those that it must hold, and whether it is asked for in every syntax.
Document = tuple[str, set[str], bool]


class Crawler:
    """Asks for one IRI after the other on a connection that it keeps."""

    def __init__(self, url: str, context: bytes) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._reference = f'"{url}/context.jsonld"'.encode()
        self._context = context

    def crawl(self, documents: Sequence[Document]) -> list[str]:
        """What is wrong with these documents."""
        with closing(self._connection):
            return [f"{each[0]}: {problem}" for each in documents for problem in self._check(*each)]

    def _check(self, iri: str, held: set[str], is_sampled: bool) -> Iterator[str]:
        path = "/" + iri.removeprefix(BASE)
        if path.startswith("/id/"):
            status, headers, _ = self._get(path, "*/*")
            # A redirect that reads no header is the same for every syntax.
            if status != 303 or "vary" in headers:
                yield f"{status} {headers}"
                return
            path = headers["location"]
        syntaxes = RDF | (GRAPHS if path.startswith("/graph/") else {}) if is_sampled else TURTLE
        triples: dict[str, set[ox.Triple]] = {}
        for media_type, syntax in syntaxes.items():
            status, headers, body = self._get(path, media_type)
            if status != 200 or not headers["content-type"].startswith(media_type):
                yield f"{media_type}: {status} {headers.get('content-type')}"
                continue
            triples[media_type] = self._parse(body, syntax)
        first = triples.get("text/turtle", set())
        yield from (f"{each} holds other triples" for each, found in triples.items() if found != first)
        subjects = {triple.subject.value for triple in first if isinstance(triple.subject, ox.NamedNode)}
        yield from (f"{each} is no subject" for each in held - subjects)
        if not is_sampled:
            return
        status, headers, body = self._get(path, "text/html")
        if status != 200 or not headers["content-type"].startswith("text/html"):
            yield f"text/html: {status} {headers.get('content-type')}"
        elif escape(iri).encode() not in body:
            yield "the page does not show the IRI"

    def _parse(self, body: bytes, syntax: ox.RdfFormat) -> set[ox.Triple]:
        if syntax is ox.RdfFormat.JSON_LD:
            # The context by its address is fetched once, as a client with a cache does.
            assert body.count(self._reference) == 1, body[:200]
            body = body.replace(self._reference, self._context)
        return {quad.triple for quad in ox.parse(body, format=syntax)}

    def _get(self, path: str, media_type: str) -> Answer:
        for _ in range(PATIENCE):
            self._connection.request("GET", path, headers={"Accept": media_type})
            response = self._connection.getresponse()
            status, body = response.status, response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
            if status != 503:
                break
            # All are busy with large graphs.
            time.sleep(int(headers["retry-after"]))
        return status, headers, body


@pytest.fixture(scope="session")
def documents(release: Release) -> list[Document]:
    """The documents that the IRIs of our namespace in the release lead to, each with the IRIs it must hold."""
    with gzip.open(release.content_path, "rt", encoding="utf-8") as lines:
        iris = {iri for line in lines for iri in re.findall(rf"<({re.escape(BASE)}[^>]*)>", _strip_texts(line))}
    found: dict[str, set[str]] = {}
    for iri in iris:
        found.setdefault(iri.partition("#")[0], set()).add(iri)
    kinds: dict[str, list[str]] = {}
    for iri in sorted(found):
        kinds.setdefault("/".join(iri.removeprefix(BASE).split("/")[:2]), []).append(iri)
    return [
        (iri, found[iri], number % max(1, MOST // SAMPLE) == 0 or len(iris) < SAMPLE)
        for iris in kinds.values()
        for number, iri in enumerate(iris[:: -(-len(iris) // MOST)])
    ]


def _strip_texts(line: str) -> str:
    """A line of N-Quads without its literal: a text may name an address, but states nothing of it."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', "", line)


def test_iris_answer_with_one_content_in_every_syntax(server: RunningServer, documents: list[Document]) -> None:
    assert len(documents) > 1_500
    context = json.dumps(httpx.get(f"{server.url}/context.jsonld").json()["@context"]).encode()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        shares = [documents[start::CONNECTIONS] for start in range(CONNECTIONS)]
        found = pool.map(lambda share: Crawler(server.url, context).crawl(share), shares)
        problems = [problem for share in found for problem in share]
    assert problems == []


@pytest.mark.parametrize(
    ("path", "iri"),
    [
        ("/doc/organisation/de-holm", "id/organisation/de-holm"),
        ("/scheme/topic/ai", "scheme/topic/ai"),
        ("/graph/inferred", "graph/inferred"),
        ("/def", "def"),
        ("/def/1.0.0", "def/1.0.0"),
        ("/shapes", "shapes"),
        ("/dataset/chap", "dataset/chap"),
    ],
)
def test_document_says_what_is_around_it(client: httpx.Client, path: str, iri: str) -> None:
    for syntax in ("text/turtle", "text/html"):
        answer = client.get(path, headers={"Accept": syntax})
        links = answer.headers["link"]
        assert f'<{BASE}{iri}>; rel="canonical"' in links
        for suffix, media_type in (("ttl", "text/turtle"), ("jsonld", "application/ld+json"), ("html", "text/html")):
            alternate = f'<{client.base_url}{path}.{suffix}>; rel="alternate"; type="{media_type}"'
            assert (alternate in links) == (media_type != syntax), alternate
        assert f'<{client.base_url}/.well-known/void>; rel="describedby"' in links
        assert '<https://creativecommons.org/licenses/by/4.0/>; rel="license"' in links.replace("<http:", "<https:")
        assert (f'<{BASE}shapes>; rel="profile"' in links) == (syntax != "text/html")
        assert ('rel="timemap"' in links) == path.startswith("/doc/")
        again = client.get(path, headers={"Accept": syntax, "If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = client.head(path, headers={"Accept": syntax, "Accept-Encoding": "identity"})
        assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("path", ["/scheme/topic/ai", "/graph/inferred", "/def"])
def test_vary_lists_what_was_read(client: httpx.Client, path: str) -> None:
    def vary(suffix: str, **parameters: str) -> set[str]:
        answer = client.get(path + suffix, params=parameters, headers={"Accept": "text/html"})
        return set(re.split(r",\s*", answer.headers.get("vary", ""))) - {"", "Accept-Encoding"}

    assert vary("") == {"Accept", "Accept-Language"}
    assert vary("", lang="de") == {"Accept"}
    assert vary(".html") == {"Accept-Language"}
    assert vary(".ttl") == set()


def test_json_ld_is_framed_around_the_thing(client: httpx.Client) -> None:
    thing = f"{BASE}id/organisation/de-holm"
    document = client.get("/doc/organisation/de-holm.jsonld").json()
    assert document["id"] == thing
    assert "chap:Hub" in document["type"]
    assert document["skos:prefLabel"]["en"] == "House of Logistics and Mobility"
    assert document["chap:kind"]["skos:prefLabel"]["en"] == "House of"
    involvements = document["@reverse"]["chap:body"]
    assert len(involvements) >= 3
    assert all("chap:role" in each and "chap:body" not in each for each in involvements)
    (about,) = document["@reverse"]["foaf:primaryTopic"]
    assert about["id"] == f"{client.base_url}/doc/organisation/de-holm"
    assert about["void:inDataset"] == f"{BASE}dataset/chap"
    assert about["dcterms:license"] == "http://creativecommons.org/licenses/by/4.0/"
    assert about["dcterms:source"]


def test_named_graph_keeps_its_statements_apart(client: httpx.Client) -> None:
    graph = ox.NamedNode(f"{BASE}graph/source-dewiki-holm")
    for suffix, syntax in (("trig", ox.RdfFormat.TRIG), ("nq", ox.RdfFormat.N_QUADS)):
        quads = list(ox.parse(client.get(f"/graph/source-dewiki-holm.{suffix}").content, format=syntax))
        (size,) = (quad.object for quad in quads if quad.predicate.value == "http://rdfs.org/ns/void#triples")
        assert sum(quad.graph_name == graph for quad in quads) == int(size.value)
        assert {quad.graph_name for quad in quads} == {graph, ox.DefaultGraph()}


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize(
    "path",
    [
        "/scheme/topic/ai",
        "/scheme/topic",
        "/graph/source-dewiki-holm",
        "/def",
        "/def/alignment",
        "/shapes",
        "/dataset/chap",
        "/maintainers",
        "/doc/source/bbfi-hessen-2024",
        "/doc/place/de-kassel",
    ],
)
def test_page_is_in_its_language_and_its_links_lead_somewhere(client: httpx.Client, path: str, language: str) -> None:
    page = client.get(path, params={"lang": language}, headers={"Accept": "text/html"})
    assert page.headers["content-language"] == language
    assert f'<html lang="{language}">' in page.text
    targets = sorted(set(re.findall(r'href="(/[^"#]*)"', page.text.replace("&amp;", "&"))))[:60]
    broken = {each: status for each in targets if (status := client.get(each).status_code) >= 400}
    assert broken == {}


def test_context_agrees_with_prefixes_and_ontology(client: httpx.Client, repository: Path) -> None:
    answer = client.get("/context.jsonld")
    assert answer.headers["content-type"] == "application/ld+json"
    context = answer.json()["@context"]
    prefixes = load_prefixes(repository / "ontology" / "prefixes.ttl")
    assert {name: value for name, value in context.items() if str(value).endswith(("/", "#"))} == prefixes
    quads = ox.parse(path=str(repository / "ontology" / "chap.ttl"), format=ox.RdfFormat.TURTLE)
    linking = ox.NamedNode("http://www.w3.org/2002/07/owl#ObjectProperty")
    links = {str(quad.subject.value) for quad in quads if quad.object == linking}
    for iri in links:
        name = "chap:" + iri.removeprefix(prefixes["chap"])
        assert context.get(name) == {"@id": name, "@type": "@id"}, f"{name}: python -m tests.ontology.write_context"


def test_prefix_map_is_one_content_in_every_syntax(client: httpx.Client) -> None:
    def read(media_type: str) -> Graph:
        text = client.get("/def/prefixes", headers={"Accept": media_type}).text
        return Graph().parse(data=text, format=media_type)

    graphs = [to_isomorphic(read(each)) for each in RDF]
    assert all(graph == graphs[0] for graph in graphs)
    assert (URIRef(f"{BASE}def/prefixes"), URIRef("http://www.w3.org/ns/shacl#declare"), None) in graphs[0]


def test_every_node_of_the_shapes_leads_to_their_document(client: httpx.Client) -> None:
    shapes = client.get("/shapes", headers={"Accept": "application/n-triples"}).text
    nodes = set(re.findall(rf"^<{re.escape(BASE)}(\.well-known/genid/[^>]+)>", shapes, re.MULTILINE))
    assert nodes
    for node in sorted(nodes):
        answer = client.get(f"/{node}", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/shapes")
    assert client.get("/.well-known/genid/nothing-of-ours").status_code == 404
