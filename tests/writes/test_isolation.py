"""Many writers and many readers at once: nobody sees half a write, and no write is lost."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from kg.release import Releases
from tests.writes.conftest import TURTLE, WRITTEN, Writable, run_writable

WRITERS = 8
READERS = 16
SECONDS = 20.0
GRAPH = WRITTEN + "holm-counter"
URL = f"/graph-store?graph={GRAPH}"
# A counter that is said twice: who sees the two differ, or one of them missing, saw half of a write.
QUERY = f"""SELECT ?here ?merged ?double {{
  GRAPH <{GRAPH}> {{ <urn:x:counter> <urn:x:value> ?here ; <urn:x:double> ?double }}
  <urn:x:counter> <urn:x:value> ?merged
}}"""


def document(value: int) -> str:
    return f"<urn:x:counter> <urn:x:value> {value} ; <urn:x:double> {2 * value} ."


def read_value(text: str) -> int:
    (line,) = [each for each in text.splitlines() if "<urn:x:value>" in each]
    return int(line.split('"')[1])


def count_up(running: Writable, stop: threading.Event) -> int:
    """How often a writer added one, each time to what it had read."""
    done = 0
    with running.client() as client:
        while not stop.is_set():
            read = client.get(URL, headers={"Accept": "application/n-triples"})
            assert read.status_code == 200, read.text
            headers = {**TURTLE, "If-Match": read.headers["etag"]}
            response = client.put(URL, content=document(read_value(read.text) + 1), headers=headers)
            assert response.status_code in (204, 412), response.text
            done += response.status_code == 204
    return done


def watch(running: Writable, stop: threading.Event) -> tuple[int, int]:
    """How often a reader looked, and the last value that it saw."""
    seen, last = 0, -1
    with running.server.client() as client:
        while not stop.is_set():
            response = client.get("/sparql", params={"query": QUERY})
            assert response.status_code == 200, response.text
            (row,) = response.json()["results"]["bindings"]
            here, merged, double = (int(row[name]["value"]) for name in ("here", "merged", "double"))
            assert here == merged
            assert double == 2 * here
            # Time does not run backwards.
            assert here >= last
            last = here
            seen += 1
            time.sleep(0.01)
    return seen, last


def test_readers_see_whole_releases_and_no_update_is_lost(releases_dir: Path, tmp_path: Path) -> None:
    with run_writable(releases_dir, tmp_path) as running:
        with running.client() as client:
            assert client.put(URL, content=document(0), headers=TURTLE).status_code == 201
        stop = threading.Event()
        with ThreadPoolExecutor(WRITERS + READERS) as pool:
            writers = [pool.submit(count_up, running, stop) for _ in range(WRITERS)]
            readers = [pool.submit(watch, running, stop) for _ in range(READERS)]
            time.sleep(SECONDS)
            stop.set()
            written = sum(each.result() for each in writers)
            seen = [each.result() for each in readers]
        with running.client() as client:
            value = read_value(client.get(URL, headers={"Accept": "application/n-triples"}).text)
        assert value == written
        assert written > 1
        assert all(looks > 1 for looks, _ in seen)
        journal = Releases(running.releases_dir).journal()
        assert sum(entry.action == "write" for entry in journal) == written + 1
        _check_history(running, [entry.release for entry in journal][1:])


def _check_history(running: Writable, releases: list[str]) -> None:
    """A query of any release before gives that release's answer."""
    with running.server.client() as client:
        for value, release_id in enumerate(releases):
            response = client.get("/sparql", params={"query": QUERY, "release": release_id})
            (row,) = response.json()["results"]["bindings"]
            assert int(row["here"]["value"]) == value
            graph = client.get(URL, params={"graph": GRAPH, "release": release_id}, headers={"Accept": "text/turtle"})
            assert str(value) in graph.text


def test_client_that_leaves_loses_no_write_of_others(writable: Writable) -> None:
    with writable.client() as client, httpx.Client(base_url=writable.server.url, timeout=0.05) as hasty:
        url = f"/graph-store?graph={WRITTEN}holm-hasty"
        headers = {**TURTLE, "Authorization": f"Bearer {writable.holm}"}
        for number in range(3):
            try:
                hasty.put(url, content=f"<urn:x:a> <urn:x:b> {number} .", headers=headers)
            except httpx.TimeoutException:
                continue
        assert client.put(url, content="<urn:x:a> <urn:x:b> 9 .", headers=headers).status_code in (201, 204)
        assert "9" in client.get(url).text
