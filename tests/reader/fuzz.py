"""Tries texts by the thousand: ``python -m tests.reader.fuzz CASES [FIRST]``."""

from __future__ import annotations

import random
import sys
from typing import Final

from endpoint.reader.parser import Unit
from tests.reader.differences import Tally, find_differences
from tests.reader.engine import run_engine
from tests.reader.listening import listen
from tests.reader.texts import Trap, make_text, way_count

UNITS: Final[tuple[Unit, Unit]] = ("QueryUnit", "UpdateUnit")


def main(cases: int, first: int) -> int:
    """Half queries, half updates; the number of differences."""
    found = 0
    with listen() as listener, run_engine() as engine:
        trap, tally = Trap(listener.url), Tally()
        for number in range(first, first + cases):
            unit = UNITS[number % 2]
            made = make_text(random.Random(number), unit, trap)
            for difference in find_differences(unit, made, engine, listener, tally):
                found += 1
                print(f"{number}: {difference}\n  {made.odd[len(trap.prologue) :]!r}")
        print(
            f"{cases} texts from {first} on: {found} differences; {dict(tally.outcomes)}; engine ended {engine.stopped}"
        )
        print(f"ways of the grammar in what was carried out: {len(tally.ways)} of {way_count()}")
        for refusal, count in tally.refusals.most_common(20):
            print(f"{count:6} {refusal[:100]!r}")
    return found


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0) > 0)
