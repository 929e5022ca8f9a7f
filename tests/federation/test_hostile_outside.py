"""Endpoints that answer with too much, with nonsense, or send us elsewhere; and names that lead into our network."""

from __future__ import annotations

import gzip
import json
import socket
import time

import pytest

from tests.assertions import assert_problem
from tests.federation.conftest import OTHERS, Federation
from tests.federation.outside import Answer, Handler, Outside, run_outside
from tests.protocol.processes import resident_bytes

ONE = "SELECT * { SERVICE @%s { ?s o:year 2003 } }"
EMPTY = b'{"head":{"vars":["s"]},"results":{"bindings":[]}}'


def reply(status: int, body: bytes, content_type: str = "application/sparql-results+json", **headers: str) -> Answer:
    return lambda handler: handler.reply(status, body, content_type, **headers)


def redirect(location: str, status: int = 307) -> Answer:
    """Sends on, but answers where it has sent to."""

    def answer(handler: Handler) -> None:
        if handler.path.startswith("/moved"):
            handler.reply(200, EMPTY)
        else:
            handler.reply(status, b"", Location=location)

    return answer


@pytest.mark.parametrize("name", OTHERS)
def test_name_that_leads_into_our_network_is_refused(federation: Federation, name: str) -> None:
    problem = assert_problem(federation.ask(ONE % name), 502, "federation-address-refused")
    assert "public" in problem["detail"]


def test_private_address_is_refused_unless_configured(federation: Federation, outside: Outside) -> None:
    assert_problem(federation.ask(ONE % "public"), 502, "federation-address-refused")
    assert outside.log == []
    assert len(federation.rows(ONE % "plain")) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_on_the_same_host_is_followed(federation: Federation, outside: Outside, status: int) -> None:
    outside.answer = redirect("/moved?query=x", status)
    assert federation.rows(ONE % "plain") == []
    assert [request.path for request in outside.log] == ["/plain", "/moved"]
    # What is posted is posted again, but for 303, which says that the answer is to be read elsewhere.
    assert outside.log[1].method == ("GET" if status == 303 else "POST")
    if status != 303:
        assert outside.log[1].query == outside.log[0].query


def test_redirect_elsewhere_is_refused(federation: Federation, outside: Outside) -> None:
    with run_outside() as other:
        for location in (
            f"{other.url}/moved",
            f"http://localhost:{outside.port}/moved",
            f"http://127.0.0.2:{outside.port}/moved",
            f"//[::1]:{outside.port}/moved",
            f"http://user@127.0.0.1:{outside.port}/moved",
            "http://169.254.169.254/latest/meta-data",
            "http://example.org/sparql",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "",
            # Its own host, on a port or by a scheme that is not its own.
            "http://127.0.0.1/moved",
            "https://127.0.0.1/moved",
            f"https://127.0.0.1:{outside.port}/moved",
            "http://127.0.0.1:22/moved",
            "http://127.0.0.1:443/moved",
            "http://127.0.0.1:0/moved",
            "http://127.0.0.1:99999/moved",
            "http://127.0.0.1:port/moved",
            "http://127.0.0.1:-1/moved",
            "http://[::1/moved",
            f"http://127.0.0.1:{outside.port}/m\u00f6ved",
        ):
            outside.forget()
            outside.answer = redirect(location)
            problem = assert_problem(federation.ask(ONE % "plain"), 502, "federation-redirect-refused")
            assert "host" in problem["detail"]
            assert len(outside.log) == 1
        assert other.log == []


def test_redirect_in_a_circle_ends(federation: Federation, outside: Outside) -> None:
    outside.answer = reply(307, b"", Location="/plain")
    assert_problem(federation.ask(ONE % "plain"), 502, "federation-redirect-refused")
    assert len(outside.log) == 4


def rows(count: int) -> bytes:
    row = {"s": {"type": "uri", "value": "urn:o:thing"}}
    return json.dumps({"head": {"vars": ["s"]}, "results": {"bindings": [row] * count}}).encode()


def test_answer_with_too_many_bytes_is_cut(federation: Federation, outside: Outside) -> None:
    outside.answer = reply(200, rows(1_000))
    assert_problem(federation.ask(ONE % "small"), 502, "federation-too-large")

    def pour(handler: Handler) -> None:
        # No length is told, and there is no end.
        handler.close_connection = True
        handler.begin(200, Connection="close")
        while True:
            handler.wfile.write(b" " * 65536)

    outside.answer = pour
    before = resident_bytes(federation.server.process.pid)
    assert_problem(federation.ask(ONE % "small"), 502, "federation-too-large")
    assert_problem(federation.ask(ONE % "plain"), 502, "federation-too-large")
    assert outside.hung_up.wait(5)
    assert resident_bytes(federation.server.process.pid) - before < 64 * 1024 * 1024


