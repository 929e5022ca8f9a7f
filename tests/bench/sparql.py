"""The endpoint beside its peers, in one run, on one machine, over one data set; figures are ratios to `oxigraph serve`.

python -m tests.bench sparql [--quads 1000000] [--seconds 8] [--peers chap oxigraph rdflib-endpoint virtuoso]
"""

from __future__ import annotations

import gzip
import http.client
import json
import math
import shutil
import sys
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pyoxigraph as ox

from kg.build import build
from kg.queries import load_directory
from kg.release import Releases
from kg.settings import KgSettings
from kg.store import open_read_only
from tests.bench.generate import OPEN_LICENCE, iter_quads
from tests.bench.load import Measured, Runaways, measure
from tests.bench.peers import PEERS, Dataset, Peer, peak_memory_mib, processor_seconds

__all__ = ["Figures", "prepare", "prepare_shipped", "run_peer", "run_questions"]

_QUERIES = Path(__file__).parent / "queries"
_PATIENCE_S = 60.0
_TIMES = 5
_BASE = "https://w3id.org/chap/id/organisation/de-actor-"
# Of them no load of a minute asks more.
_DIFFERENT = 150_000


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
    idle_after_s: float = float("nan")
    questions_s: float = float("nan")
    questions_right: int = 0
    questions_asked: int = 0


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
        with gzip.open(release.path / "dumps" / "chap" / "chap.nt.gz") as packed, triples.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    return Dataset(releases_dir=releases_dir, store=release.store_path, triples=triples)


def prepare_shipped(directory: Path) -> Dataset:
    """The shipped data as a release, and all its quads, those of the default graph among them, as one file."""
    releases_dir, quads = directory / "releases-shipped", directory / "load-shipped" / "all.nq"
    release = build(KgSettings(releases_dir=releases_dir)).release
    quads.parent.mkdir(parents=True, exist_ok=True)
    store = open_read_only(release.store_path)
    with quads.open("wb") as output:
        store.dump(output, format=ox.RdfFormat.N_QUADS)
    return Dataset(releases_dir=releases_dir, store=release.store_path, triples=quads)


def run_peer(name: str, data: Dataset, *, seconds: float, organisations: int) -> Figures:
    """All workloads against one server, started for it and stopped after."""
    figures = Figures()
    lookups = _lookups(organisations)
    with PEERS[name](data) as peer:
        measure(peer, lookups[:500], seconds=2)
        figures.unique = measure(peer, lookups, seconds=seconds)
        figures.hot = measure(peer, lookups[:20], seconds=seconds)
        figures.heavy_s, _ = _time_often(peer, (_QUERIES / "heavy.rq").read_text(encoding="utf-8"))
        figures.stream_s, size = _time_often(peer, (_QUERIES / "stream.rq").read_text(encoding="utf-8"))
        figures.stream_mib = size / 2**20
        figures.server_mib = _own_memory_mib(peer.pid)
        figures.total_mib = peak_memory_mib(peer.pid)
        runaways = [path.read_text(encoding="utf-8") for path in sorted((_QUERIES / "runaway").glob("*.rq"))]
        # Look-ups that nobody has asked yet, so that no cache answers them.
        fresh = [f"{query} # again" for query in lookups]
        with Runaways(peer, [*runaways, "ASK {" + "{" * 9000 + "}" * 9000 + "}"]) as clients:
            time.sleep(1)
            figures.guarded = measure(peer, fresh, seconds=max(seconds, 40))
            clients.hang_up()
            figures.idle_after_s = _wait_idle(peer.pid, patience_s=60)
        figures.guarded_statuses = dict(sorted(clients.statuses.items()))
        figures.guarded_longest_s = clients.longest_s
    return figures


def run_questions(name: str, data: Dataset, questions: Path) -> tuple[float, int, int]:
    """Seconds for all questions on the shipped data, each asked a second time, how many were right, and of how many.

    Asking ends at the first that is not answered within a minute: the server may still be busy with it.
    """
    seconds, right = 0.0, 0
    stored = list(load_directory(questions))
    with PEERS[name](data) as peer:
        for query in stored:
            expected = (questions / f"{query.path.stem}.expected.tsv").read_text(encoding="utf-8").count("\n") - 1
            if math.isnan(_time(peer, query.text)[0]):
                break
            took, body = _fetch(peer, f"{query.text}\n# again, and not from a cache of results")
            seconds += took
            right += body is not None and len(json.loads(body)["results"]["bindings"]) == expected
    return seconds, right, len(stored)


def _lookups(organisations: int) -> list[str]:
    """More look-ups than a load asks, no two with the same text, so that no cache of results answers any."""
    template = (_QUERIES / "lookup.rq").read_text(encoding="utf-8")
    return [
        f"{template.replace('ORGANISATION', f'{_BASE}{number % organisations}')} # {number // organisations}"
        for number in range(_DIFFERENT)
    ]


def _fetch(peer: Peer, query: str) -> tuple[float, bytes | None]:
    """Seconds to the last byte, and the result; None for an error."""
    parts: list[bytes] = []
    seconds, _ = _time(peer, query, parts.append)
    return (0.0, None) if math.isnan(seconds) else (seconds, b"".join(parts))


def _time_often(peer: Peer, query: str) -> tuple[float, int]:
    """The median of some times, of a query that no cache has the result of; NaN where one was not answered."""
    times, size = [], 0
    for number in range(_TIMES):
        seconds, size = _time(peer, f"{query}\n# {number}")
        if math.isnan(seconds):
            return math.nan, size
        times.append(seconds)
    return median(times), size


def _time(peer: Peer, query: str, take: Callable[[bytes], object] = len) -> tuple[float, int]:
    """Seconds to the last byte (NaN for an error, or when none comes for a minute), and how many bytes came."""
    url = urllib.parse.urlsplit(peer.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=_PATIENCE_S)
    started, size = time.monotonic(), 0
    try:
        connection.request(
            "POST",
            target,
            urllib.parse.urlencode({"query": query}),
            {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/sparql-results+json"},
        )
        response = connection.getresponse()
        while chunk := response.read(1 << 20):
            size += len(chunk)
            take(chunk)
    except (OSError, http.client.HTTPException) as error:
        print(f"{peer.name}: {error!r}", file=sys.stderr)
        return math.nan, size
    finally:
        connection.close()
    return (time.monotonic() - started if response.status == 200 else math.nan), size


def _wait_idle(pid: int, *, patience_s: float) -> float:
    """Seconds until a server and its children use less than a twentieth of a core; NaN when that never comes."""
    started = time.monotonic()
    while time.monotonic() - started < patience_s:
        before, at = processor_seconds(pid), time.monotonic()
        time.sleep(0.25)
        if processor_seconds(pid) - before < 0.05 * (time.monotonic() - at):
            return at - started
    return float("nan")


def _own_memory_mib(pid: int) -> float:
    """High-water mark of the process that holds the listening socket: the parent's own child where it forks one."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
