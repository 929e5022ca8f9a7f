"""The memory of a process beside what it shares with others (Linux; elsewhere nothing is known and nothing done)."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path
from typing import Final

__all__ = ["give_back_memory", "measure_memory"]

_PAGE_BYTES: Final = resource.getpagesize()
# Less is not worth the walk through the heap.
_WORTH_BYTES: Final = 64 * 1024 * 1024


def measure_memory(pid: int | None = None) -> int:
    """Bytes in use that are no pages of files, such as those of a store; 0 where the process is gone."""
    try:
        fields = Path(f"/proc/{pid or 'self'}/statm").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # Resident, and of that shared (proc_pid_statm(5)).
    return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES


def give_back_memory() -> None:
    """Have the allocator of this process return what is free, if that may be much; glibc keeps it else."""
    if measure_memory() < _WORTH_BYTES:
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
