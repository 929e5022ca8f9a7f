"""``python -m tests.bench.history [--entries 100 10000 100000]``: what things cost when a history has become long.

Around one release of the shipped data a journal and a feed of so many publications (tests.bench.long_history). Times of
the server are medians in milliseconds over one connection, of answers that no cache gave; of commands, in seconds.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from statistics import median

import httpx

from kg.build import build
from kg.history import History
from kg.journal import load_journal
from kg.release import Releases
from kg.settings import KgSettings
from tests.bench.long_history import lengthen
from tests.protocol.conftest import start_server
from tests.writes.conftest import TURTLE, WRITTEN, comment, run_writable

__all__ = ["measure"]

_DOCUMENT = "/doc/organisation/de-holm"
_ROUNDS = 15
_WRITES = 5


def measure(origin: Path, directory: Path, entries: int) -> Mapping[str, float]:
    """What each thing costs in a directory with so many publications, in milliseconds."""
    root = directory / "origin"
    shutil.copytree(origin, root, symlinks=True)
    lengthen(root, entries)
    journal = load_journal(root / "journal.jsonl")
    current = Releases(root).current()
    assert current is not None
    middle = History(journal, [current.id]).publications[entries // 2]
    pruned = next(name for name in journal.releases if name != current.id)
    moment = {"Accept-Datetime": format_datetime(middle.moment, usegmt=True)}
    costs = {
        "kg release list": _time(lambda: _run("release", "list", "--releases", str(root)), 3),
        "server start": _time(lambda: _start(root, directory), 3),
    }
    with run_writable(root, directory, client_budget_s=1_000_000) as running, running.client() as client:
        numbers = count()

        def get(path: str, status: int, headers: Mapping[str, str] | None = None) -> Callable[[], object]:
            def ask() -> None:
                # Another address each time, so that no cache answers.
                answer = client.get(f"{path}{'&' if '?' in path else '?'}n={next(numbers)}", headers=headers)
                assert answer.status_code == status, answer.text

            return ask

        last_page = max(1, -(-sum(1 for each in journal if each.release == current.id) // 1000))
        asked = {
            "unknown ?release=": get("/sparql?query=ASK%7B%7D&release=999999-00000000", 404),
            "pruned ?release=": get(f"/sparql?query=ASK%7B%7D&release={pruned}", 410),
            "known ?release=": get(f"/sparql?query=ASK%7B%7D&release={current.id}", 200),
            "time gate": get(_DOCUMENT, 302, moment),
            "time map, first page": get(f"/timemap{_DOCUMENT}", 200),
            "time map, last page": get(f"/timemap{_DOCUMENT}?page={last_page}", 200),
            "releases, first page": get("/releases.json", 200),
            "releases, last page": get(f"/releases.json?page={-(-len(journal.releases) // 50)}", 200),
            "feed, root": get("/ldes", 200),
            "feed, page": get("/ldes/1", 200),
        }
        costs |= {name: _time(ask, _ROUNDS) for name, ask in asked.items()}
        costs["write"] = _time(_write(client), _WRITES)
    return costs


def _write(client: httpx.Client) -> Callable[[], object]:
    def put() -> None:
        text = comment(f"number {time.monotonic_ns()}")
        answer = client.put(f"/graph-store?graph={WRITTEN}holm-long", content=text, headers=TURTLE)
        assert answer.status_code in (201, 204), answer.text

    return put


def _start(root: Path, directory: Path) -> None:
    server = start_server(root, directory / "log")
    with server.client() as client:
        assert client.get("/health/ready").status_code == 200
    server.process.terminate()
    server.process.wait(30)


def _run(*arguments: str) -> None:
    subprocess.run([Path(sys.executable).with_name("kg"), *arguments], check=True, stdout=subprocess.DEVNULL)


def _time(act: Callable[[], object], rounds: int) -> float:
    """The median of some rounds, after one that does not count."""
    act()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        act()
        times.append((time.perf_counter() - start) * 1000)
    return median(times)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.history", description=__doc__)
    parser.add_argument("--entries", type=int, nargs="+", default=[100, 10_000, 100_000])
    entries: Sequence[int] = parser.parse_args().entries
    with tempfile.TemporaryDirectory(prefix="chap-history-") as name:
        origin = Path(name) / "releases"
        build(KgSettings(releases_dir=origin))
        columns = []
        for number in entries:
            directory = Path(name) / str(number)
            directory.mkdir()
            columns.append(measure(origin, directory, number))
    print(f"| milliseconds, with so many publications | {' | '.join(f'{each:,}' for each in entries)} |")
    print(f"|---|{'---:|' * len(entries)}")
    for what in columns[0]:
        print(f"| {what} | {' | '.join(f'{each[what]:,.1f}' for each in columns)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
