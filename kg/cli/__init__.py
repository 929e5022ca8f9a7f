"""The command line ``kg``: arguments in, one stage or release called, exit codes out (STYLE 5).

0 done, 1 a gate was not met, 2 usage, 3 source, store or network, 70 a bug.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version

from kg.cli import bring, doctor, graph, links, mirror, publish, release, server, token
from kg.errors import DiskError, KgError

__all__ = ["main", "make_parser"]

_BUG = 70
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, after running one command."""
    options = make_parser().parse_args(arguments)
    try:
        code = options.run(options)
        sys.stdout.flush()
    except KgError as error:
        print(f"error [{error.code}]: {error}", file=sys.stderr)
        if isinstance(error, DiskError) and error.__cause__:
            # What the system or the engine says of it, with the path, which is for whoever runs the command.
            print(f"    {error.__cause__}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Without this, Python complains again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception:  # noqa: BLE001 - the outermost frame: what arrives here is a bug, and is reported as one
        traceback.print_exc()
        print("error [bug]: this should not happen; please report it with the lines above", file=sys.stderr)
        return _BUG
    return int(code)


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each parsed command carries its function as ``run``."""
    parser = argparse.ArgumentParser(
        prog="kg",
        description="CHAP: build, validate, query and serve the knowledge graph of an innovation ecosystem.",
        epilog="example: kg build && kg serve",
    )
    parser.add_argument("--version", action="version", version=f"kg {version('chap-kg')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    graph.add_commands(commands)
    bring.add_commands(commands)
    links.add_commands(commands)
    mirror.add_commands(commands)
    server.add_commands(commands)
    release.add_commands(commands)
    publish.add_commands(commands)
    doctor.add_commands(commands)
    token.add_commands(commands)
    return parser
