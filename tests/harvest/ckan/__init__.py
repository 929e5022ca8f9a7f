"""The harvester of CKAN portals (ckanext-dcat), in an environment of its own: installing it, and running it.

Run as ``python -m tests.harvest.ckan`` it installs the environment beforehand, so that no test has to wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CannotInstall", "Gathered", "gather", "install"]

_HERE = Path(__file__).parent
_INSTALL_S = 900


class CannotInstall(Exception):
    """The environment cannot be made here; the message says why."""


@dataclass(frozen=True)
class Gathered:
    """What the harvester took: its errors, and each dataset as CKAN would store it, by identifier."""

    errors: list[str]
    datasets: dict[str, dict[str, Any]]


def install() -> Path:
    """The interpreter of the environment, made once a machine for each list of requirements.

    Raises:
        CannotInstall: the packages cannot be had here.
    """
    requirements = _HERE / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = caches / "chap-kg" / f"ckan-{digest}"
    directory.mkdir(parents=True, exist_ok=True)
    python = directory / "venv" / "bin" / "python"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "installed").exists():
            shutil.rmtree(directory / "venv", ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(directory / "venv")])
            options = ["--quiet", "--disable-pip-version-check", "--requirement", str(requirements)]
            _run([str(python), "-m", "pip", "install", *options])
            (directory / "installed").touch()
    return python


def gather(python: Path, url: str) -> Gathered:
    """One run of the harvester's gather stage from an address."""
    command = [str(python), str(_HERE / "gather.py"), url]
    # Of several values where it takes one, the harvester takes any: the same in every run of a test.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads(done.stdout)
    datasets = {each["guid"]: each["content"] for each in record["objects"]}
    assert record["queued"] == len(record["objects"]) == len(datasets) or record["errors"]
    return Gathered(record["errors"], datasets)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSTALL_S)
    if done.returncode:
        raise CannotInstall(done.stderr[-500:])
