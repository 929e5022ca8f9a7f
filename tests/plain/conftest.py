"""A server of a plain dataset, one for a module, and its state as a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyoxigraph as ox
import pytest

from endpoint.writes.tokens import add_token
from kg.build import build
from kg.settings import KgSettings
from tests.protocol.conftest import RunningServer, run_server

# Before the command of the server.
PLAIN = "env KG_DEFAULT_GRAPH=own KG_SHAPES=none"
TURTLE = {"Content-Type": "text/turtle"}
_JSON = "application/sparql-results+json"
_EVERYTHING = "SELECT ?s ?p ?o ?g { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"


def plain_settings(releases_dir: Path) -> KgSettings:
    return KgSettings(releases_dir=releases_dir, default_graph="own", shapes=None)


@dataclass(frozen=True)
class Plain:
    """A running server, its releases, and a client that may do everything."""

    server: RunningServer
    releases_dir: Path
    tokens_path: Path
    client: httpx.Client

    def update(self, text: str, **fields: str) -> httpx.Response:
        return self.client.post("/sparql", data={"update": text, **fields})

    def ask(self, pattern: str) -> bool:
        answer = self.client.get("/sparql", params={"query": f"ASK {{ {pattern} }}"}).json()["boolean"]
        assert isinstance(answer, bool)
        return answer

    def fill(self, trig: str) -> None:
        """Let the dataset hold this and nothing else."""
        dataset = ox.parse(trig, format=ox.RdfFormat.TRIG)
        data = " ".join(
            f"{quad.triple} ."
            if quad.graph_name == ox.DefaultGraph()
            else f"GRAPH {quad.graph_name} {{ {quad.triple} }}"
            for quad in dataset
        )
        response = self.update(f"DROP ALL ; INSERT DATA {{ {data} }}")
        assert response.status_code == 204, response.text
        assert self.read() == parse(trig)

    def read(self) -> list[str]:
        """The dataset as a query sees it, comparable by value."""
        response = self.client.post("/sparql", data={"query": _EVERYTHING}, headers={"Accept": _JSON})
        assert response.status_code == 200, response.text
        return normalise(
            ox.Quad(*(_make_term(row[name]) for name in "spog" if name in row))
            for row in response.json()["results"]["bindings"]
        )


def parse(trig: str) -> list[str]:
    """The statements of a document, as :func:`normalise` gives them."""
    return normalise(ox.parse(trig, format=ox.RdfFormat.TRIG))


def normalise(quads: Iterable[ox.Quad]) -> list[str]:
    """The statements of a dataset, with its blank nodes called alike in equal datasets."""
    dataset = ox.Dataset(quads)
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    return sorted(str(quad) for quad in dataset)


def _make_term(binding: dict[str, str]) -> Any:
    value = binding["value"]
    match binding["type"]:
        case "uri":
            return ox.NamedNode(value)
        case "bnode":
            return ox.BlankNode(value)
        case _ if language := binding.get("xml:lang"):
            return ox.Literal(value, language=language)
        case _:
            datatype = binding.get("datatype", "http://www.w3.org/2001/XMLSchema#string")
            return ox.Literal(value, datatype=ox.NamedNode(datatype))


@contextmanager
def run_plain(directory: Path) -> Iterator[Plain]:
    """A server over an empty dataset of its own."""
    releases_dir, tokens_path = directory / "releases", directory / "tokens.json"
    build(plain_settings(releases_dir))
    token = add_token(tokens_path, name="owner", graphs=[], admin=True, is_plain=True)
    headers = {"Authorization": f"Bearer {token}"}
    with (
        run_server(releases_dir, directory / "log", tokens_file=tokens_path, wrapper=PLAIN) as server,
        httpx.Client(base_url=server.url, timeout=120, headers=headers) as client,
    ):
        yield Plain(server, releases_dir, tokens_path, client)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    with run_plain(tmp_path_factory.mktemp("plain")) as running:
        yield running
