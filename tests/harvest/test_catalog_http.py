"""The catalogue as it is served: to whom what is given, page by page, whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rdflib import FOAF, RDF, Graph, Namespace, URIRef
from rdflib.compare import isomorphic

from kg.catalog.index import SUFFIXES
from kg.release import Release, Releases
from kg.terms import PUBLIC_PLACEHOLDER
from tests.assertions import assert_problem
from tests.harvest.catalogs import DCAT, HYDRA, make_dumps, write_catalog
from tests.protocol.conftest import RunningServer, run_server

MEDIA_TYPES = {
    "ttl": "text/turtle",
    "jsonld": "application/ld+json",
    "rdf": "application/rdf+xml",
    "nt": "application/n-triples",
}
PARSERS = {"ttl": "turtle", "jsonld": "json-ld", "rdf": "xml", "nt": "nt"}
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
PATHS = {"/catalog": "/catalog", "/.well-known/void": "/void", "/.well-known/sparql-examples": "/examples"}


@pytest.fixture(scope="module")
def described(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The descriptions of 250 datasets."""
    release = Releases(releases_dir).current()
    assert release is not None
    return write_catalog(tmp_path_factory.mktemp("many") / "many", release, dumps=make_dumps(release, 250))


@pytest.fixture
def many(releases_dir: Path, described: Path, tmp_path: Path) -> Release:
    """A release whose catalogue has 250 datasets."""
    copied = tmp_path / "releases"
    shutil.copytree(releases_dir, copied, symlinks=True)
    release = Releases(copied).current()
    assert release is not None
    shutil.rmtree(release.path / "catalog")
    shutil.copytree(described / "catalog", release.path / "catalog")
    return release


