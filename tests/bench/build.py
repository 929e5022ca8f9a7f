"""Time, peak memory and disk of making a release from a synthetic graph, and of making one again after a change.

    python -m tests.bench.build [SIZE]          SIZE counts the quads in named graphs; 1,000,000 when left out

Each step runs in a process of its own, so that each has its own peak.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kg.release import Release, Releases
from tests.bench.generate import OPEN_LICENCE, iter_quads

__all__ = ["Measured", "measure", "measure_build"]


@dataclass(frozen=True)
class Measured:
    """What one step took."""

    step: str
    seconds: float
    peak_mib: float

    def __str__(self) -> str:
        return f"{self.step:28} {self.seconds:7.1f} s   peak {self.peak_mib:6.0f} MiB"


def measure_build(root: Path, size: int) -> tuple[Measured, ...]:
    """The steps: generating alone, the first release, the same again, a second release with some new quads."""
    return (
        measure("generate, nothing else", _generate, root, size),
        measure("first release", _publish, root, size),
        measure("the same again", _publish, root, size),
        measure("a release with 1 % more", _publish, root, size + size // 100),
    )


def measure(step: str, action: Callable[..., None], *arguments: object) -> Measured:
    """What an action takes in a process of its own; loading the modules it needs first is not counted."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, peak_mib = pool.apply(_run, (action, arguments))
    return Measured(step, seconds, peak_mib)


def _run(action: Callable[..., None], arguments: tuple[object, ...]) -> tuple[float, float]:
    start = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _generate(_root: Path, size: int) -> None:
    for _ in iter_quads(size):
        pass


def _publish(root: Path, size: int) -> None:
    Releases(root).publish(
        quads=iter_quads(size), open_licences=[OPEN_LICENCE], manifest_extra={}, report_turtle=b"", prefixes={}
    )


def _size_mib(path: Path) -> float:
    return sum((Path(parent) / name).stat().st_size for parent, _, names in os.walk(path) for name in names) / 2**20


def _describe(release: Release) -> str:
    counts = release.manifest.counts
    lines = [f"{release.id}: {counts.quads:,} quads in {counts.graphs:,} graphs, {counts.triples:,} triples merged"]
    for path in (release.store_path, release.path / "dumps", release.changes_path):
        size_mib = _size_mib(path) if path.is_dir() else path.stat().st_size / 2**20
        lines.append(f"    {path.relative_to(release.path)!s:24} {size_mib:7.1f} MiB")
    return "\n".join(lines)


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="chap-bench-") as directory:
        root = Path(directory) / "releases"
        for step in measure_build(root, size):
            sys.stdout.write(f"{step}\n")
        for release in Releases(root).list():
            sys.stdout.write(f"{_describe(release)}\n")


if __name__ == "__main__":
    main()
