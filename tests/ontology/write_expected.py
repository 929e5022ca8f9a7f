"""Write the expected rows of the competency questions from the current release; read the difference before you commit.

.venv/bin/kg build && .venv/bin/python tests/ontology/write_expected.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyoxigraph import QueryResultsFormat, QuerySolutions, Store

from kg.queries import load_directory
from kg.release import Releases
from kg.settings import KgSettings


def main(releases_dir: Path) -> None:
    """Write one .expected.tsv beside each question."""
    release = Releases(releases_dir).current()
    if release is None:
        raise SystemExit(f"no release in {releases_dir}: run kg build first")
    store = Store.read_only(str(release.store_path))
    for question in load_directory(KgSettings().ontology_dir / "questions"):
        answer = store.query(question.text)
        assert isinstance(answer, QuerySolutions)
        answer.serialize(str(question.path.with_suffix(".expected.tsv")), format=QueryResultsFormat.TSV)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else KgSettings().releases_dir)
