"""``python -m tests.bench``: the benchmarks, never part of the tests; figures are meant as ratios within one run."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import sparql
from tests.bench.peers import PEERS, find_missing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quads", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=8, help="length of each load")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()) / "chap-bench")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    data = sparql.prepare(options.directory, quads=options.quads)
    results = {}
    for name in options.peers:
        if missing := find_missing(name):
            print(f"left out: {missing}", file=sys.stderr)
            continue
        print(f"{name} ...", file=sys.stderr)
        results[name] = sparql.run_peer(name, data, seconds=options.seconds, organisations=options.quads // 40)
        print(results[name], file=sys.stderr)
    print(sparql.write_table(results, options.directory / "table.md"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
