"""``/robots.txt`` and the sitemap: what search engines are told, and that it is so."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

import httpx
import pytest

from kg.entities import ENTITIES_NAME, iter_entities
from kg.release import Release
from tests.assertions import assert_problem
from tests.harvest.feeds import publish
from tests.protocol.conftest import RunningServer, run_server

PUBLIC = "https://data.example.org/chap"
NAMESPACE = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client(headers={"Accept-Encoding": "identity"}) as client:
        yield client


def read_locations(text: str) -> dict[str, str]:
    """Address and lastmod of each entry."""
    root = ElementTree.fromstring(text)
    return {str(entry.findtext(f"{NAMESPACE}loc")): str(entry.findtext(f"{NAMESPACE}lastmod")) for entry in root}


def test_sitemap_lists_the_pages_of_things(server: RunningServer, client: httpx.Client, release: Release) -> None:
    index = read_locations(client.get("/sitemap.xml").text)
    assert list(index) == [f"{server.url}/sitemap-1.xml"]
    response = client.get(next(iter(index)))
    assert response.headers["content-type"] == "application/xml"
    found = read_locations(response.text)
    things = {each.iri: each.instant for each in iter_entities(release.path / ENTITIES_NAME)}
    for kind in ("organisation", "programme", "source"):
        expected = {
            iri.replace("https://w3id.org/chap/id", f"{server.url}/doc"): instant
            for iri, instant in things.items()
            if iri.split("/")[5] == kind and "#" not in iri and iri.count("/") == 6
        }
        assert expected
        assert expected.items() <= found.items()
    assert f"{server.url}/clusters" in found
    assert max(found.values()) == index[f"{server.url}/sitemap-1.xml"]


def test_addresses_of_the_sitemap_are_pages(client: httpx.Client) -> None:
    kinds = {}
    for address in read_locations(client.get("/sitemap-1.xml").text):
        kinds[tuple(address.split("/")[3:5])[:2]] = address
    for address in kinds.values():
        response = client.get(address, headers={"Accept": "text/html"})
        assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_sitemap_is_kept_until_something_changes(client: httpx.Client) -> None:
    for path in ("/sitemap.xml", "/sitemap-1.xml", "/robots.txt"):
        response = client.get(path)
        head = client.head(path)
        assert (head.status_code, head.headers["etag"]) == (200, response.headers["etag"])
        again = client.get(path, headers={"If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert_problem(client.get("/sitemap-2.xml"), 404, "sitemap-not-found")


def test_lastmod_is_when_a_thing_changed(tmp_path: Path) -> None:
    publish(tmp_path, {"de-a": "A", "de-b": "B"}, instant="2026-03-01T12:00:00Z")
    publish(tmp_path, {"de-a": "A neu", "de-b": "B"}, instant="2026-03-02T12:00:00Z")
    publish(tmp_path, {"de-a": "A neu", "de-b": "B", "de-c": "C"}, instant="2026-03-03T12:00:00Z")
    with run_server(tmp_path, tmp_path / "log", public_url=PUBLIC) as server, server.client() as client:
        assert client.get("/robots.txt").text.endswith(f"\nSitemap: {PUBLIC}/sitemap.xml\n")
        index = read_locations(client.get("/sitemap.xml").text)
        found = read_locations(client.get("/sitemap-1.xml").text)
    assert index == {f"{PUBLIC}/sitemap-1.xml": "2026-03-03T12:00:00.000Z"}
    assert [found[f"{PUBLIC}/doc/organisation/de-{each}"] for each in "abc"] == [
        "2026-03-02T12:00:00.000Z",
        "2026-03-01T12:00:00.000Z",
        "2026-03-03T12:00:00.000Z",
    ]


def test_parts_of_the_sitemap_are_bounded(tmp_path: Path) -> None:
    release = publish(tmp_path, {"de-a": "A"}, instant="2026-03-01T12:00:00Z")
    names = [f"organisation/de-{number:06d}" for number in range(120_000)]
    lines = [f"https://w3id.org/chap/id/{name}\t0\t2026-03-01T12:00:00.000Z\t\n" for name in names]
    (release.path / ENTITIES_NAME).write_bytes(gzip.compress("".join(lines).encode(), 1))
    with run_server(tmp_path, tmp_path / "log") as server, server.client() as client:
        index = list(read_locations(client.get("/sitemap.xml").text))
        parts = [read_locations(client.get(each).text) for each in index]
        assert index == [f"{server.url}/sitemap-{number}.xml" for number in (1, 2, 3)]
        assert [len(each) for each in parts] == [50_000, 50_000, 20_005]
        assert {f"{server.url}/doc/{name}" for name in names} < {each for part in parts for each in part}


def test_robots_lead_to_the_sitemap_and_away_from_queries(server: RunningServer, client: httpx.Client) -> None:
    response = client.get("/robots.txt")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    robots = RobotFileParser()
    robots.parse(response.text.splitlines())
    assert robots.site_maps() == [f"{server.url}/sitemap.xml"]
    for path, is_allowed in (
        ("/", True),
        ("/clusters", True),
        ("/doc/organisation/de-holm", True),
        ("/sparql", True),
        ("/sparql?query=ASK%20%7B%7D", False),
        ("/catalog", True),
        ("/ldes/1", False),
        ("/metrics", False),
    ):
        assert robots.can_fetch("*", f"{server.url}{path}") == is_allowed
    assert "Disallow: /sparql?query=\n" in response.text
    assert "Disallow: /*?*release=\n" in response.text
