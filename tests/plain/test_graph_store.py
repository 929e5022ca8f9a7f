"""The Graph Store Protocol in plain mode (https://www.w3.org/TR/sparql11-http-rdf-update/), section by section.

Where a section says which update an operation amounts to, both are done, and lead to the same.
"""

from __future__ import annotations

import httpx
import pytest

from endpoint.writes.tokens import add_token
from tests.assertions import assert_problem
from tests.plain.conftest import TURTLE, Plain, parse

OTHER = "http://www.example.com/other/graph"
BEFORE = f"<urn:x:s> <urn:x:p> 0 . GRAPH <{OTHER}> {{ <urn:x:s> <urn:x:p> 1 }}"
PAYLOAD = "<urn:x:s> <urn:x:p> 2 , 3 ."
# The default graph and a named one: how a request and how an update name them.
GRAPHS = [("?default", "DEFAULT", "{}"), (f"?graph={OTHER}", f"GRAPH <{OTHER}>", f"GRAPH <{OTHER}> {{{{ {{}} }}}}")]


def address(plain: Plain, path: str) -> str:
    return f"{plain.server.url}/graph-store/{path}"


@pytest.mark.parametrize("path", ["employees", "a/b%20c/d", "caf%C3%A9"])
def test_address_names_the_graph_directly(plain: Plain, path: str) -> None:
    # Section 4.1.
    plain.fill("")
    graph = address(plain, path)
    created = plain.client.put(graph, content="<#it> <urn:x:p> <> .", headers=TURTLE)
    assert created.status_code == 201, created.text
    assert plain.read() == parse(f"GRAPH <{graph}> {{ <{graph}#it> <urn:x:p> <{graph}> }}")
    for response in (plain.client.get(graph), plain.client.get("/graph-store", params={"graph": graph})):
        assert response.status_code == 200
        assert parse(response.text) == parse(f"<{graph}#it> <urn:x:p> <{graph}> .")
    assert plain.client.delete(graph).status_code == 204
    assert_problem(plain.client.get(graph), 404, "graph-missing")


def test_graph_is_named_once(plain: Plain) -> None:
    for url in ("/graph-store", "/graph-store?default&graph=urn:x:g", "/graph-store/employees?graph=urn:x:g"):
        assert_problem(plain.client.get(url), 400, "graph-unclear")
    # Section 4.2: only an absolute IRI.
    assert_problem(plain.client.get("/graph-store?graph=employees"), 400, "invalid-iri")
    assert_problem(
        plain.client.put("/graph-store?graph=employees", content=PAYLOAD, headers=TURTLE), 400, "invalid-iri"
    )


def test_graph_and_default_graph_are_read_indirectly(plain: Plain) -> None:
    # Sections 4.2 and 5.2: as the CONSTRUCT that stands there.
    plain.fill(BEFORE)
    encoded = OTHER.replace(":", "%3A")
    for query, pattern in ((f"?graph={encoded}", f"GRAPH <{OTHER}> {{ ?s ?p ?o }}"), ("?default", "?s ?p ?o")):
        headers = {"Accept": "text/turtle; charset=utf-8"}
        read = plain.client.get(f"/graph-store{query}", headers=headers)
        assert read.headers["content-type"].startswith("text/turtle")
        construct = {"query": f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ {pattern} }}"}
        assert parse(read.text) == parse(plain.client.get("/sparql", params=construct, headers=headers).text)
    assert_problem(plain.client.get("/graph-store?default", headers={"Accept": "image/png"}), 406, "not-acceptable")
    assert_problem(plain.client.get("/graph-store?graph=urn:x:none"), 404, "graph-missing")


def test_default_graph_is_there_when_it_is_empty(plain: Plain) -> None:
    plain.fill("")
    read = plain.client.get("/graph-store?default", headers={"Accept": "application/n-triples"})
    assert (read.status_code, read.text) == (200, "")
    assert plain.client.delete("/graph-store?default").status_code == 204


@pytest.mark.parametrize(("query", "name", "template"), GRAPHS)
def test_put_replaces(plain: Plain, query: str, name: str, template: str) -> None:
    # Section 5.3.
    plain.fill(BEFORE)
    plain.update(f"DROP SILENT {name} ; INSERT DATA {{ {template.format(PAYLOAD)} }}")
    after = plain.read()
    plain.fill(BEFORE)
    assert plain.client.put(f"/graph-store{query}", content=PAYLOAD, headers=TURTLE).status_code == 204
    assert plain.read() == after


@pytest.mark.parametrize(("query", "name", "template"), GRAPHS)
def test_delete_drops(plain: Plain, query: str, name: str, template: str) -> None:  # noqa: ARG001 - one of all
    # Section 5.4.
    plain.fill(BEFORE)
    plain.update(f"DROP {name}")
    after = plain.read()
    plain.fill(BEFORE)
    assert plain.client.delete(f"/graph-store{query}").status_code == 204
    assert plain.read() == after
    assert_problem(plain.client.delete("/graph-store?graph=urn:x:none"), 404, "graph-missing")


@pytest.mark.parametrize(("query", "name", "template"), GRAPHS)
def test_post_merges(plain: Plain, query: str, name: str, template: str) -> None:  # noqa: ARG001 - one of all
    # Section 5.5.
    plain.fill(BEFORE)
    plain.update(f"INSERT DATA {{ {template.format(PAYLOAD)} }}")
    after = plain.read()
    plain.fill(BEFORE)
    assert plain.client.post(f"/graph-store{query}", content=PAYLOAD, headers=TURTLE).status_code == 204
    assert plain.read() == after
    assert plain.client.post(f"/graph-store{query}", content="", headers=TURTLE).status_code == 204
    assert plain.read() == after


