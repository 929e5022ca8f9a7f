"""How good the candidates are: precision and recall on pairs that people have labelled."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kg.errors import SourceError
from kg.link.candidates import Matcher
from kg.link.parties import Party

__all__ = ["LabelledPair", "Measure", "measure", "read_sample"]

_COLUMNS: Final = ("part", "name", "town", "country", "source", "subject_id", "subject_label", "label")
_PARTS: Final = frozenset(["tune", "test"])
_LABELS: Final = frozenset(["match", "different"])


@dataclass(frozen=True, kw_only=True)
class LabelledPair:
    """A name found elsewhere and an organisation of ours (compact IRI), and whether they are the same.

    The weights and the threshold were chosen on the part ``tune``; the part ``test`` says how good they are.
    """

    part: str
    other: Party
    subject: str
    is_match: bool


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Counts of labelled pairs, and the rates made of them."""

    proposed_rightly: int
    proposed_wrongly: int
    missed: int
    left_rightly: int

    @property
    def pairs(self) -> int:
        """How many pairs were judged."""
        return self.proposed_rightly + self.proposed_wrongly + self.missed + self.left_rightly

    @property
    def precision(self) -> float:
        """How many of the pairs proposed are the same."""
        return _divide(self.proposed_rightly, self.proposed_rightly + self.proposed_wrongly)

    @property
    def recall(self) -> float:
        """How many of the pairs that are the same were proposed."""
        return _divide(self.proposed_rightly, self.proposed_rightly + self.missed)


def read_sample(path: Path) -> tuple[LabelledPair, ...]:
    """The labelled pairs of a table, tabs between its columns.

    Raises:
        SourceError: the table cannot be read, lacks a column, or a row has an unknown part or label.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error
    for line, row in enumerate(rows, start=1):
        cells = [row.get(column) for column in _COLUMNS]
        if None in cells or row["part"] not in _PARTS or row["label"] not in _LABELS:
            raise SourceError(
                f"{path} row {line}: no labelled pair.\n  Cure: fill the columns {', '.join(_COLUMNS)}; "
                "part is tune or test, label is match or different."
            )
    return tuple(
        LabelledPair(
            part=row["part"],
            other=Party(
                id=row["source"],
                label=row["name"],
                names=(row["name"],),
                country=row["country"],
                towns=(row["town"],) if row["town"] else (),
            ),
            subject=row["subject_id"],
            is_match=row["label"] == "match",
        )
        for row in rows
    )


def measure(matcher: Matcher, pairs: Iterable[LabelledPair]) -> Measure:
    """What the candidates of a matcher are worth on labelled pairs."""
    outcomes: Sequence[tuple[bool, bool]] = [
        (any(each.party.id == pair.subject for each in matcher.find(pair.other)), pair.is_match) for pair in pairs
    ]
    return Measure(
        proposed_rightly=outcomes.count((True, True)),
        proposed_wrongly=outcomes.count((True, False)),
        missed=outcomes.count((False, True)),
        left_rightly=outcomes.count((False, False)),
    )


def _divide(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
