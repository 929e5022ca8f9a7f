"""``kg import``: bring outside data in."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from kg.cli.options import Commands, add_command, make_settings, parse_directory

__all__ = ["add_commands"]


def add_commands(commands: Commands) -> None:
    """Declare ``import`` and what can be imported."""
    bring = commands.add_parser(
        "import",
        help="bring outside data in",
        description="Bring outside data in.",
        epilog="example: kg import edih export-edihs.xlsx --dry-run",
    )
    kinds = bring.add_subparsers(metavar="WHAT", required=True)
    edih = add_command(
        kinds,
        "edih",
        _import_edih,
        summary="read an export of the catalogue of European Digital Innovation Hubs into the tables below data/edih",
        example="kg import edih export-edihs.xlsx && kg build",
    )
    edih.add_argument(
        "file", type=Path, metavar="FILE", help="what the button 'Download Data' gives, whatever its ending"
    )
    edih.add_argument("--data", type=parse_directory, metavar="DIR", help="the curated tables (default: those of CHAP)")
    edih.add_argument(
        "--as-of", type=_parse_day, metavar="DATE", help="the day of the export (default: when the workbook was made)"
    )
    edih.add_argument("--dry-run", action="store_true", help="report what would change, and write nothing")


def _import_edih(options: argparse.Namespace) -> int:
    from kg.edih.importer import import_export  # noqa: PLC0415 - the spreadsheet library loads slowly

    settings = make_settings(options)
    report = import_export(
        options.file,
        data_dir=settings.data_dir,
        ontology_dir=settings.ontology_dir,
        as_of=options.as_of,
        dry_run=options.dry_run,
    )
    sys.stdout.write(report.to_text())
    return 0


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2026-09-09") from error
