"""``kg mirror``: keep a graph of an outside endpoint, so that queries need not ask it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from kg.cli.options import Commands, add_command, add_releases, make_settings, parse_directory
from kg.release import Releases

__all__ = ["add_commands"]

_SHOWN: Final = 5


def add_commands(commands: Commands) -> None:
    """Declare the command."""
    mirror = add_command(
        commands,
        "mirror",
        _mirror,
        summary="fetch a stored graph from an outside endpoint and keep it beside the tables, for the next build",
        example="kg mirror nuts-hesse --dry-run",
    )
    mirror.add_argument("name", nargs="?", metavar="NAME", help="which mirror; without it they are listed")
    mirror.add_argument("--url", help="another address of the endpoint, such as a copy of it")
    mirror.add_argument("--dry-run", action="store_true", help="show what would be asked, and ask nothing")
    mirror.add_argument("--endpoints", type=Path, metavar="FILE", help="the allow-list (default: that of CHAP)")
    mirror.add_argument(
        "--data", type=parse_directory, metavar="DIR", help="the curated tables (default: those of CHAP)"
    )
    add_releases(mirror)


def _mirror(options: argparse.Namespace) -> int:
    from kg.allowlist import SHIPPED_NAME, load_allowlist  # noqa: PLC0415 - other commands do without them
    from kg.journal import find_instant  # noqa: PLC0415
    from kg.mirror import list_mirrors, plan_mirror, run_mirror  # noqa: PLC0415
    from kg.settings import asset_directory  # noqa: PLC0415
    from kg.store import open_read_only  # noqa: PLC0415

    if options.name is None:
        for query in list_mirrors():
            print(f"{query.id:28} {query.find_note('endpoint'):20} {query.summary}")
        return 0
    settings = make_settings(options)
    allowed = load_allowlist(options.endpoints or asset_directory("data") / SHIPPED_NAME)
    plan = plan_mirror(
        options.name,
        allowed,
        store=lambda: open_read_only(Releases(settings.releases_dir).get("current").store_path),
        url=options.url,
    )
    if options.dry_run:
        count = f"{len(plan.batches)} requests" if plan.batches is not None else f"pages of {plan.page}"
        print(f"# {plan.endpoint.method} {plan.endpoint.url}: {count} into {plan.graph_iri}\n# licence {plan.licence}")
        print(plan.batches[0] if plan.batches else plan.query.text)
        return 0
    result = run_mirror(
        plan, settings.data_dir, contact=allowed.contact, today=find_instant().date(), progress=_show_progress
    )
    for statement in result.left_out[:_SHOWN]:
        print(f"left out, an IRI in it is none: {statement}", file=sys.stderr)
    if len(result.left_out) > _SHOWN:
        print(f"and {len(result.left_out) - _SHOWN} more", file=sys.stderr)
    state = "" if result.is_changed else ", as before"
    print(f"{result.path}: {result.triples} triples in {result.requests} requests{state}")
    return 0


def _show_progress(requests: int, triples: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{requests} requests, {triples} triples", end="", file=sys.stderr, flush=True)
