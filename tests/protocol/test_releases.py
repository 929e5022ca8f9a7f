"""Which release answers: the current one, watched; another by name; and what runs is never disturbed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pyoxigraph as ox

from kg.release import Release, Releases
from kg.retention import prune_releases
from tests.assertions import assert_problem
from tests.protocol.conftest import run_server
from tests.protocol.processes import find_workers, wait_until

LICENCE = "http://creativecommons.org/licenses/by/4.0/"
PROVENANCE = ox.NamedNode("https://w3id.org/chap/graph/provenance")
GRAPH = ox.NamedNode("https://w3id.org/chap/graph/source-test")
VALUE = ox.NamedNode("https://w3id.org/chap/def#value")
COUNT = "SELECT (COUNT(*) AS ?n) WHERE { ?s <https://w3id.org/chap/def#value> ?o }"


def publish(root: Path, size: int) -> Release:
    """A release with so many values in it."""
    licence = ox.NamedNode("http://purl.org/dc/terms/license")
    quads = [ox.Quad(graph, licence, ox.NamedNode(LICENCE), PROVENANCE) for graph in (GRAPH, PROVENANCE)]
    quads += [ox.Quad(ox.NamedNode(f"urn:thing:{n}"), VALUE, ox.Literal(n), GRAPH) for n in range(size)]
    return Releases(root).publish(quads=quads, open_licences=[LICENCE], manifest_extra={}, report_turtle=b"").release


def count(client: httpx.Client, **parameters: str) -> int:
    response = client.get("/sparql", params={"query": COUNT, **parameters})
    assert response.status_code == 200, response.text
    return int(response.json()["results"]["bindings"][0]["n"]["value"])


def test_server_without_release_is_live_and_becomes_ready(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    with run_server(root, tmp_path / "log") as server, server.client() as client:
        assert client.get("/health/live").json() == {"status": "live"}
        assert_problem(client.get("/health/ready"), 503, "not-ready")
        problem = assert_problem(client.get("/sparql", params={"query": COUNT}), 503, "release")
        assert "kg build" in problem["detail"]
        release = publish(root, 1)
        assert wait_until(lambda: client.get("/health/ready").status_code == 200, seconds=1)
        assert client.get("/health/ready").json()["release"] == release.id
        assert count(client) == 1


def test_new_release_answers_within_a_second_and_nothing_is_dropped(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    first = publish(root, 3_000)
    slow = (
        "PREFIX chap: <https://w3id.org/chap/def#> "
        "SELECT (COUNT(*) AS ?n) WHERE { ?a chap:value ?x . ?b chap:value ?y }"
    )
    with (
        run_server(root, tmp_path / "log", query_long_after_s=30) as server,
        server.client() as client,
        ThreadPoolExecutor(1) as threads,
    ):
        workers = find_workers(server.process.pid)
        running = threads.submit(client.get, "/sparql", params={"query": slow})
        time.sleep(0.1)
        second = publish(root, 7)
        assert wait_until(lambda: count(client) == 7, seconds=1)
        answer = running.result()
        assert answer.headers["chap-release"] == first.id
        assert answer.json()["results"]["bindings"][0]["n"]["value"] == str(3_000**2)
        assert find_workers(server.process.pid) == workers
        assert client.get("/sparql", params={"query": COUNT}).headers["chap-release"] == second.id


def test_every_release_answers_by_name(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    releases = [publish(root, size) for size in (1, 2, 3, 4)]
    with run_server(root, tmp_path / "log", query_workers=1) as server, server.client() as client:
        for _ in range(2):
            for release, size in zip(releases, (1, 2, 3, 4), strict=True):
                assert count(client, release=release.id) == size
                assert count(client, release=str(release.sequence)) == size
        assert count(client) == 4
        assert count(client, release="current") == 4
        problem = assert_problem(client.get("/sparql?query=ASK%7B%7D&release=none"), 404, "release-not-found")
        assert releases[0].id in problem["detail"]


def test_rollback_is_served(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    first = publish(root, 1)
    publish(root, 2)
    with run_server(root, tmp_path / "log") as server, server.client() as client:
        assert count(client) == 2
        Releases(root).use(first.id)
        assert wait_until(lambda: count(client) == 1, seconds=1)


def test_damaged_neighbour_does_not_matter(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    first, second = publish(root, 1), publish(root, 2)
    (first.path / "manifest.json").write_text("x", encoding="utf-8")
    with run_server(root, tmp_path / "log") as server, server.client() as client:
        assert client.get("/health/ready").json()["release"] == second.id
        assert count(client) == 2
        assert count(client, release="2") == 2
        assert_problem(client.get("/sparql?query=ASK%7B%7D&release=1"), 503, "release-damaged")


def test_damaged_current_release_is_said_and_logged_once(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    publish(root, 1)
    second = publish(root, 2)
    sound = (second.path / "manifest.json").read_bytes()
    (second.path / "manifest.json").write_text("x", encoding="utf-8")
    with run_server(root, tmp_path / "log") as server, server.client() as client:
        problem = assert_problem(client.get("/health/ready"), 503, "release-damaged")
        assert "kg release use" in problem["detail"]
        assert_problem(client.get("/sparql", params={"query": COUNT}), 503, "release-damaged")
        time.sleep(1.2)
        (second.path / "manifest.json").write_bytes(sound)
        assert wait_until(lambda: client.get("/health/ready").status_code == 200, seconds=2)
        third = publish(root, 3)
        assert wait_until(lambda: count(client) == 3, seconds=2)
        (second.path / "manifest.json").write_text("x", encoding="utf-8")
        (root / ".elsewhere").symlink_to(second.id)
        (root / ".elsewhere").replace(root / "current")
        assert wait_until(lambda: "release-damaged" in client.get("/health/ready").json(), seconds=2)
        assert client.get("/health/ready").json()["release"] == third.id
        assert count(client) == 3
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert log.count("the current release cannot be used") == 2


def test_etag_names_release_and_request(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    first = publish(root, 1)
    with run_server(root, tmp_path / "log") as server, server.client() as client:

        def tag(**headers: str) -> httpx.Response:
            return client.get("/sparql", params={"query": COUNT}, headers=headers)

        etag = tag().headers["etag"]
        assert etag.startswith('"')
        assert tag().headers["etag"] == etag
        assert tag(Accept="text/csv").headers["etag"] != etag
        unchanged = tag(**{"If-None-Match": f'"other", W/{etag}'})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["etag"] == etag
        assert client.post("/sparql", data={"query": COUNT}).headers["etag"] == etag
        publish(root, 2)
        assert wait_until(lambda: tag(**{"If-None-Match": etag}).status_code == 200, seconds=1)
        assert tag().headers["etag"] != etag
        assert tag().headers["cache-control"] == "public, no-cache"
        named = client.get("/sparql", params={"query": COUNT, "release": first.id})
        assert named.headers["cache-control"] == "public, max-age=86400"


def test_answer_that_is_new_each_time_is_not_cached(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    publish(root, 1)
    with run_server(root, tmp_path / "log") as server, server.client() as client:
        for query in (
            "SELECT (NOW() AS ?x) {}",
            "SELECT (rand() AS ?x) {}",
            "SELECT (UUID() AS ?x) {}",
            "SELECT ?x { BIND(STRUUID() AS ?x) }",
            "SELECT (BNODE() AS ?x) {}",
            "CONSTRUCT { [] a ?o } WHERE { ?s ?p ?o }",
            "CONSTRUCT { _:b a ?o } WHERE { ?s ?p ?o }",
        ):
            response = client.get("/sparql", params={"query": query})
            assert response.status_code == 200
            assert "etag" not in response.headers
            assert response.headers["cache-control"] == "no-store"
        kept = client.get("/sparql", params={"query": "SELECT ('NOW()' AS ?rand) { } # UUID()"})
        assert "etag" in kept.headers


SLOW = (
    "PREFIX chap: <https://w3id.org/chap/def#> "
    "SELECT (COUNT(*) AS ?n) WHERE { ?a chap:value ?x . ?b chap:value ?y FILTER(?x + ?y >= 0) }"
)
ONE_WORKER = {"query_workers": 1, "query_long_after_s": 60, "query_timeout_s": 60, "query_queue_wait_s": 60}


def test_release_that_is_pruned_while_it_is_asked_answers_whole_or_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    old = publish(root, 1_000)
    publish(root, 1)
    with (
        run_server(root, tmp_path / "log", **ONE_WORKER) as server,
        server.client() as client,
        ThreadPoolExecutor(2) as threads,
    ):
        client.timeout = 60

        def ask(query: str) -> httpx.Response:
            return client.get("/sparql", params={"query": query, "release": old.id})

        def count_workers(name: str) -> int:
            return int(client.get("/health/ready").json()["pool"][name])

        # The one worker has it open from here on.
        assert ask("SELECT * {} LIMIT 1").status_code == 200
        running = threads.submit(ask, SLOW)
        assert wait_until(lambda: count_workers("idle") == 0, seconds=10)
        waiting = threads.submit(ask, COUNT)
        assert wait_until(lambda: count_workers("waiting") == 1 or running.done(), seconds=10)
        assert not running.done()
        assert [each.id for each in prune_releases(root, keep=1)] == [old.id]
        assert int(running.result().json()["results"]["bindings"][0]["n"]["value"]) == 1_000_000
        # It was found when it was there; the worker that has it open still reads it.
        assert waiting.result().status_code in (200, 410)
        assert_problem(ask("ASK {}"), 410, "release-pruned")


def test_release_that_is_pruned_before_a_worker_opens_it_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    old = publish(root, 3)
    publish(root, 2_000)
    with (
        run_server(root, tmp_path / "log", **ONE_WORKER) as server,
        server.client() as client,
        ThreadPoolExecutor(2) as threads,
    ):
        client.timeout = 60
        running = threads.submit(client.get, "/sparql", params={"query": SLOW})
        assert wait_until(lambda: client.get("/health/ready").json()["pool"]["idle"] == 0, seconds=10)
        waiting = threads.submit(client.get, "/sparql", params={"query": COUNT, "release": old.id})
        assert wait_until(lambda: client.get("/health/ready").json()["pool"]["waiting"] == 1, seconds=10)
        prune_releases(root, keep=1)
        assert_problem(waiting.result(), 410, "release-pruned")
        assert running.result().status_code == 200
