"""The tables of a dataset and their columns: names, datatypes, the order, and what CSVW says of each.

https://www.w3.org/TR/tabular-metadata/ and https://www.w3.org/TR/tabular-data-primer/
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kg.dumps.entities import ColumnKey
from kg.dumps.profile import ClassProfile, ColumnProfile, Labels
from kg.terms import CHAP

__all__ = ["IRI_COLUMN", "LANGUAGES", "Column", "Table", "make_tables", "name_terms"]

LANGUAGES: Final = ("de", "en")
IRI_COLUMN: Final = "iri"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_NAMING: Final = frozenset({"http://www.w3.org/2004/02/skos/core#prefLabel", "http://purl.org/dc/terms/title"})
_PARTIAL_DATES: Final = frozenset({f"{_XSD}date", f"{_XSD}gYear", f"{_XSD}gYearMonth"})
# The XSD datatypes that CSVW has under the same name (tabular metadata, section 5.11.1).
_BUILT_IN: Final = frozenset(
    {
        "anyURI", "base64Binary", "boolean", "byte", "date", "dateTime", "dateTimeStamp", "dayTimeDuration", "decimal",
        "double", "duration", "float", "gDay", "gMonth", "gMonthDay", "gYear", "gYearMonth", "hexBinary", "int",
        "integer", "language", "long", "negativeInteger", "nonNegativeInteger", "nonPositiveInteger", "positiveInteger",
        "short", "string", "time", "token", "unsignedByte", "unsignedInt", "unsignedLong", "unsignedShort",
        "yearMonthDuration",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. ``label_language`` is set where it holds, beside a column of concepts, their names in a language."""

    name: str
    key: ColumnKey
    datatype: str | Mapping[str, str]
    separator: str | None
    filled: int
    label_language: str = ""

    def describe(self, labels: Labels) -> dict[str, Any]:
        """The column in CSVW; names and definitions of properties come from the labels."""
        described: dict[str, Any] = {"name": self.name, "datatype": self.datatype}
        if self.separator is not None:
            described["separator"] = self.separator
        if language := self.label_language or self.key.language:
            described["lang"] = language
        if self.label_language:
            # A help for readers, no statement of its own.
            described["suppressOutput"] = True
        else:
            described["propertyUrl"] = self.key.property_iri
        if texts := labels.get(self.key.property_iri):
            described["rdfs:label"] = [{"@value": texts[each], "@language": each} for each in sorted(texts)]
        return described


@dataclass(frozen=True, kw_only=True)
class Table:
    """The table of a class: a row for each entity, whose IRI is the first column and the key."""

    name: str
    class_iri: str
    rows: int
    columns: tuple[Column, ...]

    @property
    def file_name(self) -> str:
        """The name of its CSV file."""
        return f"{self.name}.csv"

    def describe(self, labels: Labels) -> dict[str, Any]:
        """The table in CSVW."""
        key: dict[str, Any] = {"name": IRI_COLUMN, "datatype": "anyURI", "required": True, "suppressOutput": True}
        described: dict[str, Any] = {"url": self.file_name}
        if texts := labels.get(self.class_iri):
            described["rdfs:label"] = [{"@value": texts[each], "@language": each} for each in sorted(texts)]
        described["tableSchema"] = {
            "aboutUrl": f"{{+{IRI_COLUMN}}}",
            "primaryKey": IRI_COLUMN,
            "columns": [key, *(column.describe(labels) for column in self.columns)],
        }
        return described


def make_tables(profiles: Mapping[str, ClassProfile], *, prefixes: Mapping[str, str]) -> tuple[Table, ...]:
    """The tables of the classes, sorted by name; so are their columns, but for names of things, which come first."""
    names = name_terms(profiles, prefixes)
    properties = name_terms({key.property_iri for each in profiles.values() for key in each.columns}, prefixes)
    tables = (
        Table(name=names[class_iri], class_iri=class_iri, rows=profile.rows, columns=_make_columns(profile, properties))
        for class_iri, profile in profiles.items()
    )
    return tuple(sorted(tables, key=lambda each: each.name))


def name_terms(iris: Iterable[str], prefixes: Mapping[str, str]) -> dict[str, str]:
    """A name of one word for each term: ours alone, others after their prefix, those without one in full.

    >>> name_terms(["https://w3id.org/chap/def#kind", "http://x.org/a#b", "http://y.org/c"], {"x": "http://x.org/a#"})
    {'https://w3id.org/chap/def#kind': 'kind', 'http://x.org/a#b': 'x_b', 'http://y.org/c': 'y_org_c'}
    """
    by_namespace = {namespace: prefix for prefix, namespace in prefixes.items()}
    names = {iri: _name_term(iri, by_namespace) for iri in iris}
    counts = Counter(names.values())
    return {
        iri: name if counts[name] == 1 else f"{name}_{hashlib.sha256(iri.encode()).hexdigest()[:8]}"
        for iri, name in names.items()
    }


def _name_term(iri: str, by_namespace: Mapping[str, str]) -> str:
    namespace = iri[: max(iri.rfind("#"), iri.rfind("/")) + 1]
    if namespace == CHAP:
        name = iri.removeprefix(CHAP)
    elif namespace in by_namespace:
        name = f"{by_namespace[namespace]}_{iri.removeprefix(namespace)}"
    else:
        name = iri.partition("://")[2] or iri
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def _make_columns(profile: ClassProfile, properties: Mapping[str, str]) -> tuple[Column, ...]:
    columns: list[Column] = []
    for key, seen in profile.columns.items():
        name = properties[key.property_iri]
        if key.language:
            name += "_" + key.language.replace("-", "_")
        column = Column(name=name, key=key, datatype=_find_datatype(seen), separator=seen.separator, filled=seen.filled)
        columns.append(column)
        if seen.has_labels:
            columns += [
                replace(column, name=f"{name}_label_{language}", datatype="string", label_language=language)
                for language in LANGUAGES
            ]
    # What a thing is called stands first, for people who look at a table.
    return tuple(sorted(columns, key=lambda each: (each.key.property_iri not in _NAMING, each.name)))


def _find_datatype(seen: ColumnProfile) -> str | Mapping[str, str]:
    datatypes = {each for each in seen.datatypes if each is not None}
    if not datatypes:
        return "anyURI"
    if None in seen.datatypes:
        return "string"
    if len(datatypes) == 1:
        (datatype,) = datatypes
        name = datatype.removeprefix(_XSD)
        return name if datatype.startswith(_XSD) and name in _BUILT_IN else "string"
    if datatypes <= _PARTIAL_DATES:
        # As exact as the source: a year, a month or a day.
        return {"base": "string", "format": r"-?[0-9]{4,}(-[0-9]{2}(-[0-9]{2})?)?"}
    return "string"
