"""``kg import edih``: what it writes, what it keeps, what it refuses, and what it never stores."""

from __future__ import annotations

import csv
import shutil
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import pytest
from openpyxl import Workbook
from pyoxigraph import NamedNode, QuerySolutions

from kg.build import lift_all
from kg.cli import main
from kg.edih.sheet import read_sheet
from kg.edih.tables import COLUMNS as TABLES
from kg.errors import SheetError
from kg.settings import KgSettings, load_settings

from .edih_exports import COLUMNS, EDITH, Record, make_record, rewrite_member, write_export

SHEET = "xl/worksheets/sheet1.xml"
HUB = make_record("TESTHUB")
Import = Callable[..., tuple[int, str]]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The shipped tables, as if nothing had been imported yet; identities, towns and columns are known."""
    directory = tmp_path / "data"
    shutil.copytree(KgSettings().data_dir, directory)
    for name, columns in TABLES.items():
        (directory / "edih" / f"{name}.csv").write_text(",".join(columns) + "\n", encoding="utf-8")
    return directory


@pytest.fixture
def run_import(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> Import:
    """Runs the command on a file; gives its exit code and everything that it printed."""

    def run(path: Path, *options: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["import", "edih", str(path), "--data", str(data_dir), *options])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def read(data_dir: Path, name: str) -> list[dict[str, str]]:
    with (data_dir / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def snapshot(data_dir: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data_dir)): path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


# ------------ the official file


def test_official_file_reproduces_the_shipped_tables(shared: Path, data_dir: Path, run_import: Import) -> None:
    code, report = run_import(shared / "data" / "edih" / "export-edihs.xlsx")
    assert code == 0
    assert "457 hubs; 8217 levels in its cells make 8199 pairs of hub and concept, 3 of them with two levels" in report
    assert snapshot(data_dir) == snapshot(KgSettings().data_dir)


def test_official_file_without_known_identities_gives_as_many_hubs(
    shared: Path, data_dir: Path, run_import: Import
) -> None:
    rows = read(data_dir, "iris")
    kept = [row for row in rows if not row["outside_keys"].startswith("edih:") or row["id"].startswith("es-datalife")]
    with (data_dir / "iris.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    code, report = run_import(shared / "data" / "edih" / "export-edihs.xlsx")
    assert code == 0, report
    assert len(read(data_dir, "edih/hubs")) == 457
    iris = [row["iri"] for row in read(data_dir, "iris")]
    assert len(iris) == len(set(iris))


# ------------ once, twice, and later


def test_second_run_changes_nothing(tmp_path: Path, data_dir: Path, run_import: Import) -> None:
    export = write_export(tmp_path / "export.xls", [EDITH, HUB])
    assert run_import(export)[0] == 0
    before = snapshot(data_dir)
    code, report = run_import(export)
    assert (code, snapshot(data_dir)) == (0, before)
    assert "nothing changed" in report


def test_dry_run_reports_and_writes_nothing(tmp_path: Path, data_dir: Path, run_import: Import) -> None:
    before = snapshot(data_dir)
    code, report = run_import(write_export(tmp_path / "export.xlsx", [HUB]), "--dry-run")
    assert (code, snapshot(data_dir)) == (0, before)
    assert "1 new hubs" in report
    assert "dry run: nothing was written" in report


def test_known_hub_keeps_its_iri_and_a_new_one_gets_a_readable_one(
    tmp_path: Path, data_dir: Path, run_import: Import
) -> None:
    run_import(write_export(tmp_path / "export.xlsx", [EDITH, HUB]))
    assert [row["id"] for row in read(data_dir, "edih/hubs")] == ["edith", "es-testhub"]
    new = read(data_dir, "iris")[-1]
    assert new["iri"] == "https://w3id.org/chap/id/organisation/es-testhub"
    assert new["outside_keys"] == "edih:TESTHUB|ES|Zamora"
    source = read(data_dir, "sources")[-1]
    assert (source["id"], source["date"]) == ("src-edih-export-2026-09-09", "2026-09-09")


def test_what_changes_is_dated_and_the_iri_stays(tmp_path: Path, data_dir: Path, run_import: Import) -> None:
    gone = make_record("GOINGHUB", type="DIH")
    run_import(write_export(tmp_path / "1.xlsx", [EDITH, HUB, gone]))
    renamed = {**HUB, "EDIH Title": "Another title", "EDIH/SoE": "Seal of Excellence"}
    renamed["Contact Location"] = "Calle Menor 2, 08008 Barcelona Barcelona, Spain"
    later = datetime(2027, 1, 2)  # noqa: DTZ001 - as above
    code, report = run_import(write_export(tmp_path / "2.xlsx", [EDITH, renamed], created=later))
    assert code == 0
    assert "es-testhub, title: 'TESTHUB in full' is now 'Another title'" in report
    assert "1 gone from the catalogue" in report
    assert "1 moved to another town" in report
    hubs = {row["id"]: row for row in read(data_dir, "edih/hubs")}
    assert set(hubs) == {"edith", "es-goinghub", "es-testhub"}
    assert hubs["es-testhub"]["title"] == "Another title"
    assert (hubs["es-goinghub"]["absent_since"], hubs["es-goinghub"]["last_seen"]) == ("2027-01-02", "2026-09-09")
    statuses = [(row["hub_id"], row["type"], row["as_of"]) for row in read(data_dir, "edih/statuses")]
    assert statuses == [
        ("edith", "edih", "2027-01-02"),
        ("es-goinghub", "dih", "2026-09-09"),
        ("es-goinghub", "not-listed", "2027-01-02"),
        ("es-testhub", "edih", "2026-09-09"),
        ("es-testhub", "seal-of-excellence", "2027-01-02"),
    ]
    assert read(data_dir, "edih/former") == [
        {"hub_id": "es-testhub", "property": "title", "value": "TESTHUB in full", "last_seen": "2026-09-09"}
    ]
    keys = next(row["outside_keys"] for row in read(data_dir, "iris") if row["id"] == "es-testhub")
    assert keys == "edih:TESTHUB|ES|Zamora;edih:TESTHUB|ES|Barcelona"
    before = snapshot(data_dir)
    assert run_import(tmp_path / "2.xlsx")[0] == 0
    assert snapshot(data_dir) == before


def test_hub_that_comes_back_is_listed_again(tmp_path: Path, data_dir: Path, run_import: Import) -> None:
    for day, records in enumerate(([EDITH, HUB], [EDITH], [EDITH, HUB]), start=1):
        made = datetime(2027, 1, day)  # noqa: DTZ001 - as above
        code, report = run_import(write_export(tmp_path / f"{day}.xlsx", records, created=made))
        assert code == 0, report
    assert "1 back in the catalogue" in report
    assert [row["absent_since"] for row in read(data_dir, "edih/hubs")] == ["", ""]
    types = [row["type"] for row in read(data_dir, "edih/statuses") if row["hub_id"] == "es-testhub"]
    assert types == ["edih", "not-listed", "edih"]


def test_older_export_is_refused(tmp_path: Path, data_dir: Path, run_import: Import) -> None:
    run_import(write_export(tmp_path / "new.xlsx", [HUB]))
    before = snapshot(data_dir)
    code, message = run_import(tmp_path / "new.xlsx", "--as-of", "2024-01-01")
    assert (code, snapshot(data_dir)) == (3, before)
    assert "the export of 2026-09-09 was imported already" in message


def test_imported_tables_are_lifted_with_gone_hubs_former_titles_and_new_labels(
    tmp_path: Path, data_dir: Path, run_import: Import
) -> None:
    gone = make_record("GOINGHUB")
    run_import(write_export(tmp_path / "1.xlsx", [HUB, gone]))
    changed = {
        **HUB,
        "EDIH Title": "Another title",
        "Formatted technologies": "Robotics - 4, Robotics - 5, Telepathy - 3",
    }
    later = datetime(2027, 1, 2)  # noqa: DTZ001 - as above
    run_import(write_export(tmp_path / "2.xlsx", [changed], created=later))
    # What the shipped tables say of hubs that this catalogue does not hold rests on rows that are not there.
    (data_dir / "edih" / "nuts.csv").write_text("hub_id,nuts,method,source\n", encoding="utf-8")
    lifted = lift_all(load_settings(data_dir=data_dir))
    answer = lifted.store.query(
        """SELECT ?hub ?p ?o WHERE { GRAPH <https://w3id.org/chap/graph/edih-catalogue> { ?hub ?p ?o } }"""
    )
    assert isinstance(answer, QuerySolutions)
    found = {
        (row["hub"].value.rpartition("/")[2], row["p"].value.rpartition("#")[2], getattr(row["o"], "value", ""))
        for row in answer
        if isinstance(row["hub"], NamedNode)
    }
    assert ("es-testhub", "formerName", "TESTHUB in full") in found
    assert ("es-testhub", "otherField", "Telepathy - 3") in found
    assert ("es-testhub--edih-technology--robotics", "level", "5") in found
    assert ("es-testhub--edih-technology--robotics", "note", "The same export gives level 4 too.") in found
    assert ("es-goinghub--edih-technology--robotics", "asOf", "2026-09-09") in found
    not_listed = "https://w3id.org/chap/scheme/edih-type/not-listed"
    assert ("es-goinghub--edih-type--2027-01-02", "qualitativeValue", not_listed) in found


