"""What git sees: nothing of ours is ignored, and no file names the machine it was written on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

FOLDERS = ["data", "endpoint", "kg", "ontology", "shapes", "tests"]


@pytest.fixture(scope="module")
def files(repository: Path) -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return listed.stdout.strip("\0").split("\0")


def test_no_source_file_is_ignored(repository: Path, files: list[str]) -> None:
    del files
    there = [
        str(path.relative_to(repository))
        for folder in FOLDERS
        for path in (repository / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "node_modules" not in path.parts
    ]
    asked = subprocess.run(
        ["git", "check-ignore", "--stdin"],
        cwd=repository,
        input="\n".join(there),
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.stdout.split() == []


def test_no_file_names_a_machine(repository: Path, files: list[str]) -> None:
    machine = re.compile(r"(^|[^.A-Za-z])/(work|root)/|/tmp/[a-z]+/")
    found = []
    for name in files:
        path = repository / name
        if path.suffix in {".py", ".md", ".ttl", ".rq", ".ru", ".toml", ".csv", ".html"} and path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            found += [
                f"{name}:{number}"
                for number, line in enumerate(lines, 1)
                if machine.search(line) and "re.compile" not in line
            ]
    assert found == []
