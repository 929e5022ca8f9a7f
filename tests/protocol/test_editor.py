"""The page of /sparql: a form and a table, without any script."""

from __future__ import annotations

import httpx
import pytest

from kg.queries import load_directory
from kg.settings import KgSettings

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


def test_browser_gets_the_form_with_the_questions(client: httpx.Client) -> None:
    page = client.get("/sparql", params={"lang": "en"}, headers=HTML)
    assert page.headers["content-type"].startswith("text/html")
    assert "<textarea" in page.text
    assert page.text.count("/sparql?query=") == len(load_directory(KgSettings().ontology_dir / "questions"))
    assert "<script" not in page.text


def test_query_shows_its_rows_and_links_things_to_their_pages(client: httpx.Client) -> None:
    query = "SELECT ?hub WHERE { ?hub a <https://w3id.org/chap/def#Hub> } ORDER BY ?hub"
    page = client.get("/sparql", params={"query": query, "lang": "en"}, headers=HTML)
    assert page.status_code == 200
    assert 'href="/doc/organisation/de-holm"' in page.text
    assert "rows, the first 500 shown" in page.text


def test_long_result_is_cut_and_says_so(client: httpx.Client) -> None:
    page = client.get("/sparql", params={"query": "SELECT ?s WHERE { ?s a ?c } LIMIT 900", "lang": "en"}, headers=HTML)
    assert "900 rows, the first 500 shown" in page.text
    assert page.text.count("<tr><td>") == 500


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("ASK { ?s ?p ?o }", "<p>true</p>"),
        ("DESCRIBE <https://w3id.org/chap/id/organisation/de-holm>", "<pre>@prefix"),
        ("CONSTRUCT WHERE { ?s a <https://w3id.org/chap/def#Forum> }", "chap:Forum"),
    ],
)
def test_other_forms_show_their_result(client: httpx.Client, query: str, words: str) -> None:
    assert words in client.get("/sparql", params={"query": query}, headers=HTML).text


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("SELEKT", 400, "did you mean SELECT?"),
        ("SELECT * { SERVICE <http://example.org/> { ?s ?p ?o } }", 403, "SERVICE"),
        ("SELECT * { ?s ?p '<b>' FILTER( }", 400, "&lt;b&gt;"),
    ],
)
def test_what_is_wrong_with_a_query_stands_on_the_page(
    client: httpx.Client, query: str, status: int, words: str
) -> None:
    page = client.get("/sparql", params={"query": query, "lang": "en"}, headers=HTML)
    assert page.status_code == status
    assert words in page.text
    assert '<p class="conflict">' in page.text
    assert page.headers["cache-control"] == "no-store"


def test_page_with_a_volatile_query_is_not_kept(client: httpx.Client) -> None:
    page = client.get("/sparql", params={"query": "SELECT (NOW() AS ?now) WHERE {}"}, headers=HTML)
    assert page.headers["cache-control"] == "no-store"
