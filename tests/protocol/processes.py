"""What the kernel knows of a server's processes (Linux)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

__all__ = [
    "count_descriptors",
    "find_children",
    "find_workers",
    "find_writer",
    "is_running",
    "resident_bytes",
    "wait_until",
]


def find_workers(server_pid: int) -> set[int]:
    """The processes of the query workers of a server."""
    children = Path(f"/proc/{server_pid}/task/{server_pid}/children").read_text(encoding="ascii").split()
    # A worker may be started from a thread of the server, whose children the kernel lists there.
    for task in Path(f"/proc/{server_pid}/task").iterdir():
        children += (task / "children").read_text(encoding="ascii").split()
    return {int(pid) for pid in children if is_running(int(pid))}


def find_writer(server_pid: int) -> int:
    """The process that carries out the writes of a server, once it has begun with one."""
    return next(iter(find_children(server_pid, "endpoint.writes.worker")))


def find_children(server_pid: int, program: str) -> set[int]:
    """The processes of a server that run a program."""
    return {pid for pid in find_workers(server_pid) if program.encode() in _read_command(pid)}


def _read_command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def count_descriptors(pid: int) -> int:
    """The files and sockets that a process holds open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def resident_bytes(pid: int) -> int:
    """The memory that a process has in use."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (line,) = [each for each in lines if each.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
