"""A filter of system calls after which a process makes no socket that leads out of it, or plain TCP alone.

The filter is a program of classic BPF that the kernel runs before each call (seccomp(2)). It looks at numbers only, so
what it cannot see is said here, too: the address that a call is for stands in memory, and is left to Landlock. A call
that is refused fails with EPERM: a query that makes one gets an error, and its process lives on.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = [
    "CALLS",
    "MACHINES",
    "Calls",
    "Instruction",
    "filter_calls",
    "install",
    "refuse",
    "refuse_unless",
    "write_program",
    "write_rules",
]


@dataclass(frozen=True, kw_only=True)
class Calls:
    """The numbers of system calls on one kind of machine, and what the kernel names it (linux/audit.h)."""

    machine: int
    seccomp: int
    socket: int
    socketpair: int
    sendto: int
    sendmsg: int
    sendmmsg: int
    # Other processes' memory, sockets and namespaces.
    ptrace: int
    process_vm_readv: int
    process_vm_writev: int
    setns: int
    pidfd_getfd: int = 438
    # Calls by a queue, which no filter sees.
    io_uring_setup: int = 425
    io_uring_enter: int = 426
    io_uring_register: int = 427
    has_x32: bool = False


MACHINES: Final = {
    "x86_64": Calls(
        machine=0xC000003E,
        seccomp=317,
        socket=41,
        socketpair=53,
        sendto=44,
        sendmsg=46,
        sendmmsg=307,
        ptrace=101,
        process_vm_readv=310,
        process_vm_writev=311,
        setns=308,
        has_x32=True,
    ),
    "aarch64": Calls(
        machine=0xC00000B7,
        seccomp=277,
        socket=198,
        socketpair=199,
        sendto=206,
        sendmsg=211,
        sendmmsg=269,
        ptrace=117,
        process_vm_readv=270,
        process_vm_writev=271,
        setns=268,
    ),
}
# Those of this machine; None where they are not known, and for programs of 32 bits.
CALLS: Final = MACHINES.get(platform.machine()) if sys.platform == "linux" and sys.maxsize > 2**32 else None

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_KILL: Final = 0x80000000  # SECCOMP_RET_KILL_PROCESS
_INSTRUCTION: Final = struct.Struct("=HBBI")
# struct seccomp_data: the number of the call, the machine, where it was called, six arguments of 64 bits.
_NUMBER_AT: Final = 0
_MACHINE_AT: Final = 4
_ARGUMENTS_AT: Final = 16
_X32: Final = 0x40000000
_ALL_BITS: Final = 0xFFFFFFFF
# The type of a socket without SOCK_CLOEXEC and SOCK_NONBLOCK.
_TYPE_BITS: Final = 0xF
_MSG_FASTOPEN: Final = 0x20000000
_PR_SET_NO_NEW_PRIVS: Final = 38
_SET_MODE_FILTER: Final = 1
_ALL_THREADS: Final = 1  # SECCOMP_FILTER_FLAG_TSYNC
# Without a brake on speculation, which kernels before 5.16 put on in exchange; gVisor does not know the flag.
_FULL_SPEED: Final = 4  # SECCOMP_FILTER_FLAG_SPEC_ALLOW


class Instruction(NamedTuple):
    """A step of a program: what to do, how many steps to leap over if a test succeeds or fails, with which value."""

    code: int
    if_true: int
    if_false: int
    value: int


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


_ALLOW: Final = Instruction(_RETURN, 0, 0, 0x7FFF0000)
_REFUSE: Final = Instruction(_RETURN, 0, 0, 0x00050000 | errno.EPERM)
_Condition = tuple[int, int, Sequence[int]]


def filter_calls(*, allows_tcp: bool) -> bool:
    """Whether no thread of this process, and no process that it starts, makes a socket any more but pairs of its own.

    Args:
        allows_tcp: plain TCP over IPv4 and IPv6 stays allowed: no UDP, no raw sockets, no MPTCP, no SCTP.
    """
    calls = CALLS
    return calls is not None and install(calls, write_rules(calls, allows_tcp=allows_tcp))


def write_rules(calls: Calls, *, allows_tcp: bool) -> Iterator[Instruction]:
    """What is refused of a process, and with ``allows_tcp`` of one that calls its relay."""
    if allows_tcp:
        yield from refuse_unless(
            calls.socket,
            (0, _ALL_BITS, (socket.AF_INET, socket.AF_INET6)),
            (1, _TYPE_BITS, (socket.SOCK_STREAM,)),
            (2, _ALL_BITS, (0, socket.IPPROTO_TCP)),
        )
        # Sending may connect, past Landlock, which looks at connect(2).
        for call, flags_at in ((calls.sendto, 3), (calls.sendmsg, 2), (calls.sendmmsg, 3)):
            yield from refuse_unless(call, (flags_at, _MSG_FASTOPEN, (0,)))
    else:
        yield from refuse(calls.socket)
    # A pair of streams stays one; of datagrams each end could send elsewhere.
    yield from refuse_unless(
        calls.socketpair, (0, _ALL_BITS, (socket.AF_UNIX,)), (1, _TYPE_BITS, (socket.SOCK_STREAM,))
    )
    for call in (calls.io_uring_setup, calls.io_uring_enter, calls.io_uring_register):
        yield from refuse(call)
    for call in (calls.pidfd_getfd, calls.ptrace, calls.process_vm_readv, calls.process_vm_writev, calls.setns):
        yield from refuse(call)


def refuse(call: int) -> Iterator[Instruction]:
    """Refuse a call, whatever its arguments."""
    yield Instruction(_IF_EQUAL, 0, 1, call)
    yield _REFUSE


def refuse_unless(call: int, *conditions: _Condition) -> Iterator[Instruction]:
    """Refuse a call unless each of some arguments, as far as certain bits of it go, is one of some values.

    Arguments of sockets are of 32 bits: the kernel looks at no more of them, nor does the filter.
    """
    tests: list[Instruction] = []
    for argument, bits, values in conditions:
        tests += [Instruction(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument), Instruction(_AND, 0, 0, bits)]
        # Each test that succeeds leaps over those that follow, and over the refusal.
        tests += [Instruction(_IF_EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)]
        tests.append(_REFUSE)
    tests.append(_ALLOW)
    yield Instruction(_IF_EQUAL, 0, len(tests), call)
    yield from tests


def write_program(calls: Calls, rules: Iterable[Instruction]) -> list[Instruction]:
    """The rules as a program that allows what they say nothing about.

    Calls in the manner of another machine (32 bits), whose numbers mean others, end the process.
    """
    return [
        Instruction(_LOAD, 0, 0, _MACHINE_AT),
        Instruction(_IF_EQUAL, 1, 0, calls.machine),
        Instruction(_RETURN, 0, 0, _KILL),
        Instruction(_LOAD, 0, 0, _NUMBER_AT),
        *([Instruction(_IF_LEAST, 0, 1, _X32), _REFUSE] if calls.has_x32 else []),
        *rules,
        _ALLOW,
    ]


def install(calls: Calls, rules: Iterable[Instruction]) -> bool:
    """Whether the kernel looks at the rules before each system call of this process from now on."""
    program = write_program(calls, rules)
    code = b"".join(_INSTRUCTION.pack(*each) for each in program)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    given = ctypes.byref(_Program(len(program), code))
    return any(
        libc.syscall(calls.seccomp, _SET_MODE_FILTER, flags, given) == 0
        for flags in (_ALL_THREADS | _FULL_SPEED, _ALL_THREADS)
    )
