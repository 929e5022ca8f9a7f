"""The curated tables: read, typed and checked where they enter, then seen as plain triples.

``data/csv-metadata.json`` (CSV on the Web, W3C Tabular Metadata) says what each column holds; a column that it does
not name is plain text. A broken cell is reported with table, row, column and cure, all of them at once.

The view is that of Facade-X (Asprino, Daga, Gangemi, Mulholland 2023): a row is a node, a column a property, a cell a
value; cells of several values are split at ``|``, references to other rows are already IRIs, dates and numbers typed.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pyoxigraph import Literal, NamedNode, Quad

from kg.cells import BadCell, Column, References, parse_cell, parse_column
from kg.errors import TableError

__all__ = ["ROW", "XYZ", "RecordRef", "Row", "Table", "iter_row_quads", "load_tables"]

ROW: Final = "https://w3id.org/chap/row/"
XYZ: Final = "http://sparql.xyz/facade-x/data/"


@dataclass(frozen=True, slots=True)
class RecordRef:
    """Where a record stands: table name, row number (the first row below the header is 1) and its key."""

    table: str
    line: int
    key: str

    @property
    def file(self) -> str:
        """The file that the record stands in, from the root of the project.

        >>> RecordRef("hubs", 3, "edith").file
        'data/hubs.csv'
        """
        return f"data/{self.table}" + ("" if "." in self.table else ".csv")

    @property
    def iri(self) -> str:
        """The IRI of the row in the row view.

        >>> RecordRef("hubs", 3, "edith").iri
        'https://w3id.org/chap/row/hubs/3'
        """
        return f"{ROW}{self.table}/{self.line}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it stands, and its non-empty cells as lists of RDF terms."""

    record: RecordRef
    cells: Mapping[str, tuple[NamedNode | Literal, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """One table, read and typed."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class _Schema:
    name: str
    path: Path
    columns: Mapping[str, Column]
    key: tuple[str, ...]


def load_tables(data_dir: Path, ontology_dir: Path) -> tuple[Table, ...]:
    """All tables that ``csv-metadata.json`` lists, typed, every reference resolved.

    Raises:
        TableError: cells are broken; the message has one paragraph for each, with table, row, column and cure.
    """
    schemas = _load_schemas(data_dir)
    raw = {schema.name: _read_csv(schema) for schema in schemas}
    if missing := {"iris", "sources"} - set(raw):
        raise TableError(f"{data_dir / 'csv-metadata.json'} lists no table {', '.join(sorted(missing))}: add it")
    for table, columns in {"iris": ("id", "iri", "kind"), "sources": ("id",)}.items():
        if absent := set(columns) - set(raw[table][0]):
            raise TableError(f"data/{table}.csv: missing column(s) {', '.join(sorted(absent))}")
    references = References.load(
        ontology_dir, identities=raw["iris"][1], sources=raw["sources"][1], rows=_collect_keys(schemas, raw)
    )
    problems: list[str] = []
    tables = [_type_table(schema, *raw[schema.name], references, problems) for schema in schemas]
    if problems:
        raise TableError(f"{len(problems)} broken cell(s), nothing was built:\n\n" + "\n\n".join(problems))
    return tuple(tables)


def iter_row_quads(tables: Iterable[Table]) -> Iterator[Quad]:
    """The row view of the tables, in the default graph."""
    for table in tables:
        for row in table.rows:
            node = NamedNode(row.record.iri)
            yield Quad(node, NamedNode(XYZ + "table"), Literal(table.name))
            for column, terms in row.cells.items():
                for term in terms:
                    yield Quad(node, NamedNode(XYZ + column), term)


def _load_schemas(data_dir: Path) -> list[_Schema]:
    path = data_dir / "csv-metadata.json"
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TableError(
            f"{path} cannot be read ({error.strerror}): it lists the tables and the types of their columns"
        ) from error
    except ValueError as error:
        raise TableError(f"{path} is no JSON: {error}") from error
    try:
        return [_parse_schema(table, data_dir) for table in document["tables"]]
    except (KeyError, TypeError, AttributeError, ArithmeticError, re.error) as error:
        raise TableError(
            f"{path} does not describe tables as CSV on the Web does ({type(error).__name__}: {error}).\n"
            '  Cure: give it "tables", each with "url" and "tableSchema", and that with "columns"; see data/README.md.'
        ) from error


def _parse_schema(table: Mapping[str, Any], data_dir: Path) -> _Schema:
    schema = table["tableSchema"]
    key = schema.get("primaryKey", [])
    return _Schema(
        name=table["url"].removesuffix(".csv"),
        path=data_dir / table["url"],
        columns={column["name"]: parse_column(column) for column in schema["columns"]},
        key=(key,) if isinstance(key, str) else tuple(key),
    )


def _collect_keys(
    schemas: Iterable[_Schema], raw: Mapping[str, tuple[tuple[str, ...], list[dict[str, str]]]]
) -> dict[str, frozenset[str]]:
    """The keys of each table and, under the empty name, ``table/key`` of all; relations may be named without a date."""
    keys: dict[str, set[str]] = {}
    for schema in schemas:
        for row in raw[schema.name][1]:
            for columns in (schema.key, tuple(name for name in schema.key if name != "start")):
                key = "/".join(row[column] for column in columns if row[column])
                keys.setdefault(schema.name, set()).add(key)
                keys.setdefault("", set()).add(f"{schema.name}/{key}")
    return {table: frozenset(found) for table, found in keys.items()}


def _read_csv(schema: _Schema) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    try:
        with schema.path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"data/{schema.name}.csv: cannot be read as UTF-8 CSV: {error}") from error
    header = tuple(lines[0]) if lines else ()
    if len(set(header)) != len(header) or any(name.strip() != name or not name for name in header):
        raise TableError(f"data/{schema.name}.csv: column names must be unique, not empty and without blanks around")
    if missing := (set(schema.columns) | set(schema.key)) - set(header):
        raise TableError(f"data/{schema.name}.csv: missing column(s) {', '.join(sorted(missing))}")
    rows = []
    for number, cells in enumerate(lines[1:], start=1):
        if len(cells) != len(header):
            raise TableError(
                f"data/{schema.name}.csv row {number}: {len(cells)} cells where the header has {len(header)}; "
                "put cells with a comma in double quotes"
            )
        rows.append(dict(zip(header, cells, strict=True)))
    return header, rows


def _type_table(
    schema: _Schema,
    header: tuple[str, ...],
    raw_rows: list[dict[str, str]],
    references: References,
    problems: list[str],
) -> Table:
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for line, raw in enumerate(raw_rows, start=1):
        key = " ".join(raw[column] for column in schema.key)
        record = RecordRef(schema.name, line, key)
        if schema.key and key in seen:
            problems.append(
                f"data/{schema.name}.csv row {line}, column {', '.join(schema.key)}: {key!r} stands already in row "
                f"{seen[key]}.\n  Cure: merge the two rows, or give one another key."
            )
        seen[key] = line
        cells: dict[str, tuple[NamedNode | Literal, ...]] = {}
        for column, text in raw.items():
            try:
                if terms := parse_cell(text, schema.columns.get(column, Column(column)), references):
                    cells[column] = terms
            except BadCell as bad:
                problems.append(
                    f"data/{schema.name}.csv row {line} ({key}), column {column}: {bad.what}.\n  Cure: {bad.cure}."
                )
        rows.append(Row(record, cells))
    return Table(schema.name, header, tuple(rows))
