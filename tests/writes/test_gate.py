"""What does not fit the shapes is not published, and whoever sent it is told what to do."""

from __future__ import annotations

import httpx
from rdflib import Graph, URIRef

from tests.writes.conftest import TURTLE, WRITTEN

SHACL = "http://www.w3.org/ns/shacl#"
RULES = {"InvolvementShape-agent", "InvolvementShape-body", "InvolvementShape-role"}
# Violates three rules, and nothing else.
INVALID = "<https://w3id.org/chap/id/involvement/de-x--partner--de-y> a <https://w3id.org/chap/def#Involvement> .\n"
URL = f"/graph-store?graph={WRITTEN}holm-gate"


def send(client: httpx.Client, **headers: str) -> httpx.Response:
    response = client.put(URL, content=INVALID, headers={**TURTLE, **headers})
    assert response.status_code == 422, response.text
    assert client.get(URL).status_code == 404
    return response


def test_violation_is_a_problem_document(client: httpx.Client) -> None:
    response = send(client, **{"Accept-Language": "en"})
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["code"]) == (422, "shapes-violated")
    violations = [each for each in problem["results"] if each["severity"] == "Violation"]
    assert {each["rule"].rpartition("#")[2] for each in violations} == RULES
    assert problem["counts"]["violations"] == len(violations) == len(RULES)
    for each in violations:
        assert each["focus"].endswith("de-x--partner--de-y")
        assert each["message"]
        assert each["cure"]
    assert any("Name exactly one organisation" in each["cure"] for each in violations)


def test_it_speaks_the_language_that_is_asked_for(client: httpx.Client) -> None:
    german = send(client, **{"Accept-Language": "de"}).json()
    assert any("Genau eine" in each["cure"] for each in german["results"])
    chosen = client.put(f"{URL}&lang=de", content=INVALID, headers={**TURTLE, "Accept-Language": "en"})
    assert chosen.json()["results"] == german["results"]


def test_it_comes_as_rdf_and_as_a_page(client: httpx.Client) -> None:
    turtle = send(client, Accept="text/turtle")
    assert turtle.headers["content-type"].startswith("text/turtle")
    graph = Graph().parse(data=turtle.text)
    rules = {str(each).rpartition("#")[2] for each in graph.objects(None, URIRef(SHACL + "sourceShape"))}
    assert rules >= RULES
    page = send(client, Accept="text/html,*/*;q=0.8")
    assert page.headers["content-type"].startswith("text/html")
    assert "InvolvementShape-agent" in page.text


def test_a_change_that_makes_another_thing_unfit_is_refused(client: httpx.Client, actor: str) -> None:
    """The actor's site is described in one graph and needed in another."""
    site = "<https://w3id.org/chap/id/site/de-example--de-town>"
    lines = Graph().parse(data=actor).serialize(format="nt").splitlines(keepends=True)
    about_site = "".join(line for line in lines if line.startswith(site))
    rest = "".join(line for line in lines if not line.startswith(site))
    sites, actors = (f"/graph-store?graph={WRITTEN}holm-{name}" for name in ("sites", "actors"))
    assert client.put(sites, content=about_site, headers=TURTLE).status_code == 422
    assert client.put(actors, content=actor, headers=TURTLE).status_code == 201
    assert client.put(sites, content=about_site, headers=TURTLE).status_code == 201
    assert client.put(actors, content=rest, headers=TURTLE).status_code == 204
    refused = client.delete(sites)
    assert refused.status_code == 422, refused.text
    focus = {each["focus"] for each in refused.json()["results"] if each["severity"] == "Violation"}
    assert focus == {"https://w3id.org/chap/id/organisation/de-example"}
    assert client.get(sites).status_code == 200
    assert client.delete(actors).status_code in (204, 422)
