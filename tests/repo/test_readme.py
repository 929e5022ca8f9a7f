"""README tells the truth: its settings are those of the code, its commands run as written, its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.protocol.conftest import run_server
from tests.repo.write_settings import make_table, read_table


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


def test_settings_are_those_of_the_code(readme: str) -> None:
    assert read_table(readme) == make_table(), "write it anew: python -m tests.repo.write_settings"


def test_links_lead_to_files_that_exist(readme: str, repository: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", readme)
    assert targets
    assert [target for target in targets if not (repository / target).exists()] == []


def test_make_targets_that_are_named_exist(readme: str, repository: Path) -> None:
    named = set(re.findall(r"`?make ([a-z]+)", readme)) - {"command"}
    targets = set(re.findall(r"^([a-z]+):", (repository / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"serve", "test", "bench"} <= named
    assert named <= targets


def test_kg_commands_that_are_named_exist(readme: str) -> None:
    for command in sorted(set(re.findall(r"`kg (release [a-z]+|[a-z]+)", readme))):
        done = subprocess.run(
            [sys.executable, "-m", "kg", *command.split(), "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "example" in done.stdout


@pytest.mark.slow
def test_curl_commands_of_the_first_screen_answer(
    readme: str, repository: Path, releases_dir: Path, tmp_path: Path
) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    expected = ["organisation:de-holm", '"total"', "de-hodt"]
    with run_server(releases_dir, tmp_path / "server.log") as server:
        for command, words in zip(block.strip().splitlines(), expected, strict=True):
            here = command.replace("http://127.0.0.1:8000", server.url).replace("curl ", "curl --silent --fail ", 1)
            answer = subprocess.run(here, shell=True, cwd=repository, capture_output=True, text=True, check=True)
            assert words in answer.stdout, command
