"""What a query is, and what is refused before a worker sees it."""

from __future__ import annotations

import pytest

from endpoint.http.problems import Problem
from endpoint.sparql.guard import Limits, inspect_query

LIMITS = Limits(bytes_=1_000, depth=5, operators=10, base="http://chap.example/sparql")


def refuse(text: str) -> Problem:
    with pytest.raises(Problem) as caught:
        inspect_query(text, limits=LIMITS)
    return caught.value


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("SELECT * {}", "select"),
        ("select * {}", "select"),
        ("# ASK\nASK {}", "ask"),
        ("PREFIX select: <http://e/> BASE <http://ask/> CONSTRUCT WHERE { ?s select:p ?o }", "construct"),
        ("DESCRIBE <http://e/>", "describe"),
    ],
)
def test_form_is_the_first_word_after_the_prologue(text: str, form: str) -> None:
    assert inspect_query(text, limits=LIMITS).form == form


@pytest.mark.parametrize(
    ("text", "is_volatile"),
    [
        ("SELECT (NOW() AS ?n) {}", True),
        ("SELECT * { BIND(struuid() AS ?n) }", True),
        ("SELECT ('NOW()' AS ?n) {} # RAND()", False),
        ("PREFIX e: <http://e/> SELECT * { ?now e:RAND ?uuid }", False),
        ("CONSTRUCT { _:b a ?t } WHERE { ?s a ?t }", True),
        ("SELECT * { [] a ?t }", False),
    ],
)
def test_what_answers_anew_each_time_is_told(text: str, is_volatile: bool) -> None:
    assert inspect_query(text, limits=LIMITS).is_volatile is is_volatile


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * { SERVICE <http://e/> {} }",
        "SELECT * { service silent ?x {} }",
        "ASK { FILTER(?a<?b)SERVICE<http://e/>{} }",
        "ASK { # '\n SERVICE <http://e/> {} # '\n }",
        "ASK { ?s ?p '\\'' SERVICE <http://e/> {} }",
        "PREFIX e: <http://e/> ASK { ?s e:\\' ?o SERVICE e:x {} # '\n}",
        'ASK { ?s ?p """a\\""" SERVICE <http://no/> """ SERVICE <http://e/> {} }',
        "LOAD <http://e/>",
    ],
)
def test_what_would_send_requests_is_refused(text: str) -> None:
    problem = refuse(text)
    assert (problem.code, problem.status) == ("query-refused", 403)


@pytest.mark.parametrize(
    "verb", ["INSERT DATA {}", "delete where {}", "CLEAR ALL", "WITH <http://e/> DELETE {} WHERE {}", "DROP ALL"]
)
def test_update_is_no_query(verb: str) -> None:
    assert refuse(f"PREFIX e: <http://e/> {verb}").code == "query-is-update"


def test_depth_and_chains_have_limits() -> None:
    assert refuse("ASK { FILTER" + "(" * 5).code == "query-too-deep"
    assert refuse("ASK { ?s <p>" + "/<p>" * 11 + " ?o }").code == "query-too-deep"
    assert refuse("ASK { {}" + " UNION {}" * 11 + " }").code == "query-too-deep"
    assert refuse(f"ASK {{ {' ' * 1_000} }}").code == "query-too-long"
    assert inspect_query("ASK { VALUES ?x { " + "1 " * 200 + "} }", limits=LIMITS).form == "ask"
    assert inspect_query("ASK { " + "FILTER(?a + ?b) " * 10 + "}", limits=LIMITS).form == "ask"


def test_problems_say_where() -> None:
    assert refuse("SELECT *\n{ SERVICE ?x {} }").members == {"line": 2, "column": 3}
    assert refuse("PREFIX a: <http://e/>\nASK { ?s b:c ?o }").members == {"line": 2, "column": 10}
    assert refuse("PREFIX a: <http://e/>\n ").members == {"line": 2, "column": 2}
    assert refuse("nothing").members == {"line": 1, "column": 1}
