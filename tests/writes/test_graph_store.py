"""The Graph Store Protocol (https://www.w3.org/TR/sparql11-http-rdf-update/), verb by verb, over a socket."""

from __future__ import annotations

import json

import httpx
import pytest
from rdflib import Graph

from kg.release import Releases
from tests.assertions import assert_problem
from tests.writes.conftest import TURTLE, WRITTEN, Writable, comment

BLANK = '<urn:x:a> <urn:x:p> [ <urn:x:q> "1" ; <urn:x:r> [ <urn:x:q> "2" ] ] .'
LINES = "<urn:x:a> <urn:x:p> _:b .\n_:b <urn:x:q> '1' .\n_:b <urn:x:r> _:c .\n_:c <urn:x:q> '2' .\n".replace("'", '"')
DOCUMENTS = {
    "text/turtle": BLANK,
    "application/n-triples": LINES,
    "application/n-quads": LINES,
    "application/trig": BLANK,
    "text/n3": BLANK,
    "application/ld+json": json.dumps(
        {"@id": "urn:x:a", "urn:x:p": {"urn:x:q": "1", "urn:x:r": {"urn:x:q": "2"}}},
    ),
    "application/rdf+xml": (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:x="urn:x:">'
        '<rdf:Description rdf:about="urn:x:a"><x:p rdf:parseType="Resource"><x:q>1</x:q>'
        '<x:r rdf:parseType="Resource"><x:q>2</x:q></x:r></x:p></rdf:Description></rdf:RDF>'
    ),
}


def url(name: str, **parameters: str) -> str:
    return str(httpx.URL("/graph-store", params={"graph": WRITTEN + name, **parameters}))


def put(client: httpx.Client, name: str, body: str, **headers: str) -> httpx.Response:
    return client.put(url(name), content=body.encode(), headers={**TURTLE, **headers})


def test_graph_comes_changes_and_goes(client: httpx.Client, actor: str) -> None:
    created = put(client, "holm-life", actor)
    assert created.status_code == 201, created.text
    assert created.headers["location"].endswith(f"/graph-store?graph={WRITTEN}holm-life")
    read = client.get(created.headers["location"], headers={"Accept": "text/turtle"})
    assert read.status_code == 200
    assert len(Graph().parse(data=read.text)) == len(Graph().parse(data=actor))
    assert read.headers["etag"].startswith(created.headers["etag"][:-1])
    assert read.headers["chap-release"] == created.headers["chap-release"]

    merged = client.post(url("holm-life"), content=comment("more"), headers=TURTLE)
    assert merged.status_code == 204
    assert len(Graph().parse(data=client.get(url("holm-life")).text)) == len(Graph().parse(data=actor)) + 1

    replaced = put(client, "holm-life", comment("only"))
    assert replaced.status_code == 204
    assert len(Graph().parse(data=client.get(url("holm-life")).text)) == 1

    assert client.delete(url("holm-life")).status_code == 204
    assert_problem(client.get(url("holm-life")), 404, "graph-missing")
    assert_problem(client.delete(url("holm-life")), 404, "graph-missing")


