"""SPARQL Update over the protocol: what it may change is judged by what it did."""

from __future__ import annotations

import httpx
import pytest

from kg.examine import examine_release
from kg.release import Releases
from tests.assertions import assert_problem
from tests.writes.conftest import TURTLE, WRITTEN, Writable

PREFIXES = f"PREFIX w: <{WRITTEN}> PREFIX x: <urn:x:> "
UPDATE = {"Content-Type": "application/sparql-update"}


def update(client: httpx.Client, text: str, **fields: str) -> httpx.Response:
    return client.post("/sparql", data={"update": PREFIXES + text, **fields})


def ask(client: httpx.Client, pattern: str) -> bool:
    answer = client.get("/sparql", params={"query": f"{PREFIXES} ASK {{ {pattern} }}"}).json()["boolean"]
    assert isinstance(answer, bool)
    return answer


def test_update_in_every_way_of_the_protocol(client: httpx.Client) -> None:
    assert update(client, "INSERT DATA { GRAPH w:holm-u { x:a x:b 1 } }").status_code == 204
    assert ask(client, "GRAPH w:holm-u { x:a x:b 1 }")
    # It is in the merge, too.
    assert ask(client, "x:a x:b 1")
    direct = PREFIXES + "DELETE DATA { GRAPH w:holm-u { x:a x:b 1 } } ; INSERT DATA { GRAPH w:holm-u { x:a x:b 2 } }"
    response = client.post("/sparql", content=direct, headers=UPDATE)
    assert response.status_code == 204, response.text
    assert response.headers["chap-changes"].startswith("added=1, removed=1")
    assert ask(client, "x:a x:b 2 FILTER NOT EXISTS { x:a x:b 1 }")
    assert update(client, "DROP GRAPH w:holm-u").status_code == 204
    assert not ask(client, "x:a x:b ?any")


def test_triple_stays_while_another_graph_holds_it(client: httpx.Client) -> None:
    update(client, "INSERT DATA { GRAPH w:holm-1 { x:s x:p x:o } GRAPH w:holm-2 { x:s x:p x:o } }")
    update(client, "CLEAR GRAPH w:holm-1")
    assert ask(client, "x:s x:p x:o")
    update(client, "CLEAR GRAPH w:holm-2")
    assert not ask(client, "x:s x:p x:o")


def test_using_graph_uri_says_where_patterns_look(client: httpx.Client) -> None:
    update(client, "INSERT DATA { GRAPH w:holm-from { x:s x:p 1 } }")
    text = "INSERT { GRAPH w:holm-to { ?s x:q ?o } } WHERE { ?s x:p ?o }"
    assert update(client, text, **{"using-graph-uri": f"{WRITTEN}holm-from"}).status_code == 204
    assert ask(client, "GRAPH w:holm-to { x:s x:q 1 }")
    update(client, "DROP GRAPH w:holm-from ; DROP GRAPH w:holm-to")


@pytest.mark.parametrize(
    "text",
    [
        "INSERT DATA { x:new x:p 1 }",
        "DELETE { ?s a ?o } WHERE { ?s a ?o }",
        "COPY w:holm-new TO DEFAULT",
        "INSERT DATA { GRAPH <https://w3id.org/chap/graph/ontology> { x:s x:p 1 } }",
        "WITH <https://w3id.org/chap/graph/links> INSERT { x:s x:p 1 } WHERE {}",
        "DROP GRAPH <https://w3id.org/chap/graph/provenance>",
        "DROP ALL",
        "MOVE <https://w3id.org/chap/graph/inferred> TO w:holm-moved",
        "INSERT { GRAPH ?g { x:s x:p 1 } } WHERE { BIND(IRI('https://w3id.org/chap/graph/inferred') AS ?g) }",
        "INSERT DATA { GRAPH <https://w3id.org/chap/graph/writ\\u0074en> { x:s x:p 1 } }",
    ],
)
def test_what_is_derived_stays_as_it_is(client: httpx.Client, text: str) -> None:
    digest = client.get("/graph-store?default").headers["etag"]
    assert_problem(update(client, text), 409, "graph-read-only")
    assert client.get("/graph-store?default").headers["etag"] == digest


@pytest.mark.parametrize("prefix", ["g", "", "GRAPH", "a.b"])
def test_curated_graph_stays_as_it_is_however_the_text_is_spaced(client: httpx.Client, prefix: str) -> None:
    """The engine needs no boundary after a keyword; one quad goes and one comes, so that their number stays alike."""
    assert update(client, "INSERT DATA { GRAPH w:holm-own { x:s x:p 1 } }").status_code == 204
    address = "/graph-store?graph=https://w3id.org/chap/graph/source-dewiki-holm"
    before = client.get(address).headers["etag"]
    release = client.get("/health/ready").json()["release"]
    statuses = set()
    for space in (" ", ""):
        graph = f"GRAPH{space}{prefix}:source-dewiki-holm"
        text = (
            f"PREFIX {prefix}: <https://w3id.org/chap/graph/> WITH w:holm-own "
            f"DELETE {{ {graph} {{ ?s ?p ?o }} }} INSERT {{ {graph} {{ ?s ?p 'forged' }} }} "
            f"WHERE {{ {{ SELECT * {{ {graph} {{ ?s ?p ?o }} }} LIMIT 1 }} }}"
        )
        statuses.add(update(client, text).status_code)
        other = f"PREFIX {prefix}: <{WRITTEN}> WITH w:holm-own INSERT {{ GRAPH{space}{prefix}:other {{ ?s ?p ?o }} }}"
        statuses.add(update(client, f"{other} WHERE {{ ?s ?p ?o }}").status_code)
    # Read as the specification does, what has no space names an undeclared prefix.
    assert statuses == {409, 403, 400}
    assert client.get("/health/ready").json()["release"] == release
    assert client.get(address).headers["etag"] == before


