"""How many connections the server holds, and which of them it lets go so that new ones find a place.

A connection costs a file descriptor, and where those are used up nobody can connect, nor can a worker be started. So
some are kept for the server itself, the rest is shared among connections, and before they run out those that ask
nothing are closed, the idlest first, as proxies do. One that is in the middle of a request is never closed here.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import socket
import stat
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from logging import getLogger
from pathlib import Path
from typing import Final, TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from endpoint.settings import EndpointSettings
from kg.errors import SettingsError

__all__ = ["Connections", "plan_connections"]

_log = getLogger(__name__)
Peer: TypeAlias = tuple[str, int]

_OPEN: Final = Path("/proc/self/fd")
_MOST: Final = 4096
_LEAST: Final = 16
# No more than this is asked of the system: some programs walk through all that could be open.
_MOST_DESCRIPTORS: Final = 65_536
# What the server itself opens, and each worker: its socket, its last words, the pipes that start it.
_OWN: Final = 40
_A_WORKER: Final = 5
# A connection and what is sent over it: a file of a release, a body that is put aside.
_A_CONNECTION: Final = 2
_TICK_S: Final = 0.5
# So long the first bytes of a request may be on their way.
_GRACE_S: Final = 0.5
# And so long the last ones of an answer.
_DRAINED_S: Final = 30.0
_QUIET_S: Final = 60.0


def plan_connections(settings: EndpointSettings) -> int:
    """How many connections there may be, once the process may open as many files as the system lets it.

    Raises:
        SettingsError: the system lets it open too few for its workers and some connections.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    workers = settings.query_workers + 2 * settings.query_long_workers + 1
    own = _OWN + _A_WORKER * workers + (settings.remote_connections if settings.remote_sparql_url else 0)
    most = _MOST if soft == resource.RLIM_INFINITY else min(_MOST, (soft - own) // _A_CONNECTION)
    if most < _LEAST:
        raise SettingsError(
            f"the server may open {soft} files, and needs {own + _A_CONNECTION * _LEAST} for its workers and "
            f"{_LEAST} connections: raise 'ulimit -n', or have fewer workers"
        )
    return most


class Connections:
    """An ASGI application that knows which connections are in the middle of a request."""

    def __init__(self, app: ASGIApp, *, port: int, most: int) -> None:
        self._app = app
        self._port = port
        self._most = most
        self._running: dict[Peer, int] = {}
        # When each was seen first without a request, or its last request ended.
        self._idle_since: dict[Peer, float] = {}
        self._told = -_QUIET_S

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        client = scope.get("client")
        if client is None:
            await self._app(scope, receive, send)
            return
        peer = (client[0], int(client[1]))
        self._running[peer] = self._running.get(peer, 0) + 1
        try:
            await self._app(scope, receive, send)
        finally:
            left = self._running.pop(peer) - 1
            if left:
                self._running[peer] = left
            self._idle_since[peer] = time.monotonic()

    async def watch(self) -> None:
        """Close idle connections whenever there are many, for ever; at once where the system does not tell of them."""
        while _OPEN.is_dir():
            await asyncio.sleep(_TICK_S)
            if len(os.listdir(_OPEN)) > self._most // 2:  # noqa: PTH208 - counted only, twice a second
                await asyncio.to_thread(self._close_idle)
            else:
                self._idle_since.clear()

    def _close_idle(self) -> None:
        """Close the idlest where more than three quarters of the places are taken, until half are free."""
        now = time.monotonic()
        held = dict(self._iter_held())
        # Those that are gone are forgotten.
        self._idle_since = {peer: self._idle_since.get(peer, now) for peer in held}
        if len(held) <= self._most * 3 // 4:
            return
        running = dict(self._running)
        idle = sorted((now - at, peer) for peer, at in self._idle_since.items() if peer not in running)
        closed, too_many = 0, len(held) - self._most // 2
        for idle_s, peer in reversed(idle):
            if closed < too_many and idle_s >= _GRACE_S:
                closed += self._close(held[peer], peer, idle_s)
        if closed and now - self._told >= _QUIET_S:
            self._told = now
            _log.warning(
                "%d connections of at most %d were open: closed %d that asked nothing", len(held), self._most, closed
            )

    def _iter_held(self) -> Iterator[tuple[Peer, int]]:
        """The connections to our port: whom they are with, and their descriptors."""
        for name in os.listdir(_OPEN):  # noqa: PTH208 - thousands of them
            with suppress(OSError):  # closed meanwhile
                if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                    with _duplicate(int(name)) as found:
                        if (peer := self._find_peer(found)) is not None:
                            yield peer, int(name)

    def _find_peer(self, connection: socket.socket) -> Peer | None:
        """Whom a connection to our port is with; None for any other socket, and for one that listens."""
        if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.getsockname()[1] != self._port:
            return None
        try:
            peer = connection.getpeername()
        except OSError:
            return None
        # The framework names no zone of a link-local address.
        return peer[0].partition("%")[0], peer[1]

    def _close(self, descriptor: int, peer: Peer, idle_s: float) -> bool:
        """Whether the connection was ended, as its client could have; the HTTP layer then closes its descriptor."""
        with suppress(OSError), _duplicate(descriptor) as found:
            # The number may stand for another by now.
            if self._find_peer(found) != peer:
                return False
            # What is still on its way to a client that reads is no idleness.
            if idle_s < _DRAINED_S and _count_unsent(found):
                return False
            found.shutdown(socket.SHUT_RDWR)
            return True
        return False


def _duplicate(descriptor: int) -> socket.socket:
    """A second descriptor of a socket, which stays the same whatever becomes of the first."""
    return socket.socket(fileno=os.dup(descriptor))


def _count_unsent(connection: socket.socket) -> int:
    """The bytes that were written and that the other side has not taken (tcp(7), SIOCOUTQ)."""
    return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