def test_head_tells_without_the_graph(client: httpx.Client) -> None:
    put(client, "holm-head", comment("head"))
    head, get = client.head(url("holm-head")), client.get(url("holm-head"))
    assert head.status_code == 200
    assert head.content == b""
    for name in ("etag", "content-type", "vary"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("media_type", DOCUMENTS)
def test_every_syntax_comes_in_and_goes_out(client: httpx.Client, media_type: str) -> None:
    response = client.put(
        url("holm-syntax"), content=DOCUMENTS[media_type].encode(), headers={"Content-Type": media_type}
    )
    assert response.status_code in (201, 204), response.text
    known = client.get(url("holm-syntax"), headers={"Accept": "application/n-triples"})
    assert len(known.text.splitlines()) == 4
    out = client.get(url("holm-syntax"), headers={"Accept": media_type})
    assert out.headers["content-type"].startswith(media_type)
    again = client.put(url("holm-syntax"), content=out.content, headers={"Content-Type": media_type})
    assert again.status_code == 204, again.text
    # What came out says the same when it comes in again.
    assert again.headers["chap-changes"].startswith("added=0, removed=0")


def test_same_again_is_no_change_whatever_its_blank_nodes_are_called(client: httpx.Client) -> None:
    first = put(client, "holm-blank", BLANK)
    for body in (BLANK, BLANK.replace("[", "[ ").replace(" ;", "  ;"), DOCUMENTS["application/n-triples"]):
        again = put(client, "holm-blank", body)
        assert again.headers["chap-release"] == first.headers["chap-release"]
        assert again.headers["etag"] == first.headers["etag"]
    assert client.post(url("holm-blank"), content=BLANK, headers=TURTLE).headers["etag"] == first.headers["etag"]


def test_relative_iris_are_relative_to_the_graph(client: httpx.Client) -> None:
    put(client, "holm-base", "<#it> <urn:x:p> <other> .")
    (line,) = client.get(url("holm-base"), headers={"Accept": "application/n-triples"}).text.splitlines()
    assert line == f"<{WRITTEN}holm-base#it> <urn:x:p> <{WRITTEN}other> ."


def test_conditions_keep_writers_from_overwriting_each_other(client: httpx.Client) -> None:
    client.delete(url("holm-match"))
    assert_problem(put(client, "holm-match", comment("1"), **{"If-Match": "*"}), 412, "precondition-failed")
    created = put(client, "holm-match", comment("1"), **{"If-None-Match": "*"})
    assert created.status_code == 201
    assert_problem(put(client, "holm-match", comment("2"), **{"If-None-Match": "*"}), 412, "precondition-failed")
    # The tag of any representation names the state of the graph.
    tag = client.get(url("holm-match"), headers={"Accept": "application/ld+json", "Accept-Encoding": "gzip"}).headers[
        "etag"
    ]
    assert tag != created.headers["etag"]
    changed = put(client, "holm-match", comment("2"), **{"If-Match": tag})
    assert changed.status_code == 204
    stale = assert_problem(put(client, "holm-match", comment("3"), **{"If-Match": tag}), 412, "precondition-failed")
    assert changed.headers["etag"].strip('"') in stale["detail"]
    assert_problem(client.delete(url("holm-match"), headers={"If-Match": f"W/{tag}"}), 412, "precondition-failed")
    assert_problem(client.delete(url("holm-match"), headers={"If-Match": "no tag"}), 400, "bad-condition")
    assert client.delete(url("holm-match"), headers={"If-Match": f'"x", {changed.headers["etag"]}'}).status_code == 204


def test_what_is_known_is_not_sent_again(client: httpx.Client) -> None:
    put(client, "holm-known", comment("known"))
    tag = client.get(url("holm-known")).headers["etag"]
    assert client.get(url("holm-known"), headers={"If-None-Match": tag}).status_code == 304
    put(client, "holm-known", comment("other"))
    assert client.get(url("holm-known"), headers={"If-None-Match": tag}).status_code == 200


def test_post_to_the_store_makes_a_graph_of_its_own(client: httpx.Client) -> None:
    response = client.post("/graph-store", content=comment("new"), headers=TURTLE)
    assert response.status_code == 201
    assert f"{WRITTEN}holm-" in response.headers["location"]
    assert client.get(response.headers["location"]).status_code == 200
    assert client.delete(response.headers["location"]).status_code == 204


def test_patch_is_an_update_of_one_graph(client: httpx.Client) -> None:
    put(client, "holm-patch", comment("before"))
    headers = {"Content-Type": "application/sparql-update"}
    update = 'DELETE { ?s ?p ?o } INSERT { ?s ?p "after"@en } WHERE { ?s ?p ?o }'
    assert client.patch(url("holm-patch"), content=update, headers=headers).status_code == 204
    assert '"after"@en' in client.get(url("holm-patch")).text
    beyond = f"INSERT DATA {{ GRAPH <{WRITTEN}holm-other> {{ <urn:x:a> <urn:x:b> 1 }} }}"
    assert_problem(client.patch(url("holm-patch"), content=beyond, headers=headers), 400, "write-invalid")
    assert_problem(client.patch(url("holm-patch"), content=update, headers=TURTLE), 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "graph",
    [
        "https://w3id.org/chap/graph/ontology",
        "https://w3id.org/chap/graph/inferred",
        "https://w3id.org/chap/graph/provenance",
        "https://w3id.org/chap/graph/written/",
        "https://w3id.org/chap/graph/written/Holm",
        "https://w3id.org/chap/graph/written/holm-/../../ontology",
        "http://example.com/graph",
    ],
)
def test_derived_graphs_are_read_only(client: httpx.Client, graph: str) -> None:
    parameters = {"graph": graph}
    for method in ("PUT", "POST", "DELETE"):
        response = client.request(method, "/graph-store", params=parameters, content=comment("x"), headers=TURTLE)
        problem = assert_problem(response, 409, "graph-read-only")
        assert WRITTEN in problem["detail"]


def test_default_graph_is_read_only(client: httpx.Client) -> None:
    response = client.put("/graph-store?default", content=comment("x"), headers=TURTLE)
    problem = assert_problem(response, 409, "graph-read-only")
    assert "derived" in problem["detail"]
    head = client.head("/graph-store?default", headers={"Accept": "application/n-triples"})
    assert head.status_code == 200


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, "graph-unclear"),
        ({"graph": WRITTEN + "a", "default": ""}, "graph-unclear"),
        ({"graph": "relative"}, "invalid-iri"),
        ({"graph": "urn:a b"}, "invalid-iri"),
    ],
)
def test_unclear_graph_is_refused(client: httpx.Client, parameters: dict[str, str], code: str) -> None:
    assert_problem(client.get("/graph-store", params=parameters), 400, code)
    assert_problem(client.put("/graph-store", params=parameters, content="", headers=TURTLE), 400, code)


