"""Our server with an allow-list, and a second server that stands for an endpoint of the European Union."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyoxigraph as ox
import pytest

from kg.release import Release
from kg.store import open_read_only
from tests.federation.outside import Outside, run_outside
from tests.protocol.conftest import RunningServer, run_server

CLUSTERS = 20
IRI = "http://outside.example/"
# Endpoints by name, all of them the second server, by limits.
ENTRIES: dict[str, dict[str, object]] = {
    "plain": {"cache_ttl_s": 0},
    "kept": {"cache_ttl_s": 3600},
    "brief": {"cache_ttl_s": 1.5},
    "get": {"method": "GET", "cache_ttl_s": 0},
    "quick": {"timeout_s": 0.5, "cache_ttl_s": 0},
    "fragile": {"breaker_failures": 2, "breaker_pause_s": 2, "cache_ttl_s": 0},
    "stubborn": {"retries": 2, "cache_ttl_s": 0},
    "small": {"max_mib": 0.01, "cache_ttl_s": 0},
    "few": {"max_bindings": 5, "max_rows": 50, "cache_ttl_s": 0},
    "open": {"unbound": True, "cache_ttl_s": 0},
    "outer": {"inner": ["http://wikiba.se/ontology#label"], "cache_ttl_s": 0},
    "public": {"private": False, "cache_ttl_s": 0},
    "narrow": {"concurrency": 1, "cache_ttl_s": 0},
    "paced": {"requests_per_s": 0.2, "timeout_s": 7, "cache_ttl_s": 0},
}
COMMON = {"private": True, "batch_size": 6, "requests_per_s": 1000, "retries": 0, "breaker_failures": 1000}


def write_allowlist(path: Path, entries: dict[str, dict[str, object]]) -> Path:
    """The file of an allow-list."""
    lines = []
    for name, values in entries.items():
        lines.append(f"[endpoints.{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True, repr=False)
class Federation:
    """Both servers."""

    server: RunningServer
    client: httpx.Client
    outside: Outside
    store: ox.Store

    def ask(self, query: str, **headers: str) -> httpx.Response:
        """The answer to a query; ``@name`` in it is the IRI of an entry."""
        return self.client.post("/sparql", data={"query": expand(query)}, headers=headers)

    def rows(self, query: str) -> list[tuple[str, ...]]:
        """The rows of the answer, as ``show`` gives them."""
        response = self.ask(query, Accept="application/sparql-results+json")
        assert response.status_code == 200, response.text
        return self.show(response.json())

    @staticmethod
    def show(document: dict[str, Any]) -> list[tuple[str, ...]]:
        """The rows of SPARQL JSON, sorted, blank nodes without their labels."""
        return sorted(
            tuple(_show(row.get(name)) for name in sorted(document["head"]["vars"]))
            for row in document["results"]["bindings"]
        )

    def metric(self, name: str, **labels: str) -> float:
        """A figure of ``/metrics``; 0 where there is none."""
        written = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        line = f"{name}{{{written}}} " if labels else f"{name} "
        text = self.client.get("/metrics").text
        return next((float(each.removeprefix(line)) for each in text.splitlines() if each.startswith(line)), 0.0)


def expand(query: str) -> str:
    query = re.sub(r" @([a-z0-9-]+)", rf" <{IRI}\1>", query)
    return f"PREFIX chap: <https://w3id.org/chap/def#> PREFIX o: <urn:o:> {query}"


def _show(term: dict[str, str] | None) -> str:
    if term is None:
        return ""
    return "_" if term["type"] == "bnode" else f"{term['value']}@{term.get('xml:lang', '')}^{term.get('datatype', '')}"


def find_clusters(local: ox.Store) -> list[str]:
    """Some of our clusters."""
    found = local.query(
        "SELECT DISTINCT ?ours { ?ours a <https://w3id.org/chap/def#Cluster> } ORDER BY ?ours LIMIT " + str(CLUSTERS)
    )
    assert isinstance(found, ox.QuerySolutions)
    clusters = [str(solution["ours"].value) for solution in found]
    assert len(clusters) == CLUSTERS
    return clusters


def fill(store: ox.Store, clusters: list[str]) -> None:
    """Give the second server statements about our clusters, and about things that we do not know."""
    lines = [
        f'<{iri}> <urn:o:year> {2000 + number} ; <urn:o:label> "cluster {number}"@en ; '
        f"<urn:o:part> [ <urn:o:size> {number} ] ." + (f'<{iri}> <urn:o:note> "odd" .' if number % 2 else "")
        for number, iri in enumerate(clusters)
    ]
    lines += [f"<urn:o:thing{number}> <urn:o:year> {number} ." for number in range(200)]
    lines += [f"<urn:o:thing{number}> <urn:o:note> {number % 3} ." for number in range(6)]
    store.load("\n".join(lines).encode(), format=ox.RdfFormat.TURTLE)


@pytest.fixture(scope="module")
def federation(release: Release, releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    directory = tmp_path_factory.mktemp("federation")
    local = open_read_only(release.store_path)
    with run_outside() as outside:
        fill(outside.store, find_clusters(local))
        entries = {
            name: {"iri": IRI + name, "url": f"{outside.url}/{name}", **COMMON, **values}
            for name, values in ENTRIES.items()
        }
        entries |= OTHERS
        allowlist = write_allowlist(directory / "endpoints.toml", entries)
        with (
            run_server(
                releases_dir, directory / "log", federation_file=allowlist, query_timeout_s=8, client_budget_s=100_000
            ) as server,
            server.client() as client,
        ):
            yield Federation(server, client, outside, local)


# Where the way leads elsewhere: the second server does not stand behind these.
OTHERS: dict[str, dict[str, object]] = {
    name: {"iri": IRI + name, "url": url, "retries": 0, "cache_ttl_s": 0}
    for name, url in {
        "loopback": "http://127.0.0.1:9/sparql",
        "localhost": "http://localhost:9/sparql",
        "second-loopback": "http://127.0.0.2:9/sparql",
        "decimal": "http://2130706433:9/sparql",
        "octal": "http://0177.0.0.1:9/sparql",
        "short": "http://127.1:9/sparql",
        "nowhere": "http://0.0.0.0:9/sparql",
        "metadata": "http://169.254.169.254/sparql",
        "intranet": "http://10.0.0.1/sparql",
        "mapped": "http://[::ffff:127.0.0.1]:9/sparql",
        "loopback6": "http://[::1]:9/sparql",
        "unique-local": "http://[fd00::1]/sparql",
        "link-local": "http://[fe80::1]/sparql",
    }.items()
}


@pytest.fixture
def outside(federation: Federation) -> Outside:
    federation.outside.forget()
    return federation.outside
