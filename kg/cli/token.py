"""``kg token``: who may write over HTTP."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from kg.cli.options import Commands, add_command, make_settings

__all__ = ["add_commands"]


def add_commands(commands: Commands) -> None:
    """Declare the command and those below it."""
    parser = commands.add_parser(
        "token",
        help="who may write over HTTP",
        description="Add, list and revoke tokens: who may write over HTTP (setting ENDPOINT_TOKENS_FILE).",
        epilog="example: kg token add anna --graphs holm-",
    )
    below = parser.add_subparsers(metavar="COMMAND", required=True)
    add = add_command(
        below,
        "add",
        _add,
        summary="a new token, printed once",
        example="kg token add anna --graphs holm- cyber --expires 2027-12-31",
    )
    add.add_argument("name", metavar="NAME", help="who writes with it: named in releases, lower-case words")
    add.add_argument(
        "--graphs",
        nargs="+",
        default=[],
        metavar="PREFIX",
        help="beginnings of the names of graphs it may write; of IRIs, in plain mode",
    )
    add.add_argument("--update", action="store_true", help="it may send SPARQL updates, too")
    add.add_argument(
        "--admin",
        action="store_true",
        help="it may write all that can be written; in plain mode the default graph, too",
    )
    add.add_argument("--expires", type=_parse_date, metavar="DATE", help="the last day (UTC) on which it holds")

    add_command(below, "list", _list, summary="all tokens, without their secrets", example="kg token list")
    revoke = add_command(below, "revoke", _revoke, summary="remove a token", example="kg token revoke anna")
    revoke.add_argument("name", metavar="NAME", help="its name or its id")


def _add(options: argparse.Namespace) -> int:
    from endpoint.writes.tokens import add_token  # noqa: PLC0415 - kg reaches the endpoint only where a command needs it

    path = _find_file()
    token = add_token(
        path,
        name=options.name,
        graphs=options.graphs,
        update=options.update,
        admin=options.admin,
        expires=options.expires,
        is_plain=make_settings(options).is_plain,
    )
    print(token)
    print(f"this is shown once; {path} holds its digest only", file=sys.stderr)
    return 0


def _list(_: argparse.Namespace) -> int:
    from endpoint.writes.tokens import load_tokens  # noqa: PLC0415 - as above

    for each in load_tokens(_find_file()):
        rights = [*filter(None, each.graphs), *(["update"] if each.update else []), *(["admin"] if each.admin else [])]
        state = "expired" if each.has_expired(datetime.now(UTC)) else f"until {each.expires or 'revoked'}"
        print(f"{each.id}  {each.name}  {' '.join(rights)}  {state}")
    return 0


def _revoke(options: argparse.Namespace) -> int:
    from endpoint.writes.tokens import revoke_token  # noqa: PLC0415 - as above

    revoked = revoke_token(_find_file(), options.name)
    print(f"revoked {revoked.name} ({revoked.id})")
    return 0


def _find_file() -> Path:
    from endpoint.settings import load_settings  # noqa: PLC0415 - as above

    return load_settings().tokens_file


def _parse_date(text: str) -> datetime:
    """The end of a day."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2027-12-31") from error
    return day.replace(hour=23, minute=59, second=59)
