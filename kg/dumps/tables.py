"""CSV: one table a class with a row for each entity, written in one pass over the entities (RFC 4180, UTF-8).

Cells: an IRI or the text of a literal; several values in the order of their lines, with the column's separator between
them; nothing where there is no value. Beside a column of concepts stand their names, German and English, in that order.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from kg.dumps.columns import IRI_COLUMN, Column, Table
from kg.dumps.entities import Entity
from kg.dumps.profile import Labels

__all__ = ["write_tables"]


def write_tables(entities: Iterable[Entity], tables: Sequence[Table], directory: Path, *, labels: Labels) -> None:
    """Write the tables of a dataset into a directory, all at once, row by row."""
    by_class = {table.class_iri: table for table in tables}
    with ExitStack() as stack:
        writers = {}
        for table in tables:
            file = stack.enter_context((directory / table.file_name).open("w", encoding="utf-8", newline=""))
            writers[table.class_iri] = csv.writer(file)
            writers[table.class_iri].writerow([IRI_COLUMN, *(column.name for column in table.columns)])
        for entity in entities:
            for class_iri in entity.classes:
                if class_iri in by_class:
                    cells = (_write_cell(entity, column, labels) for column in by_class[class_iri].columns)
                    writers[class_iri].writerow([entity.iri, *cells])


def _write_cell(entity: Entity, column: Column, labels: Labels) -> str:
    values = entity.values.get(column.key)
    if not values:
        return ""
    texts = [each.text for each in values]
    if column.label_language:
        texts = [labels.get(each, {}).get(column.label_language, "") for each in texts]
    return texts[0] if column.separator is None else column.separator.join(texts)
