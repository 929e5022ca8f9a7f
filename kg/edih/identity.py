"""Which hub of ours a record is: by its name, country and town, as ``data/iris.csv`` lists them (decision 0007).

A key is ``edih:NAME|COUNTRY|TOWN``, with the title as a fourth part where two records share the three. A title, a type
or a website may change without a new hub; so may a town, as long as name and country name one hub only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kg.edih.known import Known
from kg.edih.records import Record
from kg.errors import SheetError
from kg.terms import make_slug, mint_thing

__all__ = ["Identified", "identify"]

_PREFIX: Final = "edih:"
_SLUG_LENGTH: Final = 60
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identified:
    """The records by hub, and ``data/iris.csv`` with the keys and hubs that it lacked."""

    hubs: Mapping[str, Record]
    identities: Sequence[Mapping[str, str]]
    new: frozenset[str]
    moved: frozenset[str]


def identify(
    records: Iterable[Record], identities: Sequence[Mapping[str, str]], known: Known, *, release: str
) -> Identified:
    """Each record with the hub that it is; hubs that are new get a row, with ``release`` as their first.

    Raises:
        SheetError: two records cannot be told apart, or one is a hub that was withdrawn by hand.
    """
    records = list(records)
    rows = [dict(row) for row in identities]
    by_id = {row["id"]: row for row in rows}
    index = _index_keys(rows)
    shared = Counter(_make_key(record, known)[:2] for record in records)
    hubs: dict[str, list[Record]] = defaultdict(list)
    unknown: dict[Key, list[Record]] = defaultdict(list)
    moved: set[str] = set()
    for record in records:
        key = _make_key(record, known)
        found = index.get((*key, record.title.casefold())) or index.get(key)
        if not found and shared[key[:2]] == 1:
            found = index.get(key[:2], set())
            moved |= found if len(found) == 1 else set()
        if found:
            hubs[_choose(found, record, by_id)].append(record)
        else:
            unknown[key].append(record)
    _demand_distinct([*hubs.values(), *unknown.values()])
    new: set[str] = set()
    for (record,) in unknown.values():
        row = _make_row(record, known, by_id, release)
        rows.append(row)
        by_id[row["id"]] = row
        new.add(row["id"])
        hubs[row["id"]].append(record)
    for hub in moved:
        by_id[hub]["outside_keys"] += ";" + _write_key(hubs[hub][0], known)
    single = {hub: found[0] for hub, found in sorted(hubs.items())}
    return Identified(single, rows, frozenset(new), frozenset(moved))


def _make_key(record: Record, known: Known) -> Key:
    return tuple(part.casefold() for part in _name_parts(record, known))


def _name_parts(record: Record, known: Known) -> tuple[str, str, str]:
    town = known.place_names.get(record.city_id, record.location.town)
    return _escape(record.name), record.country.code, _escape(town)


def _escape(text: str) -> str:
    """A part of a key without the characters that separate keys and their parts."""
    return text.replace("|", "/").replace(";", ",")


def _write_key(record: Record, known: Known) -> str:
    return _PREFIX + "|".join(_name_parts(record, known))


def _index_keys(rows: Iterable[Mapping[str, str]]) -> dict[Key, set[str]]:
    """The hubs by their keys, whole and as name with country."""
    index: dict[Key, set[str]] = defaultdict(set)
    for row in rows:
        for text in row["outside_keys"].split(";"):
            if text.startswith(_PREFIX):
                key = tuple(part.casefold() for part in text.removeprefix(_PREFIX).split("|"))
                index[key].add(row["id"])
                index[key[:2]].add(row["id"])
    return index


def _choose(found: set[str], record: Record, by_id: Mapping[str, Mapping[str, str]]) -> str:
    if len(found) > 1:
        raise SheetError(
            f"row {record.row} ({record.name}): its key stands at {', '.join(sorted(found))} in data/iris.csv; "
            "leave it at one of them, or add the title as a fourth part"
        )
    (hub,) = found
    row = by_id[hub]
    if row["state"] == "merged" and row["replaced_by"]:
        return row["replaced_by"]
    if row["state"] != "active":
        raise SheetError(
            f"row {record.row} ({record.name}) is the hub {hub}, which data/iris.csv calls {row['state']}; "
            "set its state to active if it is back"
        )
    return hub


def _demand_distinct(groups: Iterable[Sequence[Record]]) -> None:
    doubled = [group for group in groups if len(group) > 1]
    if not doubled:
        return
    lines = [
        f"  rows {', '.join(str(record.row) for record in group)}: {group[0].name}, {group[0].country.name}, "
        f"titles {' and '.join(repr(record.title[:60]) for record in group)}"
        for group in doubled
    ]
    raise SheetError(
        "records cannot be told apart by name, country and town; nothing was changed:\n" + "\n".join(lines) + "\n"
        "Give each hub a key of its own in data/iris.csv (outside_keys), with the title as fourth part: "
        "edih:NAME|COUNTRY|TOWN|TITLE; or remove the double row from the file"
    )


def _shorten(slug: str) -> str:
    """A slug of readable length, cut between words."""
    return slug if len(slug) <= _SLUG_LENGTH else slug[: _SLUG_LENGTH + 1].rpartition("-")[0].rstrip("-")


def _make_row(record: Record, known: Known, by_id: Mapping[str, Mapping[str, str]], release: str) -> dict[str, str]:
    country = record.country.code.lower()
    name = make_slug(record.name) or make_slug(record.title)
    town = make_slug(known.place_names.get(record.city_id, record.location.town))
    taken = {row["iri"] for row in by_id.values()}
    for parts in ((country, name), (country, name, town)):
        slug = _shorten("-".join(filter(None, parts)))
        if name and slug not in by_id and mint_thing("organisation", slug) not in taken:
            return {
                "id": slug,
                "iri": mint_thing("organisation", slug),
                "kind": "organisation",
                "first_release": release,
                "state": "active",
                "replaced_by": "",
                "outside_keys": _write_key(record, known),
            }
    raise SheetError(
        f"row {record.row} ({record.name}) is new, but no IRI can be made of its name that is not taken; "
        f"add a row to data/iris.csv by hand, with the key {_write_key(record, known)!r}"
    )
