"""``python -m kg``: the command line, for where its script is not on the path."""

import sys

from kg.cli import main

sys.exit(main())
