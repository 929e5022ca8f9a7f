"""The gate's SHACL engine beside pyshacl: the shipped data by both, then copies of it up to a size by the gate's alone.

    python -m tests.bench.validate [SIZE]          SIZE counts statements; 1,000,000 when left out

Time and peak memory of a whole opinion, from a file of N-Quads to findings, each in a process of its own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from kg.settings import KgSettings
from kg.validation import native, second
from kg.validation.shapes import load_shapes
from tests.bench.build import Measured, measure
from tests.bench.copies import write_copies, write_shipped

__all__ = ["main"]

_RUNS = 3


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    settings = KgSettings()
    constraints = load_shapes(settings.shapes_dir, settings.ontology_dir).constraints
    with tempfile.TemporaryDirectory(prefix="chap-bench-") as directory:
        shipped, copied = Path(directory) / "shipped.nq", Path(directory) / "copied.nq"
        shipped_number = write_shipped(shipped)
        number = write_copies(shipped, copied, size)
        sys.stdout.write(f"shipped: {shipped_number:,} statements; copied: {number:,}; best of {_RUNS}\n")
        gate = _best(f"{native.NAME}, shipped", "native", shipped, constraints)
        other = _best(f"{second.NAME}, shipped", "second", shipped, constraints)
        large = _best(f"{native.NAME}, copied", "native", copied, constraints)
        for step in (gate, other, large):
            sys.stdout.write(f"{step}\n")
        sys.stdout.write(f"{native.NAME} is {other.seconds / gate.seconds:.0f} times as fast as {second.NAME}\n")


def _best(step: str, engine: str, path: Path, constraints: str) -> Measured:
    runs = [measure(step, find, engine, path, constraints) for _ in range(_RUNS)]
    return min(runs, key=lambda run: run.seconds)


def find(engine: str, path: Path, constraints: str) -> None:
    """One opinion; the name of the engine, since a process is started with words and not with functions."""
    (native if engine == "native" else second).find(path, constraints)


if __name__ == "__main__":
    main()
