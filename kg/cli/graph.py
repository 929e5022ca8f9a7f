"""``kg build``, ``kg validate`` and ``kg query``: make the graph, check it, ask it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kg.cli.options import Commands, add_command, add_releases, make_settings, parse_directory
from kg.errors import NotAcceptable, QueryError, QueryRefused, QuerySyntaxError
from kg.release import Releases

if TYPE_CHECKING:
    from kg.report import Severity
    from kg.settings import KgSettings
    from kg.validate import Report

__all__ = ["add_commands"]

_TABLE_TYPES: Final = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/sparql-results+json",
    "xml": "application/sparql-results+xml",
}
_TRIPLE_TYPES: Final = {"turtle": "text/turtle", "json": "application/ld+json", "xml": "application/rdf+xml"}
_FORMATS: Final = ("table", *dict.fromkeys([*_TABLE_TYPES, *_TRIPLE_TYPES]))
_GATE_NOT_MET: Final = 1


def add_commands(commands: Commands) -> None:
    """Declare the three commands."""
    build = add_command(
        commands,
        "build",
        _build,
        summary="make a release of the tables, ontology and shapes; none on a violation or without a change",
        example="kg build --data data --releases releases",
    )
    build.add_argument(
        "--data", type=parse_directory, metavar="DIR", help="the curated tables (default: those of CHAP)"
    )
    _add_cross_check(build)
    add_releases(build)

    validate = add_command(
        commands,
        "validate",
        _validate,
        summary="check RDF files, or what a build would publish, against the shapes",
        example="kg validate ontology/examples/Cluster-valid.ttl --fail-on warning",
    )
    validate.add_argument("files", nargs="*", type=Path, metavar="FILE", help="RDF files, checked together")
    validate.add_argument(
        "--data", type=parse_directory, metavar="DIR", help="the curated tables, when no FILE is given"
    )
    validate.add_argument("--format", choices=("text", "json", "turtle", "html"), default="text")
    validate.add_argument("--fail-on", choices=("violation", "warning"), default="violation")
    _add_cross_check(validate)

    query = add_command(
        commands,
        "query",
        _query,
        summary="ask a release with SPARQL",
        example="kg query -f ontology/questions/cq-007-edith.rq --format csv",
    )
    query.add_argument("text", nargs="?", metavar="TEXT", help="the query; '-' reads it from standard input")
    query.add_argument("-f", "--file", type=Path, metavar="FILE.rq", help="a file with the query")
    query.add_argument("--release", default="current", metavar="ID", help="which release to ask (default: current)")
    query.add_argument("--format", choices=_FORMATS, default="table")
    add_releases(query)


def _add_cross_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cross-check", action="store_true", help="let a second SHACL engine judge too; any difference is an error"
    )


def _build(options: argparse.Namespace) -> int:
    from kg.build import build  # noqa: PLC0415 - the stages load slowly, and other commands do without them
    from kg.complete import complete_current  # noqa: PLC0415

    settings = make_settings(options)
    result = build(settings, cross_check=options.cross_check)
    # Where nothing changed since a write, its dumps may still be missing.
    complete_current(settings)
    if result.report and (warnings := len(result.report.warnings)):
        print(f"{warnings} warnings; 'kg validate' lists them with their records", file=sys.stderr)
    print(result.release.id)
    if result.is_new and not result.release.manifest.has_changes:
        parent = result.release.parent
        print(f"no file of changes was made: the content of {parent} cannot be read", file=sys.stderr)
    if not result.is_new:
        print("nothing changed: this release is current already", file=sys.stderr)
    return 0


def _validate(options: argparse.Namespace) -> int:
    settings = make_settings(options)
    if options.files:
        report = _validate_files(options.files, settings, cross_check=options.cross_check)
    else:
        from kg.build import check  # noqa: PLC0415 - as above

        report = check(settings, cross_check=options.cross_check)
        # A shape without a focus node says nothing, whatever it demands.
        for shape in report.idle_shapes:
            print(f"nothing to look at for {shape}", file=sys.stderr)
    least: Severity = "Warning" if options.fail_on == "warning" else "Violation"
    writers: dict[str, Callable[[], str]] = {
        "text": lambda: report.to_text(least=least if report.violations else None),
        "json": report.to_json,
        "turtle": lambda: report.to_turtle().decode(),
        "html": report.to_html,
    }
    sys.stdout.write(writers[options.format]())
    failed = report.violations or (options.fail_on == "warning" and report.warnings)
    return _GATE_NOT_MET if failed else 0


def _validate_files(files: list[Path], settings: KgSettings, *, cross_check: bool) -> Report:
    from pyoxigraph import Store  # noqa: PLC0415 - as above

    from kg.rdfio import load_graph  # noqa: PLC0415
    from kg.terms import mint_graph  # noqa: PLC0415
    from kg.validate import validate  # noqa: PLC0415

    store = Store()
    for number, path in enumerate(files, start=1):
        store.extend(load_graph(path, graph_iri=mint_graph(f"file-{number}")))
    return validate(store, shapes_dir=settings.shapes_dir, ontology_dir=settings.ontology_dir, cross_check=cross_check)


def _query(options: argparse.Namespace) -> int:
    from pyoxigraph import QueryTriples  # noqa: PLC0415 - as above

    from kg.cli.table import write_table  # noqa: PLC0415
    from kg.rdfio import load_prefixes, write_turtle  # noqa: PLC0415
    from kg.store import evaluate_query, open_read_only, write_result  # noqa: PLC0415

    settings = make_settings(options)
    text = _read_query(options.text, options.file)
    _inspect(text)
    release = Releases(settings.releases_dir).get(options.release)
    result = evaluate_query(open_read_only(release.store_path), text)
    output = sys.stdout.buffer
    prefixes = load_prefixes(settings.ontology_dir / "prefixes.ttl")
    if isinstance(result, QueryTriples):
        if options.format in ("table", "turtle"):
            write_turtle(result, output, prefixes=prefixes)
        else:
            write_result(result, output, media_type=_find_type(_TRIPLE_TYPES, options.format, "triples"))
    elif options.format == "table":
        write_table(result, sys.stdout, prefixes=prefixes)
    else:
        write_result(result, output, media_type=_find_type(_TABLE_TYPES, options.format, "a table"))
    return 0


def _read_query(text: str | None, path: Path | None) -> str:
    if (text is None) == (path is None):
        raise _UsageError("give the query either as TEXT or with -f FILE")
    if text == "-":
        return sys.stdin.read()
    if path is None:
        return text or ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _UsageError(f"{path}: {error}") from error


def _inspect(text: str) -> None:
    """Refuse what would send requests from here or end this process, by the rules and limits of the server.

    Raises:
        QuerySyntaxError: the text is no query.
        QueryRefused: it holds SERVICE, is an update, or is too long or too deep.
        SettingsError: an ``ENDPOINT_`` variable is wrong.
    """
    from endpoint.http.problems import Problem  # noqa: PLC0415 - kg reaches the endpoint only where a command needs it
    from endpoint.settings import load_settings  # noqa: PLC0415
    from endpoint.sparql.guard import Limits, inspect_query  # noqa: PLC0415

    settings = load_settings()
    limits = Limits(
        bytes_=settings.query_max_kib * 1024,
        depth=settings.query_max_depth,
        operators=settings.query_max_operators,
        base=f"{settings.base_url}/sparql",
    )
    try:
        inspect_query(text, limits=limits)
    except Problem as problem:
        kind = QuerySyntaxError if problem.code == QuerySyntaxError.code else QueryRefused
        line, column = problem.members.get("line"), problem.members.get("column")
        where = "" if line is None else f" (line {line}, column {column})"
        raise kind(f"{problem.detail}{where}") from problem


def _find_type(types: Mapping[str, str], name: str, what: str) -> str:
    if name not in types:
        raise NotAcceptable(f"--format {name} cannot hold {what}; use one of table, {', '.join(types)}")
    return types[name]


class _UsageError(QueryError):
    """There is no query to ask."""

    code = "usage"
    exit_code = 2
