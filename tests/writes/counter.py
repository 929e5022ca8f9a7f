"""A counter that many add one to and many look at: nobody sees half a write, and no write is lost."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kg.release import Releases
from tests.writes.conftest import TURTLE, WRITTEN, Writable

__all__ = ["READERS", "WRITERS", "Counted", "count_together"]

WRITERS = 8
READERS = 16
GRAPH = WRITTEN + "holm-counter"
URL = f"/graph-store?graph={GRAPH}"
# A counter that is said twice: who sees the two differ, or one of them missing, saw half of a write.
QUERY = f"""SELECT ?here ?merged ?double {{
  GRAPH <{GRAPH}> {{ <urn:x:counter> <urn:x:value> ?here ; <urn:x:double> ?double }}
  <urn:x:counter> <urn:x:value> ?merged
}}"""


@dataclass(frozen=True)
class Counted:
    """How many writes were acknowledged, and how many looks each reader took."""

    writes: int
    looks: tuple[int, ...]


def count_together(running: Writable, *, seconds: float) -> Counted:
    """What came of some seconds of counting by writers and readers, once all of it was found to be right.

    Raises:
        AssertionError: a reader saw half a write or an error, a write was lost, or a release tells another story now.
    """
    with running.client() as client:
        assert client.put(URL, content=_document(0), headers=TURTLE).status_code == 201
    first = len(Releases(running.releases_dir).journal()) - 1
    stop = threading.Event()
    with ThreadPoolExecutor(WRITERS + READERS) as pool:
        writers = [pool.submit(_count_up, running, stop) for _ in range(WRITERS)]
        readers = [pool.submit(_watch, running, stop) for _ in range(READERS)]
        time.sleep(seconds)
        stop.set()
        written = sum(each.result() for each in writers)
        looks = tuple(each.result() for each in readers)
    with running.client() as client:
        value = _read_value(client.get(URL, headers={"Accept": "application/n-triples"}).text)
    assert value == written
    journal = Releases(running.releases_dir).journal()[first:]
    assert sum(entry.action == "write" for entry in journal) == written + 1
    _check_history(running, [entry.release for entry in journal if entry.action == "write"])
    return Counted(written, looks)


def _document(value: int) -> str:
    return f"<urn:x:counter> <urn:x:value> {value} ; <urn:x:double> {2 * value} ."


def _read_value(text: str) -> int:
    (line,) = [each for each in text.splitlines() if "<urn:x:value>" in each]
    return int(line.split('"')[1])


def _count_up(running: Writable, stop: threading.Event) -> int:
    """How often a writer added one, each time to what it had read."""
    done = 0
    with running.client() as client:
        while not stop.is_set():
            read = client.get(URL, headers={"Accept": "application/n-triples"})
            assert read.status_code == 200, read.text
            headers = {**TURTLE, "If-Match": read.headers["etag"]}
            response = client.put(URL, content=_document(_read_value(read.text) + 1), headers=headers)
            assert response.status_code in (204, 412), response.text
            done += response.status_code == 204
    return done


def _watch(running: Writable, stop: threading.Event) -> int:
    """How often a reader looked."""
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
    return seen


def _check_history(running: Writable, releases: list[str]) -> None:
    """A query of any release before gives that release's answer."""
    with running.server.client() as client:
        for value, release_id in enumerate(releases):
            response = client.get("/sparql", params={"query": QUERY, "release": release_id})
            (row,) = response.json()["results"]["bindings"]
            assert int(row["here"]["value"]) == value
            graph = client.get(URL, params={"graph": GRAPH, "release": release_id}, headers={"Accept": "text/turtle"})
            assert str(value) in graph.text
