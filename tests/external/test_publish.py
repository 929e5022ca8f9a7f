"""``kg publish`` and the server that reads from there: whole, once, resumed, and never half a release."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pyoxigraph as ox
import pytest

from kg.errors import RemoteUnavailable
from kg.graph_store import Access, GraphStore
from kg.publish import publish_release
from kg.release import Release, Releases
from tests.assertions import assert_problem
from tests.external.engines import Engine, publish, run_oxigraph
from tests.external.proxy import Passing, Proxy, run_proxy
from tests.protocol.conftest import run_server
from tests.protocol.processes import wait_until

OPEN = "http://creativecommons.org/licenses/by/4.0/"
CLOSED = "http://example.org/licence/closed"
GRAPH = "https://w3id.org/chap/graph/"
VALUE = "https://w3id.org/chap/def#value"
COUNT = f"SELECT (COUNT(*) AS ?n) WHERE {{ ?s <{VALUE}> ?o }}"


def release_with(root: Path, **sizes: int) -> Release:
    """A release with graphs of so many values; those whose names begin with ``closed`` are not open."""
    provenance = ox.NamedNode(f"{GRAPH}provenance")
    quads = []
    for name in ("provenance", *sizes):
        licence = ox.NamedNode(CLOSED if name.startswith("closed") else OPEN)
        graph = ox.NamedNode(GRAPH + name)
        quads.append(ox.Quad(graph, ox.NamedNode("http://purl.org/dc/terms/license"), licence, provenance))
        quads += [
            ox.Quad(ox.NamedNode(f"urn:{name}:{n}"), ox.NamedNode(VALUE), ox.Literal(n), graph)
            for n in range(sizes.get(name, 0))
        ]
    return Releases(root).publish(quads=quads, open_licences=[OPEN], manifest_extra={}, report_turtle=b"").release


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "releases"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with run_oxigraph(tmp_path / "store") as running:
        yield running


@pytest.fixture
def proxy(engine: Engine) -> Iterator[Proxy]:
    with run_proxy(engine.query_url.removesuffix("/query")) as running:
        yield running


@pytest.fixture
def behind(engine: Engine, proxy: Proxy) -> Engine:
    """The engine as it is seen through the proxy."""
    return replace(engine, graph_store_url=f"{proxy.url}/store", query_url=f"{proxy.url}/query")


def state(engine: Engine, graph: str, line: str) -> None:
    """Add a statement to a graph of an engine, past ``kg publish``."""
    headers = {"Content-Type": "application/n-triples"}
    response = httpx.post(engine.graph_store_url, params={"graph": GRAPH + graph}, content=line, headers=headers)
    response.raise_for_status()


def held(engine: Engine) -> dict[str, int]:
    """The size of each graph of an engine, and whether a release is said to be whole there."""
    query = "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g"
    rows = httpx.get(engine.query_url, params={"query": query}).json()["results"]["bindings"]
    return {row["g"]["value"].removeprefix(GRAPH): int(row["n"]["value"]) for row in rows}


def test_engine_holds_each_graph_and_the_open_ones_merged(root: Path, engine: Engine) -> None:
    release = release_with(root, alpha=3, beta=5, closed=7)
    done = publish(engine, root)
    assert done.returncode == 0, done.stderr
    assert f"{release.id} is at {engine.query_url}: 5 graphs sent" in done.stdout
    sizes = held(engine)
    assert (sizes["alpha"], sizes["beta"], sizes["closed"]) == (3, 5, 7)
    assert sizes["default"] == release.manifest.counts.triples == 3 + 5 + sizes["provenance"]


def test_second_time_nothing_is_sent(root: Path, behind: Engine, proxy: Proxy) -> None:
    release_with(root, alpha=3, beta=5)
    assert publish(behind, root).returncode == 0
    sent = proxy.count("PUT")
    done = publish(behind, root)
    assert done.returncode == 0, done.stderr
    assert "0 graphs sent" in done.stdout
    assert proxy.count("PUT") == sent == 4


def test_next_release_sends_what_changed_and_deletes_what_is_gone(root: Path, behind: Engine, proxy: Proxy) -> None:
    release_with(root, alpha=3, beta=5, gone=2)
    assert publish(behind, root).returncode == 0
    state(behind, "own", "<a:b> <a:c> <a:d> .")
    proxy.passed.clear()
    release_with(root, alpha=3, beta=6)
    done = publish(behind, root)
    assert done.returncode == 0, done.stderr
    sent = sorted(each.graph.removeprefix(GRAPH) for each in proxy.passed if each.method == "PUT")
    assert sent == ["beta", "default", "provenance", "published", "published"]
    assert [each.graph for each in proxy.passed if each.method == "DELETE"] == [f"{GRAPH}gone"]
    # What others keep there is left alone.
    assert held(behind).keys() == {"alpha", "beta", "default", "provenance", "published", "own"}


def test_interrupted_it_goes_on_where_it_stopped(root: Path, engine: Engine, behind: Engine, proxy: Proxy) -> None:
    names = [f"g{number:02}" for number in range(12)]
    release = release_with(root, **dict.fromkeys(names, 2))

    def cut_after_seven(passing: Passing) -> str | None:
        return "cut" if passing.method == "PUT" and proxy.count("PUT") >= 7 else None

    proxy.rule = cut_after_seven
    store = GraphStore(behind.graph_store_url, behind.query_url, Access(), pauses_s=(0.0,))
    with pytest.raises(RemoteUnavailable, match="did not answer in 2 attempts"):
        publish_release(release, store, progress=lambda *_: None, note_s=0)
    store.close()
    assert len(held(engine).keys() - {"published"}) == 7
    proxy.rule = lambda _: None
    proxy.passed.clear()
    done = publish(behind, root)
    assert done.returncode == 0, done.stderr
    assert proxy.count("PUT") == len(names) + 2 - 7
    assert "7 graphs sent" in done.stdout
    assert sum(held(behind)[each] for each in names) == 2 * len(names)


def test_interrupted_by_hand_it_notes_what_is_there(root: Path, behind: Engine, proxy: Proxy) -> None:
    names = [f"g{number:02}" for number in range(8)]
    release = release_with(root, **dict.fromkeys(names, 2))
    store = GraphStore(behind.graph_store_url, behind.query_url, Access())

    def interrupt(done: int, *_: object) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish_release(release, store, progress=interrupt)
    store.close()
    proxy.passed.clear()
    assert publish(behind, root).returncode == 0
    assert proxy.count("PUT") == len(names) + 2 - 5


def test_what_fails_in_passing_is_tried_again(root: Path, behind: Engine, proxy: Proxy) -> None:
    release_with(root, alpha=3)
    fates: Iterator[int | str] = iter([503, "cut", 504])
    proxy.rule = lambda passing: next(fates, None) if passing.method == "PUT" else None
    done = publish(behind, root)
    assert done.returncode == 0, done.stderr
    assert next(fates, None) is None
    assert held(behind)["alpha"] == 3


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        (401, "--token-env"),
        (403, "may not write"),
        (404, "no graph store is at that address"),
        (405, "Graph Store Protocol"),
        (413, "bodies of 4 MiB"),
        (415, "neither N-Triples nor Turtle"),
    ],
)
def test_refusal_is_told_with_its_cure(root: Path, behind: Engine, proxy: Proxy, status: int, cure: str) -> None:
    release_with(root, alpha=3)
    proxy.rule = lambda passing: status if passing.method == "PUT" else None
    done = publish(behind, root)
    assert done.returncode == 3
    assert f"answered {status}" in done.stderr
    assert "remote-refused" in done.stderr
    assert cure in done.stderr


def test_token_is_sent_and_never_shown(
    root: Path, behind: Engine, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    release_with(root, alpha=3)
    monkeypatch.setenv("STORE_TOKEN", "secret-of-the-store")
    proxy.rule = lambda passing: None if passing.authorization == "Bearer secret-of-the-store" else 401
    done = publish(behind, root, "--token-env", "STORE_TOKEN")
    assert done.returncode == 0, done.stderr
    assert "secret-of-the-store" not in done.stdout + done.stderr
    missing = publish(behind, root, "--token-env", "NO_SUCH_TOKEN")
    assert missing.returncode == 2
    assert "NO_SUCH_TOKEN" in missing.stderr


def test_graph_that_got_lost_is_found_and_sent_anew(root: Path, behind: Engine, proxy: Proxy) -> None:
    release_with(root, alpha=3, beta=5)
    proxy.rule = lambda passing: "lose" if passing.method == "PUT" and passing.graph == f"{GRAPH}beta" else None
    done = publish(behind, root)
    assert done.returncode == 1
    assert "remote-incomplete" in done.stderr
    assert f"{GRAPH}beta holds 0 of 5 triples" in done.stderr
    proxy.rule = lambda _: None
    again = publish(behind, root)
    assert again.returncode == 0, again.stderr
    assert "1 graphs sent" in again.stdout


def test_server_that_is_not_there_is_told(root: Path) -> None:
    release = release_with(root, alpha=3)
    store = GraphStore("http://127.0.0.1:9/store", "http://127.0.0.1:9/query", Access(), pauses_s=())
    with pytest.raises(RemoteUnavailable, match="did not answer in 1 attempts"):
        publish_release(release, store, progress=lambda *_: None)
    store.close()


def count(client: httpx.Client, **parameters: str) -> int:
    response = client.get("/sparql", params={"query": COUNT, **parameters})
    assert response.status_code == 200, response.text
    return int(response.json()["results"]["bindings"][0]["n"]["value"])


def is_ready(client: httpx.Client) -> bool:
    return client.get("/health/ready").status_code == 200


def test_release_that_is_not_there_yet_is_answered_from_here(root: Path, engine: Engine, tmp_path: Path) -> None:
    first = release_with(root, alpha=3)
    assert publish(engine, root).returncode == 0
    with run_server(root, tmp_path / "log", remote_sparql_url=engine.query_url) as server, server.client() as client:
        assert is_ready(client)
        # A statement that only the engine has shows who answers.
        only_there = f'<urn:only:there> <{VALUE}> "1" .'
        state(engine, "default", only_there)
        assert count(client, v="1") == 4
        second = release_with(root, alpha=5)
        assert wait_until(lambda: not is_ready(client), seconds=5)
        document = assert_problem(client.get("/health/ready"), 503, "not-ready")
        assert f"holds {first.id}, and {second.id} is current: 'kg publish'" in document["detail"]
        response = client.get("/sparql", params={"query": COUNT, "v": "2"})
        assert response.headers["chap-release"] == second.id
        assert count(client, v="3") == 5
        assert count(client, release=first.id) == 3
        assert publish(engine, root).returncode == 0
        assert wait_until(lambda: is_ready(client), seconds=5)
        state(engine, "default", only_there)
        assert count(client, v="4") == 6
        assert count(client, release=first.id, v="4") == 3


def test_half_a_release_is_never_shown(root: Path, behind: Engine, proxy: Proxy, tmp_path: Path) -> None:
    release_with(root, alpha=3)
    assert publish(behind, root).returncode == 0
    with run_server(root, tmp_path / "log", remote_sparql_url=behind.query_url) as server, server.client() as client:
        assert is_ready(client)
        release_with(root, alpha=4, beta=4)
        proxy.rule = lambda passing: 403 if passing.graph == f"{GRAPH}beta" else None
        assert publish(behind, root).returncode == 3
        assert count(client) == 8
        document = assert_problem(client.get("/health/ready"), 503, "not-ready")
        assert "holds no release whole" in document["detail"]


def test_engine_that_is_gone_is_told(root: Path, tmp_path: Path) -> None:
    release_with(root, alpha=3)
    with ExitStack() as stack:
        with run_oxigraph(tmp_path / "store") as engine:
            assert publish(engine, root).returncode == 0
            settings = {"remote_sparql_url": engine.query_url}
            client = stack.enter_context(run_server(root, tmp_path / "log", **settings)).client()
            assert count(client) == 3
        assert_problem(client.get("/sparql", params={"query": f"{COUNT} # again"}), 502, "remote-unavailable")
        assert wait_until(lambda: not is_ready(client), seconds=5)
        document = assert_problem(client.get("/health/ready"), 503, "not-ready")
        assert "does not answer as a SPARQL server" in document["detail"]
        client.close()
