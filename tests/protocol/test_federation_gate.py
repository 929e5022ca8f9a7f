"""SERVICE is found wherever it stands, and nowhere else: nothing that is asked makes this machine send a request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import httpx
import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint.http.problems import Problem
from endpoint.sparql.guard import Limits, inspect_query
from tests.assertions import assert_problem

PREFIXES = "PREFIX e: <{url}> PREFIX service: <{url}> PREFIX : <{url}>\n"
CALLS = {
    "plain": "SERVICE <{url}> { ?a ?b ?c }",
    "silent": "SERVICE SILENT <{url}> { ?a ?b ?c }",
    "small letters": "service <{url}> { ?a ?b ?c }",
    "mixed letters": "sErViCe silent <{url}> { ?a ?b ?c }",
    "prefixed": "SERVICE e:sparql { ?a ?b ?c }",
    "empty prefix": "SERVICE :sparql { ?a ?b ?c }",
    "prefix of that name": "SERVICE service:service { ?a ?b ?c }",
    "escaped local name": "SERVICE e:a\\,b { ?a ?b ?c }",
    "variable": "VALUES ?v { <{url}> } SERVICE ?v { ?a ?b ?c }",
    "dollar variable": "VALUES $v { <{url}> } SERVICE $v { ?a ?b ?c }",
    "unbound variable": "SERVICE ?nowhere { ?a ?b ?c }",
    "relative": "SERVICE <sparql> { ?a ?b ?c }",
    "escaped address": "SERVICE <\\u0068ttp://{host}/> { ?a ?b ?c }",
    "no blanks": "SERVICE<{url}>{?a ?b ?c}",
    "comment inside": "SERVICE# a comment }\n<{url}>{ ?a ?b ?c }",
    "lines inside": "SERVICE\r\n\t\r<{url}>\n{ ?a ?b ?c }",
    "after a string": "FILTER(STR(?s) != '''it's ''') SERVICE <{url}> { ?a ?b ?c }",
    "after a string with escapes": 'FILTER(STR(?s) != "\\"\\\\") SERVICE <{url}> { ?a ?b ?c }',
    "after a comment with a quote": "# it's\nSERVICE <{url}> { ?a ?b ?c } # it's\n",
    "after a comparison": "FILTER(1<2)SERVICE<{url}>{ ?a ?b ?c }",
    "after a full stop": "?s a true.SERVICE <{url}> { ?a ?b ?c }",
    "after a number": "?s ?p 1.SERVICE <{url}> { ?a ?b ?c }",
    "after a name with an escape": "?s ?p e:it\\'s . SERVICE <{url}> { ?a ?b ?c }",
    "after a language": "?s ?p 'a'@en.SERVICE <{url}> { ?a ?b ?c }",
    "after a name with a hash": "?s ?p e:a\\#b . SERVICE <{url}> { ?a ?b ?c }",
}
PLACES = {
    "pattern": "SELECT * {{ {call} }}",
    "group": "SELECT * {{ {{ {{ {call} }} }} }}",
    "optional": "SELECT * {{ OPTIONAL {{ {call} }} }}",
    "union": "SELECT * {{ {{ }} UNION {{ {call} }} }}",
    "minus": "SELECT * {{ ?s ?p ?o MINUS {{ {call} }} }}",
    "graph": "SELECT * {{ GRAPH ?g {{ {call} }} }}",
    "exists": "ASK {{ FILTER EXISTS {{ {call} }} }}",
    "not exists": "ASK {{ FILTER NOT EXISTS {{ {call} }} }}",
    "exists in an expression": "SELECT (EXISTS {{ {call} }} AS ?x) {{}}",
    "exists in BIND": "SELECT * {{ BIND(IF(EXISTS {{ {call} }}, 1, 2) AS ?x) }}",
    "exists in HAVING": "SELECT ?s {{ ?s ?p ?o }} GROUP BY ?s HAVING (EXISTS {{ {call} }})",
    "exists in ORDER BY": "SELECT ?s {{ ?s ?p ?o }} ORDER BY (EXISTS {{ {call} }})",
    "subselect": "SELECT * {{ {{ SELECT * {{ {{ SELECT * {{ {call} }} LIMIT 1 }} }} }} }}",
    "construct": "CONSTRUCT {{ ?a ?b ?c }} WHERE {{ {call} }}",
    "describe": "DESCRIBE ?a WHERE {{ {call} }}",
    "service": "SELECT * {{ SERVICE <urn:x> {{ {call} }} }}",
}
HARMLESS = [
    "ASK { } # SERVICE <{url}> { }",
    "# SERVICE\nASK { }",
    "ASK { FILTER('SERVICE <{url}> { ?a ?b ?c }' != \"SERVICE\") }",
    "ASK { OPTIONAL { ?s ?p '''\nSERVICE '' <{url}> {}\n''' , \"\"\" \"SERVICE\" \"\"\" } }",
    "ASK { OPTIONAL { ?s ?p 'a\\'SERVICE <{url}> {}' } }",
    "ASK { OPTIONAL { ?SERVICE $service ?LOAD } }",
    "ASK { OPTIONAL { ?s <{url}SERVICE> <urn:SERVICE:LOAD> } }",
    "ASK { OPTIONAL { ?s e:SERVICE service:SERVICE . _:SERVICE :SERVICE service:a.SERVICE } }",
    "ASK { OPTIONAL { ?s ?p 'x'@service , 'y'@en-SERVICE } }",
    "SELECT ?service { OPTIONAL { ?service e:SERVICE\\~LOAD ?load } }",
    "ASK { OPTIONAL { ?s ?p 1 . ?servicE ?q :LOAD } }",
]


class Listener:
    """A port of this machine at which nobody may knock."""

    def __init__(self) -> None:
        self.knocks = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.knocks += 1
            connection.close()

    def fill(self, text: str) -> str:
        return text.replace("{url}", f"http://{self.host}/").replace("{host}", self.host)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with closing(Listener()) as listening:
        yield listening
        assert listening.knocks == 0


def assert_refused(client: httpx.Client, query: str) -> None:
    problem = assert_problem(client.post("/sparql", data={"query": query}), 403, "query-refused")
    assert "SERVICE" in problem["detail"]
    assert problem["line"] >= 1


@pytest.mark.parametrize("call", CALLS)
def test_service_is_refused_however_it_is_written(client: httpx.Client, listener: Listener, call: str) -> None:
    query = f"BASE <{{url}}> {PREFIXES} SELECT * {{ ?s ?p ?o . {CALLS[call]} }}"
    assert_refused(client, listener.fill(query))
    assert listener.knocks == 0


@pytest.mark.parametrize("place", PLACES)
def test_service_is_refused_wherever_it_stands(client: httpx.Client, listener: Listener, place: str) -> None:
    for call in ("plain", "silent", "variable", "prefixed"):
        assert_refused(client, listener.fill(PREFIXES + PLACES[place].format(call=CALLS[call])))
    assert listener.knocks == 0


@pytest.mark.parametrize("query", HARMLESS)
def test_word_that_is_no_keyword_is_let_through(client: httpx.Client, listener: Listener, query: str) -> None:
    response = client.post("/sparql", data={"query": listener.fill(PREFIXES + query)})
    assert response.status_code == 200, response.text
    assert listener.knocks == 0


def test_place_of_the_word_is_told(client: httpx.Client) -> None:
    query = "SELECT *\nWHERE { # SERVICE\n  ?s ?p ?o .\n  SERVICE <http://e/> {} }"
    problem = assert_problem(client.post("/sparql", data={"query": query}), 403, "query-refused")
    assert (problem["line"], problem["column"]) == (4, 3)


@pytest.mark.parametrize("word", ["SERVIC\\u0045", "\\u0053ERVICE", "SER\\u0056ICE"])
def test_escaped_keyword_is_none_to_the_engine_either(client: httpx.Client, listener: Listener, word: str) -> None:
    query = listener.fill(f"SELECT * {{ {word} <{{url}}> {{ ?a ?b ?c }} }}")
    assert client.post("/sparql", data={"query": query}).status_code in (400, 403)
    assert listener.knocks == 0


@pytest.mark.parametrize("update", ["LOAD <{url}>", "load silent <{url}> INTO GRAPH <e:g>", "BASE <{url}> LOAD <x>"])
def test_load_is_refused_in_every_form(client: httpx.Client, listener: Listener, update: str) -> None:
    text = listener.fill(update)
    assert_problem(client.post("/sparql", data={"query": text}), 403, "query-refused")
    assert_problem(client.post("/sparql", data={"update": text}), 401, "token-missing")
    assert listener.knocks == 0


PIECES = [
    "'",
    '"',
    "'''",
    '"""',
    "\\",
    "#",
    "\n",
    "<",
    ">",
    "{",
    "}",
    "e:",
    "a",
    ".",
    " ",
    "@en",
    "?x",
    "\\'",
    "SERVICE",
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14), st.lists(st.sampled_from(PIECES), max_size=4))
def test_what_the_gate_lets_through_makes_the_engine_send_nothing(before: list[str], after: list[str]) -> None:
    """The engine here has a network, unlike that of a worker: the listener hears it."""
    with closing(Listener()) as listener:
        call = f"SERVICE SILENT <{{url}}> {{ ?a ?b ?c }} {''.join(after)}"
        query = listener.fill(f"{PREFIXES} ASK {{ {''.join(before)} {call} }}")
        with suppress(SyntaxError, OSError, RuntimeError, ValueError):
            ox.Store().query(query)
        if listener.knocks:
            with pytest.raises(Problem) as caught:
                inspect_query(query, limits=Limits(bytes_=10_000, depth=50, operators=50, base="http://chap.example/"))
            assert caught.value.status in (400, 403)


def test_listener_hears_the_engine() -> None:
    with closing(Listener()) as listener:
        ox.Store().query(listener.fill("ASK { SERVICE SILENT <{url}> { ?a ?b ?c } }"))
        assert listener.knocks == 1
