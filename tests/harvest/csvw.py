"""A reader of CSVW (https://www.w3.org/TR/tabular-data-model/) for what our metadata uses; strict about all of it."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any, Final

__all__ = ["Table", "read_tables"]

_KNOWN: Final = {
    "group": {"@context", "dc:license", "dc:isPartOf", "dialect", "tables"},
    "table": {"url", "rdfs:label", "tableSchema"},
    "schema": {"aboutUrl", "primaryKey", "columns"},
    "column": {"name", "datatype", "separator", "lang", "required", "suppressOutput", "propertyUrl", "rdfs:label"},
}
# What a name may be (RFC 6570, section 2.3, without percent signs); one that starts with "_" is reserved.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
_IRI: Final = re.compile(r"[a-z][a-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]+")


def _match(pattern: str) -> Callable[[str], object]:
    return lambda text: text if re.fullmatch(pattern, text) else _fail(text)


def _fail(text: str) -> object:
    raise ValueError(text)


_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "string": str,
    "anyURI": lambda text: text if _IRI.fullmatch(text) else _fail(text),
    "boolean": _match("true|false|0|1"),
    "date": date.fromisoformat,
    "dateTime": datetime.fromisoformat,
    "decimal": Decimal,
    "integer": int,
    "nonNegativeInteger": _match("[0-9]+"),
    "gYear": _match("-?[0-9]{4,}"),
    "gYearMonth": _match("-?[0-9]{4,}-[0-9]{2}"),
    "language": _match("[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*"),
}


@dataclass(frozen=True)
class Table:
    """A table whose every cell is of its datatype: rows of lists of texts, by column name."""

    url: str
    columns: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Sequence[str]]]


def read_tables(metadata: Mapping[str, Any], fetch: Callable[[str], str]) -> list[Table]:
    """The tables of a metadata document, once they are all that it says of them."""
    assert metadata["@context"][0] == "http://www.w3.org/ns/csvw"
    assert set(metadata) <= _KNOWN["group"], metadata.keys()
    return [_read_table(table, fetch(table["url"])) for table in metadata["tables"]]


def _read_table(table: Mapping[str, Any], text: str) -> Table:
    schema = table["tableSchema"]
    columns = schema["columns"]
    assert set(table) <= _KNOWN["table"], table["url"]
    assert set(schema) <= _KNOWN["schema"], table["url"]
    assert all(set(column) <= _KNOWN["column"] for column in columns), table["url"]
    assert all(_NAME.fullmatch(column["name"]) for column in columns), table["url"]
    header, *lines = csv.reader(StringIO(text, newline=""), strict=True)
    assert header == [column["name"] for column in columns], table["url"]
    assert len(set(header)) == len(header), table["url"]
    assert all(len(line) == len(header) for line in lines), table["url"]
    rows = [
        {column["name"]: _read_cell(column, cell, table["url"]) for column, cell in zip(columns, line, strict=True)}
        for line in lines
    ]
    key = [schema["primaryKey"]] if isinstance(schema["primaryKey"], str) else schema["primaryKey"]
    keys = [tuple(tuple(row[name]) for name in key) for row in rows]
    assert len(set(keys)) == len(keys), f"{table['url']}: the key {key} is not unique"
    return Table(table["url"], columns, rows)


def _read_cell(column: Mapping[str, Any], cell: str, where: str) -> list[str]:
    datatype = column["datatype"]
    base, pattern = (datatype["base"], datatype["format"]) if isinstance(datatype, dict) else (datatype, None)
    if not cell:
        assert not column.get("required"), f"{where}, {column['name']}: a required cell is empty"
        return []
    values = cell.split(column["separator"]) if "separator" in column else [cell]
    for value in values:
        if not value and column.get("suppressOutput"):
            continue  # a value without a name in this language
        try:
            _PARSERS[base](value)
        except (ValueError, ArithmeticError) as error:
            raise AssertionError(f"{where}, {column['name']}: {value!r} is no {base}") from error
        assert pattern is None or re.fullmatch(pattern, value), f"{where}, {column['name']}: {value!r}"
    return values
