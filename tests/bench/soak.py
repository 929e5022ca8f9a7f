"""``python -m tests.bench.soak``: 20,000 mixed queries against one server, and what they leave behind.

Look-ups, lists, errors, timeouts, big results, clients that leave, volatile and conditional requests come in a random
order that is the same each time. Every answer is checked. File descriptors and memory, of the server and of its
workers, are read whenever a tenth is over and nothing runs; the first tenth is the warm-up that the others are
compared with. Ends with status 1 when something grew by more than a tenth, or an answer was wrong.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import mean

import httpx

from tests.protocol.conftest import RunningServer, run_server
from tests.protocol.processes import count_descriptors, find_workers, resident_bytes, wait_until

__all__ = ["Sample", "Soaked", "soak"]

_TENTHS = 10
_TOLERATED = 1.10
_WORKERS = 4
# Small enough to be full when the warm-up ends: a cache that fills is no leak.
_SETTINGS = {
    "query_workers": _WORKERS,
    "query_long_workers": 2,
    "query_long_after_s": 1,
    "query_timeout_s": 5,
    "cache_mib": 2,
    "client_budget_s": 1_000_000,
}
_ENDLESS = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
_ALL = "SELECT * WHERE { ?s ?p ?o }"
_VOLATILE = ("NOW()", "RAND()", "UUID()", "STRUUID()", "BNODE()")
_ERRORS: Sequence[tuple[dict[str, str], dict[str, str], int]] = (
    ({"query": "SELEKT * {}"}, {}, 400),
    ({"query": "SELECT * { ?s ?p "}, {}, 400),
    ({"query": "ASK { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }"}, {}, 403),
    ({"query": "ASK {}"}, {"Accept": "image/png"}, 406),
    ({"update": "CLEAR ALL"}, {}, 401),
    ({"query": f"ASK {{ {'{' * 900}{'}' * 900} }}"}, {}, 400),
    ({"query": "ASK {}", "release": "9999-00000000"}, {}, 404),
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a server and its workers hold: descriptors, and resident memory in MiB (of workers: the mean of one)."""

    server_descriptors: int
    server_mib: float
    worker_descriptors: float
    worker_mib: float


@dataclass(frozen=True, kw_only=True)
class Soaked:
    """What came of it: a sample for each tenth, answers by kind and status, and answers that were wrong."""

    samples: Sequence[Sample]
    answers: Counter[str]
    wrong: Sequence[str]
    workers: int

    def growth(self, name: str) -> float:
        """The last two samples over the first one, for a field of the samples."""
        first, *_, last_but_one, last = (float(getattr(each, name)) for each in self.samples)
        return mean([last_but_one, last]) / first

    @property
    def is_well(self) -> bool:
        """Whether nothing grew, leaked or was answered wrongly."""
        grown = [each.name for each in fields(Sample) if self.growth(each.name) > _TOLERATED]
        return not grown and not self.wrong and self.workers == _WORKERS


