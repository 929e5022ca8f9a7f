"""What holds a worker process: a limit of memory, no network where the kernel allows that, an end with the server."""

from __future__ import annotations

import ctypes
import os
import resource
import select
import socket
import sys
from pathlib import Path
from typing import Final

__all__ = ["end_with_server", "leave_network", "limit_memory"]

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000


def limit_memory(memory_bytes: int) -> None:
    """Let the process grow by so much beyond what it maps now; the engine aborts when it asks for more."""
    mapped = _mapped_bytes()
    if mapped is not None:
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory_bytes, resource.RLIM_INFINITY))


def _mapped_bytes() -> int | None:
    statm = Path("/proc/self/statm")
    if not statm.exists():  # not Linux: the time limit is the only one there
        return None
    return int(statm.read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def leave_network() -> bool:
    """Whether the process now has no network: where the kernel allows it, it goes into an empty namespace.

    The tokens of every query are checked before; this is the second fence around SERVICE and LOAD.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.unshare(_CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


def end_with_server(connection: socket.socket) -> None:
    """End the process when the server's end of the socket closes, even in the middle of a query."""
    poller = select.poll()
    poller.register(connection, 0)
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in poller.poll()):
        pass
    os._exit(0)
