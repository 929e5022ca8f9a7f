"""SPARQL 1.1 Update in plain mode, over the protocol: its examples, and what its text says of graphs and datasets."""

from __future__ import annotations

import httpx
import pytest

from endpoint.writes.tokens import add_token
from tests.assertions import assert_problem
from tests.plain.conftest import Plain, parse
from tests.plain.examples import EXAMPLES, Example

G1, G2 = "http://example.org/g1", "http://example.org/g2"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_example_of_the_specification(plain: Plain, example: Example) -> None:
    plain.fill(example.before)
    response = plain.update(example.request)
    assert response.status_code == 204, response.text
    assert plain.read() == parse(example.after)


def test_using_says_where_patterns_look_and_with_where_to_write(plain: Plain) -> None:
    # Section 3.1.3: with USING, the WITH clause does not matter to the pattern.
    plain.fill(
        f"<urn:x:d> <urn:x:p> 0 . GRAPH <{G1}> {{ <urn:x:s> <urn:x:p> 1 }} GRAPH <{G2}> {{ <urn:x:s> <urn:x:p> 2 }}"
    )
    plain.update(f"WITH <{G1}> INSERT {{ ?s <urn:x:q> ?o }} USING <{G2}> WHERE {{ ?s <urn:x:p> ?o }}")
    assert plain.ask(f"GRAPH <{G1}> {{ <urn:x:s> <urn:x:q> 2 }} FILTER NOT EXISTS {{ GRAPH ?g {{ ?s <urn:x:q> 1 }} }}")
    plain.update(
        f"INSERT {{ ?s <urn:x:r> ?o }} USING <{G1}> USING NAMED <{G2}> WHERE {{ GRAPH ?g {{ ?s <urn:x:p> ?o }} }}"
    )
    assert plain.ask("<urn:x:s> <urn:x:r> 2 FILTER NOT EXISTS { <urn:x:s> <urn:x:r> 1 }")


def test_using_graph_uri_is_as_using(plain: Plain) -> None:
    # SPARQL 1.1 Protocol, section 2.2.3.
    plain.fill(
        f"<urn:x:d> <urn:x:p> 0 . GRAPH <{G1}> {{ <urn:x:s> <urn:x:p> 1 }} GRAPH <{G2}> {{ <urn:x:s> <urn:x:p> 2 }}"
    )
    text = "INSERT { ?s <urn:x:q> ?o } WHERE { ?s <urn:x:p> ?o }"
    assert plain.update(text, **{"using-graph-uri": G1}).status_code == 204
    assert plain.ask("<urn:x:s> <urn:x:q> 1 FILTER NOT EXISTS { <urn:x:d> <urn:x:q> ?any }")
    problem = assert_problem(plain.update(f"WITH <{G1}> {text}", **{"using-graph-uri": G1}), 400, "bad-parameter")
    assert "WITH" in problem["detail"]
    text = "INSERT { ?s <urn:x:r> ?o } WHERE { GRAPH ?g { ?s <urn:x:p> ?o } }"
    assert plain.update(text, **{"using-named-graph-uri": G2}).status_code == 204
    assert plain.ask("<urn:x:s> <urn:x:r> 2 FILTER NOT EXISTS { <urn:x:s> <urn:x:r> 1 }")


@pytest.mark.parametrize("operation", ["CLEAR", "DROP"])
def test_graphs_are_cleared_and_dropped(plain: Plain, operation: str) -> None:
    default, first, second = (
        "<urn:x:s> <urn:x:p> 0 . ",
        f"GRAPH <{G1}> {{ <urn:x:s> <urn:x:p> 1 }} ",
        f"GRAPH <{G2}> {{ <urn:x:s> <urn:x:p> 2 }} ",
    )
    for which, left in (
        (f"GRAPH <{G1}>", default + second),
        ("DEFAULT", first + second),
        ("NAMED", default),
        ("ALL", ""),
    ):
        plain.fill(default + first + second)
        assert plain.update(f"{operation} {which}").status_code == 204
        assert plain.read() == parse(left)


def test_graphs_are_copied_moved_and_added_by_name(plain: Plain) -> None:
    before = f"GRAPH <{G1}> {{ <urn:x:s> <urn:x:p> 1 }} GRAPH <{G2}> {{ <urn:x:s> <urn:x:p> 2 }}"
    for operation, after in (
        ("COPY", f"GRAPH <{G1}> {{ <urn:x:s> <urn:x:p> 1 }} GRAPH <{G2}> {{ <urn:x:s> <urn:x:p> 1 }}"),
        ("MOVE", f"GRAPH <{G2}> {{ <urn:x:s> <urn:x:p> 1 }}"),
        ("ADD", f"GRAPH <{G1}> {{ <urn:x:s> <urn:x:p> 1 }} GRAPH <{G2}> {{ <urn:x:s> <urn:x:p> 1 , 2 }}"),
    ):
        plain.fill(before)
        assert plain.update(f"{operation} <{G1}> TO GRAPH <{G2}>").status_code == 204
        assert plain.read() == parse(after)
        # Section 3.2: a graph is copied or moved onto itself without effect.
        assert plain.update(f"{operation} <{G2}> TO <{G2}>").status_code == 204
        assert plain.read() == parse(after)
        assert plain.update(f"{operation} SILENT <urn:x:none> TO <urn:x:none-either>").status_code == 204
        assert plain.read() == parse(after)


