"""``kg import graph``: a file as a written graph, through the gate that a PUT goes through."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kg.cli import main
from kg.graphs import load_graphs
from kg.release import Releases
from tests.writes.conftest import WRITTEN, comment
from tests.writes.test_gate import INVALID, RULES


def test_file_becomes_a_written_graph_or_a_report(
    releases_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shutil.copytree(releases_dir, tmp_path / "releases", symlinks=True)
    path = tmp_path / "notes.ttl"
    command = ["import", "graph", str(path), "--releases", str(root), "--name"]
    before = Releases(root).current_id()

    path.write_text(INVALID, encoding="utf-8")
    assert main([*command, "holm-notes"]) == 1
    report = capsys.readouterr().out
    assert all(rule in report for rule in RULES)

    path.write_text(comment("brought in"), encoding="utf-8")
    assert main([*command, "Holm Notes"]) == 3
    assert "no slug" in capsys.readouterr().err
    assert main([*command, "holm-notes", "--dry-run"]) == 0
    assert Releases(root).current_id() == before

    assert main([*command, "holm-notes"]) == 0
    current = Releases(root).current()
    assert current is not None
    assert load_graphs(current.path)[f"{WRITTEN}holm-notes"].quads == 1
    assert current.manifest.extra["write"] == {"by": "kg-import", "graphs": [f"{WRITTEN}holm-notes"]}
    # Nobody else would make its dumps.
    assert current.is_complete
