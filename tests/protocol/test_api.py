"""The thin API: lists and things as JSON-LD, filters, pages, OpenAPI."""

from __future__ import annotations

import httpx
import pytest
from rdflib import Graph, URIRef

from kg.release import Release
from tests.assertions import assert_problem

CHAP = "https://w3id.org/chap/def#"


@pytest.mark.parametrize(
    ("collection", "class_name"),
    [("clusters", "Cluster"), ("hubs", "Hub"), ("actors", "Actor"), ("programmes", "Programme")],
)
def test_list_holds_all_things_of_its_class(
    client: httpx.Client, release: Release, collection: str, class_name: str
) -> None:
    answer = client.get(f"/api/v1/{collection}", params={"limit": 1000})
    assert answer.headers["content-type"].startswith("application/ld+json")
    document = answer.json()
    assert document["total"] == len(document["items"]) == release.manifest.counts.classes[CHAP + class_name]
    assert document["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert client.get(document["query"].removeprefix(document["query"].split("/api/")[0])).text.startswith(
        "#+ id: list"
    )


def test_list_is_json_ld_with_the_terms_of_the_ontology(client: httpx.Client) -> None:
    graph = Graph().parse(data=client.get("/api/v1/hubs", params={"field": "ai"}).text, format="json-ld")
    edith = URIRef("https://w3id.org/chap/id/organisation/de-edith")
    assert (edith, URIRef(CHAP + "focus"), URIRef("https://w3id.org/chap/scheme/topic/ai")) in graph
    assert (edith, None, URIRef(CHAP + "Hub")) in graph


@pytest.mark.parametrize(
    ("parameters", "some", "not_there"),
    [
        ({"kind": "house-of"}, "de-holm", "de-edith"),
        ({"field": "mobility-logistics"}, "de-holm", "de-house-of-finance"),
        ({"region": "de-kassel"}, "de-house-of-energy", "de-holm"),
        ({"region": "DE712"}, "de-holm", "de-house-of-energy"),
        ({"region": "06611"}, "de-house-of-energy", "de-holm"),
        ({"q": "logistics"}, "de-holm", "de-edith"),
    ],
)
def test_list_is_filtered(client: httpx.Client, parameters: dict[str, str], some: str, not_there: str) -> None:
    slugs = {item["id"].rpartition("/")[2] for item in client.get("/api/v1/hubs", params=parameters).json()["items"]}
    assert some in slugs
    assert not_there not in slugs


def test_list_is_paged_by_next_without_gap_or_overlap(client: httpx.Client) -> None:
    found, path = [], "/api/v1/actors?limit=90"
    while path:
        document = client.get(path).json()
        found += [item["id"] for item in document["items"]]
        path = "/api/" + document["next"].partition("/api/")[2] if "next" in document else ""
    assert len(found) == len(set(found)) == document["total"]


def test_thing_comes_by_slug(client: httpx.Client) -> None:
    answer = client.get("/api/v1/hubs/de-edith")
    graph = Graph().parse(data=answer.text, format="json-ld")
    assert (URIRef("https://w3id.org/chap/id/organisation/de-edith"), None, None) in graph


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/hubs/de-nothing", 404, "resource-not-found"),
        ("/api/v1/hubs/de-gsi", 404, "resource-not-found"),
        ("/api/v1/castles", 404, "resource-not-found"),
        ("/api/v1/hubs?kind=castle", 400, "bad-parameter"),
        ("/api/v1/hubs/de-holm%20x", 404, "resource-not-found"),
        ("/api/v1/hubs/%22%3E", 404, "resource-not-found"),
        ("/api/v1/hubs?region=zzz", 400, "bad-parameter"),
        ("/api/v1/hubs?feld=ai", 400, "bad-parameter"),
        ("/api/v1/hubs?limit=0", 400, "bad-parameter"),
        ("/api/v1/hubs?limit=many", 400, "bad-parameter"),
        ("/api/v1/hubs?release=9999-nothing", 404, "release-not-found"),
    ],
)
def test_bad_request_is_a_problem(client: httpx.Client, path: str, status: int, code: str) -> None:
    assert_problem(client.get(path), status, code)


def test_openapi_names_every_route(client: httpx.Client) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert set(document["paths"]) == {"/{collection}", "/{collection}/{slug}"}
    assert document["servers"] == [{"url": "/api/v1"}]


def test_named_release_answers_as_the_current_one(client: httpx.Client, release: Release) -> None:
    current = client.get("/api/v1/hubs").json()
    named = client.get("/api/v1/hubs", params={"release": release.id}).json()
    query = f"?release={release.id}"
    assert named["items"] == [{**each, "document": each["document"] + query} for each in current["items"]]
    assert named["release"] == release.id
