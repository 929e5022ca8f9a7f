"""The server process: one event loop that accepts connections, its query workers beside it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from endpoint.app import create_app
from endpoint.settings import EndpointSettings, load_settings, server_environment
from kg.errors import SettingsError

__all__ = ["run"]


def run(settings: EndpointSettings) -> None:
    """Become the server; returns only when that is not possible.

    The command line has loaded the engine, which the server never does (decision 0008), so this is a fresh program.
    """
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "endpoint.server"], server_environment(settings))  # noqa: S606


async def _serve(settings: EndpointSettings) -> None:
    server = Server(
        create_app(settings),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        backlog=1024,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    logging.getLogger(__name__).info("CHAP on %s", settings.base_url)
    await server.serve()


def main() -> int:
    """Serve with the settings of the environment until a signal comes."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = load_settings()
    except SettingsError as error:
        logging.getLogger(__name__).error("%s", error)
        return error.exit_code
    asyncio.run(_serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
