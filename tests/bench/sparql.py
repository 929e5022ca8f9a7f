"""The endpoint beside its peers, in one run, on one machine, over one data set; figures are ratios to `oxigraph serve`.

python -m tests.bench sparql [--quads 1000000] [--seconds 8] [--peers chap oxigraph rdflib-endpoint virtuoso]
"""

from __future__ import annotations

import gzip
import http.client
import math
import shutil
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from kg.queries import load_directory
from kg.release import Releases
from tests.bench.generate import OPEN_LICENCE, iter_quads
from tests.bench.load import Measured, Runaways, measure
from tests.bench.peers import PEERS, Dataset, Peer, peak_memory_mib

__all__ = ["Figures", "prepare", "run_peer", "write_table"]

_QUERIES = Path(__file__).parent / "queries"
_BASE = "https://w3id.org/chap/id/organisation/de-actor-"


@dataclass
class Figures:
    """What one server did; times in seconds, memory in MiB."""

    unique: Measured | None = None
    hot: Measured | None = None
    heavy_s: float = float("nan")
    stream_s: float = float("nan")
    stream_mib: float = float("nan")
    server_mib: float = float("nan")
    total_mib: float = float("nan")
    guarded: Measured | None = None
    guarded_statuses: dict[str, int] = field(default_factory=dict)
    guarded_longest_s: float = float("nan")


def prepare(directory: Path, *, quads: int) -> Dataset:
    """A release of synthetic quads, and its default graph as N-Triples for the servers that load files."""
    releases_dir = directory / f"releases-{quads}"
    triples = directory / f"load-{quads}" / "default.nt"
    releases = Releases(releases_dir)
    if releases.current() is None:
        releases.publish(
            quads=iter_quads(quads), open_licences=[OPEN_LICENCE], manifest_extra={}, report_turtle=b"", prefixes={}
        )
    release = releases.get("current")
    if not triples.exists():
        triples.parent.mkdir(parents=True)
        with gzip.open(release.turtle_dump_path) as packed, triples.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    return Dataset(releases_dir=releases_dir, store=release.store_path, triples=triples)


def run_peer(name: str, data: Dataset, *, seconds: float, organisations: int) -> Figures:
    """All workloads against one server, started for it and stopped after."""
    figures = Figures()
    lookups = _lookups(organisations)
    with PEERS[name](data) as peer:
        measure(peer, lookups[:500], seconds=2)
        figures.unique = measure(peer, lookups, seconds=seconds)
        figures.hot = measure(peer, lookups[:20], seconds=seconds)
        figures.heavy_s = _time(peer, (_QUERIES / "heavy.rq").read_text(encoding="utf-8"))[0]
        figures.stream_s, size = _time(peer, (_QUERIES / "stream.rq").read_text(encoding="utf-8"))
        figures.stream_mib = size / 2**20
        figures.server_mib = _own_memory_mib(peer.pid)
        figures.total_mib = peak_memory_mib(peer.pid)
        runaways = [path.read_text(encoding="utf-8") for path in sorted((_QUERIES / "runaway").glob("*.rq"))]
        with Runaways(peer, [*runaways, "ASK {" + "{" * 9000 + "}" * 9000 + "}"]) as clients:
            time.sleep(1)
            figures.guarded = measure(peer, lookups[1000:], seconds=max(seconds, 15))
        figures.guarded_statuses = dict(clients.statuses)
        figures.guarded_longest_s = clients.longest_s
    return figures


def time_questions(peer: Peer, questions: Path) -> dict[str, float]:
    """Seconds for each competency question, the second time asked."""
    found = {}
    for query in load_directory(questions):
        _time(peer, query.text)
        found[query.id] = _time(peer, query.text)[0]
    return found


def write_table(results: dict[str, Figures], path: Path) -> str:
    """The figures as a Markdown table, also written to a file."""
    base = results.get("oxigraph")

    def row(label: str, value, unit: str, *, higher: bool) -> str:  # type: ignore[no-untyped-def]
        cells = []
        for figures in results.values():
            own = value(figures)
            reference = value(base) if base else None
            ratio = f" ({(own / reference if higher else reference / own):.2f}x)" if reference and own else ""
            cells.append("-" if math.isnan(own) else f"{own:,.1f} {unit}{ratio}")
        return f"| {label} | " + " | ".join(cells) + " |"

    def rate(which: str):  # type: ignore[no-untyped-def]
        return lambda figures: getattr(getattr(figures, which), "per_second", float("nan"))

    lines = [
        "| workload | " + " | ".join(results) + " |",
        "|---|" + "---:|" * len(results),
        row("small unique look-ups", rate("unique"), "/s", higher=True),
        row("the same 20, repeated", rate("hot"), "/s", higher=True),
        row("p99 of unique look-ups", lambda f: f.unique.p99_ms if f.unique else float("nan"), "ms", higher=False),
        row("heavy aggregation", lambda f: f.heavy_s, "s", higher=False),
        row("result of about 100 MB, streamed", lambda f: f.stream_s, "s", higher=False),
        row("peak memory of the serving process", lambda f: f.server_mib, "MiB", higher=False),
        row("peak memory with children", lambda f: f.total_mib, "MiB", higher=False),
        row("look-ups beside four runaways", rate("guarded"), "/s", higher=True),
        row("their p99", lambda f: f.guarded.p99_ms if f.guarded else float("nan"), "ms", higher=False),
        row("their failures", lambda f: float(f.guarded.errors) if f.guarded else float("nan"), "", higher=False),
    ]
    table = "\n".join(lines) + "\n"
    path.write_text(table, encoding="utf-8")
    return table


def _lookups(organisations: int) -> list[str]:
    template = (_QUERIES / "lookup.rq").read_text(encoding="utf-8")
    step = max(1, organisations // 40_000)
    return [template.replace("ORGANISATION", f"{_BASE}{number}") for number in range(0, organisations, step)]


def _time(peer: Peer, query: str) -> tuple[float, int]:
    """Seconds to the last byte, and how many bytes came."""
    url = urllib.parse.urlsplit(peer.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=600)
    started, size = time.monotonic(), 0
    connection.request(
        "POST",
        target,
        urllib.parse.urlencode({"query": query}),
        {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/sparql-results+json"},
    )
    response = connection.getresponse()
    while chunk := response.read(1 << 20):
        size += len(chunk)
    connection.close()
    if response.status != 200:
        return float("nan"), size
    return time.monotonic() - started, size


def _own_memory_mib(pid: int) -> float:
    """High-water mark of the process that holds the listening socket: the parent's own child where it forks one."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
