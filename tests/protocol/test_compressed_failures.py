"""A query that fails is told so behind a compressor, too: as a problem before the first byte, as a cut after it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.assertions import assert_problem
from tests.protocol.conftest import RunningServer, run_server

LIMIT_S = 3.0
# Sorted, so that its time is over before it has a first row.
SORTED = "SELECT * WHERE { ?a ?b ?c . ?d ?e ?f } ORDER BY ?c ?f"
# Rows at once, and never an end.
HUGE = "SELECT * WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
# Some frames of rows at once, then none until its time is over; a compressor may hold all of them back.
HALTING = f"SELECT ?a ?b ?c WHERE {{ {{ SELECT * WHERE {{ ?a ?b ?c }} LIMIT 4000 }} UNION {{ {SORTED} }} }}"
CODINGS = ["zstd", "br", "gzip"]


@pytest.fixture(scope="module")
def impatient(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    log_path = tmp_path_factory.mktemp("impatient") / "log"
    settings = {"query_timeout_s": LIMIT_S, "query_long_after_s": 60, "query_memory_mib": 4096}
    with run_server(releases_dir, log_path, **settings) as running:
        yield running


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("media_type", ["application/sparql-results+json", "text/csv"])
def test_failure_before_the_first_byte_is_a_problem(impatient: RunningServer, coding: str, media_type: str) -> None:
    headers = {"Accept": media_type, "Accept-Encoding": coding}
    with impatient.client() as client:
        started = time.monotonic()
        response = client.post("/sparql", data={"query": SORTED}, headers=headers)
        assert time.monotonic() - started < LIMIT_S + 1
    problem = assert_problem(response, 504, "query-timeout")
    assert problem["limit_s"] == LIMIT_S
    assert "etag" not in response.headers
    assert response.headers.get("content-encoding", coding) == coding


@pytest.mark.parametrize("coding", CODINGS)
def test_failure_in_the_middle_is_an_error_for_the_client(impatient: RunningServer, coding: str) -> None:
    headers = {"Accept": "text/csv", "Accept-Encoding": coding}
    with (
        impatient.client() as client,
        client.stream("POST", "/sparql", data={"query": HUGE}, headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-encoding"] == coding
        assert "content-length" not in response.headers
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in response.iter_raw():
                pass


@pytest.mark.parametrize("coding", [*CODINGS, "identity"])
def test_failure_while_bytes_are_held_back_is_a_problem_or_a_cut(impatient: RunningServer, coding: str) -> None:
    headers = {"Accept": "text/csv", "Accept-Encoding": coding}
    content = b""
    with (
        impatient.client() as client,
        client.stream("POST", "/sparql", data={"query": HALTING}, headers=headers) as response,
    ):
        try:
            for chunk in response.iter_raw():
                content += chunk
        except httpx.RemoteProtocolError:
            assert response.status_code == 200
            assert content
            return
    assert response.status_code == 504, response.headers
    assert response.headers["content-type"] == "application/problem+json"
    assert "content-encoding" not in response.headers
    assert "etag" not in response.headers
    assert json.loads(content)["code"] == "query-timeout"


@pytest.mark.parametrize("coding", CODINGS)
def test_stream_that_is_cut_has_no_last_chunk(impatient: RunningServer, coding: str) -> None:
    """Byte by byte, since a client library may be lenient: the end of the body is never marked."""
    url = urlsplit(impatient.url)
    lines = [f"GET /sparql?query={quote(HUGE)} HTTP/1.1", "Host: localhost", f"Accept-Encoding: {coding}", "", ""]
    received, size = b"", 0
    with socket.create_connection((url.hostname, url.port), timeout=LIMIT_S + 5) as connection:
        connection.sendall("\r\n".join(lines).encode())
        try:
            while data := connection.recv(1 << 20):
                received, size = (received + data)[-65536:] if size else data, size + len(data)
                if size == len(data):
                    assert data.startswith(b"HTTP/1.1 200 ")
        except ConnectionResetError:
            pass  # an end that is an error, too
    assert size > 1000
    assert not received.endswith(b"\r\n0\r\n\r\n")
