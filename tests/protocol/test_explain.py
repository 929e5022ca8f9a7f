"""What an answer says about itself: time, rows, limits and hints in headers; figures at /metrics; lines in the log."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.assertions import assert_problem
from tests.protocol.conftest import TIMEOUT_S, run_server
from tests.protocol.processes import wait_until

FORMATS = {
    "application/sparql-results+json": 7,
    "application/sparql-results+xml": 7,
    "text/csv": 7,
    "text/tab-separated-values": 7,
}


@pytest.mark.parametrize("media_type", FORMATS)
def test_rows_are_counted_in_every_format(client: httpx.Client, media_type: str) -> None:
    query = 'SELECT ?s ("},{\\"a\\n,b" AS ?trap) WHERE { ?s a ?class } LIMIT 7'
    answer = client.get("/sparql", params={"query": query}, headers={"Accept": media_type})
    assert answer.headers["chap-rows"] == "7"


def test_time_and_limits_are_in_the_headers(client: httpx.Client) -> None:
    answer = client.get("/sparql", params={"query": "ASK { ?s ?p 'time and limits' }"})
    assert answer.headers["server-timing"].startswith("query;dur=")
    assert f"time={TIMEOUT_S:g}s" in answer.headers["chap-limits"]
    assert "memory=" in answer.headers["chap-limits"]
    assert answer.headers["chap-release"]


def test_limits_are_in_the_headers_of_a_problem_too(client: httpx.Client) -> None:
    assert "time=" in client.get("/sparql", params={"query": "SELEKT"}).headers["chap-limits"]


def test_unknown_term_gets_a_hint_in_a_header_and_none_in_the_result(client: httpx.Client) -> None:
    query = "PREFIX chap: <https://w3id.org/chap/def#> SELECT * WHERE { ?a chap:partnerOff ?b }"

    def has_hint() -> bool:
        answer = client.get("/sparql", params={"query": query, "again": str(id(object()))})
        assert answer.json()["results"]["bindings"] == []
        return "chap:partnerOff is no class or property" in answer.headers.get("chap-hint", "")

    # The vocabulary is looked up in the background when the server starts.
    assert wait_until(has_hint, seconds=10)
    hint = client.get("/sparql", params={"query": query}).headers["chap-hint"]
    assert "near: chap:partnerOf" in hint


def test_known_terms_get_no_hint(client: httpx.Client) -> None:
    query = "PREFIX chap: <https://w3id.org/chap/def#> SELECT * WHERE { ?a chap:partnerOf chap:Hub }"
    assert "chap-hint" not in client.get("/sparql", params={"query": query}).headers


def test_metrics_count_queries_by_outcome(client: httpx.Client) -> None:
    client.get("/sparql", params={"query": "ASK { ?s ?p 'metrics' }"})
    assert_problem(client.get("/sparql", params={"query": "SELEKT metrics"}), 400, "query-syntax")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    for line in (
        'outcome="ok"',
        'outcome="query-syntax"',
        "chap_pool_workers",
        "chap_pool_idle",
        "chap_cache_hits_total",
    ):
        assert line in answer.text


def test_log_names_queries_by_digest_and_slow_ones_by_text(releases_dir: Path, tmp_path: Path) -> None:
    secret = "ASK { ?s ?p 'a text that is nobody else'}"
    settings = {"log_queries": True, "slow_query_s": 0.000001, "log_query_text": False}
    log = tmp_path / "log"
    with run_server(releases_dir, log, **settings) as server, server.client() as client:
        client.get("/sparql", params={"query": secret})
    lines = [line.partition("chap.queries: ")[2] for line in log.read_text(encoding="utf-8").splitlines()]
    (record,) = [json.loads(line) for line in lines if line]
    assert record["event"] == "slow-query"
    assert record["outcome"] == "ok"
    assert len(record["query"]) == len(record["request"]) == 16
    assert "nobody else" not in log.read_text(encoding="utf-8")


def test_client_that_overdraws_its_share_has_to_wait_and_others_do_not(releases_dir: Path, tmp_path: Path) -> None:
    endless = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
    settings = {"client_budget_s": 1.0, "client_earned_per_s": 0.1, "query_timeout_s": 2}
    with run_server(releases_dir, tmp_path / "log", **settings) as server:
        greedy = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(base_url=server.url, transport=greedy, timeout=30) as client:
            assert_problem(client.post("/sparql", data={"query": endless}), 504, "query-timeout")
            problem = client.post("/sparql", data={"query": endless})
            assert_problem(problem, 429, "too-many-query-seconds")
            assert int(problem.headers["retry-after"]) >= 1
        with server.client() as other:
            assert other.post("/sparql", data={"query": "ASK {}"}).status_code == 200


def test_result_beyond_its_limit_is_cut_and_never_looks_complete(releases_dir: Path, tmp_path: Path) -> None:
    with (
        run_server(releases_dir, tmp_path / "log", query_max_result_mib=1) as server,
        server.client() as client,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        client.get("/sparql", params={"query": "SELECT * WHERE { ?s ?p ?o }"}, headers={"Accept-Encoding": "identity"})
