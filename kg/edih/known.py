"""What the importer knows before it reads a file: columns, countries, towns and labels, all from files people edit."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyoxigraph import Literal, NamedNode

from kg.errors import TableError
from kg.rdfio import load_graph
from kg.terms import SCHEME, mint_graph

__all__ = ["DIRECTORY", "LISTS", "Country", "Known", "load_known", "read_rows"]

DIRECTORY: Final = "edih"
# The list columns of the export, by field, and the scheme that holds their labels.
LISTS: Final[Mapping[str, str]] = {
    "technologies": "edih-technology",
    "sectors": "edih-sector",
    "services": "edih-service",
}
_TYPES: Final = "edih-type"
_LABEL: Final = NamedNode("http://www.w3.org/2004/02/skos/core#prefLabel")


@dataclass(frozen=True, slots=True)
class Country:
    """A country as the catalogue names it, and how it writes addresses there.

    ``region`` matches a part that names a county or the like, which is left out; where ``town_first``, the town comes
    before the street.
    """

    name: str
    code: str
    place_id: str
    postcode: re.Pattern[str]
    region: re.Pattern[str]
    town_first: bool


@dataclass(frozen=True, kw_only=True)
class Known:
    """The reviewed decisions that an import rests on.

    ``fields`` maps the header of a column, case-folded, to our field; an empty field is read by nobody and never
    stored. ``labels`` maps a list and an English label, case-folded, to ``scheme/notation``. ``towns`` maps a country
    and a town as the catalogue writes it, case-folded, to a place.
    """

    fields: Mapping[str, str]
    personal: frozenset[str]
    countries: Mapping[str, Country]
    labels: Mapping[tuple[str, str], str]
    types: Mapping[str, str]
    towns: Mapping[tuple[str, str], str]
    place_names: Mapping[str, str]


def load_known(data_dir: Path, ontology_dir: Path) -> Known:
    """From ``data/edih/{columns,countries,towns}.csv``, ``data/places.csv`` and the schemes of the ontology.

    Raises:
        TableError: a table is missing or lacks a column.
    """
    edih_dir = data_dir / DIRECTORY
    columns = read_rows(edih_dir / "columns.csv", ("header", "field", "personal"))
    countries = read_rows(
        edih_dir / "countries.csv", ("name", "code", "place_id", "postcode_pattern", "region_pattern", "town_first")
    )
    towns = read_rows(edih_dir / "towns.csv", ("country", "text", "place_id"))
    places = read_rows(data_dir / "places.csv", ("id", "name_de", "name_en"))
    labels = {
        (field, label): f"{scheme}/{notation}"
        for field, scheme in LISTS.items()
        for label, notation in _iter_labels(ontology_dir, scheme)
    }
    return Known(
        fields={row["header"].casefold(): row["field"] for row in columns},
        personal=frozenset(row["header"].casefold() for row in columns if row["personal"] == "true"),
        countries={row["name"].casefold(): _parse_country(row) for row in countries},
        labels=labels,
        types=dict(_iter_labels(ontology_dir, _TYPES)),
        towns={(row["country"], row["text"].casefold()): row["place_id"] for row in towns},
        place_names={row["id"]: row["name_de"] or row["name_en"] for row in places},
    )


def read_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV file as written.

    Raises:
        TableError: it cannot be read, or lacks one of the columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path} cannot be read as UTF-8 CSV: {error}") from error
    if missing := set(columns) - set(reader.fieldnames or ()):
        raise TableError(f"{path}: missing column(s) {', '.join(sorted(missing))}")
    for line, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise TableError(
                f"{path} row {line}: not as many cells as the header; put cells with a comma in double quotes"
            )
    return rows


def _parse_country(row: Mapping[str, str]) -> Country:
    never = r"(?!)"
    try:
        postcode, region = (
            re.compile(row[name] or never, re.IGNORECASE) for name in ("postcode_pattern", "region_pattern")
        )
    except re.error as error:
        raise TableError(f"data/edih/countries.csv ({row['name']}): no regular expression: {error}") from error
    return Country(row["name"], row["code"], row["place_id"], postcode, region, row["town_first"] == "true")


def _iter_labels(ontology_dir: Path, scheme: str) -> Iterator[tuple[str, str]]:
    """The English labels of a scheme, case-folded, with their notations."""
    for quad in load_graph(ontology_dir / "schemes" / f"{scheme}.ttl", graph_iri=mint_graph(f"scheme-{scheme}")):
        label = quad.object
        if quad.predicate == _LABEL and isinstance(label, Literal) and label.language == "en":
            iri = getattr(quad.subject, "value", "")
            if iri.startswith(f"{SCHEME}{scheme}/"):
                yield label.value.casefold(), iri.removeprefix(f"{SCHEME}{scheme}/")
