"""Federation with servers that others wrote: the engine's own in Rust, and Virtuoso, which three EU endpoints run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.release import Release
from kg.store import open_read_only
from tests.bench.peers import PEERS, Dataset, find_missing
from tests.federation.conftest import CLUSTERS, IRI, Federation, fill, find_clusters, write_allowlist
from tests.federation.outside import Outside
from tests.protocol.conftest import run_server

LOCAL = "?ours a chap:Cluster ."
QUERIES = {
    "join": f"SELECT ?ours ?y {{ {LOCAL} SERVICE @other {{ ?ours o:year ?y }} }}",
    "optional": f"SELECT ?ours ?y ?n {{ {LOCAL} SERVICE @other {{ ?ours o:year ?y OPTIONAL {{ ?ours o:note ?n }} }} }}",
    "filter": f"SELECT ?ours ?y {{ {LOCAL} SERVICE @other {{ ?ours o:year ?y FILTER(?y >= 2010) }} }}",
    "blank node": f"SELECT ?ours ?s {{ {LOCAL} SERVICE @other {{ ?ours o:part ?p . ?p o:size ?s }} }}",
    "constant": "SELECT ?s { SERVICE @other { ?s o:year 2003 } }",
    "language": 'SELECT ?s { VALUES ?l { "cluster 3"@en "cluster 3" } SERVICE @other { ?s o:label ?l } }',
    "two variables": "SELECT ?s ?y { VALUES (?s ?y) { (o:thing1 1) (o:thing2 9) } SERVICE @other { ?s o:year ?y } }",
    "subquery": (
        f"SELECT * {{ {LOCAL} SERVICE @other {{ SELECT ?ours (MAX(?y) AS ?n) {{ ?ours o:year ?y }} GROUP BY ?ours }} }}"
    ),
    "limit": "SELECT ?s { SERVICE @other { SELECT ?s { ?s o:year ?y } ORDER BY ?y LIMIT 3 } }",
}


@pytest.fixture(scope="module", params=["oxigraph", "virtuoso"])
def federation(
    request: pytest.FixtureRequest, release: Release, releases_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Federation]:
    if missing := find_missing(request.param):
        pytest.skip(missing)
    directory = tmp_path_factory.mktemp("other")
    local = open_read_only(release.store_path)
    store = ox.Store(str(directory / "store"))
    fill(store, find_clusters(local))
    triples = directory / "triples.nt"
    store.dump(str(triples), format=ox.RdfFormat.N_TRIPLES, from_graph=ox.DefaultGraph())
    expected = ox.Store()
    expected.extend(store)
    store.flush()
    del store
    with PEERS[request.param](Dataset(releases_dir, directory / "store", triples)) as peer:
        allowlist = write_allowlist(
            directory / "endpoints.toml",
            {
                "other": {
                    "iri": f"{IRI}other",
                    "url": peer.url,
                    "private": True,
                    "batch_size": 6,
                    "requests_per_s": 1000,
                }
            },
        )
        with (
            run_server(releases_dir, directory / "log", federation_file=allowlist) as server,
            server.client() as client,
        ):
            yield Federation(server, client, Outside(0, store=expected), local)


@pytest.mark.parametrize("name", QUERIES)
def test_other_engine_is_joined_with_ours(federation: Federation, name: str) -> None:
    found = federation.rows(QUERIES[name])
    counts = {
        "join": CLUSTERS,
        "optional": CLUSTERS,
        "filter": CLUSTERS // 2,
        "blank node": CLUSTERS,
        "subquery": CLUSTERS,
    }
    assert len(found) == counts.get(name, {"limit": 3}.get(name, 1)), found
    if name == "join":
        requests = federation.metric("chap_federation_requests_total", endpoint="other", outcome="ok")
        assert requests == -(-len(federation.rows("SELECT DISTINCT ?ours { ?ours a chap:Cluster }")) // 6)
        assert sorted(int(row[1].partition("@")[0]) for row in found) == [2000 + number for number in range(CLUSTERS)]
    if name == "optional":
        assert sorted(row[0].partition("@")[0] for row in found).count("odd") == CLUSTERS // 2
