"""``kg import``: bring outside data in."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from typing import Final

from kg.cli.options import Commands, add_command, add_releases, make_settings, parse_directory

__all__ = ["add_commands"]

_GATE_NOT_MET: Final = 1


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

    graph = add_command(
        kinds,
        "graph",
        _import_graph,
        summary="publish an RDF file as a graph of its own, judged by the shapes; it replaces what the graph held",
        example="kg import graph notes.ttl --name holm-notes --dry-run",
    )
    graph.add_argument("file", type=Path, metavar="FILE", help="its ending tells the syntax: .ttl .nt .rdf .jsonld ...")
    graph.add_argument(
        "--name",
        required=True,
        metavar="NAME",
        help="of the graph, below .../graph/written/, in lower-case words joined by hyphens; in plain mode an IRI",
    )
    graph.add_argument("--dry-run", action="store_true", help="do all but publish")
    add_releases(graph)


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


def _import_graph(options: argparse.Namespace) -> int:
    from endpoint.settings import load_settings  # noqa: PLC0415 - what limits documents over HTTP, limits them here
    from kg.complete import complete_current  # noqa: PLC0415 - the engine loads slowly
    from kg.graph_import import import_graph  # noqa: PLC0415

    settings = make_settings(options)
    max_depth = load_settings().write_max_depth
    outcome = import_graph(settings, options.file, name=options.name, max_depth=max_depth, is_dry_run=options.dry_run)
    if outcome.report.violations:
        sys.stdout.write(outcome.report.to_text())
        print("nothing was published", file=sys.stderr)
        return _GATE_NOT_MET
    done = "would be published" if options.dry_run else "published" if outcome.is_new else "nothing changed"
    print(f"{done}: {outcome.added:,} quads added, {outcome.removed:,} removed", file=sys.stderr)
    print(outcome.release.id)
    if outcome.is_new:
        complete_current(settings)
    return 0


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2026-09-09") from error