def test_empty_graphs_are_not_recorded(plain: Plain) -> None:
    # Sections 3.1.5, 3.2.1 and 3.2.2: such a store creates, clears and drops what is not there with success.
    plain.fill(f"GRAPH <{G1}> {{ <urn:x:s> <urn:x:p> 1 }}")
    before = plain.client.get("/health/ready").json()["release"]
    for operation in ("CREATE", "CREATE SILENT", "CLEAR", "CLEAR SILENT", "DROP", "DROP SILENT"):
        response = plain.update(f"{operation} GRAPH <{G2}>")
        assert response.status_code == 204, response.text
        assert response.headers["chap-release"] == before
    assert plain.update(f"CREATE SILENT GRAPH <{G1}>").status_code == 204
    assert_problem(plain.update(f"CREATE GRAPH <{G1}>"), 400, "query")
    assert (
        plain.update(f"CREATE GRAPH <{G2}> ; INSERT DATA {{ GRAPH <{G2}> {{ <urn:x:s> <urn:x:p> 2 }} }}").status_code
        == 204
    )
    assert plain.ask(f"GRAPH <{G2}> {{ ?s ?p 2 }}")


def test_request_is_carried_out_whole_or_not_at_all(plain: Plain) -> None:
    plain.fill("<urn:x:s> <urn:x:p> 1 .")
    assert_problem(
        plain.update("INSERT DATA { <urn:x:s> <urn:x:p> 2 } ; CREATE GRAPH <urn:x:g> ; CREATE GRAPH <urn:x:g>"),
        400,
        "query",
    )
    assert plain.read() == parse("<urn:x:s> <urn:x:p> 1 .")


@pytest.mark.parametrize(
    "operation", ["LOAD <http://127.0.0.1:9/x>", "LOAD SILENT <http://127.0.0.1:9/x> INTO GRAPH <urn:x:g>"]
)
def test_load_is_refused_always(plain: Plain, operation: str) -> None:
    plain.fill("<urn:x:s> <urn:x:p> 1 .")
    problem = assert_problem(plain.update(f"CLEAR ALL ; {operation}"), 403, "query-refused")
    assert "/graph-store" in problem["detail"]
    assert plain.read() == parse("<urn:x:s> <urn:x:p> 1 .")


def test_graph_named_by_a_blank_node_is_refused(plain: Plain) -> None:
    plain.fill("<urn:x:s> <urn:x:p> 1 .")
    text = "INSERT { GRAPH ?g { ?s ?p ?o } } WHERE { ?s ?p ?o BIND(BNODE() AS ?g) }"
    assert_problem(plain.update(text), 400, "write-invalid")
    assert plain.read() == parse("<urn:x:s> <urn:x:p> 1 .")


def test_blank_nodes_stay_what_they_are(plain: Plain) -> None:
    plain.fill('_:a <urn:x:name> "Ada" .')
    plain.update('INSERT { ?who <urn:x:age> 36 } WHERE { ?who <urn:x:name> "Ada" }')
    assert plain.read() == parse('_:a <urn:x:name> "Ada" ; <urn:x:age> 36 .')
    # Each INSERT DATA has blank nodes of its own (section 3.1.1).
    plain.update('INSERT DATA { _:a <urn:x:name> "Ada" }')
    assert plain.read() == parse('_:a <urn:x:name> "Ada" ; <urn:x:age> 36 . _:b <urn:x:name> "Ada" .')
    assert plain.ask("?who <urn:x:age> 36 FILTER isBlank(?who)")


