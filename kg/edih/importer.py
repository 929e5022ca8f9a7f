"""``kg import edih``: an export file in, tables and a report out; nothing is written when something cannot be used."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Final

from kg.durable import translate_disk_errors, write_files
from kg.edih.identity import identify
from kg.edih.known import DIRECTORY, load_known, read_rows
from kg.edih.records import parse_records
from kg.edih.report import Report
from kg.edih.sheet import read_sheet
from kg.edih.tables import COLUMNS, make_csv, read_tables, update_tables
from kg.errors import SheetError, TableError

__all__ = ["import_export"]

_HEADER: Final = "EDIH Name"
_SOURCE: Final = "src-edih-export-"
_CATALOGUE: Final = "src-edih-catalogue"
_IDENTITIES: Final = ("id", "iri", "kind", "first_release", "state", "replaced_by", "outside_keys")
_SOURCES: Final = ("id", "url", "title", "publisher", "date", "date_note", "license", "part_of", "paragraph")


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    content: bytes


def import_export(
    path: Path, *, data_dir: Path, ontology_dir: Path, as_of: date | None = None, dry_run: bool = False
) -> Report:
    """The report of an import, after writing the tables that it changes.

    Args:
        path: the file behind the button "Download Data" of the catalogue, whatever its ending.
        data_dir: the curated tables; ``edih`` below it, ``iris.csv`` and ``sources.csv`` are written.
        ontology_dir: where the schemes with the labels of the lists are.
        as_of: the day of the export; without it the day on which the workbook was made.
        dry_run: write nothing.

    Raises:
        SheetError: the file cannot be used, is older than the last import, or its day is not known.
        TableError: a table of ``data_dir`` is missing.
        DiskError: a table cannot be written.
    """
    known = load_known(data_dir, ontology_dir)
    sheet = read_sheet(path, header=_HEADER)
    records = parse_records(sheet, known)
    before = read_tables(data_dir)
    day = _find_day(path, as_of or sheet.created, before["exports"])
    identities = read_rows(data_dir / "iris.csv", _IDENTITIES)
    identified = identify(records.records, identities, known, release=version("chap-kg"))
    export = {
        "source_id": _SOURCE + day.isoformat(),
        "as_of": day.isoformat(),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    update = update_tables(before, identified, export=export)
    sources = read_rows(data_dir / "sources.csv", _SOURCES)
    files = [
        *(
            _File(data_dir / DIRECTORY / f"{name}.csv", make_csv(COLUMNS[name], rows))
            for name, rows in update.tables.items()
        ),
        _File(data_dir / "iris.csv", make_csv(identities[0] if identities else _IDENTITIES, identified.identities)),
        _File(data_dir / "sources.csv", make_csv(sources[0] if sources else _SOURCES, _add_source(sources, export))),
    ]
    changed = [file for file in files if not file.path.exists() or file.path.read_bytes() != file.content]
    if not dry_run:
        _write_files(changed)
    return Report(
        path=path,
        as_of=day,
        records=records,
        identified=identified,
        update=update,
        written=tuple(file.path for file in changed),
        dry_run=dry_run,
    )


def _find_day(path: Path, day: date | None, exports: Sequence[Mapping[str, str]]) -> date:
    if day is None:
        raise SheetError(f"{path} does not say when it was made: give the day of the download with --as-of 2026-09-09")
    newest = max((row["as_of"] for row in exports), default="")
    if day.isoformat() < newest:
        raise SheetError(
            f"{path} is of {day.isoformat()}, but the export of {newest} was imported already; an older one would undo "
            "it. If the day is wrong, give it with --as-of"
        )
    return day


def _add_source(sources: Sequence[Mapping[str, str]], export: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
    """The register of sources with the export, described as the catalogue is."""
    if any(row["id"] == export["source_id"] for row in sources):
        return sources
    catalogue = next((row for row in sources if row["id"] == _CATALOGUE), None)
    if catalogue is None:
        raise TableError(f"data/sources.csv has no row {_CATALOGUE}, by which an export is described; add it")
    title = f"{catalogue['title']}, export of {export['as_of']}"
    return [*sources, {**catalogue, "id": export["source_id"], "title": title, "date": export["as_of"]}]


def _write_files(files: Sequence[_File]) -> None:
    with translate_disk_errors("the tables"):
        write_files({file.path: file.content for file in files})
