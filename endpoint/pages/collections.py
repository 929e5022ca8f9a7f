"""The four lists of things, filtered; the pages and the API show the same rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from endpoint.http.problems import Problem
from endpoint.pages.views import Row, flatten
from endpoint.sparql.ask import Asker, iri, text

__all__ = ["COLLECTIONS", "Collection", "Filters", "Option", "fetch_list", "fetch_options", "parse_filters"]

_CHAP: Final = "https://w3id.org/chap/def#"
_PLACE: Final = "https://w3id.org/chap/id/place/"


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
    """One value that a list can be filtered by, and how many things have it."""

    value: str
    iri: str
    row: Row
    count: int


@dataclass(frozen=True)
class Filters:
    """What was asked for, as it stands in the address."""

    kind: str = ""
    field: str = ""
    region: str = ""
    q: str = ""


def parse_filters(parameters: Mapping[str, str]) -> Filters:
    """The filters in a query string.

    Raises:
        Problem: a value is too long to be one.
    """
    values = {name: parameters.get(name, "").strip() for name in ("kind", "field", "region", "q")}
    for name, value in values.items():
        if len(value) > 200:
            raise Problem("bad-parameter", 400, f"The parameter {name} is longer than 200 characters.")
    return Filters(**values)


async def fetch_options(asker: Asker, collection: Collection, *, release: str | None) -> dict[str, list[Option]]:
    """The values of each filter that occur in a list, the most frequent first."""
    rows = flatten(await asker.select("filters", release=release, **{"class": iri(collection.class_iri)}))
    options: dict[str, list[Option]] = {"kind": [], "field": [], "region": []}
    for row in rows:
        value = row["value"]
        options[row["filter"]].append(Option(value.rpartition("/")[2], value, row, int(row["count"])))
    return options


async def fetch_list(
    asker: Asker,
    collection: Collection,
    filters: Filters,
    options: Mapping[str, Sequence[Option]],
    *,
    release: str | None,
) -> list[Row]:
    """The rows of a list.

    Raises:
        Problem: a filter has a value that no thing of the list has.
    """
    bindings = {"class": iri(collection.class_iri)}
    for name in ("kind", "field", "region"):
        if value := getattr(filters, name):
            found = _resolve(name, value, options[name])
            if name == "region" and not await asker.select("is-known", release=release, thing=iri(found)):
                raise _unknown(name, value, options[name])
            bindings[name] = iri(found)
    if filters.q:
        bindings["q"] = text(filters.q)
    return flatten(await asker.select("list", release=release, **bindings))


def _resolve(name: str, value: str, options: Sequence[Option]) -> str:
    for option in options:
        if value in (option.value, option.iri):
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