def test_token_writes_what_its_prefixes_allow(plain: Plain) -> None:
    plain.fill("<urn:x:s> <urn:x:p> 1 .")
    token = add_token(plain.tokens_path, name="anna", graphs=["http://example.org/"], update=True, is_plain=True)

    def update(text: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(f"{plain.server.url}/sparql", data={"update": text}, headers=headers, timeout=60)

    assert update(f"COPY DEFAULT TO <{G1}>").status_code == 204
    problem = assert_problem(update("INSERT DATA { <urn:x:s> <urn:x:p> 2 }"), 403, "write-forbidden")
    assert "default graph" in problem["detail"]
    assert_problem(update("INSERT DATA { GRAPH <urn:x:g> { <urn:x:s> <urn:x:p> 2 } }"), 403, "write-forbidden")
    assert_problem(update("DROP ALL"), 403, "write-forbidden")
    assert plain.read() == parse(f"<urn:x:s> <urn:x:p> 1 . GRAPH <{G1}> {{ <urn:x:s> <urn:x:p> 1 }}")


@pytest.mark.parametrize("prefix", ["g", "", "GRAPH"])
def test_token_writes_no_other_graph_however_the_text_is_spaced(plain: Plain, prefix: str) -> None:
    """The engine needs no boundary after a keyword; one quad goes and one comes, so that their number stays alike."""
    before = (
        f"<urn:x:s> <urn:x:p> 1 . GRAPH <{G1}> {{ <urn:x:s> <urn:x:p> 1 }} GRAPH <{G2}> {{ <urn:x:s> <urn:x:p> 2 }}"
    )
    plain.fill(before)
    token = add_token(plain.tokens_path, name=f"only-g1-{len(prefix)}", graphs=[G1], update=True, is_plain=True)
    release = plain.client.get("/health/ready").json()["release"]
    headers = {"Authorization": f"Bearer {token}"}
    # Read as the specification does, what has no space names an undeclared prefix.
    for space, status, code in ((" ", 403, "write-forbidden"), ("", 400, "query-syntax")):
        graph = f"GRAPH{space}{prefix}:g2"
        text = (
            f"PREFIX {prefix}: <http://example.org/> WITH <{G1}> DELETE {{ {graph} {{ ?s ?p ?o }} }} "
            f"INSERT {{ {graph} {{ ?s ?p 3 }} }} WHERE {{ {graph} {{ ?s ?p ?o }} }}"
        )
        response = httpx.post(f"{plain.server.url}/sparql", data={"update": text}, headers=headers, timeout=60)
        assert_problem(response, status, code)
    assert plain.client.get("/health/ready").json()["release"] == release
    assert plain.read() == parse(before)


def test_dry_run_changes_nothing(plain: Plain) -> None:
    plain.fill("<urn:x:s> <urn:x:p> 1 .")
    response = plain.client.post("/sparql?dry-run=1", data={"update": "CLEAR DEFAULT"})
    assert response.json()["removed"] == 1
    assert plain.read() == parse("<urn:x:s> <urn:x:p> 1 .")


def test_deletions_come_before_insertions(plain: Plain) -> None:
    # Section 3.1.3: what one solution deletes and another inserts is there afterwards.
    for step in (1, -1):
        plain.fill("<urn:x:s> <urn:x:p> 1 , 2 , 3 .")
        plain.update(
            f"DELETE {{ ?s ?p ?old }} INSERT {{ ?s ?p ?new }} WHERE {{ ?s ?p ?old BIND(?old + {step} AS ?new) }}"
        )
        assert plain.read() == parse(f"<urn:x:s> <urn:x:p> {1 + step} , {2 + step} , {3 + step} .")


def test_each_operation_may_declare_prefixes_and_errors_keep_their_line(plain: Plain) -> None:
    plain.fill("")
    text = (
        "PREFIX a: <urn:x:> INSERT DATA { a:s a:p 1 } ;\n"
        "BASE <urn:x:base/> PREFIX b: <urn:x:b> INSERT DATA { a:s b:q <rel> } ;\n"
        "PREFIX a: <urn:y:> INSERT DATA { a:s b:q 'PREFIX c: <urn:c> ; {' } ; # PREFIX d: <urn:d>\n"
    )
    assert plain.update(text).status_code == 204
    assert plain.read() == parse(
        "<urn:x:s> <urn:x:p> 1 ; <urn:x:bq> <urn:x:base/rel> . <urn:y:s> <urn:x:bq> 'PREFIX c: <urn:c> ; {' ."
    )
    problem = assert_problem(plain.update(text + "PREFIX e: <urn:e>\nINSERT DATA { ?s e:p 1 }"), 400, "query-syntax")
    assert "line 5," in problem["detail"]


def test_data_that_is_there_or_not_changes_nothing(plain: Plain) -> None:
    there = f"GRAPH <{G1}> {{ <urn:x:s> <urn:x:p> 1 }}"
    plain.fill(f"<urn:x:s> <urn:x:p> 1 . {there}")
    before = plain.client.get("/health/ready").json()["release"]
    for text in (
        "INSERT DATA { <urn:x:s> <urn:x:p> 1 }",
        f"DELETE DATA {{ GRAPH <{G2}> {{ <urn:x:s> <urn:x:p> 1 }} <urn:x:s> <urn:x:p> 2 }}",
        f"INSERT DATA {{ GRAPH <{G2}> {{ }} }}",
        "INSERT DATA { <urn:x:s> <urn:x:p> 2 } ; DELETE DATA { <urn:x:s> <urn:x:p> 2 }",
        f"DELETE DATA {{ {there} }} ; INSERT DATA {{ {there} }}",
    ):
        response = plain.update(text)
        assert (response.status_code, response.headers["chap-release"]) == (204, before), response.text
    assert_problem(plain.update("DELETE DATA { _:a <urn:x:p> 1 }"), 400, "query-syntax")
    assert plain.update(f"DELETE DATA {{ {there} }}").status_code == 204
    assert_problem(plain.client.get(f"/graph-store?graph={G1}"), 404, "graph-missing")
