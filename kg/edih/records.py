"""Rows of the export as records: places split, labels and levels told apart, personal columns never looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final
from urllib.parse import urlsplit

from kg.edih.known import LISTS, Country, Known
from kg.edih.sheet import Repair, Sheet, SheetRow
from kg.errors import SheetError

__all__ = [
    "REQUIRED",
    "Level",
    "Location",
    "Record",
    "Records",
    "Unmatched",
    "parse_levels",
    "parse_location",
    "parse_records",
]

REQUIRED: Final = ("name", "title", "country", "location", "type", "website", *LISTS)
_LEVEL: Final = re.compile(r"\s*(.+?) - (\d+)\s*(?:,|$)")
_PERSONAL: Final = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|(?:\+|\b00)\d[\d ()/.-]{6,}\d")
# What the catalogue writes where a hub has a page of the catalogue instead of a website, and where it cut an address.
_NO_WEBSITE: Final = frozenset({"website", "-", "n/a"})
_CUT: Final = ("…", "...")
_HIGHEST: Final = 5


@dataclass(frozen=True, slots=True)
class Location:
    """An address: street, postcode and town as the catalogue writes them; each may be empty."""

    street: str
    postcode: str
    town: str


@dataclass(frozen=True, slots=True)
class Level:
    """How deep a hub says that it works on a concept (``scheme/notation``), from 1 to 5."""

    concept: str
    level: int


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A label that no scheme knows, with its list and its level; kept as text until a person adds it."""

    field: str
    label: str
    level: int


@dataclass(frozen=True, kw_only=True)
class Record:
    """One hub of the export; ``row`` is the row of the sheet."""

    row: int
    name: str
    title: str
    country: Country
    location: Location
    city_id: str
    type: str
    website: str
    levels: tuple[Level, ...]
    unmatched: tuple[Unmatched, ...]


@dataclass(frozen=True, kw_only=True)
class Records:
    """All records of a file, what was repaired, what could not be used, and which columns were left out."""

    records: tuple[Record, ...]
    repairs: tuple[Repair, ...]
    lost: tuple[Repair, ...]
    unknown_towns: tuple[Repair, ...]
    ignored_columns: tuple[str, ...]
    personal_columns: tuple[str, ...]


def parse_records(sheet: Sheet, known: Known) -> Records:
    """The records of a sheet.

    Raises:
        SheetError: a column is missing, there is no record, or a record lacks what its identity rests on.
    """
    columns = _assign_columns(sheet.columns, known)
    if not sheet.rows:
        raise SheetError("the sheet has a header but no records; nothing was changed. Download the file again")
    notes = _Notes([*sheet.repairs], [], [])
    problems: list[str] = []
    records = []
    for row in sheet.rows:
        cells = {field: row.cells.get(column, "") for field, column in columns.items()}
        if problem := _find_problem(row, cells, known):
            problems.append(problem)
        else:
            records.append(_parse_record(row, cells, columns, known, notes))
    if problems:
        raise SheetError(f"{len(problems)} record(s) cannot be used, nothing was changed:\n" + "\n".join(problems))
    named = set(columns.values())
    personal = tuple(name for name in sheet.columns if name.casefold() in known.personal)
    return Records(
        records=tuple(records),
        repairs=tuple(notes.repairs),
        lost=tuple(notes.lost),
        unknown_towns=tuple(notes.unknown_towns),
        ignored_columns=tuple(
            name
            for name in sheet.columns
            if name not in named
            and name.casefold() not in known.fields
            and any(row.cells.get(name) for row in sheet.rows)
        ),
        personal_columns=personal,
    )


def parse_levels(text: str) -> Iterator[tuple[str, int | None]]:
    """The labels of a list cell with their levels; None as level for a rest that cannot be read.

    A label may hold commas: what ends an entry is its level.

    >>> list(parse_levels("Retail, wholesale or distribution - 3, Energy - 5"))
    [('Retail, wholesale or distribution', 3), ('Energy', 5)]
    >>> list(parse_levels("Robotics - 4, Photonics"))
    [('Robotics', 4), ('Photonics', None)]
    """
    position = 0
    while match := _LEVEL.match(text, position):
        yield match[1], int(match[2])
        position = match.end()
    if rest := text[position:].strip(" ,"):
        yield rest, None


