"""Become an ordinary user whom the kernel denies some fences, then a command: ``ordinary.py FENCE,... COMMAND...``.

It stands for a container: what a container's own filter refuses, a filter of ours refuses here. Root becomes nobody, or
where nobody may run this Python (it stands in a home that is closed), at least a root without a single capability, whom
the kernel grants what it grants to everybody.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path

from endpoint.sparql.seccomp import CALLS, install, refuse, refuse_unless

__all__ = ["find_user", "wrap"]

_NOBODY = 65534
_PR_CAPBSET_DROP = 24
_UNSHARE = {"x86_64": 272, "aarch64": 97}
_LANDLOCK_CREATE_RULESET = 444
_FULL_SPEED = 4  # SECCOMP_FILTER_FLAG_SPEC_ALLOW


def wrap(*denied: str) -> list[str]:
    """What to write before a command."""
    return [sys.executable, str(Path(__file__).resolve()), ",".join(denied)]


def find_user() -> int:
    """Who the ordinary user is."""
    places = [Path(each).resolve() for each in (sys.executable, sys.prefix, __file__)]
    is_open = all(each.stat().st_mode & 1 for place in places for each in place.parents)
    return os.getuid() or (_NOBODY if is_open else 0)


def _become_ordinary() -> None:
    libc = ctypes.CDLL(None)
    # Until there is no such capability.
    capability = 0
    while libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    if os.getuid() != (user := find_user()):
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


def main() -> None:
    _, denied, *command = sys.argv
    _become_ordinary()
    assert CALLS is not None
    rules = {
        "namespace": refuse(_UNSHARE[platform.machine()]),
        "seccomp": refuse(CALLS.seccomp),
        # A flag that not every kernel knows.
        "full-speed": refuse_unless(CALLS.seccomp, (1, _FULL_SPEED, (0,))),
        "landlock": refuse(_LANDLOCK_CREATE_RULESET),
    }
    if denied:
        assert install(CALLS, [each for name in denied.split(",") for each in rules[name]])
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
