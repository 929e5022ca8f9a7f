"""Landlock's rule for TCP: the one port that a process may connect to, at whatever address (linux/landlock.h).

What a process may connect to stands in memory, where a filter of system calls does not look; Landlock knows. It also
keeps the process from touching others: from tracing them, from signalling them, and from their abstract sockets.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

__all__ = ["restrict_tcp"]

# The same numbers on all machines.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_WITH_TCP: Final = 4
_WITH_SCOPES: Final = 6
_ASK_VERSION: Final = 1
_RULE_NET_PORT: Final = 2
_BIND_TCP: Final = 1
_CONNECT_TCP: Final = 2
_SCOPES: Final = 1 | 2  # LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL
_PR_SET_NO_NEW_PRIVS: Final = 38


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Port(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def restrict_tcp(port: int | None) -> bool:
    """Whether this thread, and those that it starts, may connect to no other port over TCP and take none to listen on.

    False where the kernel has no such rule: before Linux 6.7, or with Landlock switched off.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < _WITH_TCP:
        return False
    rules = _Ruleset(files=0, net=_BIND_TCP | _CONNECT_TCP, scoped=_SCOPES if version >= _WITH_SCOPES else 0)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if ruleset < 0:
        return False
    try:
        if port is not None:
            rule = ctypes.byref(_Port(allowed=_CONNECT_TCP, port=port))
            if libc.syscall(_ADD_RULE, ruleset, _RULE_NET_PORT, rule, 0) != 0:
                return False
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)
