"""What remains of writes: after kills at random points, after very many of them, after a minute of many at once.

    python -m tests.bench.durability [--crashes 60] [--writes 1000] [--keep 20] [--seconds 60]

Ends with status 1 where a store was between two states, an acknowledged write was lost, or `kg doctor` complains.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx

from endpoint.writes.tokens import add_token
from kg.build import build
from kg.commit import WORKSPACE
from kg.manifest import UNCOMMITTED_NAME
from kg.settings import KgSettings
from tests.protocol.conftest import RunningServer, start_server
from tests.protocol.processes import find_workers, find_writer
from tests.writes.conftest import TURTLE, WRITTEN, run_writable
from tests.writes.counter import READERS, WRITERS, count_together

__all__ = ["crash"]

_GRAPH = f"{WRITTEN}crash"
_URL = f"/graph-store?graph={_GRAPH}"
# Said twice in a graph, and merged: a store that is between two states gives no row, or another one.
_QUERY = f"""SELECT ?here ?double ?merged {{
  GRAPH <{_GRAPH}> {{ <urn:x:crash> <urn:x:value> ?here ; <urn:x:double> ?double }}
  <urn:x:crash> <urn:x:value> ?merged
}}"""
_LONGEST_COMMIT_S = 0.01
_MIB = 2**20


@dataclass
class Crashed:
    """How far the writes had come that were killed, how many of them amid publishing, and all that should not be."""

    outcomes: Counter[str] = field(default_factory=Counter)
    amid_commit: int = 0
    problems: list[str] = field(default_factory=list)


def crash(releases_dir: Path, directory: Path, *, crashes: int, keep: int) -> Crashed:
    """What so many kills left behind: of the server, its writer and all else it runs, each during a write."""
    found = Crashed()
    tokens_path = directory / "tokens.json"
    token = add_token(tokens_path, name="crash", graphs=[], admin=True)
    chance = random.Random(1)
    present: int | None = None
    is_acknowledged = False
    longest_s = 0.0
    for number in range(crashes + 1):
        server = start_server(releases_dir, directory / "log", tokens_file=tokens_path)
        value = _read_value(server)
        if number:
            found.outcomes[_judge(value, present, number - 1, is_acknowledged, found.problems)] += 1
        present = value
        with ThreadPoolExecutor(1) as pool:
            if number < crashes:
                started = time.monotonic()
                answer = pool.submit(_put, server, number, token)
                if number == 0:
                    # It is left to end: so long may a write take after a start.
                    answer.result()
                    longest_s = time.monotonic() - started
                # Every second is killed while it is being published, the others at any moment.
                has_begun = number % 2 == 0 and _wait_for_commit(releases_dir, answer)
                time.sleep(chance.random() * (_LONGEST_COMMIT_S if has_begun else longest_s))
            # The server first, or it would tell the client of the writer's end.
            for pid in (server.process.pid, *find_workers(server.process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            server.process.wait()
            found.amid_commit += _is_amid_commit(releases_dir)
            is_acknowledged = number < crashes and answer.result()
        for command in (["doctor", "--repair"], ["release", "prune", "--keep", str(keep)]):
            if problem := _run_kg(*command, "--releases", str(releases_dir)):
                found.problems.append(f"after write {number}: {problem}")
    return found


def _judge(value: int | None, before: int | None, after: int, is_acknowledged: bool, problems: list[str]) -> str:
    if value not in (before, after) or (is_acknowledged and value != after):
        problems.append(f"write {after}: {value} is there, {before} was; acknowledged: {is_acknowledged}")
    if value != after:
        return "undone"
    return "acknowledged" if is_acknowledged else "published, and nobody was told"


def _put(server: RunningServer, number: int, token: str) -> bool:
    """Whether a write was acknowledged."""
    content = f"<urn:x:crash> <urn:x:value> {number} ; <urn:x:double> {2 * number} ."
    try:
        answer = httpx.put(
            server.url + _URL, content=content, headers={**TURTLE, "Authorization": f"Bearer {token}"}, timeout=60
        )
    except httpx.TransportError:
        return False
    answer.raise_for_status()
    return True


def _read_value(server: RunningServer) -> int | None:
    """The value in the store of a server; None where there is none yet.

    Raises:
        AssertionError: the store holds a part of a write.
    """
    with server.client() as client:
        rows = client.get("/sparql", params={"query": _QUERY}).raise_for_status().json()["results"]["bindings"]
    if not rows:
        return None
    (row,) = ({name: int(term["value"]) for name, term in each.items()} for each in rows)
    assert row == {"here": row["here"], "double": 2 * row["here"], "merged": row["here"]}, row
    return row["here"]


def _wait_for_commit(releases_dir: Path, answer: Future[bool]) -> bool:
    """Whether a release was seen that is all there and not published yet."""
    while not answer.done():
        if _is_amid_commit(releases_dir):
            return True
    return False


def _is_amid_commit(releases_dir: Path) -> bool:
    return any(releases_dir.glob(f"{WORKSPACE}*/release/{UNCOMMITTED_NAME}")) or any(
        releases_dir.glob(f"*/{UNCOMMITTED_NAME}")
    )


def _run_kg(*arguments: str) -> str:
    """What a command had to complain of."""
    done = subprocess.run(
        [sys.executable, "-m", "kg", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode else ""


def _churn(releases_dir: Path, directory: Path, *, writes: int, keep: int) -> None:
    """Write very often, with retention: what it writes to disk, and what is on disk in the end."""
    with run_writable(releases_dir, directory) as running, running.client(running.admin) as client:
        client.put(_URL, content="<urn:x:a> <urn:x:b> -1 .", headers=TURTLE).raise_for_status()
        writer = find_writer(running.server.process.pid)
        seconds, sent, growth = [], 0, []
        before, written = _disk_bytes(running.releases_dir), _written_bytes(writer)
        for number in range(writes):
            content = f"<urn:x:a> <urn:x:b> {number} ."
            sent += len(content)
            started = time.perf_counter()
            client.put(_URL, content=content, headers=TURTLE).raise_for_status()
            seconds.append(time.perf_counter() - started)
            if number % keep == keep - 1:
                complaint = _run_kg("release", "prune", "--keep", str(keep), "--releases", str(running.releases_dir))
                assert not complaint, complaint
                growth.append((_disk_bytes(running.releases_dir) - before) / _MIB)
        written = _written_bytes(writer) - written
        first, last = (median(part) for part in (seconds[: writes // 10], seconds[-writes // 10 :]))
    print(f"{writes:,} writes of one statement ({sent / writes:.0f} bytes), the newest {keep} releases kept:")
    print(
        f"  the writer wrote {written / writes / 1024:,.0f} KiB to disk a write, {written / sent:,.0f} times the body"
    )
    print(f"  disk: {before / _MIB:.0f} MiB before, {growth[0]:+.1f} MiB after {keep}, {growth[-1]:+.1f} in the end")
    print(f"  p50 of the first tenth {first * 1000:.0f} ms, of the last {last * 1000:.0f} ms", flush=True)


def _disk_bytes(directory: Path) -> int:
    """Blocks in use; what several releases share counts once."""
    stats = {each.stat().st_ino: each.stat().st_blocks for each in directory.rglob("*") if each.is_file()}
    return sum(stats.values()) * 512


def _written_bytes(pid: int) -> int:
    """What a process has caused to be written to disk so far."""
    (line,) = (each for each in Path(f"/proc/{pid}/io").read_text().splitlines() if each.startswith("write_bytes:"))
    return int(line.split()[1])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.durability", description=__doc__)
    parser.add_argument("--crashes", type=int, default=60)
    parser.add_argument("--writes", type=int, default=1_000)
    parser.add_argument("--keep", type=int, default=20, help="how many releases stay")
    parser.add_argument("--seconds", type=float, default=60, help="that many write and read at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chap-durability-") as name:
        directory = Path(name)
        releases_dir = build(KgSettings(releases_dir=directory / "releases")).release.path.parent
        for part in ("counted", "churned", "crashed"):
            (directory / part).mkdir()
        with run_writable(releases_dir, directory / "counted") as running:
            counted = count_together(running, seconds=options.seconds)
        print(
            f"{WRITERS} writers and {READERS} readers for {options.seconds:.0f} s: {counted.writes} writes, none lost; "
            f"{sum(counted.looks):,} looks, each at a whole release",
            flush=True,
        )
        _churn(releases_dir, directory / "churned", writes=options.writes, keep=options.keep)
        crashed = crash(releases_dir, directory / "crashed", crashes=options.crashes, keep=3)
    print(
        f"killed during {options.crashes} writes, {crashed.amid_commit} of them amid publishing: "
        f"{dict(crashed.outcomes)}; {len(crashed.problems)} problems"
    )
    print("\n".join(crashed.problems), file=sys.stderr)
    return 1 if crashed.problems else 0


if __name__ == "__main__":
    sys.exit(main())
