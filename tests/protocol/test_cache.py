"""Answers that were given once: right for ever, never mixed up, never kept when they may not be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.protocol.conftest import RunningServer, run_server

QUERY = "SELECT ?class (COUNT(*) AS ?n) WHERE { ?thing a ?class } GROUP BY ?class ORDER BY DESC(?n) ?class"
CODINGS = ["zstd", "br", "gzip", "identity"]


def _count(client: httpx.Client, name: str) -> float:
    (value,) = re.findall(rf"^{name} ([\d.e+]+)$", client.get("/metrics").text, re.MULTILINE)
    return float(value)


@pytest.fixture(scope="module")
def own(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that nobody else asks, so that its counters can be trusted."""
    with run_server(releases_dir, tmp_path_factory.mktemp("cache") / "log", cache_mib=1) as running:
        yield running


def test_a_repeated_query_is_answered_from_the_cache(own: RunningServer) -> None:
    with own.client() as client:
        first = client.get("/sparql", params={"query": QUERY})
        before = _count(client, "chap_cache_hits_total")
        asked = _count(client, 'chap_query_seconds_count{outcome="ok"}'.replace("{", r"\{").replace("}", r"\}"))
        again = client.get("/sparql", params={"query": QUERY})
        assert again.content == first.content
        assert again.headers["etag"] == first.headers["etag"]
        assert _count(client, "chap_cache_hits_total") == before + 1
        pattern = 'chap_query_seconds_count{outcome="ok"}'.replace("{", r"\{").replace("}", r"\}")
        assert _count(client, pattern) == asked


def test_posted_queries_are_kept_by_their_text(own: RunningServer) -> None:
    other = QUERY.replace("DESC(?n)", "?n")
    with own.client() as client:
        answers = {text: client.post("/sparql", data={"query": text}).content for text in (QUERY, other)}
        assert answers[QUERY] != answers[other]
        for text, content in answers.items():
            assert client.post("/sparql", data={"query": text}).content == content


@pytest.mark.parametrize("coding", CODINGS)
def test_each_coding_has_its_own_tag_and_the_same_content(own: RunningServer, coding: str) -> None:
    with own.client() as client:
        plain = client.get("/sparql", params={"query": QUERY}, headers={"Accept-Encoding": "identity"})
        for _ in range(2):
            coded = client.get("/sparql", params={"query": QUERY}, headers={"Accept-Encoding": coding})
            assert coded.headers.get("content-encoding", "identity") == coding
            assert coded.content == plain.content
            assert (coded.headers["etag"] == plain.headers["etag"]) == (coding == "identity")
            assert "Accept-Encoding" in coded.headers["vary"] or coding == "identity"
            known = {"Accept-Encoding": coding, "If-None-Match": coded.headers["etag"]}
            not_modified = client.get("/sparql", params={"query": QUERY}, headers=known)
            assert not_modified.status_code == 304
            assert not_modified.headers["etag"] == coded.headers["etag"]
            assert not_modified.content == b""


def test_formats_and_languages_are_not_mixed_up(own: RunningServer) -> None:
    with own.client() as client:
        for _ in range(2):
            json = client.get("/sparql", params={"query": QUERY}, headers={"Accept": "application/sparql-results+json"})
            csv = client.get("/sparql", params={"query": QUERY}, headers={"Accept": "text/csv"})
            assert json.headers["content-type"].startswith("application/sparql-results+json")
            assert csv.headers["content-type"].startswith("text/csv")
            for language in ("de", "en"):
                page = client.get("/", headers={"Accept-Language": language})
                assert f'<html lang="{language}">' in page.text


@pytest.mark.parametrize("call", ["NOW()", "RAND()", "UUID()", "STRUUID()", "BNODE()"])
def test_volatile_answers_are_made_anew(own: RunningServer, call: str) -> None:
    query = f"SELECT ({call} AS ?x) ?s WHERE {{ ?s ?p ?o }} LIMIT 1"
    with own.client() as client:
        before = _count(client, "chap_cache_hits_total")
        for _ in range(2):
            assert client.get("/sparql", params={"query": query}).headers["cache-control"] == "no-store"
        assert _count(client, "chap_cache_hits_total") == before


def test_problems_are_not_kept(own: RunningServer) -> None:
    with own.client() as client:
        before = _count(client, "chap_cache_bytes")
        for _ in range(2):
            assert client.get("/sparql", params={"query": "SELEKT"}).status_code == 400
        assert _count(client, "chap_cache_bytes") == before


def test_memory_is_bounded(own: RunningServer) -> None:
    with own.client() as client:
        for number in range(60):
            query = f"SELECT ?s ?p ?o WHERE {{ ?s ?p ?o }} LIMIT {200 + number}"
            assert (
                client.get("/sparql", params={"query": query}, headers={"Accept-Encoding": "identity"}).status_code
                == 200
            )
        assert _count(client, "chap_cache_bytes") <= 1024 * 1024


def test_head_of_what_is_kept_has_no_body(own: RunningServer) -> None:
    with own.client() as client:
        got = client.get("/sparql", params={"query": QUERY})
        head = client.head("/sparql", params={"query": QUERY})
        assert head.content == b""
        assert head.headers["etag"] == got.headers["etag"]


def test_headers_that_tell_answers_apart_count(client: httpx.Client) -> None:
    before = _count(client, "chap_cache_bytes")
    for number in range(4):
        accept = f"text/csv, {'x' * 50_000}/{number}"
        assert client.get("/sparql", params={"query": QUERY}, headers={"Accept": accept}).status_code == 200
    assert _count(client, "chap_cache_bytes") - before > 200_000
