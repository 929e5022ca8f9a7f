"""What a write costs, end to end over HTTP: one entity, validated and published, again and again.

    python -m tests.bench.writes [--writes 50] [--size 1000000 ...]

On the shipped data and on copies of it that come to some sizes: time as a client sees it, where it goes by the server's
own account (`Server-Timing`), and what the same would take with pyshacl as the gate. The same statement is written as a
document, as data of an update, and by patterns: `apply` is what it costs to find out and note what changes, whatever
else there is.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import httpx
import pyoxigraph as ox

from kg.build import build
from kg.release import Release, Releases
from kg.settings import KgSettings
from kg.store import open_read_only
from kg.validate import extract_change
from kg.validation import native, second
from kg.validation.shapes import load_shapes
from tests.bench.copies import publish_copies
from tests.writes.conftest import TURTLE, WRITTEN, run_writable

__all__ = ["main"]

_GRAPH = f"{WRITTEN}holm-bench"
_OTHER = "https://w3id.org/chap/graph/source-dewiki-holm"
_SUBJECT = "<https://w3id.org/chap/id/organisation/de-holm> <http://www.w3.org/2000/01/rdf-schema#comment>"
_STATEMENT = f'{_SUBJECT} "number NOW"@en .'
_UPDATES = {
    "PUT of a document": _STATEMENT,
    "data": f"INSERT DATA {{ GRAPH <{_GRAPH}> {{ {_STATEMENT} }} }} ; "
    f'DELETE DATA {{ GRAPH <{_GRAPH}> {{ {_SUBJECT} "number BEFORE"@en }} }}',
    "a pattern": f"WITH <{_GRAPH}> DELETE {{ ?s ?p ?o }} INSERT {{ {_STATEMENT} }} WHERE {{ ?s ?p ?o }}",
    "a pattern that names another graph": f"DELETE {{ GRAPH <{_GRAPH}> {{ ?s ?p ?o }} "
    f"GRAPH <{_OTHER}> {{ ?s ?p ?o }} }} INSERT {{ GRAPH <{_GRAPH}> {{ {_STATEMENT} }} }} "
    f"WHERE {{ GRAPH <{_GRAPH}> {{ ?s ?p ?o }} }}",
}
_UPDATE = {"Content-Type": "application/sparql-update"}
_MOST_BYTES = 50_000_000
_STEP = re.compile(r"([\w-]+);dur=([\d.]+)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.writes", description=__doc__)
    parser.add_argument("--writes", type=int, default=50)
    parser.add_argument("--size", type=int, nargs="*", default=[1_000_000], help="statements of larger releases")
    options = parser.parse_args()
    for size in (0, *options.size):
        with tempfile.TemporaryDirectory(prefix="chap-bench-") as name:
            _measure("copies of it" if size else "shipped data", Path(name), partial(_publish, size), options.writes)


def _publish(size: int, directory: Path) -> Release:
    if size:
        return publish_copies(directory, size=size)
    return build(KgSettings(releases_dir=directory / "releases")).release


def _measure(label: str, directory: Path, publish: Callable[[Path], Release], writes: int) -> None:
    release = publish(directory)
    counts = release.manifest.counts
    stored = counts.quads + counts.triples
    (directory / "served").mkdir()
    with run_writable(release.path.parent, directory / "served") as running, running.client() as client:
        found = {}
        for name, text in _UPDATES.items():
            write = _Write(client, text)
            write(-1)
            found[name] = [write(number) for number in range(writes)]
        changed = Releases(running.releases_dir).current()
        assert changed is not None
        gates = _time_gates(changed)
    print(f"{label}: {counts.quads:,} quads ({stored:,} stored), {writes} writes of one statement, one after another")
    for name, taken in found.items():
        seconds, steps = zip(*taken, strict=True)
        print(f"  {name}: p50 {statistics.median(seconds) * 1000:.0f} ms, slowest {max(seconds) * 1000:.0f} ms")
        medians = {step: statistics.median(each[step] for each in steps) for step in steps[0]}
        print("    " + ", ".join(f"{step} {milliseconds:.1f} ms" for step, milliseconds in medians.items()))
    print("  " + ", ".join(f"{name} {found_s * 1000:.0f} ms" for name, found_s in gates.items()), end="")
    print(f"; load {os.getloadavg()[0]:.1f}", flush=True)


class _Write:
    """Writes one statement into a graph of its own, which holds no others: as a document, or by an update."""

    def __init__(self, client: httpx.Client, text: str) -> None:
        self._client = client
        self._text = text

    def __call__(self, number: int) -> tuple[float, Mapping[str, float]]:
        """How many seconds it took, and the milliseconds of each step."""
        text = self._text.replace("NOW", str(number)).replace("BEFORE", str(number - 1))
        started = time.perf_counter()
        if text.startswith("<"):
            response = self._client.put(f"/graph-store?graph={_GRAPH}", content=text, headers=TURTLE)
        else:
            response = self._client.post("/sparql", content=text, headers=_UPDATE)
        seconds = time.perf_counter() - started
        response.raise_for_status()
        return seconds, {name: float(value) for name, value in _STEP.findall(response.headers["server-timing"])}


def _time_gates(release: Release) -> Mapping[str, float]:
    """Seconds of either engine over what the change reaches, and over all that is stored."""
    settings = KgSettings()
    constraints = load_shapes(settings.shapes_dir, settings.ontology_dir).constraints
    store = open_read_only(release.store_path)
    changed = [*store.quads_for_pattern(None, None, None, ox.NamedNode(_GRAPH))]
    around = extract_change(store, changed, shapes_dir=settings.shapes_dir, ontology_dir=settings.ontology_dir)
    assert around is not None
    with tempfile.TemporaryDirectory(prefix="chap-gate-") as name:
        part, whole = Path(name) / "part.nq", Path(name) / "whole.nq"
        for data, path in ((around.data, part), (store, whole)):
            data.dump(str(path), format=ox.RdfFormat.N_TRIPLES, from_graph=ox.DefaultGraph())
        found = {}
        for scope, path in (("what it reaches", part), ("everything", whole)):
            # Beyond some size the slow one takes minutes; python -m tests.bench.validate compares them.
            for engine in (native, second) if path.stat().st_size < _MOST_BYTES else (native,):
                started = time.perf_counter()
                engine.find(path, constraints)
                found[f"{engine.NAME} over {scope}"] = time.perf_counter() - started
        return found


if __name__ == "__main__":
    main()
