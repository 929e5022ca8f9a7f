"""A synthetic release as harvesters fetch it: time to first byte, speed, and the peak memory of the server's process.

    python -m tests.bench.harvest [--quads N] [--directory DIR]      1,000,000 quads when left out

The release is made once a directory and size. Dump, feed pages, catalogue and sitemap are fetched one after another
and then four at a time, each read to its end and thrown away, so what counts is the server.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import httpx

from kg.release import Releases
from tests.bench.generate import OPEN_LICENCE, iter_quads
from tests.protocol.conftest import RunningServer, run_server

__all__ = ["Fetched", "measure_harvest"]

_MIB = 1024 * 1024
_AT_ONCE = 4


@dataclass(frozen=True)
class Fetched:
    """One answer: its status, seconds to the first and to the last byte, bytes of the body as sent."""

    path: str
    status: int
    first_s: float
    last_s: float
    size: int


def measure_harvest(server: RunningServer) -> Iterator[str]:
    """Lines of a table: for each kind of document how fast it comes, and how large the server has become."""
    with server.client(follow_redirects=True) as client:
        groups = _find_documents(client)
        yield f"{'':34} answers  first byte (median, worst)     MiB/s   server now, peak"
        for at_once in (1, _AT_ONCE):
            for name, paths in groups.items():
                start = time.perf_counter()
                with ThreadPoolExecutor(at_once) as pool:
                    fetched = list(pool.map(lambda path: _fetch(client, path), paths * at_once))
                yield _describe(f"{name}, {at_once} at once", fetched, time.perf_counter() - start, server.process.pid)


def _find_documents(client: httpx.Client) -> dict[str, list[str]]:
    """What a harvester finds, by kind: up to twenty feed pages, spread over all; the dumps; pages of the catalogue."""
    listed = client.get("/ldes", headers={"Accept": "application/n-quads"})
    addresses = {part.strip("<>") for part in listed.text.split() if "/ldes/" in part and "#" not in part}
    pages = sorted(httpx.URL(each).path for each in addresses)
    dumps = client.get("/dumps/chap", headers={"Accept": "application/json"})
    files = [each["name"] for each in json.loads(dumps.text)["files"]] if dumps.status_code == 200 else []
    return {
        "feed root": ["/ldes"],
        "feed pages": pages[:: max(1, len(pages) // 20)],
        "dumps": [f"/dumps/chap/latest/{each}" for each in files],
        "catalogue": ["/catalog.ttl", "/catalog.jsonld", "/catalog.rdf", "/.well-known/void"],
        "sitemap": ["/sitemap.xml", "/sitemap-1.xml"],
    }


def _fetch(client: httpx.Client, path: str) -> Fetched:
    headers = {"Accept": "application/n-quads, text/turtle;q=0.9, */*;q=0.1", "Accept-Encoding": "identity"}
    start = time.perf_counter()
    size, first_s = 0, 0.0
    with client.stream("GET", path, headers=headers) as response:
        for chunk in response.iter_raw():
            first_s = first_s or time.perf_counter() - start
            size += len(chunk)
    return Fetched(path, response.status_code, first_s, time.perf_counter() - start, size)


def _describe(name: str, fetched: Sequence[Fetched], seconds: float, pid: int) -> str:
    if not fetched:
        return f"{name:34} there are none"
    failed = {each.path: each.status for each in fetched if each.status != 200}
    times = [each.first_s * 1000 for each in fetched]
    speed = sum(each.size for each in fetched) / _MIB / seconds
    return (
        f"{name:34} {len(fetched):7}  {statistics.median(times):8.1f} ms {max(times):8.1f} ms    {speed:8.1f}   "
        f"{_memory_mib(pid, 'VmRSS'):5.0f} MiB {_memory_mib(pid, 'VmHWM'):5.0f} MiB"
        f"{f'  FAILED {failed}' if failed else ''}"
    )


def _memory_mib(pid: int, name: str) -> float:
    """VmRSS, what a process has in use now, or VmHWM, the most it ever had (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (line,) = [each for each in lines if each.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024


def _publish(root: Path, size: int) -> str:
    start = time.perf_counter()
    Releases(root).publish(
        quads=iter_quads(size), open_licences=[OPEN_LICENCE], manifest_extra={}, report_turtle=b"", prefixes={}
    )
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"published {size:,} quads in {time.perf_counter() - start:.0f} s, peak {peak_mib:.0f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.harvest", description=__doc__)
    parser.add_argument("--quads", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()) / "chap-bench")
    options = parser.parse_args()
    root = options.directory / f"harvest-{options.quads}"
    if Releases(root).current_id() is None:
        # In a process of its own, so that its memory is not ours.
        with get_context("spawn").Pool(1) as pool:
            sys.stdout.write(pool.apply(_publish, (root, options.quads)) + "\n")
    with run_server(root, options.directory / "harvest.log") as server:
        for line in measure_harvest(server):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
