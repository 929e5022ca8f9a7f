"""The server as such: health, methods, cross-origin reading, settings, and what it must not have loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.assertions import assert_problem
from tests.protocol.conftest import RunningServer
from tests.protocol.processes import find_workers, resident_bytes

ASK = "ASK { ?s ?p ?o }"


def test_server_process_never_loads_the_engine(server: RunningServer, client: httpx.Client) -> None:
    assert client.get("/sparql", params={"query": ASK}).status_code == 200
    loaded = Path(f"/proc/{server.process.pid}/maps").read_text(encoding="utf-8")
    assert "pyoxigraph" not in loaded
    (worker, *_) = find_workers(server.process.pid)
    assert "pyoxigraph" in Path(f"/proc/{worker}/maps").read_text(encoding="utf-8")


def test_workers_know_no_settings_of_the_server(server: RunningServer) -> None:
    for worker in find_workers(server.process.pid):
        environment = Path(f"/proc/{worker}/environ").read_bytes()
        assert b"ENDPOINT_" not in environment


def test_health_says_live_and_ready(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    ready = client.get("/health/ready")
    assert ready.json()["status"] == "ready"
    assert ready.json()["pool"]["workers"] >= 2
    assert ready.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/sparql", "/sparql?query=ASK%7B%7D", "/health/live", "/health/ready"])
def test_head_is_get_without_body(client: httpx.Client, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code == 200
    assert head.content == b""
    for name in ("content-type", "etag", "vary", "content-length"):
        assert head.headers.get(name) == got.headers.get(name), name


def test_head_of_a_long_result_computes_it_not(client: httpx.Client) -> None:
    response = client.head("/sparql", params={"query": "SELECT * { ?a ?b ?c . ?d ?e ?f }"})
    assert response.status_code == 200
    assert "content-length" not in response.headers


@pytest.mark.parametrize("path", ["/sparql", "/nowhere", "/health/live"])
def test_options_lets_any_origin_read(client: httpx.Client, path: str) -> None:
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    response = client.options(path, headers=headers)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert "POST" in response.headers["access-control-allow-methods"]


@pytest.mark.parametrize("query", [ASK, "broken"])
def test_every_answer_can_be_read_across_origins(client: httpx.Client, query: str) -> None:
    response = client.get("/sparql", params={"query": query}, headers={"Origin": "https://example.org"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "Retry-After" in response.headers["access-control-expose-headers"]
    assert response.headers["x-content-type-options"] == "nosniff"


def test_unknown_path_is_a_problem(client: httpx.Client) -> None:
    assert_problem(client.get("/nowhere"), 404, "not-found")
    assert_problem(client.get("/static/../settings.py"), 404, "not-found")


def test_self_links_do_not_follow_the_host_header(client: httpx.Client) -> None:
    response = client.get("/sparql", headers={"Host": "evil.example"})
    assert "evil.example" not in response.text
    assert str(client.base_url.join("/sparql")) in response.text


def test_unknown_setting_stops_the_start_with_a_hint() -> None:
    environment = {**os.environ, "ENDPOINT_QUERY_TIMEOUT": "3"}
    command = [sys.executable, "-m", "endpoint.server"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode == 2
    assert "did you mean ENDPOINT_QUERY_TIMEOUT_S?" in result.stderr


def test_taken_port_stops_the_start(server: RunningServer) -> None:
    environment = {**os.environ, "ENDPOINT_PORT": server.url.rpartition(":")[2]}
    command = [sys.executable, "-m", "endpoint.server"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode == 2
    assert "cannot listen on 127.0.0.1" in result.stderr


def test_many_queries_leak_nothing(server: RunningServer, client: httpx.Client) -> None:
    descriptors = Path(f"/proc/{server.process.pid}/fd")
    queries = [f"SELECT ?p ?o {{ <https://w3id.org/chap/id/organisation/de-holm> ?p ?o }} # {n}" for n in range(100)]
    for query in queries:
        assert client.get("/sparql", params={"query": query}).status_code == 200
    before = (len(list(descriptors.iterdir())), resident_bytes(server.process.pid))
    for _ in range(5):
        for query in queries:
            client.get("/sparql", params={"query": query})
    assert len(list(descriptors.iterdir())) <= before[0] + 1
    assert resident_bytes(server.process.pid) < before[1] * 1.1
