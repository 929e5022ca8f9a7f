"""What Virtuoso leaves out without saying so is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pyoxigraph as ox
import pytest

from kg.release import Releases
from tests.assertions import assert_problem
from tests.external.engines import Engine, publish, start_virtuoso
from tests.protocol.conftest import run_server

OPEN = "http://creativecommons.org/licenses/by/4.0/"
GRAPH = "https://w3id.org/chap/graph/"
VALUE = "https://w3id.org/chap/def#value"
MOST, SIZE = 20, 50
FIRST = f"FILTER(?n < {MOST // 2})"


@pytest.fixture(scope="session")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with more values than the Virtuoso of these tests gives rows."""
    root = tmp_path_factory.mktemp("small") / "releases"
    provenance, graph = ox.NamedNode(f"{GRAPH}provenance"), ox.NamedNode(f"{GRAPH}source-test")
    licence, thing = ox.NamedNode("http://purl.org/dc/terms/license"), ox.NamedNode("urn:thing")
    founded, xsd = ox.NamedNode("https://schema.org/foundingDate"), "http://www.w3.org/2001/XMLSchema#"
    quads = [ox.Quad(each, licence, ox.NamedNode(OPEN), provenance) for each in (graph, provenance)]
    quads += [ox.Quad(ox.NamedNode(f"urn:{n}"), ox.NamedNode(VALUE), ox.Literal(n), graph) for n in range(SIZE)]
    dates = [
        ox.Literal(text, datatype=ox.NamedNode(xsd + kind))
        for text, kind in (("2009", "gYear"), ("2009-01", "gYearMonth"))
    ]
    quads += [ox.Quad(thing, founded, each, graph) for each in dates]
    Releases(root).publish(quads=quads, open_licences=[OPEN], manifest_extra={}, report_turtle=b"")
    return root


@pytest.fixture(scope="session")
def virtuoso(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    settings = f"ResultSetMaxRows={MOST}\nMaxQueryExecutionTime=2"
    with start_virtuoso(tmp_path_factory.mktemp("virtuoso"), sparql=settings) as running:
        yield running


@pytest.fixture(scope="session")
def client(virtuoso: Engine, small_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    done = publish(virtuoso, small_root)
    assert done.returncode == 0, done.stderr
    # It keeps the year and its first month as one value, and publishing says so.
    assert "2 triples are not told apart there from others of the same value" in done.stderr
    assert "<urn:thing> <https://schema.org/foundingDate>" in done.stderr
    log_path = tmp_path_factory.mktemp("server") / "log"
    with (
        run_server(small_root, log_path, remote_sparql_url=virtuoso.query_url) as server,
        server.client() as client,
    ):
        yield client


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT ?s {{ ?s <{VALUE}> ?n }}",
        f"SELECT ?s {{ ?s <{VALUE}> ?n }} ORDER BY ?n LIMIT {MOST + 1}",
        f"SELECT ?s {{ GRAPH ?g {{ ?s <{VALUE}> ?n }} }}",
        f"CONSTRUCT {{ ?s <{VALUE}> ?n }} WHERE {{ ?s <{VALUE}> ?n }}",
        f"CONSTRUCT WHERE {{ ?s <{VALUE}> ?n }}",
        f"CONSTRUCT {{ <urn:all> <{VALUE}> true }} WHERE {{ ?s <{VALUE}> ?n }}",
        f"DESCRIBE ?s WHERE {{ ?s <{VALUE}> ?n }}",
        f"CONSTRUCT {{ ?s <{VALUE}> ?n }} FROM <{GRAPH}source-test> WHERE {{ ?s <{VALUE}> ?n }}",
    ],
)
def test_result_that_would_be_cut_is_refused(client: httpx.Client, query: str) -> None:
    document = assert_problem(client.post("/sparql", data={"query": query}), 502, "result-truncated")
    assert document["limit"] == MOST
    assert "LIMIT" in document["detail"]


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        (f"SELECT ?s {{ ?s <{VALUE}> ?n {FIRST} }}", MOST // 2),
        (f"SELECT ?s {{ ?s <{VALUE}> ?n }} ORDER BY ?n LIMIT {MOST}", MOST),
        (f"CONSTRUCT {{ ?s <{VALUE}> ?n }} WHERE {{ ?s <{VALUE}> ?n {FIRST} }}", MOST // 2),
        (f"CONSTRUCT {{ ?s <{VALUE}> ?n }} WHERE {{ ?s <{VALUE}> ?n }} ORDER BY ?n LIMIT {MOST}", MOST),
        ("DESCRIBE <urn:1> <urn:2>", 2),
    ],
)
def test_result_that_is_whole_is_given(client: httpx.Client, query: str, lines: int) -> None:
    accept = "text/csv" if query.startswith("SELECT") else "application/n-triples"
    response = client.post("/sparql", data={"query": query}, headers={"Accept": accept})
    assert response.status_code == 200, response.text
    assert len(response.text.splitlines()) == lines + query.startswith("SELECT")


def test_counts_are_those_of_the_whole(client: httpx.Client) -> None:
    query = f"SELECT (COUNT(*) AS ?n) {{ ?s <{VALUE}> ?o }}"
    assert client.get("/sparql", params={"query": query}).json()["results"]["bindings"][0]["n"]["value"] == str(SIZE)


def test_query_that_it_stops_itself_is_told(client: httpx.Client) -> None:
    pattern = " ".join(f"?a{n} ?b{n} ?c{n} ." for n in range(6))
    response = client.post("/sparql", data={"query": f"SELECT (COUNT(*) AS ?n) {{ {pattern} }}"})
    assert_problem(response, 504, "query-timeout")


def test_wrong_password_is_told(virtuoso: Engine, small_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRONG", "wrong")
    done = publish(virtuoso, small_root, "--password-env", "WRONG")
    assert done.returncode == 3
    assert "answered 401" in done.stderr
