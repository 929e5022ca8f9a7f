"""``kg publish``: a release put on another SPARQL server."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from kg.cli.options import Commands, add_command, add_releases, make_settings
from kg.errors import SettingsError
from kg.release import Releases
from kg.settings import read_secret

__all__ = ["add_commands"]

_BAR: Final = 30
_SHOWN: Final = 10


def add_commands(commands: Commands) -> None:
    """Declare the command."""
    publish = add_command(
        commands,
        "publish",
        _publish,
        summary="put a release on another SPARQL 1.1 server, graph by graph; only what is not there yet is sent",
        example="kg publish --to http://localhost:8890/sparql-graph-crud-auth --user dba --password-env DBA_PASSWORD",
    )
    publish.add_argument("--to", required=True, metavar="URL", help="where it takes graphs (Graph Store Protocol)")
    publish.add_argument("--query-url", metavar="URL", help="where it takes queries (default: told by --to)")
    publish.add_argument("--token-env", metavar="NAME", help="environment variable with a bearer token")
    publish.add_argument("--user", metavar="NAME", help="user, for Basic or Digest authentication")
    publish.add_argument("--password-env", metavar="NAME", help="environment variable with the password of the user")
    publish.add_argument("--release", default="current", metavar="ID", help="which release (default: current)")
    add_releases(publish)


def _publish(options: argparse.Namespace) -> int:
    from kg.graph_store import Access, find_query_url, open_graph_store  # noqa: PLC0415 - others do without them
    from kg.publish import publish_release  # noqa: PLC0415

    if (options.user is None) != (options.password_env is None) or (options.user and options.token_env):
        raise SettingsError("give --token-env, or --user together with --password-env, or none of them")
    access = Access(
        token=read_secret(options.token_env) if options.token_env else None,
        user=options.user,
        password=read_secret(options.password_env) if options.password_env else None,
    )
    release = Releases(make_settings(options).releases_dir).get(options.release)
    query_url = options.query_url or find_query_url(options.to)
    with open_graph_store(options.to, query_url, access) as store:
        summary = publish_release(release, store, progress=_show_progress)
    print(
        f"{release.id} is at {query_url}: {summary.sent:,} graphs sent ({summary.triples:,} triples), "
        f"{summary.unchanged:,} were there, {summary.deleted:,} deleted"
    )
    if summary.merged:
        shown = "\n  ".join(summary.merged[:_SHOWN])
        print(
            f"{len(summary.merged)} triples are not told apart there from others of the same value:\n  {shown}",
            file=sys.stderr,
        )
    return 0


def _show_progress(done: int, total: int, graph: str) -> None:
    if not sys.stderr.isatty():
        return
    filled = _BAR * done // max(total, 1)
    name = graph.rpartition("/")[2][:40]
    end = "\n" if done == total else ""
    print(f"\r[{'#' * filled:<{_BAR}}] {done}/{total} graphs {name:<40}", end=end, file=sys.stderr, flush=True)
