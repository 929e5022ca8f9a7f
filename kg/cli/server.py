"""``kg serve``: kg reaches the endpoint at the moment it is started (and in ``kg query``, for its guard)."""

from __future__ import annotations

import argparse
from pathlib import Path

from kg.cli.options import Commands, add_command, add_releases, make_settings
from kg.settings import KgSettings

__all__ = ["add_commands"]


def add_commands(commands: Commands) -> None:
    """Declare the command."""
    serve = add_command(
        commands,
        "serve",
        _serve,
        summary="serve the current release over HTTP: SPARQL, pages, API",
        example="kg serve --port 8000 --query-workers 4",
    )
    serve.add_argument("--host", metavar="H", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=int, metavar="P", help="port to listen on (default: 8000)")
    serve.add_argument("--query-workers", type=int, metavar="N", help="processes that answer queries")
    add_releases(serve)


def _serve(options: argparse.Namespace) -> int:
    # kg knows nothing else of the endpoint, and pays for it only here.
    from endpoint.server import run  # noqa: PLC0415
    from endpoint.settings import load_settings  # noqa: PLC0415

    settings = load_settings(
        host=options.host,
        port=options.port,
        query_workers=options.query_workers,
        releases_dir=_find_releases_dir(options),
    )
    run(settings)
    return 0


def _find_releases_dir(options: argparse.Namespace) -> Path | None:
    # Where kg builds to is where it serves from, but its default must not hide ENDPOINT_RELEASES_DIR.
    releases_dir = make_settings(options).releases_dir
    return None if releases_dir == KgSettings.releases_dir else releases_dir