def test_answer_with_too_many_solutions_is_refused(federation: Federation, outside: Outside) -> None:
    outside.answer = reply(200, rows(51))
    problem = assert_problem(federation.ask(ONE % "few"), 502, "federation-too-large")
    assert "50 solutions" in problem["detail"]
    outside.answer = reply(200, rows(50))
    assert len(federation.rows(ONE % "few")) == 50


def flood(handler: Handler) -> None:
    handler.send_response(200)
    for number in range(100_000):
        handler.send_header(f"X-{number}", "x" * 100)
        handler.flush_headers()


def half(handler: Handler) -> None:
    handler.begin(200, Content_Length=str(len(EMPTY) + 100))
    handler.wfile.write(EMPTY)
    handler.close_connection = True


def broken_chunks(handler: Handler) -> None:
    handler.begin(200, Transfer_Encoding="chunked")
    handler.wfile.write(b"zz\r\n" + EMPTY)
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


BROKEN: dict[str, Answer] = {
    "HTML": reply(200, b"<html>", "text/html"),
    "no media type": reply(200, EMPTY, ""),
    "Turtle": reply(200, b"", "text/turtle"),
    "empty": reply(200, b""),
    "truncated": reply(200, EMPTY[:30]),
    "no JSON": reply(200, b"oops"),
    "deep": reply(200, b"[" * 100_000),
    "a boolean": reply(200, b'{"head":{},"boolean":true}'),
    "a number as value": reply(200, b'{"head":{"vars":["s"]},"results":{"bindings":[{"s":{"type":"uri","value":1}}]}}'),
    "a relative IRI": reply(
        200, b'{"head":{"vars":["s"]},"results":{"bindings":[{"s":{"type":"uri","value":"x y"}}]}}'
    ),
    "not UTF-8": reply(200, b'{"head":{"vars":["\xff"]},"results":{"bindings":[]}}'),
    "compressed unasked": reply(200, gzip.compress(b" " * 10_000_000 + EMPTY), Content_Encoding="gzip"),
    "created": reply(201, EMPTY),
    "no content": reply(204, b""),
    "unauthorised": reply(401, b"", "text/plain", WWW_Authenticate="Basic"),
    "entities": reply(
        200,
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
        b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
        b'<sparql xmlns="http://www.w3.org/2005/sparql-results#"><head><variable name="s"/></head>'
        b'<results><result><binding name="s"><literal>&c;</literal></binding></result></results></sparql>',
        "application/sparql-results+xml",
    ),
    "headers without end": flood,
    "half an answer": half,
    "broken chunks": broken_chunks,
    "nothing": hang_up,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_answer_is_told_as_such(federation: Federation, outside: Outside, kind: str) -> None:
    outside.answer = BROKEN[kind]
    started = time.monotonic()
    problem = assert_problem(federation.ask(ONE % "kept"), 502, "federation-failed")
    assert "kept" in problem["detail"]
    assert len(problem["detail"]) < 600
    assert time.monotonic() - started < 5
    # It was not kept, and did no harm.
    outside.answer = None
    assert len(federation.rows(ONE % "plain")) == 1


def test_error_text_of_the_endpoint_is_shortened_and_cleaned(federation: Federation, outside: Outside) -> None:
    outside.answer = reply(500, b"\x1b[31m<b>no</b>\n\r\0 " + b"x" * 100_000, "text/plain; charset=utf-8")
    detail = assert_problem(federation.ask(ONE % "plain"), 502, "federation-failed")["detail"]
    assert "<b>no</b>" in detail
    assert len(detail) < 400
    assert not any(ord(letter) < 32 for letter in detail)


def test_xml_is_read_as_well(federation: Federation, outside: Outside) -> None:
    body = (
        b'<sparql xmlns="http://www.w3.org/2005/sparql-results#"><head><variable name="s"/></head><results><result>'
        b'<binding name="s"><literal xml:lang="de">&lt;K\xc3\xa4se&gt;</literal></binding></result></results></sparql>'
    )
    outside.answer = reply(200, body, "application/sparql-results+xml; charset=utf-8")
    assert federation.rows("SELECT ?s { SERVICE @plain { ?s o:year 2003 } }") == [("<Käse>@de^",)]


def test_blank_nodes_of_two_answers_stay_apart(federation: Federation, outside: Outside) -> None:
    body = b'{"head":{"vars":["b"]},"results":{"bindings":[{"b":{"type":"bnode","value":"b0"}}]}}'
    outside.answer = reply(200, body)
    union = "{ SERVICE @plain { ?b o:year 1 } } UNION { SERVICE @get { ?b o:year 2 } }"
    query = f"SELECT (COUNT(DISTINCT ?b) AS ?n) {{ {union} }}"
    assert federation.rows(query)[0][0].startswith("2")
    joined = "SELECT ?b { SERVICE @plain { ?b o:year 1 } SERVICE @get { ?b o:year 2 } }"
    assert federation.rows(joined) == []
