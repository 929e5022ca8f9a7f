"""The tables below ``data/edih`` that an import writes: what they held, what they hold after an export."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kg.edih.identity import Identified
from kg.edih.known import DIRECTORY, read_rows
from kg.edih.records import Record

__all__ = ["COLUMNS", "NOT_LISTED", "Change", "Tables", "Update", "make_csv", "read_tables", "update_tables"]

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "exports": ("source_id", "as_of", "sha256", "records", "cells", "engagements", "conflicts"),
    "hubs": (
        *("id", "name", "title", "country_id", "city_id", "street", "postcode", "town", "website"),
        *("first_seen", "last_seen", "absent_since"),
    ),
    "statuses": ("hub_id", "type", "as_of"),
    "former": ("hub_id", "property", "value", "last_seen"),
    "engagements": ("hub_id", "concept", "level", "lower_level"),
    "unmatched": ("hub_id", "list", "label", "level"),
}
NOT_LISTED: Final = "not-listed"
_COMPARED: Final = ("name", "title", "website", "street", "postcode", "town", "city_id", "country_id")
# What a hub was called stays known; where it was reached does not.
_KEPT: Final = ("name", "title")
Rows = Sequence[Mapping[str, str]]
Tables = Mapping[str, Rows]


@dataclass(frozen=True, slots=True)
class Change:
    """What changed about a hub since the export before."""

    hub: str
    what: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Update:
    """The tables after an export, and what it changed."""

    tables: Tables
    changes: tuple[Change, ...]
    gone: tuple[str, ...]
    back: tuple[str, ...]
    conflicts: tuple[Change, ...]
    cells: int


def read_tables(data_dir: Path) -> Tables:
    """The tables of the imports before; those that do not exist are empty.

    Raises:
        TableError: a table lacks a column.
    """
    paths = {name: data_dir / DIRECTORY / f"{name}.csv" for name in COLUMNS}
    return {name: read_rows(path, tuple(COLUMNS[name])) if path.exists() else [] for name, path in paths.items()}


def make_csv(columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """A table as UTF-8 CSV."""
    output = io.StringIO()
    writer = csv.DictWriter(output, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return output.getvalue().encode()


def update_tables(before: Tables, identified: Identified, *, export: Mapping[str, str]) -> Update:
    """The tables after an export; ``export`` has its source, day and digest.

    A hub that the export lacks keeps its rows and is marked as no longer listed from that day on.
    """
    as_of = export["as_of"]
    old = {row["id"]: row for row in before["hubs"]}
    hubs: dict[str, Mapping[str, str]] = {}
    changes: list[Change] = []
    former = [dict(row) for row in before["former"]]
    for hub, record in identified.hubs.items():
        hubs[hub] = row = _make_hub(hub, record, old.get(hub), as_of)
        for column in _COMPARED if hub in old else ():
            if old[hub][column] != row[column]:
                changes.append(Change(hub, column, old[hub][column], row[column]))
                if column in _KEPT:
                    last_seen = old[hub]["last_seen"]
                    former.append(dict(zip(COLUMNS["former"], (hub, column, old[hub][column], last_seen), strict=True)))
    absent = {hub: {**row, "absent_since": row["absent_since"] or as_of} for hub, row in old.items() if hub not in hubs}
    statuses, turned = _update_statuses(before["statuses"], identified, absent, as_of)
    engagements, conflicts, cells = _collect_engagements(identified.hubs)
    kept = set(absent)
    tables: dict[str, Rows] = {
        "hubs": _sort([*hubs.values(), *absent.values()], "id"),
        "statuses": _sort(statuses, "hub_id", "as_of"),
        "former": _sort(former, "hub_id", "property", "last_seen"),
        "engagements": _sort([*engagements, *_keep(before["engagements"], kept)], "hub_id", "concept"),
        "unmatched": _sort(
            [*_collect_unmatched(identified.hubs), *_keep(before["unmatched"], kept)], "hub_id", "label"
        ),
        "exports": _sort(
            [
                *(row for row in before["exports"] if row["as_of"] != as_of),
                {
                    **export,
                    "records": str(len(identified.hubs)),
                    "cells": str(cells),
                    "engagements": str(len(engagements)),
                    "conflicts": str(len(conflicts)),
                },
            ],
            "as_of",
        ),
    }
    return Update(
        tables=tables,
        changes=(*changes, *turned),
        gone=tuple(sorted(hub for hub in absent if not old[hub]["absent_since"])),
        back=tuple(sorted(hub for hub in hubs if hub in old and old[hub]["absent_since"])),
        conflicts=tuple(conflicts),
        cells=cells,
    )


def _make_hub(hub: str, record: Record, old: Mapping[str, str] | None, as_of: str) -> dict[str, str]:
    return {
        "id": hub,
        "name": record.name,
        "title": record.title,
        "country_id": record.country.place_id,
        "city_id": record.city_id,
        "street": record.location.street,
        "postcode": record.location.postcode,
        "town": record.location.town,
        "website": record.website,
        "first_seen": old["first_seen"] if old else as_of,
        "last_seen": as_of,
        "absent_since": "",
    }


def _update_statuses(
    before: Rows, identified: Identified, absent: Iterable[str], as_of: str
) -> tuple[list[Mapping[str, str]], list[Change]]:
    """The dated types: one that is seen again moves on to the new day, one that changed stays with its last day."""
    history: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in before:
        history[row["hub_id"]].append(row)
    now = {hub: record.type for hub, record in identified.hubs.items() if record.type}
    now |= dict.fromkeys(absent, NOT_LISTED)
    turned = []
    for hub, kind in now.items():
        rows = sorted((row for row in history[hub] if row["as_of"] != as_of), key=lambda row: row["as_of"])
        last = rows[-1] if rows else None
        if last and last["type"] != kind:
            turned.append(Change(hub, "type", f"{last['type']} ({last['as_of']})", kind))
        elif last and kind != NOT_LISTED:
            rows.pop()
        if not (last and last["type"] == kind == NOT_LISTED):
            rows.append({"hub_id": hub, "type": kind, "as_of": as_of})
        history[hub] = rows
    return [row for rows in history.values() for row in rows], turned


def _collect_engagements(hubs: Mapping[str, Record]) -> tuple[list[Mapping[str, str]], list[Change], int]:
    """One row for a hub and a concept, the points where the export gives two levels, and the number of its cells."""
    rows: list[Mapping[str, str]] = []
    conflicts = []
    cells = 0
    for hub, record in hubs.items():
        levels: dict[str, list[int]] = defaultdict(list)
        for each in record.levels:
            cells += 1
            levels[each.concept].append(each.level)
        for concept, found in levels.items():
            high, low = max(found), min(found)
            if low != high:
                conflicts.append(Change(hub, concept, str(low), str(high)))
            lower = "" if low == high else str(low)
            rows.append({"hub_id": hub, "concept": concept, "level": str(high), "lower_level": lower})
        cells += sum(1 for each in record.unmatched if each.field != "type")
    return rows, conflicts, cells


def _collect_unmatched(hubs: Mapping[str, Record]) -> list[Mapping[str, str]]:
    found = {
        (hub, each.field, each.label): str(each.level or "")
        for hub, record in hubs.items()
        for each in sorted(record.unmatched, key=lambda each: each.level)
    }
    return [dict(zip(COLUMNS["unmatched"], (*key, level), strict=True)) for key, level in found.items()]


def _keep(rows: Rows, hubs: set[str]) -> list[Mapping[str, str]]:
    return [row for row in rows if row["hub_id"] in hubs]


def _sort(rows: Iterable[Mapping[str, str]], *columns: str) -> list[Mapping[str, str]]:
    return sorted(rows, key=lambda row: tuple(row[column] for column in columns))
