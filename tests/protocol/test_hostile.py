"""Malformed and hostile requests, byte by byte: the right status or a clean close, and nothing is left behind."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.protocol.conftest import RunningServer, run_server
from tests.protocol.processes import count_descriptors, find_workers, resident_bytes, wait_until

QUERY = "application/sparql-query"
FORM = "application/x-www-form-urlencoded"
ASK = "/sparql?query=ASK%7B%7D"
CLOSED = 0  # the server ends the connection without a word


@dataclass(frozen=True)
class Answer:
    """What came back on a connection until its end; status 0 when there was nothing."""

    status: int
    head: bytes
    body: bytes
    count: int


def talk(server: RunningServer, data: bytes, *, ends: bool = False) -> Answer:
    """Send bytes as they are; ``ends`` closes our side after them."""
    url = urlsplit(server.url)
    assert url.hostname is not None
    received = bytearray()
    with socket.create_connection((url.hostname, url.port or 80), timeout=10) as connection:
        try:
            connection.sendall(data)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                received += chunk
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server said what it had to say, and did not read the rest
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    status = int(head.split()[1]) if head.startswith(b"HTTP/1.") else CLOSED
    return Answer(status, head.lower(), body, bytes(received).count(b"HTTP/1.1 "))


def get(target: str, *headers: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    lines = [f"{method} {target} {version}", "Host: localhost", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


def post(body: bytes, content_type: str = QUERY, *headers: str, length: str | None = "") -> bytes:
    """A POST; its length is the true one unless another is given, or none."""
    lengths = [] if length is None else [f"Content-Length: {length or len(body)}"]
    return get("/sparql", f"Content-Type: {content_type}", *lengths, *headers, method="POST") + body


def chunked(body: bytes, *headers: str) -> bytes:
    return post(body, QUERY, "Transfer-Encoding: chunked", *headers, length=None)


BOMB = gzip.compress(b" " * 100_000_000, compresslevel=1)
NESTED = b"[" * 500_000
MANY = b"query=ASK%7B%7D" + b"&x=1" * 200_000

HOSTILE: dict[str, tuple[bytes, set[int]]] = {
    "url of 100 kB": (get(f"{ASK}&x={'a' * 100_000}"), {414}),
    "header of 1 MB": (get(ASK, f"X-Large: {'a' * 1_000_000}"), {431}),
    "1,000 headers": (get(ASK, *(f"X-{number}: 1" for number in range(1_000))), {431}),
    "Accept of 10,000 ranges": (get(ASK, f"Accept: {'a/b;q=0.1,' * 6_000} */*;q=0.01"), {200}),
    "Accept with qualities that are none": (get(ASK, "Accept: text/csv;q=nan, */*;q=1e999"), {406}),
    "If-None-Match of 10,000 tags": (get(ASK, 'If-None-Match: "a"' + ',"b"' * 10_000), {200}),
    "body that says it is 100 GB": (post(b"ASK{}", length="100000000000"), {413}),
    "length beyond 64 bits": (post(b"ASK{}", length="9" * 30), {400}),
    "length below zero": (post(b"ASK{}", length="-5"), {400}),
    "length with a sign": (post(b"ASK{}", length="+5"), {400}),
    "two lengths": (post(b"ASK{}X", QUERY, "Content-Length: 5"), {400}),
    "chunk whose size is no number": (chunked(b"ZZ\r\nASK{}\r\n0\r\n\r\n"), {400}),
    "chunk beyond 64 bits": (chunked(b"FFFFFFFFFFFFFFFFF\r\nASK{}\r\n0\r\n\r\n"), {400}),
    "chunk extension of 70 kB": (chunked(b"5;" + b"a" * 70_000 + b"\r\nASK{}\r\n0\r\n\r\n"), {400}),
    "transfer coding that nobody knows": (post(b"ASK{}", QUERY, "Transfer-Encoding: xchunked", length=None), {400}),
    "folded header": (get(ASK, "X-Folded: a\r\n b"), {400}),
    "blank before the colon": (get(ASK, "Content-Length : 5"), {400}),
    "carriage return in a header": (get(ASK, "X-Split: a\rX-Evil: b"), {400}),
    "NUL in a header": (get(ASK, "X-Nul: a\0b"), {400}),
    "NUL in the URL": (get("/sparql?query=ASK\0"), {400}),
    "NUL in the query": (get("/sparql?query=ASK%7B%00%7D"), {400}),
    "NUL in a graph": (get(f"{ASK}&default-graph-uri=urn:a%00b"), {400}),
    "NUL in a path": (get("/static/style.css%00.html"), {404}),
    "path out of the tree": (get("/id/../../../../etc/passwd"), {404}),
    "path out of the static files": (get(f"/static/{'%2e%2e/' * 8}etc/passwd"), {404}),
    "path out, encoded twice": (get(f"/static/{'%252e%252e%252f' * 8}etc/passwd"), {404}),
    "path with backslashes": (get("/static/..%5c..%5c..%5cetc%5cpasswd"), {404}),
    "path with an authority": (get("//evil.example/id/organisation/de-holm"), {404}),
    "release out of the tree": (get(f"{ASK}&release=../../../etc"), {404}),
    "path that is no UTF-8": (get("/id/organisation/%ff%fe"), {404}),
    "method of 10,000 letters": (get(ASK, method="A" * 10_000), {405}),
    "method in lower case": (get(ASK, method="get"), {405}),
    "TRACE": (get(ASK, "Cookie: secret", method="TRACE"), {405}),
    "HTTP/9.9": (get(ASK, version="HTTP/9.9"), {400}),
    "no version": (f"GET {ASK}\r\n\r\n".encode(), {400}),
    "HTTP/2 at once": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", {CLOSED, 400, 505}),
    "TLS": (bytes.fromhex("16030100a5010000a1030300") + bytes(200), {CLOSED, 400}),
    "200,000 parameters": (post(MANY, FORM), {413}),
    "50,000 graphs": (post(b"query=ASK%7B%7D" + b"&named-graph-uri=urn:a" * 50_000, FORM), {413}),
    "gzip bomb": (post(BOMB, QUERY, "Content-Encoding: gzip"), {415}),
    "deep JSON": (post(NESTED, "application/json"), {415}),
    "deep query": (post(b"ASK " + b"{" * 100_000), {400}),
    "dots": (post(b"ASK { " + b"a." * 100_000 + b"}"), {400}),
    "strings that do not end": (post(b"ASK { ?s ?p " + b'"\\' * 100_000), {400}),
    "10,000 prefixes": (post(b"".join(b"PREFIX p%d: <e:e> " % n for n in range(10_000)) + b"ASK {}"), {200}),
    "media type of 60 kB": (post(b"ASK{}", "a/b;" * 15_000), {415}),
    "ranges without end": (
        get("/static/style.css", f"Range: bytes={','.join(f'{n}-' for n in range(1_000))}"),
        {200, 206, 416},
    ),
}


@pytest.fixture(scope="module")
def own(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that nobody else asks, so that its memory can be watched."""
    with run_server(releases_dir, tmp_path_factory.mktemp("hostile") / "log", cache_mib=1) as running:
        yield running


