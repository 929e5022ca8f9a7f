"""The server process: one event loop that accepts connections, its query workers beside it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from endpoint.app import create_app, create_engine, create_gateway
from endpoint.operations.connections import Connections, plan_connections
from endpoint.operations.observe import LogFormatter
from endpoint.settings import EndpointSettings, load_settings, server_environment
from endpoint.sparql.confinement import Fence, find_fences
from endpoint.sparql.engine import Engine
from kg.commit import recover
from kg.errors import DiskError, ReleaseDamaged, ReleaseError, SettingsError
from kg.lock import lock_releases
from kg.release import Releases, check_mode
from kg.scratch import clear_scratch
from kg.settings import load_settings as load_kg_settings

if TYPE_CHECKING:
    from endpoint.federation.gateway import Gateway

__all__ = ["run"]

_log = logging.getLogger(__name__)
_PATIENCE_S: Final = 2.0
# So long the loop waits for its turn while a thread reads a long text; Python's own 5 ms would slow down all look-ups.
_TURN_S: Final = 0.0005
# So long a connection may take for the head of a request, the first or the next.
_HEAD_MS: Final = 30_000


def run(settings: EndpointSettings) -> None:
    """Become the server; returns only when that is not possible.

    The command line has loaded the engine, which the server never does (decision 0008), so this is a fresh program.
    """
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "endpoint.server"], server_environment(settings))  # noqa: S606


async def _serve(
    settings: EndpointSettings, gateway: Gateway | None, *, fences: Fence, is_plain: bool, most_connections: int
) -> None:
    engine = create_engine(settings, gateway)
    connections = Connections(
        create_app(settings, engine, gateway, fences=fences, is_plain=is_plain),
        port=settings.port,
        most=most_connections,
    )
    server = Server(
        connections,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        backlog=1024,
        # Beyond these, connections wait until others end.
        backpressure=most_connections,
        http1_settings=HTTP1Settings(header_read_timeout=_HEAD_MS),
    )
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    watching = asyncio.create_task(connections.watch())
    serving, stopping = asyncio.create_task(server.serve()), asyncio.create_task(stopped.wait())
    _log.info("CHAP on %s", settings.base_url)
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stopped.is_set():
        await _stop(engine, server, serving)
    stopping.cancel()
    watching.cancel()
    if serving.done():
        serving.result()  # where it failed, that is said here


async def _stop(engine: Engine, server: Server, serving: asyncio.Task[None]) -> None:
    """End the running queries first: granian waits for the requests that are under way.

    It would wait for half a request, or for a client that does not read, as long as these please.
    """
    await engine.close()
    server.stop()  # type: ignore[no-untyped-call]
    _, waiting = await asyncio.wait({serving}, timeout=_PATIENCE_S)
    if waiting:
        _log.info("cut connections that did not end within %g s", _PATIENCE_S)
        # They end with the process only; the workers are gone, so nothing is left that would need an orderly end.
        logging.shutdown()
        os._exit(0)


def _check_address(settings: EndpointSettings) -> None:
    """Fail when another server listens there: granian would share the port with it, and half of the requests.

    Raises:
        SettingsError: the address is taken, or none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another --port"
        ) from error


def _check_releases(settings: EndpointSettings, *, is_plain: bool) -> None:
    """Fail when what is published is not what the settings speak of.

    Raises:
        SettingsError: it was made in another mode, or another engine is to answer for a plain dataset.
    """
    if is_plain and settings.remote_sparql_url:
        raise SettingsError(
            "ENDPOINT_REMOTE_SPARQL_URL has no place with KG_DEFAULT_GRAPH=own: a plain dataset answers here alone"
        )
    try:
        current = Releases(settings.releases_dir).current()
    except ReleaseDamaged:
        return  # which is told where it would be served
    if current is None:
        _log.warning("nothing is published in %s yet: run 'kg build', and it is served", settings.releases_dir)
    else:
        check_mode(current, is_plain=is_plain)


def _check_fences(fences: Fence, *, has_gateway: bool, is_unfenced_allowed: bool) -> None:
    """Say what keeps query workers and the writer from the network.

    Raises:
        SettingsError: SERVICE is to be possible, and the kernel would keep a worker from nothing else.
    """
    granted = ", ".join(fences.names) or "none"
    if has_gateway and not fences.holds_federation and not is_unfenced_allowed:
        raise SettingsError(
            "ENDPOINT_FEDERATION_FILE lets queries use SERVICE, and no fence would hold one that gets past the check "
            f"of its text (the kernel grants: {granted}). Allow this program network namespaces, or seccomp and "
            "Landlock (Linux 6.7 or newer); or set ENDPOINT_FEDERATION_UNFENCED=true and rely on that check alone"
        )
    _log.info("fences between the network and the processes for queries and writes: %s", granted)
    if has_gateway and not fences.holds_federation:
        _log.warning("only the check of its text keeps a query with SERVICE from all that this machine reaches")
    elif not fences.holds:
        _log.warning(
            "only the check of their texts keeps queries and writes from the network: the kernel grants neither a "
            "network namespace nor seccomp"
        )


def _clear_up(releases_dir: Path) -> None:
    """Put right what a change that was broken off left behind, so that what was published last is served.

    Where that cannot be done, since the directory is read-only, damaged or being changed, it is served as it is.
    """
    if not releases_dir.is_dir():
        return
    try:
        with lock_releases(releases_dir, wait_s=0):
            recover(releases_dir)
    except (DiskError, ReleaseError) as error:
        _log.info("the releases are served as they are: %s", error)


def main() -> int:
    """Serve with the settings of the environment until a signal comes."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # It would write a line for each query of another engine.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = load_settings()
        _check_address(settings)
        is_plain = load_kg_settings().is_plain
        _check_releases(settings, is_plain=is_plain)
        gateway = create_gateway(settings)
        most_connections = plan_connections(settings)
        fences = find_fences()
        _check_fences(fences, has_gateway=gateway is not None, is_unfenced_allowed=settings.federation_unfenced)
    except SettingsError as error:
        _log.error("%s", error)
        return error.exit_code
    _clear_up(settings.releases_dir)
    clear_scratch()
    sys.setswitchinterval(_TURN_S)
    # What was made at start stays: the collector need not look at it again. Short looks at what is new, seldom at all.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 100)
    asyncio.run(_serve(settings, gateway, fences=fences, is_plain=is_plain, most_connections=most_connections))
    return 0


if __name__ == "__main__":
    _status = main()
    # Threads of the HTTP layer may still want the interpreter; where that is being taken down they abort the process.
    logging.shutdown()
    os._exit(_status)
