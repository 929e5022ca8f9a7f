"""A listener on loopback that remembers who came."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

__all__ = ["Listener", "listen"]


@dataclass
class Listener:
    """Where it listens, and how many connections came."""

    url: str
    requests: list[bytes] = field(default_factory=list)

    def take(self) -> list[bytes]:
        """What was asked since the last time."""
        found, self.requests[:] = list(self.requests), []
        return found


@contextmanager
def listen() -> Iterator[Listener]:
    """A listener that answers everybody with an error, until the end of the context."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        listener = Listener(f"http://127.0.0.1:{server.getsockname()[1]}")
        ending = threading.Event()

        def serve() -> None:
            while not ending.is_set():
                with suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        connection.settimeout(1)
                        listener.requests.append(connection.recv(200))
                        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            ending.set()
            with suppress(OSError), socket.create_connection(server.getsockname(), timeout=1):
                pass
            thread.join(2)