@pytest.fixture(autouse=True)
def unharmed(own: RunningServer) -> Iterator[None]:
    """As many workers as there were, all idle, and quick answers, after every test."""
    workers = find_workers(own.process.pid)
    yield
    with own.client() as client:
        assert wait_until(lambda: client.get("/health/ready").json()["pool"]["idle"] == len(workers), seconds=3)
        started = time.monotonic()
        assert client.get("/sparql", params={"query": f"ASK {{ ?s ?p {started} }}"}).status_code == 200
        assert time.monotonic() - started < 1
    # On a busy machine one may have been replaced, but none is left over.
    assert wait_until(lambda: len(find_workers(own.process.pid)) == len(workers), seconds=3)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_request_gets_its_status(own: RunningServer, name: str) -> None:
    data, statuses = HOSTILE[name]
    answer = talk(own, data)
    assert answer.status in statuses, answer
    assert b"root:" not in answer.body
    assert answer.count <= 1


def test_hostile_requests_leave_nothing_behind(own: RunningServer) -> None:
    pid = own.process.pid

    def send_all(times: int) -> None:
        with ThreadPoolExecutor(4) as threads:
            for data, _ in list(HOSTILE.values()) * times:
                threads.submit(talk, own, data)
        assert wait_until(lambda: count_descriptors(pid) < 40, seconds=5)

    send_all(2)
    descriptors = count_descriptors(pid)
    growth = []
    # What fills a pool or a cache once grows no more; a leak does.
    for _ in range(4):
        memory = resident_bytes(pid)
        send_all(2)
        growth.append(resident_bytes(pid) / memory)
        if growth[-1] < 1.05:
            break
    assert growth[-1] < 1.05, growth
    assert count_descriptors(pid) <= descriptors + 2


def test_request_smuggled_behind_a_body_is_not_answered(own: RunningServer) -> None:
    inner = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    both = post(b"5\r\nASK{}\r\n0\r\n\r\n" + inner, QUERY, "Transfer-Encoding: chunked", length="5")
    assert talk(own, both.replace(b"Connection: close\r\n", b"")).count == 1


