"""Documents that mean harm: each gets its answer, within limits; nothing is fetched, and what is served stays."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from kg.release import Releases
from tests.assertions import assert_problem
from tests.protocol.processes import find_workers, is_running, resident_bytes
from tests.protocol.test_federation_gate import Listener
from tests.writes.conftest import TURTLE, WRITTEN, Writable, comment, run_writable

URL = f"/graph-store?graph={WRITTEN}holm-hostile"
JSON_LD = "application/ld+json"
RDF_XML = "application/rdf+xml"
MIB = 1024 * 1024
XML_HEAD = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:x="urn:x:">'
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.fixture(scope="module")
def small(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writable]:
    """A server with narrow limits."""
    directory = tmp_path_factory.mktemp("small")
    limits = {"write_max_mib": 2, "write_timeout_s": 10, "write_memory_mib": 1024}
    with run_writable(releases_dir, directory, **limits) as running:
        yield running


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with closing(Listener()) as listening:
        yield listening
        assert listening.knocks == 0


def nest_json(depth: int) -> str:
    return '{"urn:x:p":' * depth + "1" + "}" * depth


DOCUMENTS: dict[str, tuple[str, str, int, str]] = {
    "broken Turtle": ("text/turtle", "<urn:x:a> <urn:x:b> ;;\n oops", 400, "rdf-syntax"),
    "broken UTF-8": ("text/turtle", "\udcff", 400, "rdf-syntax"),
    "broken JSON": (JSON_LD, '{"@id": ', 400, "rdf-syntax"),
    "broken XML": (RDF_XML, "<rdf:RDF", 400, "rdf-syntax"),
    "nothing": (JSON_LD, "", 400, "rdf-syntax"),
    "remote context": (JSON_LD, '{"@context": "{url}context", "name": "x"}', 400, "write-invalid"),
    "imported context": (JSON_LD, '{"@context": {"@import": "{url}context"}, "name": "x"}', 400, "write-invalid"),
    "scoped context": (
        JSON_LD,
        '{"@context": {"n": {"@id": "urn:x:n", "@context": "{url}context"}}, "n": {"m": 1}}',
        400,
        "write-invalid",
    ),
    "deep JSON-LD": (JSON_LD, nest_json(10_000), 413, "write-too-large"),
    "deep lists": (JSON_LD, '{"urn:x:p":' + "[" * 10_000 + "]" * 10_000 + "}", 413, "write-too-large"),
    "deep Turtle": (
        "text/turtle",
        "<urn:x:a> " + "<urn:x:p> [ " * 10_000 + "] " * 10_000 + ".",
        413,
        "write-too-large",
    ),
    "deep collections": (
        "text/turtle",
        "<urn:x:a> <urn:x:p> " + "( " * 10_000 + ") " * 10_000 + ".",
        413,
        "write-too-large",
    ),
    "deep triples": ("text/turtle", "<< " * 10_000, 413, "write-too-large"),
    "deep XML": (RDF_XML, XML_HEAD + "<x:a><x:p>" * 5_000, 413, "write-too-large"),
    "external entity": (
        RDF_XML,
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "{{url}}entity">]>{XML_HEAD}<x:a><x:p>&e;</x:p></x:a></rdf:RDF>',
        400,
        "write-invalid",
    ),
    "external DTD": (RDF_XML, f'<!DOCTYPE x SYSTEM "{{url}}dtd">{XML_HEAD}</rdf:RDF>', 400, "write-invalid"),
    "billion laughs": (
        RDF_XML,
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>{XML_HEAD}<x:a><x:p>&l9;</x:p></x:a></rdf:RDF>',
        400,
        "write-invalid",
    ),
    "named graphs": ("application/trig", "<urn:x:g> { <urn:x:a> <urn:x:b> 1 }", 400, "write-invalid"),
    "triples as terms": ("text/turtle", "<urn:x:a> <urn:x:b> <<( <urn:x:a> <urn:x:b> 1 )>> .", 400, "write-invalid"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_gets_its_answer(small: Writable, listener: Listener, name: str) -> None:
    media_type, document, status, code = DOCUMENTS[name]
    body = listener.fill(document).encode("utf-8", "surrogateescape")
    before = Releases(small.releases_dir).journal()
    with small.client() as client:
        problem = assert_problem(client.put(URL, content=body, headers={"Content-Type": media_type}), status, code)
    assert len(problem["detail"]) < 1_000
    assert Releases(small.releases_dir).journal() == before
    assert listener.knocks == 0


def test_syntax_error_says_where(small: Writable) -> None:
    with small.client() as client:
        response = client.put(URL, content="<urn:x:a> <urn:x:b> 1 .\n<urn:x:a> oops .\n", headers=TURTLE)
    assert "line 2" in assert_problem(response, 400, "rdf-syntax")["detail"]


def test_imports_are_a_statement_like_any_other(small: Writable, listener: Listener) -> None:
    document = listener.fill("<urn:x:a> <http://www.w3.org/2002/07/owl#imports> <{url}ontology> .")
    with small.client() as client:
        assert client.put(URL, content=document, headers=TURTLE).status_code in (201, 204)
        assert client.delete(URL).status_code == 204
    assert listener.knocks == 0


def test_body_beyond_the_limit_is_not_taken(small: Writable) -> None:
    """200 MB, declared or not: the server takes no more than its limit, and holds none of it in memory."""
    resident = resident_bytes(small.server.process.pid)
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        while sent < 200 * MIB:
            sent += MIB
            yield b" " * MIB

    with socket.create_connection(("127.0.0.1", httpx.URL(small.server.url).port or 0)) as connection:
        head = f"PUT {URL} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {small.holm}\r\nContent-Type: text/turtle\r\n"
        connection.sendall(f"{head}Content-Length: {200 * MIB}\r\n\r\n".encode())
        # Said at once, before any of it is sent.
        connection.settimeout(20)
        answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b'"code": "body-too-large"' in answer or b'"code": "body-too-large"' in connection.recv(65_536)
    with small.client() as client:
        try:
            assert_problem(client.put(URL, content=pieces(), headers=TURTLE), 413, "body-too-large")
        except httpx.WriteError:
            # The server has answered and closed; a client that goes on sending does not hear it.
            assert sent < 200 * MIB
    assert resident_bytes(small.server.process.pid) - resident < 50 * MIB


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_compressed_bodies_are_not_unpacked(small: Writable, coding: str) -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 100 * MIB))
    with small.client() as client:
        response = client.put(URL, content=bomb, headers={**TURTLE, "Content-Encoding": coding})
    assert_problem(response, 415, "unsupported-coding")
    assert response.headers["accept-encoding"] == "identity"


def test_write_without_end_is_stopped(small: Writable, actor: str) -> None:
    """An update that never ends costs its sender ten seconds, and nobody else a failed read."""
    endless = f"""INSERT {{ GRAPH <{WRITTEN}holm-endless> {{ ?a ?b ?c }} }}
    WHERE {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l FILTER(CONCAT(STR(?c), STR(?f), STR(?i), STR(?l)) = "") }}"""
    with small.client() as client:
        started = time.monotonic()
        response = client.post("/sparql", data={"update": endless})
        problem = assert_problem(response, 504, "write-timeout")
        assert problem["limit_s"] == 10
        assert time.monotonic() - started < 40
        assert client.get("/sparql", params={"query": "ASK {}"}).json()["boolean"] is True
        # The next write finds a new writer.
        assert client.put(URL, content=actor, headers=TURTLE).status_code == 201
        assert client.delete(URL).status_code == 204


def test_write_beyond_its_memory_is_ended(small: Writable) -> None:
    hungry = f"""INSERT {{ GRAPH <{WRITTEN}holm-hungry> {{ ?a <urn:x:p> ?l }} }}
    WHERE {{ SELECT ?a (GROUP_CONCAT(CONCAT(STR(?c), STR(?f), STR(?i))) AS ?l)
             WHERE {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }} GROUP BY ?a }}"""
    with small.client() as client:
        response = client.post("/sparql", data={"update": hungry})
        assert response.status_code in (504, 507), response.text
        assert response.json()["code"] in ("write-timeout", "write-out-of-memory")
        assert client.put(URL, content=comment("after"), headers=TURTLE).status_code == 201
        assert client.delete(URL).status_code == 204


def test_every_process_ends_with_the_server(releases_dir: Path, tmp_path: Path) -> None:
    with run_writable(releases_dir, tmp_path) as running, running.client() as client:
        assert client.put(URL, content=comment("x"), headers=TURTLE).status_code == 201
        processes = find_workers(running.server.process.pid)
        assert processes
    deadline = time.monotonic() + 10
    while any(map(is_running, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [each for each in processes if is_running(each)]


def test_report_of_a_document_full_of_violations_is_bounded(small: Writable) -> None:
    node = "https://w3id.org/chap/id/involvement/de-x--partner--de-y"
    document = "".join(f"<{node}-{n}> a <https://w3id.org/chap/def#Involvement> .\n" for n in range(2_000))
    with small.client() as client:
        response = client.put(URL, content=document, headers=TURTLE)
    assert response.status_code == 422
    problem = json.loads(response.text)
    assert problem["counts"]["violations"] >= 6_000
    assert len(problem["results"]) == 1_000
    assert problem["left_out"] == sum(problem["counts"].values()) - 1_000