# ------------ what is never stored


def test_personal_columns_and_texts_are_stored_nowhere(tmp_path: Path, data_dir: Path, run_import: Import) -> None:
    secrets = {
        "Contact name": "Erika Musterfrau-Geheim",
        "Contact phone": "+34 600 123 456",
        "Contact email": "erika.geheim@hub.example",
        "Description (indexed field)": "Our Zweitname Erika leads this hub",
        "Contact Location": "Calle Mayor 1 erika.geheim@hub.example +34 600 123 456, 49071 Zamora Zamora, Spain",
    }
    columns = (*COLUMNS, "Contact phone", "Contact email")
    code, report = run_import(write_export(tmp_path / "export.xlsx", [{**HUB, **secrets}], columns=columns))
    assert code == 0
    assert "4 columns about persons" in report
    stored = b"".join(snapshot(data_dir).values()).decode() + report
    for word in ("Erika", "Geheim", "geheim", "600 123", "Zweitname"):
        assert word not in stored, word
    assert read(data_dir, "edih/hubs")[0]["street"].startswith("Calle Mayor 1")


# ------------ broken files: a reported repair


def merge_countries(workbook: Workbook) -> None:
    workbook.worksheets[0].merge_cells("D2:D3")


def with_formula(workbook: Workbook) -> None:
    workbook.worksheets[0]["H2"] = '=HYPERLINK("https://evil.example")'