class _Asker:
    """Asks questions of all kinds, and checks the answers."""

    def __init__(self, client: httpx.Client, things: Sequence[str]) -> None:
        self._client = client
        self._things = things
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._kinds: dict[Callable[[random.Random], tuple[int, set[int]]], float] = {
            self._look_up: 50,
            self._ask_again: 12,
            self._list: 12,
            self._read_page: 6,
            self._ask_conditionally: 8,
            self._err: 8,
            self._ask_anew: 4,
            self._ask_much: 0.7,
            self._leave: 0.3,
            self._ask_too_much: 0.4,
        }

    def ask(self, number: int) -> None:
        """Ask the question of a number; what it is depends on nothing else."""
        chance = random.Random(number)
        (kind,) = chance.choices(list(self._kinds), list(self._kinds.values()))
        try:
            status, expected = kind(chance)
        except httpx.TransportError as error:
            self.wrong.append(f"{kind.__name__} {number}: {error!r}")
            return
        name = kind.__name__.strip("_")
        self.answers[f"{name} {status}"] += 1
        if status not in expected:
            self.wrong.append(f"{name} {number}: {status}")

    def _get(self, query: str, **headers: str) -> httpx.Response:
        return self._client.get("/sparql", params={"query": query}, headers=headers)

    def _look_up(self, chance: random.Random) -> tuple[int, set[int]]:
        answer = self._get(f"SELECT ?p ?o WHERE {{ <{chance.choice(self._things)}> ?p ?o }} # {chance.random()}")
        is_empty = answer.status_code == 200 and not answer.json()["results"]["bindings"]
        return (0 if is_empty else answer.status_code), {200}

    def _ask_again(self, chance: random.Random) -> tuple[int, set[int]]:
        accept = chance.choice(["text/csv", "application/sparql-results+xml", "text/tab-separated-values"])
        return self._get("SELECT ?s WHERE { ?s a ?class } ORDER BY ?s LIMIT 50", Accept=accept).status_code, {200}

    def _list(self, chance: random.Random) -> tuple[int, set[int]]:
        query = f"SELECT ?s ?label WHERE {{ ?s ?label_of ?label }} LIMIT 200 OFFSET {chance.randrange(2_000)}"
        return self._client.post("/sparql", data={"query": query}).status_code, {200}

    def _read_page(self, chance: random.Random) -> tuple[int, set[int]]:
        path = chance.choice(["/", "/clusters", "/api/v1/hubs", "/health/ready", "/metrics", "/sparql"])
        language = chance.choice(["de", "en"])
        return self._client.get(path, headers={"Accept-Language": language}).status_code, {200}

    def _ask_conditionally(self, chance: random.Random) -> tuple[int, set[int]]:
        query = f"DESCRIBE <{chance.choice(self._things)}>"
        etag = self._get(query).headers["etag"]
        return self._get(query, **{"If-None-Match": etag}).status_code, {304}

    def _err(self, chance: random.Random) -> tuple[int, set[int]]:
        data, headers, status = chance.choice(_ERRORS)
        return self._client.post("/sparql", data=data, headers=headers).status_code, {status}

    def _ask_anew(self, chance: random.Random) -> tuple[int, set[int]]:
        return self._get(f"SELECT ({chance.choice(_VOLATILE)} AS ?x) {{}}").status_code, {200}

    def _ask_much(self, chance: random.Random) -> tuple[int, set[int]]:
        coding = chance.choice(["identity", "gzip", "zstd"])
        answer = self._get(f"{_ALL} # {chance.random()}", Accept="text/csv", **{"Accept-Encoding": coding})
        return (answer.status_code if len(answer.content) > 100_000 else 0), {200}

    def _leave(self, chance: random.Random) -> tuple[int, set[int]]:
        query = f"{_ENDLESS.replace('(COUNT(*) AS ?n)', '*')} # {chance.random()}"
        with self._client.stream("POST", "/sparql", data={"query": query}) as answer:
            if answer.status_code == 200:
                next(answer.iter_raw())
            elif answer.status_code != 503:
                self.wrong.append(answer.read().decode())
            return answer.status_code, {200, 503}

    def _ask_too_much(self, chance: random.Random) -> tuple[int, set[int]]:
        # 503: the places for long queries are taken.
        answer = self._client.post("/sparql", data={"query": f"{_ENDLESS} # {chance.random()}"})
        return answer.status_code, {503, 504}


def soak(server: RunningServer, *, queries: int = 20_000, clients: int = 3) -> Soaked:
    """What so many queries by so many clients at once do to a server with four workers."""
    pid = server.process.pid
    with server.client(limits=httpx.Limits(max_keepalive_connections=clients)) as client:
        found = client.get(
            "/sparql",
            params={"query": "SELECT DISTINCT ?s WHERE { ?s ?p ?o FILTER(ISIRI(?s)) }"},
            headers={"Accept": "text/csv"},
        )
        asker = _Asker(client, found.text.split()[1:])
        samples = []
        with ThreadPoolExecutor(clients) as threads:
            step = queries // _TENTHS
            for start in range(0, queries, step):
                for _ in threads.map(asker.ask, range(start, min(start + step, queries))):
                    pass
                samples.append(_take_sample(client, pid))
                print(f"{start + step:>6}  {samples[-1]}", file=sys.stderr, flush=True)
    return Soaked(samples=samples, answers=asker.answers, wrong=asker.wrong, workers=len(find_workers(pid)))


def _take_sample(client: httpx.Client, pid: int) -> Sample:
    def is_idle() -> bool:
        pool = client.get("/health/ready").json()["pool"]
        return bool(pool["idle"] == pool["workers"] == _WORKERS)

    assert wait_until(is_idle, seconds=10), client.get("/health/ready").text
    # The descriptors of connections that were closed go a moment later.
    time.sleep(0.5)
    workers = find_workers(pid)
    return Sample(
        server_descriptors=count_descriptors(pid),
        server_mib=round(resident_bytes(pid) / 2**20, 1),
        worker_descriptors=round(mean(count_descriptors(each) for each in workers), 1),
        worker_mib=round(mean(resident_bytes(each) for each in workers) / 2**20, 1),
    )


def main() -> int:
    """Run the soak and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--queries", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=3, help="that ask at the same time")
    parser.add_argument("--log", type=Path, help="where the log of the server is kept")
    parser.add_argument("--releases", type=Path, default=Path("releases"), help="directory with the release to serve")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        run_server(options.releases.resolve(), options.log or Path(directory) / "log", **_SETTINGS) as server,
    ):
        started = time.monotonic()
        soaked = soak(server, queries=options.queries, clients=options.clients)
        seconds = time.monotonic() - started
    print(f"{options.queries} queries in {seconds:.0f} s, {len(soaked.wrong)} wrong answers, {soaked.workers} workers")
    for answer, count in sorted(soaked.answers.items()):
        print(f"  {answer:<24}{count:>7}")
    for name, value in asdict(soaked.samples[0]).items():
        last = getattr(soaked.samples[-1], name)
        print(f"  {name:<24}{value:>8} -> {last:>8}  {100 * (soaked.growth(name) - 1):+.1f} %")
    print("\n".join(soaked.wrong[:20]), file=sys.stderr)
    return 0 if soaked.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
