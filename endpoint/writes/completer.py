"""A process that makes the dumps and descriptions of the current release, where a write left them for later."""

from __future__ import annotations

import sys

from kg.complete import complete_current
from kg.errors import KgError
from kg.settings import load_settings

__all__ = ["main"]


def main() -> int:
    """Complete the current release."""
    try:
        complete_current(load_settings())
    except KgError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
