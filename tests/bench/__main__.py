"""``python -m tests.bench``: the endpoint beside its peers, never part of the tests; ratios within a run."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.bench import sparql, table
from tests.bench.peers import PEERS, find_missing

_ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quads", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=8, help="length of each load")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()) / "chap-bench")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    data = sparql.prepare(options.directory, quads=options.quads)
    shipped = sparql.prepare_shipped(options.directory)
    results = {}
    for name in options.peers:
        if missing := find_missing(name):
            print(f"left out: {missing}", file=sys.stderr)
            continue
        print(f"{name} ...", file=sys.stderr)
        figures = sparql.run_peer(name, data, seconds=options.seconds, organisations=options.quads // 40)
        figures.questions_s, figures.questions_right, figures.questions_asked = sparql.run_questions(
            name, shipped, _ROOT / "ontology" / "questions"
        )
        print(figures, file=sys.stderr)
        results[name] = figures
    made = table.make_table(results)
    (options.directory / "table.md").write_text(made, encoding="utf-8")
    print(made)
    if options.readme:
        conditions = (
            f"{options.quads:,} quads, {os.cpu_count()} cores shared by server and clients, Python "
            f"{platform.python_version()}, pyoxigraph {version('pyoxigraph')}; (x) is the ratio to `oxigraph serve`."
        )
        table.write_into(_ROOT / "README.md", made, conditions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
