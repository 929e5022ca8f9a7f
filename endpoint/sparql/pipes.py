"""What the engine reads from and writes to in a worker: files, as far as it uses them, whose bytes are frames."""

from __future__ import annotations

import socket
from collections.abc import Callable

from endpoint.sparql.frames import FRAME_BYTES, Frame, FrameKind, encode_frame, encode_whole
from endpoint.sparql.rows import count_rows

__all__ = ["Feed", "FrameWriter"]


class FrameWriter:
    """A file that a result is written to: full frames go out at once, the first with the head before it."""

    def __init__(self, connection: socket.socket, media_type: str) -> None:
        self._connection = connection
        self._media_type = media_type
        self._parts: list[bytes] = []
        self._size = 0
        self._has_begun = False

    def write(self, data: bytes) -> int:
        """Take some bytes (io.RawIOBase)."""
        self._parts.append(bytes(data))
        self._size += len(data)
        if self._size >= FRAME_BYTES:
            self._send(b"")
        return len(data)

    def flush(self) -> None:
        """Frames go out when they are full; the engine's own flush at the end of a result adds nothing."""

    def finish(self) -> None:
        """Send what is left, and the end; a result that is whole already says how many rows it has."""
        if self._has_begun:
            self._send(encode_frame(FrameKind.END))
        else:
            body = b"".join(self._parts)
            self._connection.sendall(encode_whole(body, count_rows(body, self._media_type)))

    def _send(self, tail: bytes) -> None:
        body = b"".join(self._parts)
        frames = [encode_frame(FrameKind.DATA, body[at : at + FRAME_BYTES]) for at in range(0, len(body), FRAME_BYTES)]
        if not self._has_begun:
            frames.insert(0, encode_frame(FrameKind.HEAD))
            self._has_begun = True
        self._connection.sendall(b"".join(frames) + tail)
        self._parts.clear()
        self._size = 0


class Feed:
    """A file that the input of a conversion is read from, frame by frame."""

    def __init__(self, next_frame: Callable[[], Frame | None]) -> None:
        self._next_frame = next_frame
        self._rest = b""
        self._is_at_end = False

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes (io.RawIOBase); none at the end."""
        while not self._rest and not self._is_at_end:
            self._rest = self._next()
        size = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def drain(self) -> None:
        """Read what is left, so that the next frame is the next job."""
        while not self._is_at_end:
            self._next()

    def _next(self) -> bytes:
        frame = self._next_frame()
        if frame is None:
            raise ConnectionError("the server is gone")
        self._is_at_end = frame.kind is FrameKind.END
        return frame.body