REPAIRED: dict[str, tuple[list[Record], dict[str, object], str]] = {
    "reordered and added columns": (
        [HUB],
        {"columns": ("Fax", *reversed(COLUMNS))},
        "",
    ),
    "merged cells": ([HUB, make_record("OTHERHUB")], {"change": merge_countries}, "D2:D3 are merged"),
    "html in cells": (
        [{**HUB, "EDIH Title": "<b>TESTHUB</b> &amp; <script>x</script> in full"}],
        {},
        "EDIH Title: markup was stripped",
    ),
    "formula cells": ([HUB], {"change": with_formula}, "not evaluated"),
    "cut website": ([make_record("TESTHUB", website="https://hub.example/very-lo…")], {}, "was cut off"),
    "website without an address": ([make_record("TESTHUB", website="Website")], {}, "'Website' is no address"),
    "website without a scheme": ([make_record("TESTHUB", website="hub.example")], {}, "https:// was put before"),
    "unreadable level": ([make_record("TESTHUB", technologies="Robotics - 9, Photonics")], {}, "no level from 1 to 5"),
    "new label": ([make_record("TESTHUB", technologies="Telepathy - 3")], {}, "technologies: 'Telepathy' (1 hubs)"),
    "new type": ([make_record("TESTHUB", type="EDIH 2.0")], {}, "type: 'EDIH 2.0' (1 hubs)"),
    "unknown town": ([make_record("TESTHUB", location="Atlantis, Spain")], {}, "ES: Atlantis (1)"),
    "title rows above the header": ([HUB], {"change": lambda book: book.worksheets[0].insert_rows(1, 3)}, ""),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_repair_is_reported_and_the_hub_is_there(tmp_path: Path, data_dir: Path, run_import: Import, name: str) -> None:
    records, options, message = REPAIRED[name]
    code, report = run_import(write_export(tmp_path / "export.xlsx", records, **options))  # type: ignore[arg-type]
    assert code == 0, report
    assert message in report
    hubs = {row["id"]: row for row in read(data_dir, "edih/hubs")}
    assert len(hubs) == len(records)
    assert hubs["es-testhub"]["country_id"] == "place-es"
    assert "evil.example" not in b"".join(snapshot(data_dir).values()).decode()
    assert not any("<" in cell for row in hubs.values() for cell in row.values())


# ------------ broken files: a clear error, and nothing is written


def rename_column(directory: Path) -> Path:
    columns = [column.replace("Formatted technologies", "Formatted technology") for column in COLUMNS]
    return write_export(directory / "renamed.xlsx", [HUB], columns=columns)


def write_text(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(directory: Path) -> Path:
        (directory / name).write_bytes(content)
        return directory / name

    return write


def pack_bomb(directory: Path) -> Path:
    path = write_export(directory / "bomb.xlsx", [HUB])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/zeros.bin", b"\0" * (80 << 20))
    return path


def understate_bomb(directory: Path) -> Path:
    """The same, but each of its headers says that it is small."""
    path = pack_bomb(directory)
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 80 << 20), struct.pack("<I", 1000)))
    return path


