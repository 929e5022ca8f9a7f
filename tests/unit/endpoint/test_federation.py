"""The parts of federation that need no second server."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pyoxigraph as ox
import pytest

from endpoint.federation.addresses import is_public
from endpoint.federation.batching import is_anchored, name_variables, plan_bindings, write_batches
from endpoint.federation.breaker import Breaker, BreakerOpen
from endpoint.federation.cache import AnswerCache, KeptAnswer
from endpoint.federation.calls import find_calls
from endpoint.federation.rewriting import locate_original, write_calls
from endpoint.http.problems import Problem
from endpoint.reader.parser import read
from endpoint.reader.reading import Reading
from endpoint.sparql.guard import Limits, inspect_query
from kg.allowlist import AllowList, OutsideEndpoint, load_allowlist
from kg.errors import SettingsError

A, B = "http://a.example/sparql", "http://b.example/sparql#x"
ALLOWED = {iri: OutsideEndpoint(name=name, iri=iri) for name, iri in (("a", A), ("b", B))}
BASE = "http://chap.example/sparql"
LIMITS = Limits(bytes_=1000, depth=10, operators=10, base=BASE, services=ALLOWED)


def read_query(text: str) -> Reading:
    return read(text, "QueryUnit", base=BASE)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1",
        "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
        "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:10.0.0.1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
        "100::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1:0:0:80ff:fffe", "fc00::1", "fd12::1",
        "fe80::1", "fec0::1", "ff02::1", "ff0e::1",
    ],
)  # fmt: skip
def test_address_that_is_not_public_is_told(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "147.67.210.45", "91.198.174.192", "2620:0:862:ed1a::1", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_public_address_is_told(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT * {{ SERVICE <{A}> {{ ?s ?p ?o }} }}",
        f"select * {{ service silent<{A}>{{ ?s ?p ?o }} }}",
        "PREFIX e: <http://a.example/> SELECT * { SERVICE e:sparql { ?s ?p ?o } }",
        "PREFIX : <http://a.example/sparq> SELECT * { SERVICE :l { ?s ?p ?o } }",
        "BASE <http://a.example/x/y> SELECT * { SERVICE <../sparql> { ?s ?p ?o } }",
        "BASE <http://a.example/> BASE <x/> PREFIX e: <../sparql> SELECT * { SERVICE e: { ?s ?p ?o } }",
        "SELECT * { SERVICE <\\u0068ttp://a.example/\\U00000073parql> { ?s ?p ?o } }",
        f"SELECT * {{ OPTIONAL {{ SERVICE <{A}> {{ }} }} FILTER EXISTS {{ SERVICE <{B}> {{ }} }} }}",
        "PREFIX e: <http://b.example/sparql> SELECT * { SERVICE e:\\#x { ?s ?p ?o } }",
    ],
)
def test_endpoint_on_the_list_is_found_however_it_is_written(query: str) -> None:
    reading = read_query(query)
    calls = find_calls(reading, ALLOWED)
    assert len(calls) >= 1
    written = write_calls(reading.text, calls, [f"http://127.0.0.1:1/{n}" for n in range(len(calls))])
    # The engine agrees on what stands there.
    assert "http://127.0.0.1:1/0" in written
    assert "example/sparql>" not in written.split("{", 1)[1]
    with pytest.raises(OSError, match="The port 1 is not allowed"):
        list(ox.Store().query(written.replace("SILENT", "")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "target",
    [
        "<http://a.example/sparql/>", "<http://a.example/Sparql>", "<http://A.example/sparql>",
        "<https://a.example/sparql>",
        "<http://a.example:80/sparql>", "<http://a.example/sparql?x>", "<http://a.example/%73parql>", "<sparql>",
        "e:sparql",
        "<http://b.example/sparql>", "<http://127.0.0.1:8000/sparql>", "?v", "$v",
    ],
)  # fmt: skip
def test_endpoint_that_is_not_on_the_list_is_refused(target: str) -> None:
    query = f"PREFIX e: <http://a.example/x/> SELECT * {{\n SERVICE {target} {{ ?s ?p ?o }} }}"
    with pytest.raises(Problem) as caught:
        inspect_query(query, limits=LIMITS)
    assert (caught.value.status, caught.value.code) == (403, "query-refused")
    assert caught.value.members["line"] == 2
    assert [each["iri"] for each in caught.value.members["allowed"]] == [A, B]  # type: ignore[attr-defined]


@pytest.mark.parametrize("target", ["_:b", "<\\U00110000>", "{", "", "e:"])
def test_what_names_no_endpoint_is_no_query(target: str) -> None:
    with pytest.raises(Problem) as caught:
        inspect_query(f"SELECT * {{\n SERVICE {target} {{ ?s ?p ?o }} }}", limits=LIMITS)
    assert (caught.value.status, caught.value.code, caught.value.members["line"]) == (400, "query-syntax", 2)


def test_service_inside_a_service_needs_leave() -> None:
    query = f"SELECT * {{ SERVICE <{A}> {{ ?s ?p ?o . SERVICE <urn:label> {{ ?x ?y ?z }} }} SERVICE <{B}> {{ }} }}"
    with pytest.raises(Problem, match="urn:label"):
        find_calls(read_query(query), ALLOWED)
    with pytest.raises(Problem, match="inside"):
        find_calls(read_query(query.replace("urn:label", B)), ALLOWED)
    allowed = {A: OutsideEndpoint(name="a", iri=A, inner=("urn:label",)), B: ALLOWED[B]}
    assert [call.endpoint for call in find_calls(read_query(query), allowed)] == ["a", "b"]
    # Leave holds inside only.
    with pytest.raises(Problem, match="urn:label"):
        find_calls(read_query("SELECT * { SERVICE <urn:label> { ?x ?y ?z } }"), allowed)


def test_place_of_an_error_is_that_in_the_text_as_it_came() -> None:
    text = f"SELECT * {{ SERVICE <{A}> {{ ?s ?p '''1\n''' }} SERVICE <{B}> {{ }} SERVICE <{A}> {{ ?s ?p 2 }} }}"
    reading = read_query(text)
    text, calls = reading.text, find_calls(reading, ALLOWED)
    addresses = ["http://127.0.0.1:12345/" + "x" * 40 + f"/{n}" for n in range(3)]
    written = write_calls(text, calls, addresses)

    def place(whole: str, word: str) -> tuple[int, int]:
        before = whole[: whole.index(word)]
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    for word in ("SELECT", "?s ?p '''1", "?s ?p 2"):
        assert locate_original(text, calls, addresses, *place(written, word)) == place(text, word)


def test_breaker_counts_failures_in_a_row_only() -> None:
    now = 0.0
    breaker = Breaker(failures=2, pause_s=10, clock=lambda: now)
    for is_well in (False, True, False, None):
        breaker.admit()
        breaker.settle(is_well)
    assert not breaker.is_open
    breaker.admit()
    breaker.settle(False)
    with pytest.raises(BreakerOpen) as caught:
        breaker.admit()
    assert caught.value.retry_after_s == 10
    now = 10.0
    breaker.admit()
    # Another one while the first tries.
    with pytest.raises(BreakerOpen):
        breaker.admit()
    # The client of the one that tried has left: the next may try.
    breaker.settle(None)
    breaker.admit()
    breaker.settle(True)
    assert not breaker.is_open


def test_cache_keeps_within_its_capacity_and_time() -> None:
    now = 0.0
    cache = AnswerCache(capacity_bytes=4000, clock=lambda: now)
    for number in range(10):
        cache.keep("a", f"q{number}", KeptAnswer("x", b"x" * 200), ttl_s=5)
    assert 2000 < cache.held_bytes <= 4000
    assert cache.find("a", "q0") is None
    assert cache.find("a", "q9") is not None
    assert cache.find("b", "q9") is None
    cache.keep("a", "large", KeptAnswer("x", b"x" * 1001), ttl_s=5)
    assert cache.find("a", "large") is None
    now = 5.0
    assert cache.find("a", "q9") is None
    cache.keep("a", "q", KeptAnswer("x", b""), ttl_s=0)
    assert cache.find("a", "q") is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT * WHERE { ?a <urn:p> ?b . }", False),
        ("SELECT * WHERE { ?a <urn:p> <urn:c> . }", True),
        ("SELECT * WHERE { <urn:c> <urn:p> ?b . }", True),
        ('SELECT * WHERE { ?a <urn:p> "x"@de .?b <urn:p> ?a . }', True),
        ("SELECT * WHERE { ?a (<urn:p>/<urn:q>)* ?b . }", False),
        ("SELECT * WHERE { ?a <urn:p> ?b . OPTIONAL { ?a <urn:p> 1 . } }", False),
        ("SELECT * WHERE { { ?a <urn:p> 1 . } UNION { ?a <urn:p> ?b . } }", False),
        ("SELECT * WHERE { { ?a <urn:p> 1 . } UNION { ?a <urn:p> 2 . } }", True),
        ("SELECT * WHERE { ?a <urn:p> ?b . FILTER(?b = 1) }", False),
        ("SELECT ?a WHERE { ?a <urn:p> ?b . } LIMIT 5", True),
        ("SELECT * WHERE { { SELECT ?a WHERE { ?a <urn:p> ?b . } LIMIT 5 } }", True),
        ("SELECT * WHERE { VALUES ( ) { ( )  } OPTIONAL { ?a <urn:p> 1 . } }", False),
        ("SELECT * WHERE { VALUES ( ?a ) { ( <urn:a> ) } }", True),
    ],
)
def test_pattern_with_a_constant_is_anchored(query: str, expected: bool) -> None:
    ox.Store().query(query)
    assert is_anchored(query) is expected


@pytest.mark.parametrize("number", [2**128 - 1, 2**124 - 1, 2**60], ids="{:x}".format)
def test_variable_that_the_engine_makes_up_gets_a_stable_name(number: int) -> None:
    """The engine drops the leading zeros of its numbers, so their lengths differ."""
    text = "SELECT * WHERE { SERVICE <urn:x:e> { ?s <urn:x:p>/<urn:x:q> ?cafe } }"
    query = f"SELECT * WHERE {{ ?s <urn:x:p> ?{number:x} . ?{number:x} <urn:x:q> ?cafe }}"
    assert name_variables(query, text) == "SELECT * WHERE { ?s <urn:x:p> ?anonymous1 . ?anonymous1 <urn:x:q> ?cafe }"


def test_variables_of_the_query_keep_their_names() -> None:
    identifier, taken = "507f1f77bcf86cd799439011", "anonymous1"
    text = f"SELECT * WHERE {{ SERVICE <urn:x:e> {{ ?{identifier} <urn:x:p>/<urn:x:q> ${taken} }} }}"
    query = f"SELECT * WHERE {{ ?{identifier} <urn:x:p> ?abc . ?abc <urn:x:q> ?{taken} }}"
    assert name_variables(query, text) == query.replace("?abc", "?anonymous2")


def test_variable_of_a_path_without_length_is_told_no_values() -> None:
    rows = [["<urn:x>"]]
    assert write_batches("SELECT * WHERE { ?a (<urn:p>)* ?b . }", ["a"], rows, size=5) is None
    assert write_batches("SELECT * WHERE { ?a (<urn:p>)? ?b . }", ["b"], rows, size=5) is None
    assert write_batches("SELECT * WHERE { ?a (<urn:p>)+ ?b . }", ["a"], rows, size=5) is not None
    assert write_batches("SELECT * WHERE { ?a (<urn:p>)* ?b .?a <urn:q> ?c . }", ["a"], rows, size=5) is not None
    assert write_batches("SELECT * WHERE { ?a (<urn:p>)* ?b .?a <urn:q> ?c . }", ["b"], rows, size=5) is None
    assert write_batches("SELECT * WHERE { ?a <urn:q> ?c ; <urn:p>* ?b . }", ["a"], rows, size=5) is not None
    assert write_batches("SELECT * WHERE { ?a <urn:p>* [ <urn:q> ?c ; <urn:r> ?d ] . }", ["a"], rows, size=5) is None


def test_values_are_asked_of_what_stands_beside_the_service() -> None:
    query = """PREFIX e: <urn:e:> CONSTRUCT { ?h e:y ?y } FROM <urn:g> WHERE {
      ?h a e:Hub ; e:id ?id . BIND(IRI(CONCAT("urn:", ?id)) AS ?x) BIND(RAND() AS ?r) OPTIONAL { ?h e:l ?l }
      FILTER(?id > "a") FILTER(?y > 1) FILTER(?l > "b")
      SERVICE <http://here/0> { ?x e:year ?y } MINUS { ?h e:no ?z } GRAPH e:g { ?h e:more ?m . } }"""
    plan = plan_bindings(query, "http://here/0", limit=11)
    assert plan is not None
    assert plan.variables == ("x",)
    ox.Store().query(plan.query)
    for kept in (
        "FROM <urn:g>",
        "<urn:e:id> ?id",
        "BIND ( IRI(",
        'FILTER ( ?id > "a" )',
        "GRAPH <urn:e:g>",
        "LIMIT 11",
    ):
        assert kept in plan.query
    for left_out in ("RAND", "OPTIONAL", "MINUS", "?y", "?l", "SERVICE"):
        assert left_out not in plan.query


SHIPPED = load_allowlist(Path("data/endpoints.toml"))


@pytest.mark.parametrize("endpoint", SHIPPED.endpoints.values(), ids=lambda each: each.name)
def test_shipped_example_may_be_asked(endpoint: OutsideEndpoint) -> None:
    limits = Limits(bytes_=10_000, depth=20, operators=50, base=BASE, services=SHIPPED.endpoints)
    (call,) = inspect_query(endpoint.example, limits=limits).calls
    assert call.endpoint == endpoint.name
    # The engine reads it, and would send something that is bound.
    ox.Store().query(endpoint.example)
    group = endpoint.example[endpoint.example.index("{", call.end) : endpoint.example.rindex("}")]
    is_bound = plan_bindings(endpoint.example, endpoint.iri, limit=1) is not None
    assert is_bound or is_anchored(f"SELECT * WHERE {group}")
    assert endpoint.licence or endpoint.terms


def load(tmp_path: Path, text: str) -> AllowList:
    path = tmp_path / "endpoints.toml"
    path.write_text(text, encoding="utf-8")
    return load_allowlist(path)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[endpoints.a]\nirri = 'http://x/'", "did you mean 'iri'"),
        ("[endpoints.a]\niri = 'http://x/'\ntimeouts = 3", "did you mean 'timeout_s'"),
        ("[endpoints.a]\niri = 'http://x/'\ntimeout_s = '3'", "a number"),
        ("[endpoints.a]\niri = 'http://x/'\ntimeout_s = 0", "more than 0"),
        ("[endpoints.a]\niri = 'http://x/'\nretries = -1", "negative"),
        ("[endpoints.a]\niri = 'http://x/'\nretries = 1.5", "a whole number"),
        ("[endpoints.a]\niri = 'http://x/'\nprivate = 1", "true or false"),
        ("[endpoints.a]\niri = 'http://x/'\ninner = 'urn:x'", "a list of texts"),
        ("[endpoints.a]\niri = 'http://x/'\nmethod = 'PUT'", "GET or POST"),
        ("[endpoints.a]\niri = 'x'", "absolute IRI"),
        ("[endpoints.a]\niri = 'urn:x'", "url must be"),
        ("[endpoints.a]\niri = 'http://user:secret@x/'", "url must be"),
        ("[endpoints.a]\niri = 'http://x:99999/'", "url must be"),
        ("[endpoints.a]\niri = 'http://[x/'", "url must be"),
        ("[endpoints.a]\nurl = 'http://x/'", "iri is missing"),
        ("[endpoints.A]\niri = 'http://x/'", "lower-case"),
        ("[endpoints.a]\niri = 'http://x/'\n[endpoints.b]\niri = 'http://x/'", "same iri"),
        ("[endpoint.a]\niri = 'http://x/'", "unknown key 'endpoint'"),
        ("endpoints = 3", "must be a table"),
        ("[endpoints]\na = 3", "write [endpoints.a]"),
        ("contacts = ''", "did you mean 'contact'"),
        ("[endpoints.a", "cannot be read"),
    ],
)
def test_broken_allowlist_is_told_with_a_cure(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert hint in str(caught.value)
    assert "endpoints.toml" in str(caught.value)


def test_url_may_differ_from_what_users_write(tmp_path: Path) -> None:
    allowed = load(tmp_path, "[endpoints.a]\niri = 'urn:x'\nurl = 'http://x/sparql'\nmax_mib = 0.5")
    assert allowed.endpoints["urn:x"].url == "http://x/sparql"
    assert allowed.endpoints["urn:x"].max_bytes == 512 * 1024
    assert allowed.get("a").iri == "urn:x"
    with pytest.raises(SettingsError, match="did you mean 'a'"):
        allowed.get("aa")