def test_body_that_ends_before_its_length_is_not_evaluated(own: RunningServer) -> None:
    answer = talk(own, post(b"ASK{}", length="50"), ends=True)
    assert answer.status in (CLOSED, 400)
    assert b"boolean" not in answer.body
    # Nor is what was cut short kept for those who send it whole.
    assert talk(own, post(b"ASK{ } ", length="50"), ends=True).status in (CLOSED, 400)


@pytest.mark.parametrize(
    "target",
    [
        "/id/organisation/a%0d%0aX-Evil:%201",
        "/?lang=de%0d%0aX-Evil:%201",
        "/release/1.a%0d%0aX-Evil:%201",
        "/doc/organisation/de-holm.ttl?x=%0d%0aX-Evil:%201",
        "/timemap/doc/organisation/a%0d%0aX-Evil:%201",
        "/graph-store?graph=urn:a%0d%0aX-Evil:%201",
    ],
)
def test_header_injection_has_no_effect(own: RunningServer, target: str) -> None:
    assert b"\r\nx-evil" not in talk(own, get(target)).head


def test_hint_is_a_short_header(own: RunningServer) -> None:
    term = f"https://w3id.org/chap/def#Cluster{'x' * 40_000}"
    answer = talk(own, get(f"/sparql?query={quote(f'SELECT * {{ ?s <{term}> ?o }}')}"))
    assert answer.status == 200
    assert len(answer.head) < 8_000


@pytest.mark.parametrize("digits", ["99999999999999999999", "9" * 5_000, "-1", "%D9%A3", "0x10", ""])
def test_page_number_that_is_none_is_no_bug(own: RunningServer, digits: str) -> None:
    answer = talk(own, get(f"/actors?page={digits}"))
    assert answer.status in (200, 400, 404), answer.body[-200:]


HOSTS = [
    "x/hubs?",
    "x/hubs?y",
    "x#",
    "a@b",
    "a b",
    "x\\y",
    "http://x",
    "x:80:80",
    "x:port",
    "[::1",
    "::1",
    "\xe4",
    "a\tb",
]


def test_malformed_host_is_refused_and_moves_no_page(own: RunningServer) -> None:
    for host in HOSTS:
        target = f"/clusters?{quote(host)}"
        moved = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1")
        assert talk(own, moved).status == 400, host
        assert b"<h1>Clusters" in talk(own, get(target, "Accept-Language: en")).body


def test_well_formed_host_is_let_in(own: RunningServer) -> None:
    for host in ("example.org", "example.org:8000", "[::1]:80", "xn--bcher-kva.example", "a%20b", "x:", ""):
        asked = f"GET {ASK} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        assert talk(own, asked).status == 200, host


def test_host_is_given_once_at_most(own: RunningServer) -> None:
    """RFC 9112, section 3.2; a request without one is given a host by the HTTP layer, before we see it."""
    host = "Host: a.example\r\nHost: b.example\r\n"
    assert talk(own, f"GET {ASK} HTTP/1.1\r\n{host}Connection: close\r\n\r\n".encode()).status == 400


def test_address_of_another_server_makes_no_proxy_of_this_one(own: RunningServer) -> None:
    assert b'"boolean":true' in talk(own, get(f"http://evil.example{ASK}")).body


def test_slow_clients_hold_nobody_up(own: RunningServer) -> None:
    pid = own.process.pid
    before = count_descriptors(pid)
    url = urlsplit(own.url)
    beginnings = [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        post(b"ASK", length="500").replace(b"close", b"keep-alive"),
    ]
    with ExitStack() as held, own.client() as client:
        for number in range(150):
            slow = held.enter_context(socket.create_connection((url.hostname, url.port)))
            slow.sendall(beginnings[number % 3])
        for number in range(20):
            started = time.monotonic()
            assert client.post("/sparql", data={"query": f"ASK {{ ?s ?p {number} }}"}).status_code == 200
            assert time.monotonic() - started < 1
    assert wait_until(lambda: count_descriptors(pid) <= before + 2, seconds=5)


def test_slow_body_does_not_keep_the_server_from_stopping(releases_dir: Path, tmp_path: Path) -> None:
    with ExitStack() as held:
        with run_server(releases_dir, tmp_path / "log") as server:
            url = urlsplit(server.url)
            slow = held.enter_context(socket.create_connection((url.hostname, url.port)))
            slow.sendall(post(b"ASK", length="500").replace(b"close", b"keep-alive"))
            time.sleep(0.3)
            stopping = time.monotonic()
        assert time.monotonic() - stopping < 5