def cut_file(directory: Path) -> Path:
    path = write_export(directory / "cut.xlsx", [HUB])
    path.write_bytes(path.read_bytes()[:-400])
    return path


def declare_entities(directory: Path) -> Path:
    def add(content: bytes) -> bytes:
        head, _, rest = content.partition(b"<worksheet")
        return head + b'<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet' + rest

    return rewrite_member(write_export(directory / "entities.xlsx", [HUB]), SHEET, add)


def break_sheet(directory: Path) -> Path:
    return rewrite_member(write_export(directory / "broken.xlsx", [HUB]), SHEET, lambda content: content[:300])


def add_merged(path: Path, references: Iterable[str]) -> Path:
    ranges = "".join(f'<mergeCell ref="{each}"/>' for each in references)

    def add(content: bytes) -> bytes:
        return content.replace(b"</sheetData>", f"</sheetData><mergeCells>{ranges}</mergeCells>".encode())

    return rewrite_member(path, SHEET, add)


def merge_too_often(directory: Path) -> Path:
    return add_merged(write_export(directory / "m.xlsx", [HUB]), (f"A{n}:B{n}" for n in range(1, 10_003)))


def merge_too_much(directory: Path) -> Path:
    path = write_export(directory / "m.xlsx", [HUB], change=lambda book: book.worksheets[0].cell(4_000, 50, "x"))
    return add_merged(path, (f"A{n}:XFD1048576" for n in range(1, 10)))


