"""schema.org in the pages: it is JSON-LD, harmless in HTML, complete for Google, and says what the graph says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pyoxigraph as ox
import pytest
from rdflib import XSD, Graph, Literal, URIRef
from rdflib.term import Node

from kg.dumps.index import load_dumps
from kg.release import Release, Releases
from tests.harvest.memento_data import CHAP, GRAPH, LICENCE, PROVENANCE, SKOS, THING
from tests.protocol.conftest import RunningServer, run_server

SCHEMA = "https://schema.org/"
DCTERMS = "http://purl.org/dc/terms/"
PUBLIC = "https://data.example.org"
CONTEXT = json.loads((Path(__file__).parent / "schema-org-context.jsonld").read_text(encoding="utf-8"))["@context"]
DATASETS = ["chap", "edih", "hesse", "ontology", "shapes", "vocabularies"]
HOSTILE = "</script><script>alert('x')</script><!-- <script> & \u2028 ]]> \\ \""


class _Scripts(HTMLParser):
    """The scripts of a page, as a browser would find them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._type: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            attributes = dict(attrs)
            self._type = attributes.get("type") or ""
            self.found.append((self._type, attributes.get("src") or ""))

    def handle_data(self, data: str) -> None:
        if self._type is not None:
            self.found[-1] = (self._type, data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._type = None


@pytest.fixture(scope="module")
def server(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with run_server(releases_dir, tmp_path_factory.mktemp("schema") / "log", public_url=PUBLIC) as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def read(client: httpx.Client, path: str, language: str = "en") -> dict[str, Any]:
    """The one JSON-LD block of a page."""
    response = client.get(path, params={"lang": language}, headers={"Accept": "text/html"})
    assert response.status_code == 200, response.text
    scripts = _Scripts()
    scripts.feed(response.text)
    (text,) = [text for type_, text in scripts.found if type_ == "application/ld+json"]
    document: dict[str, Any] = json.loads(text)
    assert document["@context"] == "https://schema.org"
    return document


def expand(document: dict[str, Any]) -> Graph:
    return Graph().parse(data=json.dumps({**document, "@context": CONTEXT}), format="json-ld")


def find(document: dict[str, Any], type_: str) -> dict[str, Any]:
    (found,) = [each for each in document.get("@graph", [document]) if each["@type"] == type_]
    return dict(found)


def texts(graph: Graph, subject: str, property_iri: str, language: str) -> set[str]:
    """The texts of the graph in a language, else all."""
    values = [each for each in graph.objects(URIRef(subject), URIRef(property_iri)) if isinstance(each, Literal)]
    return {str(each) for each in values if each.language == language} or {str(each) for each in values}


def said(graph: Graph, subject: str, name: str) -> set[str]:
    return {str(each) for each in graph.objects(URIRef(subject), URIRef(SCHEMA + name))}


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("name", DATASETS)
def test_landing_page_has_what_google_asks_for(
    client: httpx.Client, release: Release, name: str, language: str
) -> None:
    dataset = find(read(client, f"/dataset/{name}", language), "Dataset")
    assert dataset["@id"] == dataset["identifier"] == dataset["sameAs"] == f"https://w3id.org/chap/dataset/{name}"
    assert dataset["url"] == f"{PUBLIC}/dataset/{name}"
    assert dataset["name"]
    assert 50 <= len(dataset["description"]) <= 5000
    assert re.fullmatch(r"https?://creativecommons\.org/licenses/by/4\.0/", dataset["license"])
    assert dataset["creator"]["@type"] == "Organization"
    assert dataset["creator"]["name"]
    assert dataset["isAccessibleForFree"] is True
    assert dataset["includedInDataCatalog"]["@id"] == f"{PUBLIC}/catalog"
    assert dataset["includedInDataCatalog"]["name"]
    assert dataset["keywords"]
    assert dataset["version"] == load_dumps(release.path)[name].first_release
    if name in ("chap", "edih", "hesse"):
        # The continent is a concept of the EU's list, which is not described here and so has no name.
        covered = [] if name == "edih" else ["Hessen" if language == "de" else "Hesse"]
        assert [each["name"] for each in dataset.get("spatialCoverage", [])] == covered
        assert re.fullmatch(r"\d{4}-\d\d-\d\d/\d{4}-\d\d-\d\d", dataset["temporalCoverage"])


@pytest.mark.parametrize("name", DATASETS)
def test_downloads_are_those_of_the_release_and_answer(client: httpx.Client, release: Release, name: str) -> None:
    dump = load_dumps(release.path)[name]
    downloads = find(read(client, f"/dataset/{name}"), "Dataset")["distribution"]
    assert downloads
    for each in downloads:
        assert each["@type"] == "DataDownload"
        path = each["contentUrl"].removeprefix(PUBLIC)
        file = dump.find_file(path.rpartition("/")[2])
        assert file is not None
        assert path == f"/dumps/{name}/{dump.digest}/{file.name}"
        assert each["encodingFormat"] == file.media_type
        assert each["contentSize"] == f"{file.size} B"
        assert client.head(path).status_code == 200


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("name", DATASETS)
def test_dataset_says_what_the_catalogue_says(client: httpx.Client, name: str, language: str) -> None:
    catalog = Graph().parse(data=client.get("/catalog.ttl").text, format="turtle")
    graph = expand(read(client, f"/dataset/{name}", language))
    subject = f"https://w3id.org/chap/dataset/{name}"
    assert said(graph, subject, "name") == texts(catalog, subject, f"{DCTERMS}title", language)
    assert said(graph, subject, "description") == texts(catalog, subject, f"{DCTERMS}description", language)
    keyword = "http://www.w3.org/ns/dcat#keyword"
    assert said(graph, subject, "keywords") == texts(catalog, subject, keyword, language)
    for ours, theirs in (
        ("identifier", f"{DCTERMS}identifier"),
        ("version", "http://www.w3.org/ns/dcat#version"),
        ("publisher", f"{DCTERMS}publisher"),
    ):
        assert said(graph, subject, ours) == {str(each) for each in catalog.objects(URIRef(subject), URIRef(theirs))}
    for ours, theirs in (("datePublished", f"{DCTERMS}issued"), ("dateModified", f"{DCTERMS}modified")):
        (day,) = said(graph, subject, ours)
        assert [Literal(day, datatype=XSD.dateTime)] == list(catalog.objects(URIRef(subject), URIRef(theirs)))
    urls = {
        str(url)
        for file in catalog.objects(URIRef(subject), URIRef("http://www.w3.org/ns/dcat#distribution"))
        for url in catalog.objects(file, URIRef("http://www.w3.org/ns/dcat#downloadURL"))
    }
    assert {str(each) for each in graph.objects(None, URIRef(f"{SCHEMA}contentUrl"))} == urls


@pytest.mark.parametrize("path", ["/", "/about"])
def test_pages_about_the_whole_have_catalogue_and_dataset(client: httpx.Client, path: str) -> None:
    document = read(client, path)
    catalog = find(document, "DataCatalog")
    assert catalog["name"]
    assert len(catalog["description"]) >= 50
    assert {each["@id"].rpartition("/")[2] for each in catalog["dataset"]} >= set(DATASETS)
    assert find(document, "Dataset") == {
        key: value for key, value in read(client, "/dataset/chap").items() if key != "@context"
    }
    types = set(expand(document).objects(None, URIRef("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")))
    assert {URIRef(SCHEMA + name) for name in ("DataCatalog", "Dataset", "DataDownload", "Organization")} <= types


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("slug", ["de-holm", "de-tu-darmstadt", "de-edith", "de-goethe-uni", "de-house-of-finance"])
def test_organisation_says_what_its_document_says(client: httpx.Client, slug: str, language: str) -> None:
    facts = Graph().parse(data=client.get(f"/doc/organisation/{slug}.ttl").text, format="turtle")
    if not len(facts):
        pytest.fail(f"no such organisation: {slug}")
    subject = THING + slug
    document = read(client, f"/doc/organisation/{slug}", language)
    assert document["@type"] == "Organization"
    graph = expand(document)
    for ours, theirs in (
        ("name", [f"{SKOS}prefLabel"]),
        ("description", [f"{DCTERMS}description"]),
        ("alternateName", [f"{SKOS}altLabel", f"{CHAP}formerName"]),
        ("legalName", ["http://www.w3.org/ns/legal#legalName"]),
        ("foundingDate", [f"{SCHEMA}foundingDate"]),
    ):
        values: list[Node] = [each for iri in theirs for each in facts.objects(URIRef(subject), URIRef(iri))]
        literals = [each for each in values if isinstance(each, Literal)]
        expected = {str(each) for each in literals if each.language == language} or {str(each) for each in literals}
        assert said(graph, subject, ours) == expected, ours
    for ours, theirs in (
        ("url", ["http://xmlns.com/foaf/0.1/homepage"]),
        ("sameAs", [f"{SCHEMA}sameAs", "http://www.w3.org/2002/07/owl#sameAs"]),
        ("location", ["http://www.w3.org/ns/org#hasSite"]),
    ):
        expected = {str(each) for iri in theirs for each in facts.objects(URIRef(subject), URIRef(iri))}
        assert said(graph, subject, ours) == expected, ours


@pytest.mark.parametrize("path", ["/hubs", "/doc/programme/de-houses-of", "/sparql", "/releases"])
def test_other_pages_claim_nothing(client: httpx.Client, path: str) -> None:
    assert "ld+json" not in client.get(path, headers={"Accept": "text/html"}).text.replace(
        'type="application/ld+json" href', ""
    )


def test_nothing_in_a_page_may_run_that_stands_in_it(client: httpx.Client) -> None:
    """JSON-LD is data, which no policy stops (HTML, "prepare the script element"); code inline would be stopped."""
    response = client.get("/dataset/chap", headers={"Accept": "text/html"})
    policy = response.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    scripts = _Scripts()
    scripts.feed(response.text)
    assert {type_ for type_, _ in scripts.found} == {"application/ld+json"}


def test_hostile_names_stay_texts(tmp_path: Path) -> None:
    thing = ox.NamedNode(THING + "de-a")
    text = ox.Literal(HOSTILE, language="en")
    quads = [
        ox.Quad(graph, ox.NamedNode(f"{DCTERMS}license"), ox.NamedNode(LICENCE), PROVENANCE)
        for graph in (GRAPH, PROVENANCE)
    ]
    quads += [
        ox.Quad(thing, ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"), type_, GRAPH)
        for type_ in (ox.NamedNode(f"{SCHEMA}Organization"), ox.NamedNode(f"{CHAP}Actor"))
    ]
    quads += [
        ox.Quad(thing, ox.NamedNode(property_iri), text, GRAPH)
        for property_iri in (f"{SKOS}prefLabel", f"{SKOS}altLabel", f"{DCTERMS}description")
    ]
    root = tmp_path / "releases"
    Releases(root).publish(quads=quads, open_licences=[LICENCE], manifest_extra={}, report_turtle=b"")
    with run_server(root, tmp_path / "log") as server, server.client() as client:
        document = read(client, "/doc/organisation/de-a")
        assert document["name"] == document["alternateName"] == document["description"] == HOSTILE
        page = client.get("/doc/organisation/de-a", headers={"Accept": "text/html"}).text
        assert "<script>" not in page
        assert page.count("</script>") == 1
        (block,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
        assert not set("<>&") & set(block)
