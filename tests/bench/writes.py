"""What a write costs, end to end over HTTP: one entity, validated and published, again and again.

    python -m tests.bench.writes [--writes 50] [--size 1000000]

On the shipped data and on copies of it that come to a size: time as a client sees it, where it goes by the server's
own account (`Server-Timing`), and what the same would take with pyshacl as the gate.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
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
_ENTITY = (
    "<https://w3id.org/chap/id/organisation/de-holm> <http://www.w3.org/2000/01/rdf-schema#comment> "
    '"number {number}"@en .'
)
_MOST_BYTES = 50_000_000
_STEP = re.compile(r"([\w-]+);dur=([\d.]+)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.writes", description=__doc__)
    parser.add_argument("--writes", type=int, default=50)
    parser.add_argument("--size", type=int, default=1_000_000, help="statements of the larger release")
    options = parser.parse_args()
    for label, publish in (
        ("shipped data", lambda directory: build(KgSettings(releases_dir=directory / "releases")).release),
        ("copies of it", lambda directory: publish_copies(directory, size=options.size)),
    ):
        with tempfile.TemporaryDirectory(prefix="chap-bench-") as name:
            _measure(label, Path(name), publish, writes=options.writes)


def _measure(label: str, directory: Path, publish: Callable[[Path], Release], *, writes: int) -> None:
    release = publish(directory)
    counts = release.manifest.counts
    stored = counts.quads + counts.triples
    (directory / "served").mkdir()
    with run_writable(release.path.parent, directory / "served") as running, running.client() as client:
        put = _Put(client)
        put(-1)
        seconds, steps = zip(*(put(number) for number in range(writes)), strict=True)
        changed = Releases(running.releases_dir).current()
        assert changed is not None
        gates = _time_gates(changed)
    print(f"{label}: {counts.quads:,} quads ({stored:,} stored), {writes} writes of one statement, one after another")
    print(f"  p50 {statistics.median(seconds) * 1000:.0f} ms, slowest {max(seconds) * 1000:.0f} ms", end="")
    print(f"; load {os.getloadavg()[0]:.1f}")
    medians = {step: statistics.median(each[step] for each in steps) for step in steps[0]}
    print("  " + ", ".join(f"{step} {milliseconds:.0f} ms" for step, milliseconds in medians.items()))
    print("  " + ", ".join(f"{name} {found_s * 1000:.0f} ms" for name, found_s in gates.items()), flush=True)


class _Put:
    """Puts one statement into a graph of its own."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __call__(self, number: int) -> tuple[float, Mapping[str, float]]:
        """How many seconds it took, and the milliseconds of each step."""
        started = time.perf_counter()
        response = self._client.put(
            f"/graph-store?graph={_GRAPH}", content=_ENTITY.format(number=number), headers=TURTLE
        )
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
