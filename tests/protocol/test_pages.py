"""Pages for people: both languages, filters, links that work, and nothing that needs a script."""

from __future__ import annotations

import re

import httpx
import pytest

from kg.release import Release
from tests.assertions import assert_problem

PAGES = [
    "/",
    "/clusters",
    "/hubs",
    "/actors",
    "/programmes",
    "/doc/organisation/de-holm",
    "/doc/organisation/de-edith",
    "/about",
    "/releases",
]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["de", "en"])
def test_page_is_in_the_language_that_is_asked_for(client: httpx.Client, path: str, language: str) -> None:
    by_link = client.get(path, params={"lang": language}, headers={"Accept": "text/html"})
    by_header = client.get(path, headers={"Accept": "text/html", "Accept-Language": f"fr, {language};q=0.7"})
    for response in (by_link, by_header):
        assert response.status_code == 200
        assert response.headers["content-language"] == language
        assert f'<html lang="{language}">' in response.text
    assert "Accept-Language" in by_header.headers["vary"]


@pytest.mark.parametrize("path", PAGES)
def test_page_links_lead_somewhere(client: httpx.Client, path: str) -> None:
    page = client.get(path, headers={"Accept": "text/html"}).text
    targets = set(re.findall(r'href="(/[^"#]*)"', page.replace("&amp;", "&")))
    assert targets
    broken = {target: status for target in sorted(targets) if (status := client.get(target).status_code) >= 400}
    assert broken == {}


def test_home_counts_are_those_of_the_release(client: httpx.Client, release: Release) -> None:
    page = client.get("/", params={"lang": "en"}).text
    classes = release.manifest.counts.classes
    for name, class_name in (
        ("clusters", "Cluster"),
        ("hubs", "Hub"),
        ("actors", "Actor"),
        ("programmes", "Programme"),
    ):
        count = classes[f"https://w3id.org/chap/def#{class_name}"]
        assert re.search(rf'href="/{name}\?lang=en"><b>{count:,}</b>', page), name
    assert f"{release.manifest.counts.triples:,} statements" in page
    assert release.id in page


def test_list_is_filtered_by_kind_and_names_54_cluster_networks(client: httpx.Client) -> None:
    page = client.get("/clusters", params={"kind": "cluster-network", "lang": "en"}).text
    assert "54 found" in page
    assert "Hessen Aviation" in page
    assert "PROXIDRUGS" not in page


def test_list_is_paged_without_gap_or_overlap(client: httpx.Client) -> None:
    def names(page: str) -> list[str]:
        return re.findall(r'<td class="name"><a href="([^"?]*)', client.get("/actors", params={"page": page}).text)

    first, second = names("1"), names("2")
    assert len(first) == 50
    assert not set(first) & set(second)


def test_list_with_an_unknown_filter_says_what_there_is(client: httpx.Client) -> None:
    problem = assert_problem(client.get("/hubs", params={"kind": "castle"}), 400, "bad-parameter")
    assert "incubator" in str(problem["detail"])


def test_list_with_words_that_nothing_has_says_so(client: httpx.Client) -> None:
    page = client.get("/hubs", params={"q": "zzzz", "lang": "en"}).text
    assert "Nothing fits" in page


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_words_of_a_user_are_never_markup(client: httpx.Client, words: str) -> None:
    page = client.get("/hubs", params={"q": words}).text
    assert words not in page


def test_thing_page_shows_relations_figures_and_their_sources(client: httpx.Client) -> None:
    page = client.get("/doc/organisation/de-edith", params={"lang": "en"}, headers={"Accept": "text/html"}).text
    for words in ("House of Digital Transformation", "Digital Europe Programme", "GSI Helmholtz", "at least 3 years"):
        assert words in page
    assert len(re.findall(r'<li id="source-\d+">', page)) >= 5
    cited = set(re.findall(r'href="#source-(\d+)"', page))
    assert cited == set(re.findall(r'<li id="source-(\d+)">', page))


def test_hubs_are_filtered_by_country_technology_and_level(client: httpx.Client) -> None:
    asked = {"country": "ES", "technology": "robotics", "level": "4", "lang": "en"}
    page = client.get("/hubs", params=asked).text
    total = re.search(r"(\d+) found", page)
    assert total is not None
    items = client.get("/api/v1/hubs", params=asked | {"limit": "1000"}).status_code
    assert items == 400, "the API has no language"
    found = client.get("/api/v1/hubs", params={k: v for k, v in asked.items() if k != "lang"}).json()
    assert found["total"] == int(total[1]) > 5
    assert all("https://w3id.org/chap/id/place/es" in item["countries"] for item in found["items"])
    deeper = client.get("/api/v1/hubs", params={"country": "ES", "technology": "robotics", "level": "5"}).json()
    assert 0 < deeper["total"] < found["total"]


def test_hubs_without_a_filter_offer_hesse_germany_and_europe(client: httpx.Client) -> None:
    page = client.get("/hubs", params={"lang": "de"}).text
    for path in ("/hubs?region=DE7&amp;lang=de", "/hubs?country=DE&amp;lang=de"):
        assert f'href="{path}"' in page, path
    hesse = client.get("/hubs", params={"region": "DE7", "lang": "en"}).text
    assert "EDITH" in hesse
    assert "Aragon European Digital Innovation Hub" not in hesse


@pytest.mark.parametrize("level", ["0", "6", "high"])
def test_level_that_is_none_is_a_bad_parameter(client: httpx.Client, level: str) -> None:
    assert_problem(client.get("/hubs", params={"level": level}), 400, "bad-parameter")
    assert_problem(client.get("/api/v1/hubs", params={"level": level}), 400, "bad-parameter")


@pytest.mark.parametrize(("language", "day"), [("de", "Stand 5. Mai 2025"), ("en", "as of 5 May 2025")])
def test_type_and_levels_of_a_hub_say_as_of_when(client: httpx.Client, language: str, day: str) -> None:
    thing = client.get("/doc/organisation/de-edith", params={"lang": language}, headers={"Accept": "text/html"}).text
    assert f"EDIH, {day}" in thing
    # One day for each of the three lists, and one for the type.
    assert thing.count(day) == 4
    listed = client.get("/hubs", params={"q": "EDITH", "lang": language}).text
    assert f"EDIH, {day}" in listed
    (item,) = client.get("/api/v1/hubs", params={"q": "EDITH –"}).json()["items"]
    assert item["edihType"] == {"value": "https://w3id.org/chap/scheme/edih-type/edih", "asOf": "2025-05-05"}


def test_page_asks_for_nothing_from_elsewhere(client: httpx.Client) -> None:
    response = client.get("/", headers={"Accept": "text/html"})
    assert not re.search(r'<(?:script|img|iframe)[^>]+src="https?:', response.text)
    assert not re.search(r'<link rel="stylesheet" href="https?:', response.text)
    assert "default-src 'self'" in response.headers["content-security-policy"]