def test_store_and_content_agree_after_all_kinds_of_writes(client: httpx.Client, writable: Writable) -> None:
    """Blank nodes get names, values one form, and the default graph is the merge of what is left."""
    odd = "<urn:x:s> <urn:x:p> 01 , 1.50 , [ <urn:x:q> 2 ] ."
    for method, body in (
        ("PUT", odd),
        ("POST", f"{odd} <urn:x:s> <urn:x:p> 3 ."),
        ("PATCH", "DELETE { ?s ?p 3 } INSERT { ?s ?p 007 , [] } WHERE { ?s ?p 3 }"),
    ):
        headers = UPDATE if method == "PATCH" else TURTLE
        response = client.request(method, f"/graph-store?graph={WRITTEN}holm-v", content=body, headers=headers)
        assert response.status_code in (201, 204), response.text
    for text in (
        "INSERT DATA { GRAPH w:holm-w { x:s x:p 1 , 02 } }",
        "WITH w:holm-w DELETE { ?s ?p ?o } INSERT { ?s ?p ?n , [ x:q ?o ] } WHERE { ?s ?p ?o BIND(?o + 1 AS ?n) }",
        "COPY w:holm-v TO w:holm-x ; MOVE w:holm-w TO w:holm-y ; ADD w:holm-y TO w:holm-x",
        "DELETE WHERE { GRAPH w:holm-v { ?s ?p 1 } }",
        "CLEAR GRAPH w:holm-y",
    ):
        assert update(client, text).status_code == 204
    current = Releases(writable.releases_dir).current()
    assert current is not None
    assert list(examine_release(current)) == []
    assert update(client, "DROP GRAPH w:holm-v ; DROP GRAPH w:holm-x").status_code == 204


def test_rights_are_those_of_the_change_not_of_the_text(client: httpx.Client) -> None:
    for text in (
        "INSERT DATA { GRAPH w:other { x:s x:p 1 } }",
        "INSERT { GRAPH ?g { x:s x:p 1 } } WHERE { BIND(IRI(CONCAT(STR(w:), 'other')) AS ?g) }",
        f"INSERT DATA {{ GRAPH w:holm-mixed {{ x:s x:p 1 }} GRAPH <{WRITTEN}oth\\u0065r> {{ x:s x:p 1 }} }}",
        "COPY <https://w3id.org/chap/graph/source-dewiki-holm> TO w:other",
    ):
        assert_problem(update(client, text), 403, "write-forbidden")
    assert not ask(client, "GRAPH w:holm-mixed { ?s ?p ?o }")
    # What names others and changes nothing of theirs is fine; so is reading what anybody may read.
    assert update(client, "DELETE DATA { GRAPH w:other { x:s x:p 1 } }").status_code == 204
    assert update(client, "CREATE SILENT GRAPH w:other").status_code == 204
    assert update(client, "COPY <https://w3id.org/chap/graph/source-dewiki-holm> TO w:holm-copy").status_code == 204
    assert update(client, "DROP GRAPH w:holm-copy").status_code == 204


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("LOAD <http://127.0.0.1:9/> INTO GRAPH w:holm-load", 403, "query-refused"),
        (
            "INSERT { GRAPH w:holm-s { ?s ?p ?o } } WHERE { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }",
            403,
            "query-refused",
        ),
        ("INSERT DATA { GRAPH w:holm-x { oops } }", 400, "query-syntax"),
        ("SELECT * { ?s ?p ?o }", 400, "query-syntax"),
        ("INSERT { GRAPH w:holm-x { x:s x:p 1 } } WHERE { " + "{" * 300 + "}" * 300 + " }", 400, "query-too-deep"),
        (
            "INSERT { GRAPH w:holm-x { x:s x:p ?n } } WHERE { BIND(1" + " + 1" * 2_000 + " AS ?n) }",
            400,
            "query-too-deep",
        ),
    ],
)
def test_update_that_is_none_or_too_much(client: httpx.Client, text: str, status: int, code: str) -> None:
    assert_problem(update(client, text), status, code)


def test_empty_update_is_told(client: httpx.Client) -> None:
    assert_problem(client.post("/sparql", data={"update": " "}), 400, "update-missing")
    assert_problem(client.get("/sparql", params={"update": "CLEAR ALL"}), 405, "update-by-get")


def test_dry_run_of_an_update_changes_nothing(client: httpx.Client) -> None:
    response = client.post(
        "/sparql?dry-run=1", data={"update": PREFIXES + "INSERT DATA { GRAPH w:holm-dry { x:s x:p 1 } }"}
    )
    assert response.status_code == 200
    assert response.json()["added"] == 1
    assert not ask(client, "GRAPH w:holm-dry { ?s ?p ?o }")