def test_post_merges_the_documents_of_a_form(plain: Plain) -> None:
    # Section 5.5; blank nodes of two documents are never one.
    plain.fill("")
    files = [
        ("one", ("one.ttl", "_:x <urn:x:p> 1 .", "text/turtle")),
        ("two", ("two.nt", '_:x <urn:x:p> "2" .', "application/octet-stream")),
    ]
    assert plain.client.post("/graph-store?default", files=files).status_code == 204
    assert plain.read() == parse('_:a <urn:x:p> 1 . _:b <urn:x:p> "2" .')


def test_post_to_the_store_makes_a_graph(plain: Plain) -> None:
    # Section 5.5: 201 with the new name in Location, and nothing where there is nothing.
    plain.fill("")
    made = [plain.client.post("/graph-store", content=PAYLOAD, headers=TURTLE) for _ in range(2)]
    assert [response.status_code for response in made] == [201, 201]
    first, second = (response.headers["location"] for response in made)
    assert first.startswith(address(plain, ""))
    assert plain.read() == parse(f"GRAPH <{first}> {{ {PAYLOAD} }} GRAPH <{second}> {{ {PAYLOAD} }}")
    assert parse(plain.client.get(first).text) == parse(PAYLOAD)
    assert plain.client.post("/graph-store", content="", headers=TURTLE).status_code == 204


def test_head_is_get_without_a_body(plain: Plain) -> None:
    # Section 5.6.
    plain.fill(BEFORE)
    for query, _, _ in GRAPHS:
        head, get = plain.client.head(f"/graph-store{query}"), plain.client.get(f"/graph-store{query}")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == get.headers["etag"]
        assert head.headers["content-type"] == get.headers["content-type"]
    assert plain.client.head("/graph-store?graph=urn:x:none").status_code == 404


@pytest.mark.parametrize("query", [query for query, _, _ in GRAPHS])
def test_patch_is_an_update_of_one_graph(plain: Plain, query: str) -> None:
    # Section 5.7.
    plain.fill(BEFORE)
    headers = {"Content-Type": "application/sparql-update"}
    text = "DELETE { ?s ?p ?o } INSERT { ?s ?p 9 } WHERE { ?s ?p ?o }"
    assert plain.client.patch(f"/graph-store{query}", content=text, headers=headers).status_code == 204
    assert plain.read() == parse(BEFORE.replace(" 0 " if "default" in query else " 1 ", " 9 "))
    other = "INSERT DATA { GRAPH <urn:x:another> { <urn:x:s> <urn:x:p> 1 } }"
    assert_problem(plain.client.patch(f"/graph-store{query}", content=other, headers=headers), 400, "write-invalid")


def test_what_cannot_be_is_told(plain: Plain) -> None:
    # Section 5.1.
    plain.fill(BEFORE)
    put = plain.client.put
    assert_problem(put("/graph-store?default", content="<urn:x:s> ", headers=TURTLE), 400, "rdf-syntax")
    unknown = {"Content-Type": "image/png"}
    assert_problem(put("/graph-store?default", content="x", headers=unknown), 415, "unsupported-media-type")
    # The protocol would have RDF/XML guessed here; a wrong guess tells less than a question.
    assert_problem(put("/graph-store?default", content=PAYLOAD), 415, "unsupported-media-type")
    assert plain.client.request("PROPFIND", "/graph-store?default").status_code == 405
    assert_problem(
        httpx.put(f"{plain.server.url}/graph-store?default", content=PAYLOAD, headers=TURTLE), 401, "token-missing"
    )


def test_conditions_hold_for_the_default_graph_too(plain: Plain) -> None:
    plain.fill("")
    url = "/graph-store?default"

    def put(value: int, **headers: str) -> httpx.Response:
        return plain.client.put(url, content=f"<urn:x:s> <urn:x:p> {value} .", headers={**TURTLE, **headers})

    empty = plain.client.get(url).headers["etag"]
    changed = put(1, **{"If-Match": empty})
    assert changed.status_code == 204
    assert_problem(put(2, **{"If-Match": empty}), 412, "precondition-failed")
    assert_problem(put(2, **{"If-None-Match": "*"}), 412, "precondition-failed")
    assert plain.client.get(url).headers["etag"].startswith(changed.headers["etag"][:-1])
    # The other graphs do not matter to it.
    plain.client.put(f"/graph-store?graph={OTHER}", content=PAYLOAD, headers=TURTLE)
    assert plain.client.get(url).headers["etag"].startswith(changed.headers["etag"][:-1])
    assert put(2, **{"If-Match": changed.headers["etag"]}).status_code == 204


def test_token_writes_what_its_prefixes_allow(plain: Plain) -> None:
    plain.fill("")
    token = add_token(plain.tokens_path, name="bert", graphs=["http://example.org/bert/"], is_plain=True)
    headers = {**TURTLE, "Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=plain.server.url, headers=headers, timeout=60) as client:
        assert client.put("/graph-store?graph=http://example.org/bert/1", content=PAYLOAD).status_code == 201
        created = client.post("/graph-store", content=PAYLOAD)
        assert created.headers["location"].startswith(f"{plain.server.url}/graph-store?graph=http://example.org/bert/")
        assert client.get(created.headers["location"]).status_code == 200
        for query in ("?default", f"?graph={OTHER}", "/employees"):
            assert_problem(client.put(f"/graph-store{query}", content=PAYLOAD), 403, "write-forbidden")
        update = {"Content-Type": "application/sparql-update"}
        assert_problem(client.post("/sparql", content="CLEAR ALL", headers=update), 403, "write-forbidden")