def zip_something(directory: Path) -> Path:
    with zipfile.ZipFile(directory / "photos.xlsx", "w") as archive:
        archive.writestr("holiday.txt", "sun")
    return directory / "photos.xlsx"


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "renamed column": (rename_column, "is it 'Formatted technology'?"),
    "empty sheet": (lambda at: write_export(at / "e.xlsx", [], columns=()), "no sheet has a header row"),
    "header without records": (lambda at: write_export(at / "h.xlsx", []), "no records"),
    "csv": (write_text("export.csv", b"EDIH Name,EDIH Title\nA,B\n"), "a text file, such as CSV"),
    "old binary excel": (
        write_text("export.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600),
        "old binary Excel",
    ),
    "web page": (write_text("export.xls", b"<!DOCTYPE html><title>429</title>"), "a web page"),
    "empty file": (write_text("export.xlsx", b""), "empty or unknown"),
    "no file": (lambda at: at / "nothing.xlsx", "cannot be read"),
    "zip bomb": (pack_bomb, "would unpack to 80 MiB"),
    "merged ranges without end": (merge_too_often, "more than 10000 merged ranges"),
    "merged cells without end": (merge_too_much, "span more than 1000000 cells"),
    "zip bomb that lies": (understate_bomb, "Bad CRC-32"),
    "another zip": (zip_something, "no .xlsx workbook"),
    "cut file": (cut_file, "damaged"),
    "broken sheet": (break_sheet, "damaged"),
    "entities": (declare_entities, "declares entities"),
    "the same hub twice": (lambda at: write_export(at / "d.xlsx", [HUB, HUB]), "cannot be told apart"),
    "unknown country": (
        lambda at: write_export(at / "c.xlsx", [make_record("X", country="Atlantis")]),
        "the country 'Atlantis' is unknown",
    ),
    "two columns of one name": (
        lambda at: write_export(at / "t.xlsx", [HUB], columns=(*COLUMNS, "Country")),
        "names 'Country' twice",
    ),
    "too many columns": (
        lambda at: write_export(at / "w.xlsx", [HUB], columns=(*COLUMNS, *(f"c{n}" for n in range(70)))),
        "more than 60 columns",
    ),
    "too many rows": (
        lambda at: write_export(at / "r.xlsx", [HUB], change=lambda book: book.worksheets[0].cell(6000, 1, "x")),
        "more than 5000 rows",
    ),
    "a cell without end": (
        lambda at: (
            write_export(at / "l.xlsx", [make_record("X", title="x")], change=None)
            and rewrite_member(at / "l.xlsx", SHEET, lambda sheet: sheet.replace(b">x<", b">" + b"x" * 40_000 + b"<"))
        ),
        "a cell has 40000 characters",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_broken_file_is_refused_with_a_clear_error_and_changes_nothing(
    tmp_path: Path, data_dir: Path, run_import: Import, name: str
) -> None:
    make, message = REFUSED[name]
    before = snapshot(data_dir)
    code, said = run_import(make(tmp_path))
    assert code == 3, said
    assert said.startswith("error [sheet]: ")
    assert message in said
    assert snapshot(data_dir) == before


def test_merged_ranges_that_claim_more_than_the_sheet_has_cost_nothing(
    tmp_path: Path, data_dir: Path, run_import: Import
) -> None:
    # Each has more cells than could be walked through in a second.
    path = add_merged(write_export(tmp_path / "m.xlsx", [HUB]), (f"A{n}:XFD1048576" for n in range(1, 5_000)))
    code, report = run_import(path)
    assert code == 0, report
    assert read(data_dir, "edih/hubs")[0]["name"] == HUB["EDIH Name"]


def test_what_a_member_says_of_itself_bounds_what_is_unpacked(tmp_path: Path) -> None:
    path = understate_bomb(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(SheetError, match="Bad CRC-32"):
            read_sheet(path, header="EDIH Title")
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_file_without_a_day_asks_for_one(tmp_path: Path, data_dir: Path, run_import: Import) -> None:
    export = write_export(tmp_path / "export.xlsx", [HUB])
    rewrite_member(export, "docProps/core.xml", lambda core: core.replace(b"dcterms:created", b"dcterms:issued"))
    code, message = run_import(export)
    assert code == 3
    assert "--as-of" in message
    assert run_import(export, "--as-of", "2026-09-10")[0] == 0
    assert read(data_dir, "edih/exports")[-1]["as_of"] == "2026-09-10"
