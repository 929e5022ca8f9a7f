"""What holds a process that outside texts come to: a limit of memory, fences to the network, an end with the server.

The tokens of every query are checked before it is evaluated, and parsers of documents fetch nothing; fences are what
holds should that fail. All that the kernel grants are put up (decision 0036).
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import socket
import sys
from enum import IntFlag
from pathlib import Path
from typing import Final

from endpoint.sparql.landlock import restrict_tcp
from endpoint.sparql.seccomp import filter_calls

__all__ = ["Fence", "close_network", "end_with_server", "find_fences", "leave_network", "limit_memory"]

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_SOME_PORT: Final = 1


class Fence(IntFlag):
    """What the kernel keeps a process from the network with."""

    NAMESPACE = 1  # there is no interface but a loopback of its own
    SECCOMP = 2  # it makes no sockets, or with federation none but plain TCP
    LANDLOCK = 4  # over TCP it reaches no port but that of its relay

    @property
    def names(self) -> list[str]:
        """The names of those that are there.

        >>> (Fence.NAMESPACE | Fence.SECCOMP).names
        ['namespace', 'seccomp']
        """
        return [each.name.lower() for each in Fence if each in self and each.name]

    @property
    def holds(self) -> bool:
        """Whether a process without federation reaches nothing.

        >>> Fence.SECCOMP.holds, Fence.LANDLOCK.holds
        (True, False)
        """
        return bool(self & (Fence.NAMESPACE | Fence.SECCOMP))

    @property
    def holds_federation(self) -> bool:
        """Whether a process that calls its relay over TCP reaches nothing else.

        >>> Fence.NAMESPACE.holds_federation, Fence.SECCOMP.holds_federation
        (True, False)
        """
        return Fence.NAMESPACE in self or (Fence.SECCOMP | Fence.LANDLOCK) in self


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


def leave_network() -> Fence:
    """The first fence, where the kernel grants it: the process goes into a network namespace without an interface."""
    if not sys.platform.startswith("linux"):
        return Fence(0)
    libc = ctypes.CDLL(None, use_errno=True)
    is_gone = libc.unshare(_CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0
    return Fence.NAMESPACE if is_gone else Fence(0)


def close_network(*, relay_port: int | None = None) -> Fence:
    """The other fences that the kernel grants: from now on the process makes no socket that leads out of it.

    To be called before other threads start: Landlock holds for the thread that asks for it and those that follow.

    Args:
        relay_port: with federation, the port that it may connect to over TCP, at whatever address.
    """
    fences = Fence(0)
    if restrict_tcp(relay_port):
        fences |= Fence.LANDLOCK
    if filter_calls(allows_tcp=relay_port is not None):
        fences |= Fence.SECCOMP
    return fences


def find_fences() -> Fence:
    """The fences that a process gets here, found out by a process that ends at once.

    To be called before other threads start, since it forks.
    """
    pid = os.fork()
    if pid == 0:
        found = Fence(0)
        try:
            found = leave_network() | close_network(relay_port=_SOME_PORT)
        finally:
            os._exit(found)
    _, status = os.waitpid(pid, 0)
    return Fence(max(0, os.waitstatus_to_exitcode(status)))


def end_with_server(connection: socket.socket) -> None:
    """End the process when the server's end of the socket closes, even in the middle of a query."""
    poller = select.poll()
    poller.register(connection, 0)
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in poller.poll()):
        pass
    os._exit(0)
