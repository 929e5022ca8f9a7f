"""What an import found, for the person who ran it: what needs a decision, what changed, what was mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from kg.edih.identity import Identified
from kg.edih.records import Records
from kg.edih.sheet import Repair
from kg.edih.tables import Update

__all__ = ["Report"]

_SHOWN: Final = 25


@dataclass(frozen=True, kw_only=True)
class Report:
    """The outcome of one import; ``written`` are the files that changed, or would without ``dry_run``."""

    path: Path
    as_of: date
    records: Records
    identified: Identified
    update: Update
    written: tuple[Path, ...]
    dry_run: bool

    def to_text(self) -> str:
        """The report as lines of plain text."""
        return "\n".join(self._iter_lines()) + "\n"

    def _iter_lines(self) -> Iterator[str]:
        exports = self.update.tables["exports"]
        export = next(row for row in exports if row["as_of"] == self.as_of.isoformat())
        yield f"{self.path}: EDIH catalogue as of {self.as_of.isoformat()}"
        yield (
            f"{export['records']} hubs; {export['cells']} levels in its cells make {export['engagements']} pairs of "
            f"hub and concept, {export['conflicts']} of them with two levels"
        )
        yield from self._iter_decisions()
        yield from self._iter_changes()
        yield from self._iter_repairs()
        yield ""
        names = ", ".join(sorted(path.name for path in self.written))
        if not self.written:
            yield "nothing changed: the tables hold this export already"
        elif self.dry_run:
            yield f"dry run: nothing was written; would change: {names}"
        else:
            yield f"written: {names}; next: kg validate, kg build"

    def _iter_decisions(self) -> Iterator[str]:
        unmatched = Counter(
            (each.field, each.label) for record in self.identified.hubs.values() for each in record.unmatched
        )
        yield from _list(
            "new labels, kept as text until they stand in ontology/schemes",
            (f"{field}: {label!r} ({count} hubs)" for (field, label), count in sorted(unmatched.items())),
        )
        towns = Counter(each.what for each in self.records.unknown_towns)
        yield from _list(
            "unknown towns, the hubs are placed in their country only; add them to data/edih/towns.csv",
            (f"{town} ({count})" for town, count in sorted(towns.items())),
        )
        yield from _list("could not be read and is not stored", map(_tell, self.records.lost))
        yield from _list(
            "two levels in one export; the higher is served, both are told",
            (f"{each.hub}, {each.what}: {each.before} and {each.after}" for each in self.update.conflicts),
        )

    def _iter_changes(self) -> Iterator[str]:
        hubs = self.identified.hubs
        yield from _list("new hubs", (f"{hub}: {hubs[hub].title}" for hub in sorted(self.identified.new)))
        yield from _list("gone from the catalogue; kept and marked, their IRIs stay", self.update.gone)
        yield from _list("back in the catalogue", self.update.back)
        yield from _list("moved to another town, known by name and country", sorted(self.identified.moved))
        yield from _list(
            "changed",
            (f"{each.hub}, {each.what}: {each.before!r} is now {each.after!r}" for each in self.update.changes),
        )

    def _iter_repairs(self) -> Iterator[str]:
        yield from _list("put right while reading", map(_tell, _group(self.records.repairs)))
        yield from _list("columns that nothing reads", map(repr, self.records.ignored_columns))
        yield from _list(
            "columns about persons or with other people's sentences, never stored",
            map(repr, self.records.personal_columns),
        )


def _list(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = list(items)
    if not lines:
        return
    yield ""
    yield f"{len(lines)} {title}:"
    yield from (f"  {line}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"  ... and {len(lines) - _SHOWN} more"


def _tell(repair: Repair) -> str:
    where = f"row {repair.row}, " if repair.row else ""
    return f"{where}{repair.column}: {repair.what}"


def _group(repairs: Sequence[Repair]) -> Iterator[Repair]:
    """Repairs of one kind in one column told once, with how often it was made."""
    counts = Counter((each.column, each.what) for each in repairs)
    for (column, what), count in counts.items():
        first = next(each for each in repairs if (each.column, each.what) == (column, what))
        yield first if count == 1 else Repair(0, column, f"{what} ({count} times, first in row {first.row})")
