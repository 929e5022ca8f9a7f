"""The fences by themselves: which ways out are closed, for which threads and processes, on which machines."""

from __future__ import annotations

import errno
import json
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from endpoint.sparql.confinement import Fence
from endpoint.sparql.seccomp import CALLS, MACHINES, Calls, Instruction, write_program, write_rules
from tests.conftest import KERNEL_DENIES

# What does not depend on federation.
CLOSED = [
    "UDP",
    "UDP over IPv6",
    "UDP of an older thread",
    "UDP of a new process",
    "raw",
    "MPTCP",
    "SCTP",
    "SMC",
    "a Unix socket",
    "netlink",
    "packets",
    "vsock",
    "cipher",
    "XDP",
    "a pair of datagrams",
    "another port, in the first packet",
    "another port, in a first message",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "pidfd_getfd",
]
CLOSED_X86_64 = ["ptrace", "process_vm_readv", "process_vm_writev", "setns", "a call in the manner of x32"]
TCP = ["TCP", "TCP by its number", "TCP over IPv6"]


@cache
def probe(mode: str) -> dict[str, str]:
    """What became of each way out."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fences.probe", mode],
        capture_output=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def needs_fences() -> None:
    if probe("tcp")["fences"] != "seccomp landlock":
        pytest.skip(f"{KERNEL_DENIES}: needs seccomp and Landlock's rule for TCP (Linux 6.7 on x86-64 or arm64)")


@pytest.mark.usefixtures("needs_fences")
@pytest.mark.parametrize("mode", ["nothing", "tcp"])
def test_ways_out_are_closed(mode: str) -> None:
    found = probe(mode)
    closed = CLOSED + (CLOSED_X86_64 if CALLS is MACHINES["x86_64"] else [])
    assert {name: found[name] for name in closed} == dict.fromkeys(closed, "EPERM")
    assert found["a pair"] == "ok"


@pytest.mark.usefixtures("needs_fences")
def test_without_federation_there_is_no_socket() -> None:
    found = probe("nothing")
    assert {found[name] for name in [*TCP, "the relay", "another port", "a port of its own"]} == {"EPERM"}


@pytest.mark.usefixtures("needs_fences")
def test_with_federation_there_is_tcp_to_the_relay() -> None:
    found = probe("tcp")
    assert {found[name] for name in [*TCP, "the relay"]} == {"ok"}
    assert found["another port"] == found["a port of its own"] == "EACCES"


@pytest.mark.usefixtures("needs_fences")
@pytest.mark.skipif(CALLS is not MACHINES["x86_64"], reason="only this kind of machine has calls of another")
def test_call_in_the_manner_of_32_bits_ends_the_process() -> None:
    # Where the kernel knows none, it is the kernel that ends it.
    ends = {f"status {-signal.SIGSYS}", f"status {-signal.SIGSEGV}"}
    assert {probe("nothing")["a call in the manner of i386"], probe("tcp")["a call in the manner of i386"]} <= ends


@pytest.mark.usefixtures("needs_fences")
def test_without_fences_the_same_ways_are_open() -> None:
    """Else the tests above would show nothing."""
    found = probe("open")
    ways = [*TCP, "UDP", "UDP of an older thread", "UDP of a new process", "a Unix socket", "netlink"]
    ways += ["a pair of datagrams", "the relay", "another port", "a port of its own"]
    assert {name: found[name] for name in ways} == dict.fromkeys(ways, "ok")
    for name in ("io_uring_enter", "io_uring_register", "pidfd_getfd"):
        assert found[name] != "EPERM"


def run(program: Sequence[Instruction], calls: Calls, number: int, *arguments: int) -> str:
    """What a program says of a call, as the kernel runs it (linux/Documentation/networking/filter.rst)."""
    given = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, calls.machine, 0, *(each & (2**64 - 1) for each in given))
    at = held = 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        if code == 0x06:
            return {0x7FFF0000: "allow", 0x50000 | errno.EPERM: "refuse", 0x80000000: "kill"}[value]
        if code == 0x20:
            (held,) = struct.unpack_from("<I", data, value)
        elif code == 0x54:
            held &= value
        else:
            assert code in (0x15, 0x35)
            at += if_true if (held == value if code == 0x15 else held >= value) else if_false


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("allows_tcp", [False, True])
def test_program_of_each_machine_says_the_same(machine: str, allows_tcp: bool) -> None:
    calls = MACHINES[machine]
    program = write_program(calls, write_rules(calls, allows_tcp=allows_tcp))
    other = next(each for each in MACHINES.values() if each is not calls)
    tcp = "allow" if allows_tcp else "refuse"
    cloexec, fast_open = 0o2000000, 0x20000000
    for number, arguments, expected in [
        (calls.socket, (2, 1, 0), tcp),
        (calls.socket, (2, 1 | cloexec, 6), tcp),
        (calls.socket, (10, 1, 6), tcp),
        # Of 64 bits, the kernel looks at 32.
        (calls.socket, (2 | 1 << 32, 1 | 1 << 32, 6), tcp),
        (calls.socket, (2, 2, 0), "refuse"),
        (calls.socket, (2, 2 | cloexec, 17), "refuse"),
        (calls.socket, (2, 3, 6), "refuse"),
        (calls.socket, (2, 1, 262), "refuse"),
        (calls.socket, (1, 1, 0), "refuse"),
        (calls.socket, (16, 3, 0), "refuse"),
        (calls.socket, (1 << 32, 1, 0), "refuse"),
        (calls.socketpair, (1, 1 | cloexec, 0), "allow"),
        (calls.socketpair, (1, 2, 0), "refuse"),
        (calls.socketpair, (30, 1, 0), "refuse"),
        (calls.sendto, (3, 0, 1, fast_open), "refuse" if allows_tcp else "allow"),
        (calls.sendmsg, (3, 0, fast_open | 0x4000), "refuse" if allows_tcp else "allow"),
        (calls.sendmmsg, (3, 0, 1, fast_open), "refuse" if allows_tcp else "allow"),
        (calls.sendto, (3, 0, 1, 0x4000), "allow"),
        (calls.io_uring_setup, (1, 0), "refuse"),
        (calls.ptrace, (16, 1), "refuse"),
        (calls.setns, (3, 0), "refuse"),
        (0xFFFF, (), "allow"),
        (0x40000000 | calls.socket, (2, 1, 0), "refuse" if calls.has_x32 else "allow"),
    ]:
        assert run(program, calls, number, *arguments) == expected, (number, arguments)
    assert run(program, other, calls.socket, 2, 1, 0) == "kill"


@pytest.mark.parametrize(
    ("fences", "holds", "holds_federation"),
    [
        (Fence(0), False, False),
        (Fence.NAMESPACE, True, True),
        (Fence.SECCOMP, True, False),
        (Fence.LANDLOCK, False, False),
        (Fence.SECCOMP | Fence.LANDLOCK, True, True),
        (Fence.NAMESPACE | Fence.SECCOMP | Fence.LANDLOCK, True, True),
    ],
)
def test_fence_holds(fences: Fence, holds: bool, holds_federation: bool) -> None:
    assert (fences.holds, fences.holds_federation) == (holds, holds_federation)
