"""The frames that the server and a query worker exchange over their socket.

A frame is one byte for its kind, four for the length of its body (big-endian), and the body. The server sends
``QUERY`` and ``OPEN``; a worker answers a query by ``WHOLE`` where the result fits one frame, else by
``HEAD DATA* END``; or by ``FAILURE`` instead or after HEAD. After ``CONVERT DATA* END`` it answers alike: the result of
another engine in the media type that was asked for.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias

__all__ = [
    "FRAME_BYTES",
    "Binding",
    "Conversion",
    "Failure",
    "Frame",
    "FrameDecoder",
    "FrameKind",
    "Job",
    "decode_whole",
    "encode_frame",
    "encode_whole",
]

FRAME_BYTES: Final = 64 * 1024
_HEADER: Final = struct.Struct(">BI")
_ROWS: Final = struct.Struct(">q")


class FrameKind(IntEnum):
    """What a frame says."""

    READY = 1  # worker: the store is open
    OPEN = 2  # server: open this store, it will be asked next
    QUERY = 3  # server: a job
    HEAD = 4  # worker: evaluation began well
    DATA = 5  # worker: bytes of the result
    END = 6  # worker: the result is complete
    FAILURE = 7  # worker: it is not, and why
    WHOLE = 8  # worker: the complete result, after the number of its rows
    CONVERT = 9  # server: a conversion, whose input follows


class Frame(NamedTuple):
    """One frame."""

    kind: FrameKind
    body: bytes


Binding: TypeAlias = tuple[str, str, str]
"""A value to bind: ``("iri", value, "")``, ``("literal", value, language)`` or ``("typed", value, datatype)``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A query for a worker: where to ask, what, over which graphs, with which variables bound, in which media type."""

    store: str
    text: str
    media_type: str
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()
    bindings: Mapping[str, Binding] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The body of its frame: the fields in their order."""
        graphs = (self.default_graphs, self.named_graphs)
        return json.dumps([self.store, self.text, self.media_type, *graphs, dict(self.bindings)]).encode()

    @classmethod
    def decode(cls, body: bytes) -> Job:
        """The job in the body of a frame."""
        store, text, media_type, default_graphs, named_graphs, bindings = json.loads(body)
        return cls(
            store=store,
            text=text,
            media_type=media_type,
            default_graphs=tuple(default_graphs),
            named_graphs=tuple(named_graphs),
            bindings={name: (term[0], term[1], term[2]) for name, term in bindings.items()},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """A result of another engine to be written anew: the media types that it comes in and that it goes out in."""

    source_type: str
    media_type: str

    def encode(self) -> bytes:
        """The body of its frame."""
        return json.dumps([self.source_type, self.media_type]).encode()

    @classmethod
    def decode(cls, body: bytes) -> Conversion:
        """The conversion in the body of a frame."""
        source_type, media_type = json.loads(body)
        return cls(source_type=source_type, media_type=media_type)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a worker has no result: an error code of ours, a message; for syntax errors where, and what is there."""

    code: str
    message: str
    line: int | None = None
    column: int | None = None
    near: str = ""

    def encode(self) -> bytes:
        """The body of its frame."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, body: bytes) -> Failure:
        """The failure in the body of a frame."""
        return cls(**json.loads(body))


def encode_frame(kind: FrameKind, body: bytes = b"") -> bytes:
    """The bytes of a frame.

    >>> encode_frame(FrameKind.END).hex()
    '0600000000'
    """
    return _HEADER.pack(kind, len(body)) + body


def encode_whole(result: bytes, rows: int | None) -> bytes:
    """The bytes of a frame with a complete result; ``rows`` is None for a boolean and for a graph."""
    return encode_frame(FrameKind.WHOLE, _ROWS.pack(-1 if rows is None else rows) + result)


def decode_whole(body: bytes) -> tuple[bytes, int | None]:
    r"""Result and number of rows out of the body of a frame.

    >>> decode_whole(encode_whole(b"?x\n1\n", 1)[5:])
    (b'?x\n1\n', 1)
    """
    rows: int = _ROWS.unpack_from(body)[0]
    return body[_ROWS.size :], None if rows < 0 else rows


class FrameDecoder:
    """Frames out of bytes as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> Iterator[Frame]:
        """The frames that are complete now."""
        buffer = self._buffer
        buffer += data
        position = 0
        while len(buffer) - position >= _HEADER.size:
            kind, length = _HEADER.unpack_from(buffer, position)
            end = position + _HEADER.size + length
            if len(buffer) < end:
                break
            yield Frame(FrameKind(kind), bytes(buffer[position + _HEADER.size : end]))
            position = end
        del buffer[:position]
