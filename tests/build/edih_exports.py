"""Export files of the EDIH catalogue made for tests: as it serves them, and broken in the ways that files break."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from openpyxl import Workbook

COLUMNS = (
    "EDIH Name",
    "EDIH Title",
    "Description (indexed field)",
    "Country",
    "Contact name",
    "Contact Location",
    "EDIH/SoE",
    "Website",
    "Formatted sectors",
    "Formatted services",
    "Formatted technologies",
)
Record = dict[str, str | None]


def make_record(name: str, **cells: str | None) -> Record:
    """A record with every cell filled; ``cells`` name columns by their first words in lower case."""
    record: Record = {
        "EDIH Name": name,
        "EDIH Title": f"{name} in full",
        "Description (indexed field)": "Somebody else's sentences",
        "Country": "Spain",
        "Contact name": None,
        "Contact Location": "Calle Mayor 1, 49071 Zamora Zamora, Spain",
        "EDIH/SoE": "EDIH",
        "Website": "https://hub.example/",
        "Formatted sectors": "Retail, wholesale or distribution - 3, Energy - 5",
        "Formatted services": "SME support - 4",
        "Formatted technologies": "Robotics - 4, Photonics - 2",
    }
    names = {
        "title": "EDIH Title",
        "country": "Country",
        "location": "Contact Location",
        "type": "EDIH/SoE",
        "website": "Website",
        "sectors": "Formatted sectors",
        "technologies": "Formatted technologies",
    }
    record.update({names[key]: value for key, value in cells.items()})
    return record


EDITH = make_record(
    "EDITH",
    title="Enabling Digital Transformation in Hesse",
    country="Germany",
    location="Mornewegstr. 30, 64293 Darmstadt, Germany",
    website="https://edith-hessen.de",
)


def write_export(
    path: Path,
    records: Sequence[Mapping[str, str | None]],
    *,
    columns: Sequence[str] = COLUMNS,
    created: datetime | None = datetime(2026, 9, 9),  # noqa: DTZ001 - workbooks know no time zones
    change: Callable[[Workbook], object] | None = None,
) -> Path:
    """The path, after writing records as the catalogue does; ``change`` is done to the workbook before it is saved."""
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "EDIH Catalogue"
    sheet.append(list(columns))
    for record in records:
        sheet.append([record.get(column) for column in columns])
    if created:
        workbook.properties.created = created
    if change:
        change(workbook)
    workbook.save(path)
    return path


def rewrite_member(path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """The path, after changing one file inside the workbook."""
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, content in members.items():
            archive.writestr(each, change(content) if each == name else content)
    return path
