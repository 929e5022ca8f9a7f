"""The frames that the server and a query worker exchange over their socket.

A frame is one byte for its kind, four for the length of its body (big-endian), and the body. The server sends
``QUERY``, ``OPEN`` and ``DROP``; a worker answers its queries in turn, each by ``WHOLE`` where the result fits one
frame, else by ``HEAD DATA* END``; or by ``FAILURE`` instead or after HEAD. After ``CONVERT DATA* END`` it answers
alike: the result of another engine in the media type that was asked for.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

__all__ = [
    "FRAME_BYTES",
    "Binding",
    "Call",
    "Conversion",
    "Failure",
    "Frame",
    "FrameDecoder",
    "FrameKind",
    "Job",
    "Written",
    "decode_count",
    "decode_whole",
    "encode_count",
    "encode_frame",
    "encode_whole",
]

FRAME_BYTES: Final = 64 * 1024
_HEADER: Final = struct.Struct(">BI")
_ROWS: Final = struct.Struct(">q")
_USUAL_HEAD_BYTES: Final = 2_048


class FrameKind(IntEnum):
    """What a frame says."""

    READY = 1  # worker: jobs may come; a byte says which fences are up (confinement.Fence)
    OPEN = 2  # server: open this store, it was examined and will be asked next
    QUERY = 3  # server: a job
    HEAD = 4  # worker: evaluation began well
    DATA = 5  # worker: bytes of the result
    END = 6  # worker: the result is complete
    FAILURE = 7  # worker: it is not, and why
    WHOLE = 8  # worker: the complete result, after the number of its rows
    DROP = 9  # server: forget the last so many of the jobs before this, as far as they are not begun
    DROPPED = 10  # worker: they are forgotten
    # On the second socket, where federation is configured; DATA, END and FAILURE there come from the server.
    FETCH = 11  # worker: ask this endpoint this query
    VERDICT = 12  # worker: the answer that ended was one (1) or not (0)
    CONVERT = 13  # server: a conversion, whose input follows
    OPENED = 14  # worker: the store that was to be opened is, or why not


_KINDS: Final = {int(kind): kind for kind in FrameKind}


class Frame(NamedTuple):
    """One frame."""

    kind: FrameKind
    body: bytes


Binding: TypeAlias = tuple[str, str, str]
"""A value to bind: ``("iri", value, "")``, ``("literal", value, language)`` or ``("typed", value, datatype)``."""


class Call(NamedTuple):
    """One SERVICE clause: where its endpoint stands in the text, which one it is, and the limits that hold for it."""

    start: int
    end: int
    endpoint: str
    is_silent: bool
    batch_size: int
    max_bindings: int
    max_rows: int
    max_bytes: int
    takes_unbound: bool


class Written(NamedTuple):
    """A query as a client wrote it, and the base of its relative IRIs."""

    text: str
    base: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A query for a worker: where to ask, what, over which graphs, with which variables bound, in which media type.

    ``calls`` are its SERVICE clauses. ``written`` is what the client wrote, where the text is the reader's; it stays
    with the server, for the places of errors.
    """

    store: str
    text: str
    media_type: str
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()
    bindings: Mapping[str, Binding] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    written: Written | None = None

    def encode(self) -> bytes:
        """The body of its frame: all fields but the text on a line of JSON, then the text."""
        graphs = (self.default_graphs, self.named_graphs)
        if any(graphs) or self.bindings or self.calls:
            head = json.dumps([self.store, self.media_type, *graphs, dict(self.bindings), self.calls]).encode() + b"\n"
        else:
            head = _encode_plain_head(self.store, self.media_type)
        return head + self.text.encode()

    @classmethod
    def decode(cls, body: bytes) -> Job:
        """The job in the body of a frame."""
        head, _, text = body.partition(b"\n")
        # A head is as long as whoever asks makes it; a long one comes once, and is not worth the memory.
        decode = _decode_head if len(head) <= _USUAL_HEAD_BYTES else _decode_head.__wrapped__
        store, media_type, default_graphs, named_graphs, bindings, calls = decode(head)
        return cls(
            store=store,
            text=text.decode(),
            media_type=media_type,
            default_graphs=default_graphs,
            named_graphs=named_graphs,
            bindings=bindings,
            calls=calls,
        )


_Head: TypeAlias = tuple[str, str, tuple[str, ...], tuple[str, ...], Mapping[str, Binding], tuple[Call, ...]]


# Most jobs differ in their text only.
@lru_cache(maxsize=64)
def _encode_plain_head(store: str, media_type: str) -> bytes:
    return json.dumps([store, media_type, (), (), {}, ()]).encode() + b"\n"


@lru_cache(maxsize=64)
def _decode_head(head: bytes) -> _Head:
    store, media_type, default_graphs, named_graphs, bindings, calls = json.loads(head)
    terms = {name: (term[0], term[1], term[2]) for name, term in bindings.items()}
    return store, media_type, tuple(default_graphs), tuple(named_graphs), terms, tuple(Call(*each) for each in calls)


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
    retry_after_s: int | None = None

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


def encode_count(count: int) -> bytes:
    """The body of a frame that holds a number only."""
    return _ROWS.pack(count)


def decode_count(body: bytes) -> int:
    """The number in the body of a frame."""
    count: int = _ROWS.unpack(body)[0]
    return count


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
        if not buffer and len(data) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(data)
            if len(data) == _HEADER.size + length:
                # One whole frame, as most reads are.
                yield Frame(_KINDS[kind], bytes(data[_HEADER.size :]))
                return
        buffer += data
        position = 0
        while len(buffer) - position >= _HEADER.size:
            kind, length = _HEADER.unpack_from(buffer, position)
            end = position + _HEADER.size + length
            if len(buffer) < end:
                break
            yield Frame(_KINDS[kind], bytes(buffer[position + _HEADER.size : end]))
            position = end
        del buffer[:position]
