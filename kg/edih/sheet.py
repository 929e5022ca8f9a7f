"""The sheet of an export file as rows of plain text, read within bounds and without trust.

The catalogue serves an .xlsx under an .xls name: what a file is, is told by its content. Formulas are never evaluated,
markup in cells is stripped, merged cells are filled; each such repair is reported with row and column. XML with a
document type, which could define entities, is refused before a parser sees it.
"""

from __future__ import annotations

import html
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from kg.errors import SheetError

__all__ = ["Limits", "Repair", "Sheet", "SheetRow", "read_sheet"]

_KINDS: Final[Mapping[bytes, str]] = {
    b"\xd0\xcf\x11\xe0": "an old binary Excel file (.xls), or one with a password",
    b"%PDF": "a PDF",
    b"<!DO": "a web page; the catalogue may have answered with an error",
    b"<htm": "a web page; the catalogue may have answered with an error",
    b"<HTM": "a web page; the catalogue may have answered with an error",
}
_CURE: Final = "download it again with the button 'Download Data' of the catalogue, or save it as .xlsx"
_RANGE: Final = rb"[A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7}"
_MERGED: Final = re.compile(rb"<(?:\w{1,20}:)?mergeCell\s[^<>]{0,200}?ref=\"(" + _RANGE + rb")\"")
_CREATED: Final = re.compile(rb"<dcterms:created[^<>]{0,200}>\s{0,20}([0-9]{4}-[0-9]{2}-[0-9]{2})")
_DOCTYPE: Final = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,2000}>")
_BLANKS: Final = re.compile(r"\s+")
# Control characters, and marks that are not seen: zero-width space and joiners, byte order mark, directions.
_UNSEEN: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffe\uffff]"
)
_HEADER_ROWS: Final = 10
# The last row that a workbook can have (ECMA-376); a file may claim more, and gaps between rows are walked through.
_LAST_ROW: Final = 1_048_576
# How often markup may be escaped within markup.
_ESCAPES: Final = 3


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large a file may be; far beyond the catalogue's 460 rows of eleven columns."""

    file_bytes: int = 20 << 20
    unpacked_bytes: int = 64 << 20
    members: int = 200
    rows: int = 5_000
    columns: int = 60
    cell_characters: int = 32_767
    # Of all sheets together; merged ranges of one do not overlap (ECMA-376, part 1, section 18.3.1.55).
    merged_ranges: int = 10_000
    merged_cells: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Repair:
    """What was put right while reading: the row of the sheet, its column and what was done."""

    row: int
    column: str
    what: str


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row below the header: its number in the sheet, and its cells by column name."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of text, the day on which the workbook was made, and what was repaired."""

    columns: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    created: date | None
    repairs: tuple[Repair, ...]


def read_sheet(path: Path, *, header: str, limits: Limits | None = None) -> Sheet:
    """The sheet whose header row names the column ``header``.

    Raises:
        SheetError: the file is no workbook, damaged, too large, or has no such sheet; the message says what to do.
    """
    limits = limits or Limits()
    content = _read_file(path, limits)
    package = _inspect_members(path, content, limits)
    try:
        workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        seen = []
        for name in workbook.sheetnames:
            if not hasattr(workbook[name], "iter_rows"):
                continue
            grid, repairs = _read_grid(workbook[name], limits)
            if (found := _find_header(grid, header)) is not None:
                _fill_merged(grid, package.merged, repairs, limits)
                return _make_sheet(path, grid, found, package.created, repairs)
            seen.append(f"{name!r} ({'empty' if not any(map(any, grid)) else 'begins with ' + _quote(grid)})")
    except _Broken as error:
        raise SheetError(f"{path}: the workbook is damaged ({type(error).__name__}: {error}); {_CURE}") from error
    raise SheetError(
        f"{path}: no sheet has a header row with the column {header!r}; sheets: {', '.join(seen)}. {_CURE}"
    )


# What openpyxl and the parsers below it raise on damaged content.
_Broken: Final = (
    zipfile.BadZipFile,
    InvalidFileException,
    ParseError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
    zlib.error,
    NotImplementedError,
)


def _read_file(path: Path, limits: Limits) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limits.file_bytes + 1)
    except OSError as error:
        raise SheetError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > limits.file_bytes:
        raise SheetError(f"{path} is larger than {limits.file_bytes >> 20} MiB; the export has about 0.1 MiB. {_CURE}")
    if not content.startswith(b"PK"):
        kind = next((kind for magic, kind in _KINDS.items() if content.lstrip().startswith(magic)), None)
        if kind is None:
            kind = "a text file, such as CSV" if _is_text(content[:4096]) and content else "empty or unknown"
        raise SheetError(f"{path} is no .xlsx workbook but {kind}; {_CURE}")
    return content


def _is_text(start: bytes) -> bool:
    return b"\0" not in start


@dataclass(frozen=True, slots=True)
class _Package:
    """What the workbook's own files say: merged ranges, of all sheets, and the day on which it was made."""

    merged: tuple[str, ...]
    created: date | None


