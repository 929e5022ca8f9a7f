"""With an allow-list, only what stands on it is asked; and the endpoint says what that is."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pyoxigraph as ox
import pytest

from endpoint.federation.gateway import Gateway
from endpoint.federation.relay import Relay, listen
from endpoint.sparql.frames import Call, Job
from kg.allowlist import AllowList
from tests.assertions import assert_problem
from tests.federation.conftest import CLUSTERS, ENTRIES, IRI, OTHERS, Federation, expand
from tests.federation.outside import Handler, Outside
from tests.protocol.conftest import run_server
from tests.protocol.test_federation_gate import CALLS, HARMLESS, PLACES, PREFIXES, Listener

SD = "http://www.w3.org/ns/sparql-service-description#"


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with closing(Listener()) as listening:
        yield listening
        assert listening.knocks == 0


@pytest.mark.parametrize("call", CALLS)
def test_endpoint_that_is_not_listed_is_refused_however_it_is_written(
    federation: Federation, outside: Outside, listener: Listener, call: str
) -> None:
    query = f"BASE <{{url}}> {PREFIXES} SELECT * {{ ?s ?p ?o . {CALLS[call]} }}"
    response = federation.client.post("/sparql", data={"query": listener.fill(query)})
    problem = assert_problem(response, 403, "query-refused")
    assert [each["iri"] for each in problem["allowed"]] == [IRI + name for name in [*ENTRIES, *OTHERS]]
    assert outside.log == []


@pytest.mark.parametrize("place", PLACES)
def test_endpoint_that_is_not_listed_is_refused_wherever_it_stands(
    federation: Federation, listener: Listener, place: str
) -> None:
    for call in ("plain", "silent", "variable", "prefixed"):
        query = listener.fill(PREFIXES + PLACES[place].format(call=CALLS[call]))
        assert_problem(federation.client.post("/sparql", data={"query": query}), 403, "query-refused")


@pytest.mark.parametrize("query", HARMLESS)
def test_word_that_is_no_keyword_asks_nobody(
    federation: Federation, outside: Outside, listener: Listener, query: str
) -> None:
    response = federation.client.post("/sparql", data={"query": listener.fill(PREFIXES + query)})
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] != "no-store"
    assert outside.log == []


@pytest.mark.parametrize("place", PLACES)
def test_listed_endpoint_is_asked_wherever_it_stands(federation: Federation, outside: Outside, place: str) -> None:
    query = PLACES[place].format(call="SERVICE @open { ?a o:year 2003 }").replace("?s ?p ?o", "?s a chap:Cluster")
    response = federation.ask(query)
    if place == "service":
        assert_problem(response, 403, "query-refused")
    else:
        assert response.status_code == 200, response.text
        assert {request.path for request in outside.log} <= {"/open"}


def test_update_is_refused_with_an_allowlist_too(federation: Federation, outside: Outside) -> None:
    update = expand("INSERT { ?s ?p ?o } WHERE { SERVICE @open { ?s ?p ?o } }")
    for data in ({"query": update}, {"update": update}, {"query": "LOAD <http://127.0.0.1/>"}):
        assert federation.client.post("/sparql", data=data).status_code in (400, 401, 403)
    assert outside.log == []


def test_inner_service_is_passed_on_where_it_is_allowed(federation: Federation, outside: Outside) -> None:
    def answer(handler: Handler) -> None:
        handler.reply(200, b'{"head":{"vars":[]},"results":{"bindings":[]}}')

    outside.answer = answer
    label = 'SERVICE <http://wikiba.se/ontology#label> { <http://www.bigdata.com/rdf#serviceParam> ?x "de" }'
    query = f"SELECT * {{ ?ours a chap:Cluster . SERVICE @outer {{ ?ours o:year ?year . {label} }} }}"
    assert federation.rows(query) == []
    assert all("SERVICE <http://wikiba.se/ontology#label>" in request.query for request in outside.log)
    assert all(request.values for request in outside.log)
    problem = assert_problem(federation.ask(query.replace("@outer", "@plain")), 403, "query-refused")
    assert "inside" in problem["detail"]


UNBOUND = {
    "nothing": "SELECT * { SERVICE @few { ?s ?p ?o } } LIMIT 1",
    "only a predicate": "SELECT * { SERVICE @few { ?s o:year ?o } }",
    "too many": "SELECT * { ?ours a chap:Cluster . SERVICE @few { ?ours o:year ?year } }",
    "nested": "SELECT * { ?ours a chap:Cluster . { SERVICE @few { ?ours o:year ?year } } }",
    "other variables": "SELECT * { ?ours a chap:Cluster . SERVICE @few { ?x o:year ?year } }",
}


@pytest.mark.parametrize("case", UNBOUND)
def test_nothing_bound_is_told_at_once_with_a_hint(federation: Federation, outside: Outside, case: str) -> None:
    problem = assert_problem(federation.ask(UNBOUND[case]), 400, "federation-unbound")
    assert ("more than 5 values" in problem["detail"]) == (case == "too many")
    assert "LIMIT" in problem["detail"]
    assert outside.log == []


def test_too_many_values_do_not_matter_where_a_constant_binds(federation: Federation, outside: Outside) -> None:
    query = "SELECT * { ?ours a chap:Cluster . SERVICE @few { ?ours o:year ?year ; o:note 'odd' } }"
    assert len(federation.rows(query)) == CLUSTERS // 2
    assert [request.values for request in outside.log] == [[]]


def test_syntax_error_is_told_at_its_place(federation: Federation, outside: Outside) -> None:
    query = expand("SELECT * { SERVICE @plain { ?s o:year 1 } ?s ?p ; . ; }")
    problem = assert_problem(federation.client.post("/sparql", data={"query": query}), 400, "query-syntax")
    assert (problem["line"], problem["column"]) == (1, query.index("; .") + 1)
    # What only the engine finds is told in the text as it came, too.
    query = expand("SELECT * { SERVICE @plain { ?s o:year 1 }\n BIND(1 AS ?s) }")
    problem = assert_problem(federation.client.post("/sparql", data={"query": query}), 400, "query-syntax")
    assert problem["line"] == 2
    # Nor does what stands there tell an address of ours.
    query = expand("SELECT * { SERVICE @plain . }")
    problem = assert_problem(federation.client.post("/sparql", data={"query": query}), 400, "query-syntax")
    assert "127.0.0.1" not in json.dumps(problem)
    assert outside.log == []


def test_page_of_the_editor_asks_as_well(federation: Federation, outside: Outside) -> None:
    query = expand("SELECT ?s { SERVICE @plain { ?s o:year 2003 } }")
    page = federation.client.get("/sparql", params={"query": query}, headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert len(outside.log) == 1
    refused = federation.client.get(
        "/sparql", params={"query": "ASK { SERVICE <urn:x> {} }"}, headers={"Accept": "text/html"}
    )
    assert refused.status_code == 403
    assert "allow-list" in refused.text


def test_service_description_claims_federation_and_names_the_list(federation: Federation) -> None:
    response = federation.client.get("/sparql", headers={"Accept": "application/n-triples"})
    store = ox.Store()
    store.load(response.content, format=ox.RdfFormat.N_TRIPLES)
    assert bool(store.query(f"ASK {{ ?service <{SD}feature> <{SD}BasicFederatedQuery> }}"))
    assert f"<{IRI}plain>" in response.text
    listing = federation.client.get("/federation")
    assert f"<{federation.server.url}/federation>" in response.text
    assert listing.headers["content-type"].startswith("application/ld+json")
    described = ox.Store()
    described.load(listing.content, format=ox.RdfFormat.JSON_LD)
    found = described.query(f"SELECT ?iri {{ ?iri a <{SD}Service> ; <{SD}endpoint> ?url }}")
    assert isinstance(found, ox.QuerySolutions)
    assert {row["iri"].value for row in found} == {IRI + name for name in [*ENTRIES, *OTHERS]}


def test_server_without_an_allowlist_lists_nothing(releases_dir: Path, tmp_path: Path) -> None:
    with run_server(releases_dir, tmp_path / "log") as server, server.client() as client:
        assert client.get("/federation").json()["endpoints"] == []
        assert "chap_federation" not in client.get("/metrics").text
        description = client.get("/sparql", headers={"Accept": "application/n-triples"}).text
        assert "BasicFederatedQuery" not in description
        assert "/federation" not in description


def test_broken_allowlist_stops_the_start_with_a_hint(releases_dir: Path, tmp_path: Path) -> None:
    allowlist = tmp_path / "endpoints.toml"
    allowlist.write_text("[endpoints.a]\niri = 'http://x/'\ntime_s = 3\n", encoding="utf-8")
    log = tmp_path / "log"
    with pytest.raises(AssertionError), run_server(releases_dir, log, federation_file=allowlist):
        pass
    assert "unknown key 'time_s': did you mean 'timeout_s'?" in log.read_text(encoding="utf-8")


def test_shipped_allowlist_starts(releases_dir: Path, tmp_path: Path) -> None:
    with run_server(releases_dir, tmp_path / "log", federation_file="shipped") as server, server.client() as client:
        names = {each["iri"] for each in client.get("/federation").json()["endpoints"]}
        for language, words in (("de", "Fremde Endpunkte"), ("en", "Outside endpoints")):
            page = client.get("/sparql", params={"lang": language}, headers={"Accept": "text/html"}).text
            assert words in page
            assert all(f"SERVICE &lt;{name}&gt;" in page for name in names)
            assert page.count("SERVICE+%3C") + page.count("SERVICE%20%3C") == len(names)
        assert "https://query.wikidata.org/sparql" in names
        assert len(names) == 5


def test_address_of_the_relay_is_of_no_use_without_the_secret_of_its_job() -> None:
    """Where a worker has no network of its own, others on this machine reach the relay."""
    asyncio.run(_knock())


async def _knock() -> None:
    ours, theirs = socket.socketpair()
    gateway = Gateway(AllowList(), base_url="http://127.0.0.1")
    gateway.attach(ours)
    relay = Relay(theirs, listen(has_own_loopback=False))
    call = Call(0, 1, "a", False, 1, 1, 1, 1, False)
    job = Job(store="", text="x", media_type="", calls=(call,))
    async with httpx.AsyncClient() as client:
        with relay.serve(job) as relayed:
            address = relayed.text.strip("<>")
            port, token, index = address.removeprefix("http://127.0.0.1:").split("/")
            query = "SELECT * WHERE { ?s ?p ?o . }"
            for path in ("", token, f"{token}/", f"{token}/1", f"{token}/-1", f"{token}/x", f"x/{index}", f"/{index}"):
                response = await client.post(f"http://127.0.0.1:{port}/{path}", content=query)
                assert response.status_code == 404, path
            assert (await client.get(f"http://127.0.0.1:{port}/sparql")).status_code == 404
            assert (await client.post(address, content=query)).status_code == 502
        assert (await client.post(address, content=query)).status_code == 404
        with relay.serve(job) as relayed:
            assert relayed.text != f"<{address}>"
            assert (await client.post(address, content=query)).status_code == 404
    await gateway.close()