def test_unknown_syntaxes_are_told(client: httpx.Client) -> None:
    response = client.put(url("holm-x"), content="{}", headers={"Content-Type": "application/pdf"})
    problem = assert_problem(response, 415, "unsupported-media-type")
    assert "text/turtle" in problem["available"]
    assert_problem(client.put(url("holm-x"), content=b"x"), 415, "unsupported-media-type")
    put(client, "holm-x", comment("x"))
    problem = assert_problem(client.get(url("holm-x"), headers={"Accept": "image/png"}), 406, "not-acceptable")
    assert "text/turtle" in problem["available"]


def test_empty_document_empties_the_graph(client: httpx.Client) -> None:
    put(client, "holm-empty", comment("x"))
    assert put(client, "holm-empty", "").status_code == 204
    assert_problem(client.get(url("holm-empty")), 404, "graph-missing")


def test_dry_run_does_all_but_publish(client: httpx.Client, writable: Writable, actor: str) -> None:
    before = Releases(writable.releases_dir).journal()
    tried = client.put(url("holm-dry", **{"dry-run": "1"}), content=actor, headers=TURTLE)
    assert tried.status_code == 200
    document = tried.json()
    assert document["added"] == len(Graph().parse(data=actor))
    assert document["counts"]["violations"] == 0
    assert document["counts"]["warnings"] == len(
        [each for each in document["results"] if each["severity"] == "Warning"]
    )
    assert_problem(client.get(url("holm-dry")), 404, "graph-missing")
    assert Releases(writable.releases_dir).journal() == before
    bad = client.put(url("holm-dry", **{"dry-run": "perhaps"}), content=actor, headers=TURTLE)
    assert_problem(bad, 400, "bad-parameter")


def test_release_names_who_wrote(client: httpx.Client, writable: Writable) -> None:
    release_id = put(client, "holm-who", comment("who")).headers["chap-release"]
    release = Releases(writable.releases_dir).get(release_id)
    assert release.manifest.extra["write"] == {"by": "holm", "graphs": [WRITTEN + "holm-who"]}
    entry = next(each for each in Releases(writable.releases_dir).journal() if each.release == release_id)
    assert entry.action == "write"
    query = f"""PREFIX dcterms: <http://purl.org/dc/terms/> PREFIX foaf: <http://xmlns.com/foaf/0.1/>
    SELECT ?name ?licence {{ <{WRITTEN}holm-who> dcterms:license ?licence ; dcterms:contributor/foaf:name ?name }}"""
    (row,) = client.get("/sparql", params={"query": query}).json()["results"]["bindings"]
    assert row["name"]["value"] == "holm"
    assert row["licence"]["value"] == "http://creativecommons.org/licenses/by/4.0/"


def test_page_of_a_written_graph_is_there(client: httpx.Client) -> None:
    put(client, "holm-page", comment("page"))
    page = client.get("/graph/written/holm-page", headers={"Accept": "text/turtle"})
    assert page.status_code == 200
    assert "page" in page.text


def test_parts_of_a_form_are_documents(client: httpx.Client) -> None:
    files = [
        ("any", ("a.ttl", BLANK, "text/turtle")),
        ("any", ("b.jsonld", '{"@id": "urn:x:b", "urn:x:p": {"urn:x:q": "3"}}', "application/octet-stream")),
        ("any", ("c.nt", comment("part"), "text/plain")),
    ]
    created = client.post(url("holm-form"), files=files)
    assert created.status_code == 201, created.text
    assert len(Graph().parse(data=client.get(url("holm-form")).text)) == 4 + 2 + 1
    again = client.put(url("holm-form"), files=files)
    assert again.headers["etag"] == created.headers["etag"]


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("multipart/form-data", b"", 400, "bad-form"),
        ("multipart/form-data; boundary=b", b"", 400, "bad-form"),
        ("multipart/form-data; boundary=b", b"no form", 400, "bad-form"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Type: text/turtle\r\n\r\n<urn:a> ", 400, "bad-form"),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X-Header: 1\r\n" * 1_000, 400, "bad-form"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", 415, "unsupported-media-type"),
    ],
)
def test_broken_form_is_told(client: httpx.Client, content_type: str, body: bytes, status: int, code: str) -> None:
    response = client.put(url("holm-broken"), content=body, headers={"Content-Type": content_type})
    assert_problem(response, status, code)