@pytest.fixture
def paged(many: Release, tmp_path: Path) -> Iterator[RunningServer]:
    with run_server(many.path.parent, tmp_path / "log", query_workers=1, public_url="https://x.example/a") as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accept", ["*/*", None, "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_who_takes_anything_gets_rdf(client: httpx.Client, path: str, accept: str | None) -> None:
    # Harvesters send no Accept header, or */*.
    client.headers.pop("accept", None)
    response = client.get(path, headers={} if accept is None else {"Accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/turtle; charset=utf-8"
    assert {each.strip() for each in response.headers["vary"].split(",")} == {"Accept", "Accept-Encoding"}
    assert len(Graph().parse(data=response.content, format="turtle")) > 10


@pytest.mark.parametrize("path", PATHS)
def test_every_syntax_says_the_same_negotiated_or_fixed(client: httpx.Client, path: str) -> None:
    graphs = []
    for suffix in SUFFIXES:
        negotiated = client.get(path, headers={"Accept": MEDIA_TYPES[suffix]})
        fixed = client.get(f"{PATHS[path]}.{suffix}", headers={"Accept": "image/png"})
        assert fixed.status_code == 200
        assert fixed.content == negotiated.content
        assert fixed.headers["content-type"].partition(";")[0] == MEDIA_TYPES[suffix]
        assert fixed.headers["vary"] == "Accept-Encoding"
        assert fixed.headers["etag"] == negotiated.headers["etag"]
        links = fixed.headers["link"]
        assert f'<{client.base_url}{path}>; rel="canonical"'.replace(f"/{path}", path) in links
        assert links.count('rel="alternate"') == len(SUFFIXES) - 1
        graphs.append(Graph().parse(data=fixed.content, format=PARSERS[suffix]))
    assert all(set(graph) == set(graphs[0]) for graph in graphs[1:])
    assert all(isomorphic(graph, graphs[0]) for graph in graphs[1:2])


@pytest.mark.parametrize("path", [*PATHS, "/catalog.rdf"])
def test_head_and_conditional_requests(client: httpx.Client, path: str) -> None:
    full = client.get(path)
    head = client.head(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["etag"] == full.headers["etag"]
    again = client.get(path, headers={"If-None-Match": full.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["etag"] == full.headers["etag"]


def test_unacceptable_and_senseless_requests_are_problems(client: httpx.Client) -> None:
    assert_problem(client.get("/catalog", headers={"Accept": "image/png"}), 406, "not-acceptable")
    assert_problem(client.get("/catalog?page=0"), 400, "bad-parameter")
    assert_problem(client.get("/catalog.ttl?page=x"), 400, "bad-parameter")
    assert_problem(client.get("/catalog?page=2"), 404, "no-such-page")
    assert_problem(client.get("/catalog?of=00000000"), 410, "catalogue-changed")
    assert_problem(client.get("/catalog?release=9999-00000000"), 404, "release-not-found")


def test_every_address_of_a_dataset_answers(client: httpx.Client) -> None:
    page = Graph().parse(data=client.get("/catalog").content, format="turtle")
    assert PUBLIC_PLACEHOLDER not in page.serialize(format="nt")
    base = str(client.base_url).rstrip("/")
    addresses = {str(url) for url in page.objects(None, DCAT.accessURL)}
    addresses |= {str(url) for url in page.objects(None, DCAT.downloadURL)}
    for name in (DCAT.endpointDescription, DCAT.landingPage, FOAF.page, FOAF.homepage, VCARD.hasURL):
        addresses |= {str(url) for url in page.objects(None, name)}
    assert len(addresses) > 100
    for url in sorted(addresses):
        assert url.startswith(f"{base}/")
        ask = client.get if url.endswith("openapi.json") else client.head
        assert ask(url, follow_redirects=True).status_code == 200, url
    spdx = "http://spdx.org/rdf/terms#"
    dataset = URIRef("https://w3id.org/chap/dataset/ontology")
    for distribution in page.objects(dataset, DCAT.distribution):
        checksum = page.value(distribution, URIRef(f"{spdx}checksum"))
        if checksum is not None:
            content = client.get(str(page.value(distribution, DCAT.downloadURL))).content
            assert len(content) == page.value(distribution, DCAT.byteSize).toPython()  # type: ignore[union-attr]
            value = page.value(checksum, URIRef(f"{spdx}checksumValue"))
            assert hashlib.sha256(content).hexdigest() == str(value)


@pytest.mark.parametrize("path", ["/catalog", "/catalog.rdf", "/catalog.jsonld"])
@pytest.mark.parametrize("release", ["", "1"])
def test_pages_are_followed_by_their_links(paged: RunningServer, path: str, release: str) -> None:
    public = "https://x.example/a"
    found: set[str] = set()
    url = f"{public}{path}" + (f"?release={release}" if release else "")
    suffix = path.partition(".")[2] or "ttl"
    with paged.client() as client:
        for number in (1, 2, 3):
            # The address is that of the settings, whatever the host is called.
            response = client.get(url.removeprefix(public))
            assert response.status_code == 200, url
            page = Graph().parse(data=response.content, format=PARSERS[suffix])
            found |= {str(each) for each in page.subjects(RDF.type, DCAT.Dataset)}
            (node,) = page.subjects(RDF.type, HYDRA.PartialCollectionView)
            assert str(node).startswith(f"{public}/catalog.{suffix}?")
            assert f"page={number}" in str(node)
            assert ("release=" in str(node)) == bool(release)
            url = str(page.value(node, HYDRA.next))
        assert url == "None"
        assert len(found) == 250
        assert_problem(client.get("/catalog?page=4"), 404, "no-such-page")


def test_page_that_is_lost_is_an_error_and_never_less(many: Release, paged: RunningServer) -> None:
    (many.path / "catalog" / "2.ttl").unlink()
    with paged.client() as client:
        assert client.get("/catalog?page=1").status_code == 200
        assert_problem(client.get("/catalog?page=2"), 503, "release-damaged")


def test_release_older_than_catalogues_says_so(many: Release, paged: RunningServer) -> None:
    shutil.rmtree(many.path / "catalog")
    (many.path / "void.ttl").unlink()
    with paged.client() as client:
        assert_problem(client.get("/catalog"), 404, "no-description")
        assert_problem(client.get("/.well-known/void"), 404, "no-description")


def test_api_address_leads_to_its_documentation(client: httpx.Client) -> None:
    response = client.get("/api/v1")
    assert response.status_code == 303
    assert client.get(response.headers["location"]).status_code == 200
