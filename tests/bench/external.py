"""The competency questions asked of this server with its own store, and with other engines behind it.

``python -m tests.bench.external``: seconds for each question, the fastest of some times, as a table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kg.build import build
from kg.queries import load_directory
from kg.settings import KgSettings
from tests.bench.table import write_into
from tests.external.engines import Engine, publish, run_oxigraph, start_virtuoso
from tests.external.values import read_rows
from tests.protocol.conftest import run_server
from tests.servers import INSTALL, find_command

__all__ = ["make_table", "measure"]

_ROOT = Path(__file__).parents[2]
_QUESTIONS = _ROOT / "ontology" / "questions"
_TIMES = 5
_MARK = "questions"


def measure(releases_dir: Path, directory: Path) -> dict[str, dict[str, tuple[float, int]]]:
    """Seconds and rows of each question, by engine; engines that are not installed are left out."""
    results = {"embedded store": _ask_all(releases_dir, directory / "embedded.log")}
    for name, command in (("Oxigraph", "oxigraph"), ("Virtuoso", "virtuoso-t")):
        if find_command(command) is None:
            print(f"left out: {name} ({INSTALL[command]})", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory(prefix=f"chap-{command}-") as home, _start(name, Path(home)) as engine:
            done = publish(engine, releases_dir)
            if done.returncode:
                raise RuntimeError(done.stderr)
            results[name] = _ask_all(releases_dir, directory / f"{name}.log", remote_sparql_url=engine.query_url)
    return results


@contextmanager
def _start(name: str, home: Path) -> Iterator[Engine]:
    with (run_oxigraph if name == "Oxigraph" else start_virtuoso)(home / "store") as engine:
        yield engine


def make_table(results: Mapping[str, Mapping[str, tuple[float, int]]]) -> str:
    """One row a question, one column an engine; the last row is the sum."""
    questions = list(next(iter(results.values())))
    lines = ["| question | rows | " + " | ".join(results) + " |", "|---|---:|" + "---:|" * len(results)]
    for question in questions:
        found = [each[question] for each in results.values()]
        rows = " / ".join(dict.fromkeys(str(number) for _, number in found))
        lines.append(
            f"| {question} | {rows} | " + " | ".join(f"{seconds * 1000:.0f} ms" for seconds, _ in found) + " |"
        )
    sums = [sum(seconds for seconds, _ in each.values()) for each in results.values()]
    lines.append("| all | | " + " | ".join(f"{each * 1000:.0f} ms" for each in sums) + " |")
    return "\n".join(lines) + "\n"


def _ask_all(releases_dir: Path, log_path: Path, **settings: object) -> dict[str, tuple[float, int]]:
    """Of each question the shortest time to the last byte, and the rows; no answer comes from a cache."""
    found = {}
    with ExitStack() as stack:
        server = stack.enter_context(run_server(releases_dir, log_path, **settings))
        client = stack.enter_context(server.client())
        for query in load_directory(_QUESTIONS):
            times, rows = [], 0
            for number in range(_TIMES):
                started = time.perf_counter()
                response = client.post("/sparql", data={"query": f"{query.text}\n# {number}"})
                response.raise_for_status()
                times.append(time.perf_counter() - started)
                rows = len(read_rows(response.json()))
            found[query.id] = (min(times), rows)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.external", description=__doc__)
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chap-external-") as directory:
        releases_dir = Path(directory) / "releases"
        build(KgSettings(releases_dir=releases_dir))
        table = make_table(measure(releases_dir, Path(directory)))
    print(table)
    if options.readme:
        conditions = f"The shipped data, through this server, the fastest of {_TIMES}; both on one machine."
        write_into(_ROOT / "README.md", table, conditions, mark=_MARK)
    return 0


if __name__ == "__main__":
    sys.exit(main())
