"""Programs for Node, each installed once a machine for its lock file, outside of the checkout."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["install_command"]


def install_command(package_dir: Path, command: str) -> str:
    """The path of a command of the package whose ``package.json`` and lock file are in a directory.

    The test is skipped where Node is missing or the package cannot be installed.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node or npm is not installed (apt-get install nodejs npm)")
    digest = hashlib.sha256((package_dir / "package-lock.json").read_bytes()).hexdigest()[:16]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = caches / "chap-kg" / f"{package_dir.name}-{digest}"
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "installed").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(package_dir / name, directory / name)
            options = ["--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                [npm, "ci", *options], cwd=directory, capture_output=True, text=True, check=False, timeout=300
            )
            if done.returncode:
                pytest.skip(f"{command} cannot be installed here: {done.stderr[-300:]}")
            (directory / "installed").touch()
    return str(directory / "node_modules" / ".bin" / command)
