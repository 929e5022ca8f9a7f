"""Programs that people query endpoints with, each against a running server: they have habits that no standard has."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import SPARQLWrapper
from rdflib import RDF, RDFS, Graph, Literal, URIRef
from rdflib.plugins.stores.sparqlstore import SPARQLStore

from tests.clients.node import install_command
from tests.protocol.conftest import RunningServer

HUB = URIRef("https://w3id.org/chap/def#Hub")
QUERY = f"SELECT ?hub ?label WHERE {{ ?hub a <{HUB}> ; <{RDFS.label}> ?label }} ORDER BY ?hub ?label"
CONSTRUCT = f"CONSTRUCT {{ ?hub a <{HUB}> }} WHERE {{ ?hub a <{HUB}> }}"
COMUNICA = Path(__file__).parent / "comunica"


@pytest.fixture(scope="session")
def rows(server: RunningServer) -> list[tuple[str, str]]:
    """What every client should find: address and label of each hub."""
    with server.client() as client:
        found = client.get("/sparql", params={"query": QUERY}).json()["results"]["bindings"]
    assert len(found) > 1
    return [(row["hub"]["value"], row["label"]["value"]) for row in found]


def read_json(document: Any) -> list[tuple[str, str]]:
    return [(row["hub"]["value"], row["label"]["value"]) for row in document["results"]["bindings"]]


@pytest.mark.parametrize("method", [SPARQLWrapper.GET, SPARQLWrapper.POST])
@pytest.mark.parametrize("way", [SPARQLWrapper.URLENCODED, SPARQLWrapper.POSTDIRECTLY])
def test_sparqlwrapper_gets_rows(server: RunningServer, rows: list[tuple[str, str]], method: str, way: str) -> None:
    if method == SPARQLWrapper.GET and way == SPARQLWrapper.POSTDIRECTLY:
        method = SPARQLWrapper.POST
    wrapper = SPARQLWrapper.SPARQLWrapper(f"{server.url}/sparql", returnFormat=SPARQLWrapper.JSON)
    wrapper.setMethod(method)
    wrapper.setRequestMethod(way)
    wrapper.setQuery(QUERY)
    assert read_json(wrapper.queryAndConvert()) == rows


def test_sparqlwrapper_gets_every_form(server: RunningServer, rows: list[tuple[str, str]]) -> None:
    def ask(query: str, result_format: str) -> Any:
        wrapper = SPARQLWrapper.SPARQLWrapper(f"{server.url}/sparql", returnFormat=result_format)
        wrapper.setQuery(query)
        return wrapper.queryAndConvert()

    assert ask(QUERY, SPARQLWrapper.TSV).startswith(b"?hub\t?label\n")
    assert ask(QUERY, SPARQLWrapper.XML).getElementsByTagName("result").length == len(rows)
    assert len(ask(QUERY, SPARQLWrapper.CSV).decode().splitlines()) == len(rows) + 1
    assert ask(f"ASK {{ ?hub a <{HUB}> }}", SPARQLWrapper.JSON)["boolean"] is True
    hubs = {URIRef(hub) for hub, _ in rows}
    for result_format in (SPARQLWrapper.TURTLE, SPARQLWrapper.RDFXML, SPARQLWrapper.JSONLD):
        graph = ask(CONSTRUCT, result_format)
        if isinstance(graph, bytes):
            graph = Graph().parse(data=graph, format=result_format)
        assert set(graph.subjects(RDF.type, HUB)) == hubs
    assert len(ask(f"DESCRIBE <{rows[0][0]}>", SPARQLWrapper.RDFXML)) > 1


def test_sparqlwrapper_tells_what_is_wrong(server: RunningServer) -> None:
    wrapper = SPARQLWrapper.SPARQLWrapper(f"{server.url}/sparql")
    wrapper.setQuery("SELECT * WHERE { ?s ?p }")
    with pytest.raises(SPARQLWrapper.SPARQLExceptions.QueryBadFormed, match="line 1, column 24"):
        wrapper.query()


@pytest.mark.parametrize("method", ["GET", "POST", "POST_FORM"])
@pytest.mark.parametrize("result_format", ["json", "xml", "csv", "tsv"])
def test_sparqlstore_of_rdflib_gets_rows(
    server: RunningServer, rows: list[tuple[str, str]], method: str, result_format: str
) -> None:
    store = SPARQLStore(f"{server.url}/sparql", method=method, returnFormat=result_format)
    graph = Graph(store)
    assert [(str(row[0]), str(row[1])) for row in graph.query(QUERY)] == rows  # type: ignore[index]
    assert set(graph.subjects(RDF.type, HUB)) == {URIRef(hub) for hub, _ in rows}
    if result_format in ("json", "xml"):
        # rdflib asks for membership by ASK, whose answer it reads in these two only.
        assert (URIRef(rows[0][0]), RDF.type, HUB) in graph
    labels = {label for label in graph.objects(URIRef(rows[0][0]), RDFS.label) if isinstance(label, Literal)}
    assert rows[0][1] in {str(label) for label in labels}


def test_sparqlstore_of_rdflib_gets_graphs(server: RunningServer, rows: list[tuple[str, str]]) -> None:
    found = Graph(SPARQLStore(f"{server.url}/sparql")).query(CONSTRUCT).graph
    assert found is not None
    assert set(found.subjects(RDF.type, HUB)) == {URIRef(hub) for hub, _ in rows}


def test_pandas_reads_csv(server: RunningServer, rows: list[tuple[str, str]]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (pip install pandas)")
    url = f"{server.url}/sparql?format=csv&query={quote(QUERY)}"
    table = pandas.read_csv(url)
    assert list(table.columns) == ["hub", "label"]
    assert list(table.itertuples(index=False, name=None)) == rows


@pytest.fixture(scope="session")
def curl() -> str:
    found = shutil.which("curl")
    if found is None:
        pytest.skip("curl is not installed (apt-get install curl)")
    return found


def test_curl_gets_rows_however_it_asks(server: RunningServer, rows: list[tuple[str, str]], curl: str) -> None:
    url = f"{server.url}/sparql"
    accept = ["-H", "Accept: application/sparql-results+json"]
    direct = ["-H", "Content-Type: application/sparql-query", "--data-binary", QUERY]
    for options in (
        ["-G", "--data-urlencode", f"query={QUERY}"],
        ["--data-urlencode", f"query={QUERY}"],
        direct,
        ["--compressed", *direct],
        ["--http1.0", *direct],
        # curl then asks first whether it may go on (Expect: 100-continue).
        ["-H", "Expect: 100-continue", *direct],
        ["-H", "Transfer-Encoding: chunked", *direct],
    ):
        done = run([curl, "--fail", "--silent", "--show-error", *accept, *options, url])
        assert read_json(json.loads(done)) == rows


def test_curl_gets_what_it_gets_by_default(server: RunningServer, curl: str) -> None:
    assert "@prefix sd:" in run([curl, "--fail", "--silent", f"{server.url}/sparql"])
    assert run([curl, "--silent", "--head", f"{server.url}/sparql"]).startswith("HTTP/1.1 200")
    failed = run([curl, "--silent", "--data-urlencode", "query=SELEKT", f"{server.url}/sparql"])
    assert json.loads(failed)["code"] == "query-syntax"


@pytest.fixture(scope="session")
def comunica() -> str:
    """The command of Comunica."""
    return install_command(COMUNICA, "comunica-sparql")


def test_comunica_gets_rows(server: RunningServer, rows: list[tuple[str, str]], comunica: str) -> None:
    done = run([comunica, f"sparql@{server.url}/sparql", QUERY, "-t", "application/sparql-results+json"])
    assert read_json(json.loads(done)) == rows


def test_comunica_gets_graphs_and_finds_the_endpoint_by_itself(
    server: RunningServer, rows: list[tuple[str, str]], comunica: str
) -> None:
    # Without "sparql@" it reads the service description to find out what is there.
    done = run([comunica, f"{server.url}/sparql", CONSTRUCT, "-t", "application/n-triples"])
    graph = Graph().parse(data=done, format="nt")
    assert set(graph.subjects(RDF.type, HUB)) == {URIRef(hub) for hub, _ in rows}


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
