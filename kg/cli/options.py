"""What the commands share: how a command is declared, the directories, the settings made from them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from kg.settings import KgSettings, load_settings

__all__ = ["Commands", "add_command", "add_releases", "make_settings", "parse_directory"]

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], *, summary: str, example: str
) -> argparse.ArgumentParser:
    """The parser of a new command, its help ending with an example."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", epilog=f"example: {example}"
    )
    parser.set_defaults(run=run)
    return parser


def add_releases(parser: argparse.ArgumentParser) -> None:
    """Let a command be told where the releases are."""
    parser.add_argument(
        "--releases", type=parse_directory, metavar="DIR", help="where releases are kept (default: releases)"
    )


def parse_directory(text: str) -> Path:
    """The path of a directory; an empty text, as of an unset variable, would mean the working directory."""
    if not text.strip():
        raise argparse.ArgumentTypeError("give the path of a directory, not an empty text")
    return Path(text)


def make_settings(options: argparse.Namespace) -> KgSettings:
    """The settings: from the directories that were given, then the environment, then defaults.

    Raises:
        SettingsError: a ``KG_`` variable is unknown.
    """
    return load_settings(data_dir=getattr(options, "data", None), releases_dir=getattr(options, "releases", None))
