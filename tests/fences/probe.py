"""Put up the fences of a worker, then try ways out: ``python -m tests.fences.probe MODE`` prints what became of each.

MODE is ``nothing`` (no sockets, as without federation), ``tcp`` (as with it) or ``open`` (no fence, for comparison).
Threads that were there before the fences try as well, and a process that is started behind them.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import socket
import sys
import threading
from collections.abc import Callable

from endpoint.sparql.confinement import Fence, close_network

MPTCP, SCTP, SMC = 262, 132, 256
# Where they are not among the constants of this Python.
AF_VSOCK, AF_ALG, AF_XDP = 40, 38, 44
X32 = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
# mov eax, 359 (socket); mov ebx, 2; mov ecx, 1; xor edx, edx; int 0x80; ret - with ebx kept, as a function must.
_I386 = bytes.fromhex("53b867010000bb02000000b90100000031d2cd805bc3")


def call(number: int, *arguments: int) -> str:
    """What became of a system call."""
    if _LIBC.syscall(ctypes.c_long(number), *(ctypes.c_long(each) for each in arguments)) >= 0:
        return "ok"
    return errno.errorcode[ctypes.get_errno()]


def attempt(do: Callable[[], object]) -> str:
    try:
        do()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "ok"


def call_as_i386() -> str:
    """How a process ends that makes a socket in the manner of programs of 32 bits."""
    pid = os.fork()
    if pid == 0:
        code = mmap.mmap(-1, len(_I386), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(_I386)
        result = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
        os._exit(0 if result >= 0 else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return "ok" if status == 0 else f"status {status}"


def in_new_process(do: Callable[[], str]) -> str:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, do().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        return said.read()


def make(family: int, kind: int, protocol: int = 0) -> str:
    return attempt(lambda: socket.socket(family, kind, protocol).close())


def main(mode: str) -> None:
    relay, other = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    relay_address, other_address = relay.getsockname(), other.getsockname()
    is_up = threading.Event()
    before: list[str] = []

    def wait_and_make() -> None:
        is_up.wait()
        before.append(make(socket.AF_INET, socket.SOCK_DGRAM))

    thread = threading.Thread(target=wait_and_make)
    thread.start()
    fences = Fence(0)
    if mode != "open":
        fences = close_network(relay_port=relay_address[1] if mode == "tcp" else None)
    is_up.set()
    thread.join()

    def dial(address: tuple[str, int]) -> None:
        with socket.socket() as client:
            client.connect(address)

    def send_first(flags: int, *, by_message: bool) -> None:
        with socket.socket() as client:
            if by_message:
                client.sendmsg([b"x"], [], flags, other_address)
            else:
                client.sendto(b"x", flags, other_address)

    found = {
        "fences": " ".join(fences.names),
        "TCP": make(socket.AF_INET, socket.SOCK_STREAM),
        "TCP by its number": make(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP),
        "TCP over IPv6": make(socket.AF_INET6, socket.SOCK_STREAM),
        "UDP": make(socket.AF_INET, socket.SOCK_DGRAM),
        "UDP over IPv6": make(socket.AF_INET6, socket.SOCK_DGRAM),
        "UDP of an older thread": before[0],
        "UDP of a new process": in_new_process(lambda: make(socket.AF_INET, socket.SOCK_DGRAM)),
        "raw": make(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "MPTCP": make(socket.AF_INET, socket.SOCK_STREAM, MPTCP),
        "SCTP": make(socket.AF_INET, socket.SOCK_STREAM, SCTP),
        "SMC": make(socket.AF_INET, socket.SOCK_STREAM, SMC),
        "a Unix socket": make(socket.AF_UNIX, socket.SOCK_STREAM),
        "netlink": make(socket.AF_NETLINK, socket.SOCK_RAW),
        "packets": make(socket.AF_PACKET, socket.SOCK_RAW),
        "vsock": make(AF_VSOCK, socket.SOCK_STREAM),
        "cipher": make(AF_ALG, socket.SOCK_SEQPACKET),
        "XDP": make(AF_XDP, socket.SOCK_RAW),
        "a pair": attempt(socket.socketpair),
        "a pair of datagrams": attempt(lambda: socket.socketpair(type=socket.SOCK_DGRAM)),
        "the relay": attempt(lambda: dial(relay_address)),
        "another port": attempt(lambda: dial(other_address)),
        "another port, in the first packet": attempt(lambda: send_first(socket.MSG_FASTOPEN, by_message=False)),
        "another port, in a first message": attempt(lambda: send_first(socket.MSG_FASTOPEN, by_message=True)),
        "a port of its own": attempt(lambda: socket.create_server(("127.0.0.1", 0)).close()),
        "io_uring_setup": call(425, 1, 0),
        "io_uring_enter": call(426, -1, 0, 0, 0, 0, 0),
        "io_uring_register": call(427, -1, 0, 0, 0),
        "pidfd_getfd": call(438, -1, 0, 0),
    }
    if os.uname().machine == "x86_64":
        found |= {
            "ptrace": call(101, 1, -1, 0, 0),
            "process_vm_readv": call(310, os.getppid(), 0, 0, 0, 0, 0),
            "process_vm_writev": call(311, os.getppid(), 0, 0, 0, 0, 0),
            "setns": call(308, -1, 0),
            "a call in the manner of x32": call(X32 | 41, socket.AF_INET, socket.SOCK_STREAM, 0),
            "a call in the manner of i386": call_as_i386(),
        }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
