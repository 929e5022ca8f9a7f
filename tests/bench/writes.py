"""What a write costs, end to end over HTTP: one entity, validated and published, again and again.

    python -m tests.bench.writes [WRITES]          50 when left out

Time as a client sees it, processor time of the writer, and how much each release takes on disk.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from kg.build import build
from kg.release import Releases
from kg.settings import KgSettings
from tests.protocol.processes import find_workers
from tests.writes.conftest import TURTLE, WRITTEN, run_writable

__all__ = ["main"]

_ENTITY = """<https://w3id.org/chap/id/organisation/de-holm>
    <http://www.w3.org/2000/01/rdf-schema#comment> "number {number}"@en ."""


def main() -> None:
    writes = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory(prefix="chap-bench-") as name:
        directory = Path(name)
        quads = build(KgSettings(releases_dir=directory / "built")).release.manifest.counts.quads
        (directory / "served").mkdir()
        with run_writable(directory / "built", directory / "served") as running, running.client() as client:
            url = f"/graph-store?graph={WRITTEN}holm-bench"
            client.put(url, content=_ENTITY.format(number=-1), headers=TURTLE).raise_for_status()
            writer = next(filter(_is_writer, find_workers(running.server.process.pid)))
            size, processor_s = _disk_bytes(running.releases_dir), _processor_s(writer)
            seconds = []
            for number in range(writes):
                started = time.perf_counter()
                client.put(url, content=_ENTITY.format(number=number), headers=TURTLE).raise_for_status()
                seconds.append(time.perf_counter() - started)
            processor_s = _processor_s(writer) - processor_s
            made = sum(entry.action == "write" for entry in Releases(running.releases_dir).journal()) - 1
            grown = _disk_bytes(running.releases_dir) - size
    sys.stdout.write(
        f"{made} writes of one statement to {quads:,} quads, one after another\n"
        f"p50 {statistics.median(seconds) * 1000:.0f} ms, slowest {max(seconds) * 1000:.0f} ms, "
        f"of it processor time of the writer {processor_s / made * 1000:.0f} ms; load {os.getloadavg()[0]:.1f}\n"
        f"{grown / made / 1024:.0f} KiB of disk a release, what was completed in between included\n"
    )


def _disk_bytes(directory: Path) -> int:
    """Blocks in use; what several releases share counts once."""
    stats = {(each.stat().st_ino): each.stat().st_blocks for each in directory.rglob("*") if each.is_file()}
    return sum(stats.values()) * 512


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_writer(pid: int) -> bool:
    return "endpoint.writes.worker" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