def _inspect_members(path: Path, content: bytes, limits: Limits) -> _Package:
    """What the reader does not tell, once every member is known to be small and free of document types.

    The reader gives a workbook without a day today's.
    """
    merged: dict[str, None] = {}
    created = None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if len(members) > limits.members or unpacked > limits.unpacked_bytes:
                raise SheetError(
                    f"{path} would unpack to {unpacked >> 20} MiB in {len(members)} files; at most "
                    f"{limits.unpacked_bytes >> 20} MiB in {limits.members} are read (a zip bomb?). {_CURE}"
                )
            if "[Content_Types].xml" not in archive.namelist():
                raise SheetError(f"{path} is a zip archive but no .xlsx workbook; {_CURE}")
            for member in members:
                # So much at a time: what a member unpacks to is not bounded by what it says of itself.
                with archive.open(member) as file:
                    part = file.read(member.file_size + 1)
                if member.filename.endswith((".xml", ".rels")) and (_DOCTYPE.search(part) or part[:2] in _UTF16):
                    raise SheetError(f"{path}: {member.filename} declares entities or is not UTF-8; {_CURE}")
                if member.filename.startswith("xl/worksheets/"):
                    merged |= dict.fromkeys(each[1].decode() for each in _MERGED.finditer(part))
                    if len(merged) > limits.merged_ranges:
                        raise SheetError(
                            f"{path}: more than {limits.merged_ranges} merged ranges; the export has none. {_CURE}"
                        )
                elif member.filename == "docProps/core.xml" and (match := _CREATED.search(part)):
                    created = date.fromisoformat(match[1].decode())
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise SheetError(f"{path}: the archive is damaged or encrypted ({error}); {_CURE}") from error
    return _Package(tuple(merged), created)


_UTF16: Final = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")


def _read_grid(worksheet: Iterable[object], limits: Limits) -> tuple[list[list[str]], list[Repair]]:
    """The cells as text, padded to one width; row and column limits hold whatever the sheet declares."""
    grid: list[list[str]] = []
    repairs: list[Repair] = []
    rows = worksheet.iter_rows(max_row=_LAST_ROW, max_col=limits.columns + 1)  # type: ignore[attr-defined]
    for number, cells in enumerate(rows, start=1):
        if number > limits.rows:
            if any(getattr(cell, "value", None) is not None for cell in cells):
                raise SheetError(f"the sheet has more than {limits.rows} rows; the catalogue has about 460. {_CURE}")
            continue
        texts = []
        for index, cell in enumerate(cells, start=1):
            text, done = _clean(cell, limits)
            texts.append(text)
            repairs += [Repair(number, get_column_letter(index), what) for what in done]
        grid.append(texts)
    if any(len(row) > limits.columns and row[limits.columns] for row in grid):
        raise SheetError(f"the sheet has more than {limits.columns} columns; the export has eleven. {_CURE}")
    return grid, repairs


def _clean(cell: object, limits: Limits) -> tuple[str, list[str]]:
    """The text of a cell and what was done to it."""
    value = getattr(cell, "value", None)
    if value is None:
        return "", []
    if getattr(cell, "data_type", None) in ("f", "e"):
        return "", [f"a formula or an error value stands here and was left out, not evaluated: {str(value)[:60]!r}"]
    if isinstance(value, datetime | date):
        return value.isoformat(), [f"a date stands here, read as {value.isoformat()}"]
    text, done = str(value), []
    if len(text) > limits.cell_characters:
        raise SheetError(f"a cell has {len(text)} characters; at most {limits.cell_characters} are read. {_CURE}")
    plain = text
    for _ in range(_ESCAPES):
        plain = _TAG.sub(" ", html.unescape(plain))
    if plain != text:
        done.append(f"markup was stripped: {text[:60]!r}")
    return _BLANKS.sub(" ", _UNSEEN.sub("", plain)).strip(), done


def _find_header(grid: Sequence[Sequence[str]], header: str) -> int | None:
    wanted = header.casefold()
    rows = enumerate(grid[:_HEADER_ROWS])
    return next((index for index, row in rows if any(cell.casefold() == wanted for cell in row)), None)


def _fill_merged(grid: list[list[str]], merged: Sequence[str], repairs: list[Repair], limits: Limits) -> None:
    """Give every cell of a merged range the text of its first one.

    The ranges are those of all sheets of the workbook: one that belongs to another sheet meets cells with text, and
    is left alone.
    """
    width = max(map(len, grid), default=0)
    looked_at = 0
    for reference in merged:
        left, top, right, bottom = range_boundaries(reference)
        # What a range claims beyond the sheet is not there.
        rows, columns = range(top - 1, min(bottom, len(grid))), range(left - 1, min(right, width))
        looked_at += len(rows) * len(columns)
        if looked_at > limits.merged_cells:
            raise SheetError(f"merged ranges span more than {limits.merged_cells} cells in all. {_CURE}")
        inside = [(row, column) for row in rows for column in columns if column < len(grid[row])]
        if not inside or not grid[inside[0][0]][inside[0][1]]:
            continue
        if any(grid[row][column] for row, column in inside[1:]):
            continue
        for row, column in inside[1:]:
            grid[row][column] = grid[inside[0][0]][inside[0][1]]
        repairs.append(
            Repair(top, get_column_letter(left), f"the cells {reference} are merged: each was given the text")
        )


def _make_sheet(path: Path, grid: list[list[str]], header: int, created: date | None, repairs: list[Repair]) -> Sheet:
    width = max((index + 1 for row in grid for index, cell in enumerate(row) if cell), default=0)
    names = [name or f"column {get_column_letter(index)}" for index, name in enumerate(grid[header][:width], start=1)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SheetError(f"{path}: the header names {', '.join(map(repr, twice))} twice; remove one of the columns")
    rows = tuple(
        SheetRow(number, dict(zip(names, cells, strict=False)))
        for number, cells in enumerate(grid[header + 1 :], start=header + 2)
        if any(cells)
    )
    titles = {get_column_letter(index): name for index, name in enumerate(names, start=1)}
    told = tuple(Repair(each.row, titles.get(each.column, each.column), each.what) for each in repairs)
    return Sheet(tuple(names), rows, created, told)


def _quote(grid: Sequence[Sequence[str]]) -> str:
    first = next((row for row in grid if any(row)), [])
    return repr([cell for cell in first if cell][:4])
