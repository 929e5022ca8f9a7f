"""The figures of one run as a Markdown table: each with its ratio to `oxigraph serve`, larger is better."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bench.load import Measured
from tests.bench.sparql import Figures

__all__ = ["make_table", "write_into"]

_REFERENCE = "oxigraph"


def make_table(results: Mapping[str, Figures]) -> str:
    """One column a server, one row a workload; a dash stands for what a server did not answer."""
    reference = results.get(_REFERENCE)

    def row(label: str, unit: str, value: Callable[[Figures], float], *, digits: int = 0, better: str = "") -> str:
        cells = []
        for figures in results.values():
            own = value(figures)
            base = value(reference) if reference is not None and better else math.nan
            ratio = math.nan if not own else own / base if better == "more" else base / own
            shown = f"{own:,.{digits}f} {unit}".strip() if math.isfinite(own) else "-"
            cells.append(f"{shown} ({ratio:.2f}x)" if math.isfinite(ratio) else shown)
        return f"| {label} | " + " | ".join(cells) + " |"

    def of(which: str, name: str) -> Callable[[Figures], float]:
        def read(figures: Figures) -> float:
            measured: Measured | None = getattr(figures, which)
            is_dead = measured is None or measured.errors < 0 or not measured.per_second
            return math.nan if is_dead else float(getattr(measured, name))

        return read

    def outcomes(figures: Figures) -> str:
        return ", ".join(f"{number} x {status}" for status, number in figures.guarded_statuses.items()) or "-"

    lines = [
        "| workload | " + " | ".join(results) + " |",
        "|---|" + "---:|" * len(results),
        row("small unique look-ups", "/s", of("unique", "per_second"), better="more"),
        row("their p50", "ms", of("unique", "p50_ms"), digits=1),
        row("their p99", "ms", of("unique", "p99_ms"), digits=1),
        row("20 look-ups, repeated", "/s", of("hot", "per_second"), better="more"),
        row("heavy aggregation", "s", lambda each: each.heavy_s, digits=2, better="less"),
        row("a result of about 100 MB, streamed", "s", lambda each: each.stream_s, digits=2, better="less"),
        row("peak memory until then: serving process", "MiB", lambda each: each.server_mib),
        row("the same with child processes", "MiB", lambda each: each.total_mib),
        row(
            "the competency questions it answers, shipped data",
            "s",
            lambda each: each.questions_s,
            digits=2,
            better="less",
        ),
        row(f"right of the {_count_questions(results)} questions", "", lambda each: float(each.questions_right)),
        row("look-ups beside four runaway clients", "/s", of("guarded", "per_second"), better="more"),
        row("their p99", "ms", of("guarded", "p99_ms"), digits=1),
        row("look-ups that failed", "", of("guarded", "errors")),
        "| answers to the runaways | " + " | ".join(map(outcomes, results.values())) + " |",
        row("longest a runaway was kept", "s", lambda each: each.guarded_longest_s or math.nan, digits=1),
        row("processors idle after they left", "s", lambda each: each.idle_after_s, digits=1),
    ]
    return "\n".join(lines) + "\n"


def _count_questions(results: Mapping[str, Figures]) -> int:
    return max(figures.questions_asked for figures in results.values())


def write_into(readme: Path, table: str, conditions: str, *, mark: str = "bench") -> None:
    """Put the table where README shows it, between two comments, with the conditions it was made under.

    Raises:
        ValueError: README has no such place.
    """
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->"
    text = readme.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise ValueError(f"{readme} has no {begin.strip()} and {end}")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    readme.write_text(pattern.sub(lambda _: f"{begin}{conditions}\n\n{table}{end}", text), encoding="utf-8")
