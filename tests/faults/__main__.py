"""Every fault at every step of every change: ``python -m tests.faults [--all] [CHANGE ...]``.

Ends with status 1 where something is wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.changes import CHANGES
from tests.faults.mount import find_obstacle, mount_disk
from tests.faults.trials import choose_steps, list_faults, open_bench


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("changes", nargs="*", metavar="CHANGE", help=", ".join(each.name for each in CHANGES))
    parser.add_argument("--all", action="store_true", help="each step, not only the first and last of those alike")
    options = parser.parse_args()
    if obstacle := find_obstacle():
        sys.exit(obstacle)
    wrong = points = missed = 0
    with tempfile.TemporaryDirectory(prefix="chap-faults-", dir="/dev/shm") as name:
        scratch = Path(name)
        with mount_disk(scratch) as disk, open_bench(disk, scratch) as bench:
            for change in options.changes or [each.name for each in CHANGES]:
                started = time.monotonic()
                base = bench.base(change)
                found = []
                faults = list_faults(base.steps if options.all else choose_steps(base.steps))
                for fault in faults:
                    found += bench.try_fault(change, fault)
                losses = list(bench.try_losses(change))
                found += [each for problems in losses for each in problems]
                print("\n".join(found))
                missed = bench.missed
                points += len(faults) + len(losses)
                wrong += len(found)
                print(
                    f"{change}: {len(base.steps)} steps, {len(faults)} faults, {len(losses)} losses of power: "
                    f"{len(found)} wrong ({time.monotonic() - started:.0f} s)",
                    flush=True,
                )
    print(f"{points} injections, {missed} of them at steps that did not come again: {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
