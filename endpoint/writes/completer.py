"""A process that makes dumps and descriptions of the current release, where they are missing, and brings the feed up.

Why it failed goes to standard error in full, for the log, and to standard output without a path, for everybody.
"""

from __future__ import annotations

import os
import sys

from endpoint.sparql.confinement import close_network, leave_network
from kg.complete import complete_current
from kg.errors import KgError
from kg.settings import load_settings

__all__ = ["main"]


def main() -> int:
    """Complete the current release; what it reads came from outside, so it has no network either."""
    leave_network()
    close_network()
    try:
        complete_current(load_settings())
    except KgError as error:
        sys.stderr.write(f"{error}\n")
        sys.stdout.write(f"{_shorten(error)}\n")
        return error.exit_code
    return 0


def _shorten(error: KgError) -> str:
    """What kind of error it is, and what the system says to it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            return f"{error.code} ({os.strerror(cause.errno)})"
        cause = cause.__cause__
    return error.code


if __name__ == "__main__":
    sys.exit(main())
