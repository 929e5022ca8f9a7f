"""Kills a change at a chosen step: just before it makes, renames, removes or flushes something on disk.

    python -m tests.killing MODULE:FUNCTION DIRECTORY=STEP ...

calls ``FUNCTION(DIRECTORY)`` in a process of its own for each pair, which kills itself (SIGKILL) at that step and
prints nothing, or, when the step never comes, prints all its steps as a line of JSON. A step is ``CALL PATH #N``, the
n-th such call with that path below the directory; ``torn`` before it cuts the file short first, as a loss of power may.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Killer", "kill_changes", "list_steps"]

_CALLS = ("mkdir", "rename", "replace", "symlink", "link", "unlink", "rmdir", "fsync", "truncate")
_WORKSPACE = re.compile(r"\.building-[^/ ]+")
_NEVER = "never"


class Killer:
    """Stands in for the calls of ``os`` that change a disk, and ends this process at a step."""

    def __init__(self, root: Path, step: str) -> None:
        self.steps: list[str] = []
        self._root = str(root)
        self._torn = step.startswith("torn ")
        self._step = step.removeprefix("torn ")
        self._seen: Counter[str] = Counter()

    def arm(self) -> None:
        """From now on every such call of this process is a step."""
        for name in _CALLS:
            setattr(os, name, self._stand_in(name, getattr(os, name)))

    def _stand_in(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            path = self._name_path(arguments[1 if name in ("rename", "replace", "symlink", "link") else 0])
            self._seen[f"{name} {path}"] += 1
            label = f"{name} {path} #{self._seen[f'{name} {path}']}"
            self.steps.append(label)
            if label == self._step:
                if self._torn:
                    os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size - 10)
                os.kill(os.getpid(), signal.SIGKILL)
            # A killed process leaves to the kernel what it wrote, flushed or not.
            return None if name == "fsync" else call(*arguments, **options)

        return step

    def _name_path(self, target: int | str | os.PathLike[str]) -> str:
        path = str(Path(f"/proc/self/fd/{target}").readlink()) if isinstance(target, int) else os.fspath(target)
        return _WORKSPACE.sub(".building-*", path.removeprefix(self._root).lstrip("/") or ".")


def list_steps(change: str, directory: Path) -> list[str]:
    """The steps of a change, after making it in a directory."""
    (steps,) = _run(change, {directory: _NEVER})
    return steps


def kill_changes(change: str, steps: Mapping[Path, str]) -> None:
    """Make a change in each directory, and kill it at the step given for that.

    Raises:
        AssertionError: a change came to its end without this step.
    """
    ended = _run(change, steps)
    assert not ended, f"never came to the steps of {steps.values()}: {ended}"


def _run(change: str, steps: Mapping[Path, str]) -> list[list[str]]:
    arguments = [f"{directory}={step}" for directory, step in steps.items()]
    result = subprocess.run(
        [sys.executable, "-m", "tests.killing", change, *arguments],
        stdout=subprocess.PIPE,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    return [json.loads(line) for line in result.stdout.splitlines()]


def _main(change: str, *pairs: str) -> None:
    module, _, function = change.partition(":")
    run = getattr(importlib.import_module(module), function)
    for pair in pairs:
        directory, _, step = pair.partition("=")
        if not (child := os.fork()):
            killer = Killer(Path(directory), step)
            killer.arm()
            run(Path(directory))
            os.write(1, json.dumps(killer.steps).encode() + b"\n")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status not in (0, signal.SIGKILL):
            sys.exit(f"{change} failed in {directory} at {step}")


if __name__ == "__main__":
    _main(*sys.argv[1:])
