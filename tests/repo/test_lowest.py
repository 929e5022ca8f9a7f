"""The lowest versions that are allowed can be installed as such: a constraints file that agrees with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_BOUND = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[a-z]+\])?>=([0-9][0-9.]*)")


def test_constraints_name_the_lower_bound_of_every_dependency(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = [_BOUND.match(each) for each in project["dependencies"]]
    assert all(bounds), project["dependencies"]
    lines = (repository / ".ci/lowest.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        f"{found[1]}=={found[2]}" for found in bounds if found
    ]