def parse_location(text: str, country: Country) -> Location:
    """Street, postcode and town of an address in one line, as the catalogue writes it in its countries.

    >>> never = re.compile(r"(?!)")
    >>> spain = Country("Spain", "ES", "place-es", re.compile(r"[0-9]{5}"), region=never, town_first=False)
    >>> parse_location("Plaza Viriato, s/n, 49071 Zamora Zamora, Spain", spain)
    Location(street='Plaza Viriato, s/n', postcode='49071', town='Zamora Zamora')
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if parts and parts[-1].casefold() == country.name.casefold():
        parts.pop()
    parts = [part for part in parts if not country.region.fullmatch(part)]
    if not parts:
        return Location("", "", "")
    *rest, last = parts
    code = country.postcode.pattern
    postcode, town = "", last
    if country.postcode.fullmatch(last) and rest:
        postcode = last
        if country.town_first:
            town, *rest = rest
        else:
            town = rest.pop()
    elif country.town_first and rest:
        town, *rest = [*rest, last]
    elif match := re.fullmatch(rf"({code})\s+(.+)", last, re.IGNORECASE):
        postcode, town = match[1], match[2]
    elif match := re.fullmatch(rf"(.+?)\s*\b({code})", last, re.IGNORECASE):
        town, postcode = match[1], match[2]
    elif rest and country.postcode.fullmatch(rest[-1]):
        postcode = rest.pop()
    return Location(", ".join(rest), postcode.upper(), town)


@dataclass(frozen=True, slots=True)
class _Notes:
    repairs: list[Repair]
    lost: list[Repair]
    unknown_towns: list[Repair]


def _assign_columns(columns: tuple[str, ...], known: Known) -> dict[str, str]:
    """Which column of the sheet holds which field."""
    found: dict[str, str] = {}
    for name in columns:
        field = known.fields.get(name.casefold())
        if field and field in found:
            raise SheetError(f"the columns {found[field]!r} and {name!r} both hold the {field}; remove one of them")
        if field:
            found[field] = name
    missing = [field for field in REQUIRED if field not in found]
    if not missing:
        return found
    lines = []
    for field in missing:
        headers = [header for header, which in known.fields.items() if which == field]
        free = [name for name in columns if name.casefold() not in known.fields]
        near = get_close_matches(headers[0] if headers else field, [name.casefold() for name in free], n=1, cutoff=0.5)
        hint = next((f"; is it {name!r}?" for name in free if name.casefold() in near), "")
        lines.append(f"  {field} ({' or '.join(map(repr, headers))}){hint}")
    raise SheetError(
        "columns are missing; nothing was changed:\n" + "\n".join(lines) + "\n"
        "Rename them in the file, or add the new header to data/edih/columns.csv"
    )


def _find_problem(row: SheetRow, cells: Mapping[str, str], known: Known) -> str | None:
    if not (cells["name"] or cells["title"]):
        return f"  row {row.number}: neither name nor title"
    if not cells["type"]:
        return f"  row {row.number} ({cells['name'] or cells['title']}): no type"
    if cells["country"].casefold() not in known.countries:
        return (
            f"  row {row.number} ({cells['name']}): the country {cells['country']!r} is unknown; "
            "add it to data/edih/countries.csv"
        )
    return None


def _parse_record(
    row: SheetRow, cells: Mapping[str, str], columns: Mapping[str, str], known: Known, notes: _Notes
) -> Record:
    country = known.countries[cells["country"].casefold()]
    location = parse_location(_drop_personal(row, columns["location"], cells["location"], notes), country)
    city_id = known.towns.get((country.code, location.town.casefold()), "")
    if location.town and not city_id:
        notes.unknown_towns.append(Repair(row.number, columns["location"], f"{country.code}: {location.town}"))
    levels: list[Level] = []
    unmatched: list[Unmatched] = []
    for field in LISTS:
        for label, level in parse_levels(cells[field]):
            if level is None or not 1 <= level <= _HIGHEST:
                notes.lost.append(Repair(row.number, columns[field], f"no level from 1 to 5: {label!r} - {level}"))
            elif concept := known.labels.get((field, label.casefold())):
                levels.append(Level(concept, level))
            else:
                unmatched.append(Unmatched(field, label, level))
    kind = known.types.get(cells["type"].casefold(), "")
    if not kind:
        unmatched.append(Unmatched("type", cells["type"], 0))
    return Record(
        row=row.number,
        name=cells["name"] or cells["title"],
        title=cells["title"] or cells["name"],
        country=country,
        location=location,
        city_id=city_id,
        type=kind,
        website=_parse_website(row, columns["website"], cells["website"], notes),
        levels=tuple(levels),
        unmatched=tuple(unmatched),
    )


def _drop_personal(row: SheetRow, column: str, text: str, notes: _Notes) -> str:
    """An address without e-mail addresses and telephone numbers, which have no place in it."""
    plain = _PERSONAL.sub("", text)
    if plain != text:
        notes.repairs.append(Repair(row.number, column, "an e-mail address or telephone number was left out"))
    return plain


def _parse_website(row: SheetRow, column: str, text: str, notes: _Notes) -> str:
    """The address of a website, or nothing where the cell holds none; what is put right is noted."""
    if not text:
        return ""
    if text.casefold() in _NO_WEBSITE:
        notes.repairs.append(Repair(row.number, column, f"{text!r} is no address: the hub has a page of the catalogue"))
        return ""
    if text.endswith(_CUT):
        notes.lost.append(Repair(row.number, column, f"the address was cut off by the catalogue: {text!r}"))
        return ""
    address = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and "." in (parts.hostname or "") and not parts.username
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s<>\"{}|\\^`]", address):
        notes.lost.append(Repair(row.number, column, f"no web address: {text[:60]!r}"))
        return ""
    if address != text:
        notes.repairs.append(Repair(row.number, column, f"https:// was put before {text!r}"))
    return address
