"""The four lists of things, filtered; the pages and the API show the same rows."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from endpoint.http.problems import Problem
from endpoint.pages.views import Row, flatten
from endpoint.sparql.ask import Asker, Term, iri, number, text

__all__ = [
    "COLLECTIONS",
    "LEVELS",
    "RESOLVED",
    "Collection",
    "Filters",
    "Option",
    "fetch_list",
    "fetch_options",
    "parse_filters",
]

_CHAP: Final = "https://w3id.org/chap/def#"
_PLACE: Final = "https://w3id.org/chap/id/place/"
# The filters whose values are things or concepts, in the order of the form.
RESOLVED: Final = ("kind", "field", "technology", "sector", "country", "region")
LEVELS: Final = ("1", "2", "3", "4", "5")


@dataclass(frozen=True)
class Collection:
    """One list: its path segment, the class of its things, and the kind in their IRIs."""

    name: str
    class_iri: str
    thing_kind: str

    @property
    def class_name(self) -> str:
        """The class without its namespace."""
        return self.class_iri.removeprefix(_CHAP)


COLLECTIONS: Final[Mapping[str, Collection]] = {
    name: Collection(name, _CHAP + class_name, kind)
    for name, class_name, kind in (
        ("clusters", "Cluster", "organisation"),
        ("hubs", "Hub", "organisation"),
        ("actors", "Actor", "organisation"),
        ("programmes", "Programme", "programme"),
    )
}


@dataclass(frozen=True)
class Option:
    """One value that a list can be filtered by, how many things have it, and the country of a place."""

    value: str
    iri: str
    row: Row
    count: int
    land: str = ""


@dataclass(frozen=True)
class Filters:
    """What was asked for, as it stands in the address."""

    kind: str = ""
    field: str = ""
    region: str = ""
    country: str = ""
    technology: str = ""
    sector: str = ""
    level: str = ""
    q: str = ""


def parse_filters(parameters: Mapping[str, str]) -> Filters:
    """The filters in a query string.

    Raises:
        Problem: a value is too long to be one, or the level is no level.
    """
    values = {each.name: parameters.get(each.name, "").strip() for each in fields(Filters)}
    for name, value in values.items():
        if len(value) > 200:
            raise Problem("bad-parameter", 400, f"The parameter {name} is longer than 200 characters.")
    if values["level"] and values["level"] not in LEVELS:
        raise Problem(
            "bad-parameter", 400, f"The level {values['level']!r} is none from 1 to 5.", members={"parameter": "level"}
        )
    return Filters(**values)


async def fetch_options(asker: Asker, collection: Collection, *, release: str | None) -> dict[str, list[Option]]:
    """The values of each filter that occur in a list, the most frequent first; places with their country."""
    whole, filters, countries = await asyncio.gather(
        fetch_list(asker, collection, Filters(), {}, release=release),
        asker.select("filters", release=release, **{"class": iri(collection.class_iri)}),
        asker.select("countries", release=release),
    )
    places = flatten(countries)
    lands = {row["land"]: row for row in places}
    land_of = {row["place"]: row["land"] for row in places if row.get("place")}
    options: dict[str, list[Option]] = {name: [] for name in RESOLVED}
    for row in flatten(filters):
        value = row["value"]
        option = Option(value.rpartition("/")[2], value, row, int(row["count"]), land_of.get(value, ""))
        options[row["filter"]].append(option)
    counts = Counter(land for row in whole for land in row.get("lands", "").split())
    for land, count in counts.most_common():
        # The slug of a place begins with its ISO country.
        code = land.removeprefix(_PLACE)[:2].upper()
        options["country"].append(Option(code, land, lands[land], count))
    return options


async def fetch_list(
    asker: Asker,
    collection: Collection,
    filters: Filters,
    options: Mapping[str, Sequence[Option]],
    *,
    release: str | None,
) -> list[Row]:
    """The rows of a list, each with what ``list-details`` says of its thing.

    Raises:
        Problem: a filter has a value that no thing of the list has.
    """
    found = {name: _resolve(name, value, options[name]) for name in RESOLVED if (value := getattr(filters, name))}
    if filters.region and not await asker.select("is-known", release=release, thing=iri(found["region"])):
        raise _unknown("region", filters.region, options["region"])
    bindings: dict[str, Term] = {name: iri(found[name]) for name in ("kind", "field", "region") if name in found}
    if filters.q:
        bindings["q"] = text(filters.q)
    rows = flatten(await asker.select("list", release=release, **{"class": iri(collection.class_iri)}, **bindings))
    details: dict[str, dict[str, str]] = {}
    for row in flatten(await asker.select("list-details", release=release)):
        details.setdefault(row["thing"], {}).update(row)
    rows = [{**details.get(row["thing"], {}), **row} for row in rows]
    if "country" in found:
        rows = [row for row in rows if found["country"] in row.get("lands", "").split()]
    level = {"level": number(filters.level)} if filters.level else {}
    asked = [{"concept": iri(found[name])} for name in ("technology", "sector") if name in found]
    for concept in asked or ([{}] if level else []):
        engaged = {row["thing"] for row in flatten(await asker.select("engaged", release=release, **concept, **level))}
        rows = [row for row in rows if row["thing"] in engaged]
    # Not by the engine: each has an order of its own for letters beyond ASCII.
    return sorted(rows, key=lambda row: ((row.get("name_de") or row.get("name_en", "")).casefold(), row["thing"]))


def _resolve(name: str, value: str, options: Sequence[Option]) -> str:
    for option in options:
        if value in (option.value, option.iri) or (name == "country" and value.upper() == option.value):
            return option.iri
    if name == "region":
        # Wider areas than those that things name: NUTS regions, districts, and any of our places.
        if re.fullmatch(r"[A-Z]{2}[0-9A-Z]{0,3}", value):
            return f"http://data.europa.eu/nuts/code/{value}"
        if re.fullmatch(r"[0-9]{5}", value):
            return f"http://dcat-ap.de/def/politicalGeocoding/districtKey/{value}"
        if re.fullmatch(r"[a-z0-9-]+", value):
            return _PLACE + value
    raise _unknown(name, value, options)


def _unknown(name: str, value: str, options: Sequence[Option]) -> Problem:
    known = ", ".join(sorted(option.value for option in options))
    return Problem("bad-parameter", 400, f"No {name} {value!r} here. Use one of: {known}.", members={"parameter": name})
