"""Documents in a form (``multipart/form-data``), as browsers and scripts send files: each part becomes a file.

What a part is called does not matter; its media type says its syntax, else its name does (Graph Store Protocol, 5.5).
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Final

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from endpoint.http.problems import Problem
from endpoint.sparql.formats import GRAPHS
from endpoint.writes.messages import Part

__all__ = ["MULTIPART_TYPE", "split_parts"]

MULTIPART_TYPE: Final = "multipart/form-data"
_MOST_PARTS: Final = 100
_BLOCK_BYTES: Final = 1 << 20
# Of what browsers do not know they say this.
_ANYTHING: Final = ("", "application/octet-stream", "text/plain")


def split_parts(body_path: Path, content_type: str, directory: Path) -> tuple[Part, ...]:
    """The parts of a spooled body, each in a file of its own.

    Raises:
        Problem: 400, the body is no such form, or has no part or too many; 415, the syntax of a part is not known.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise _malformed("its Content-Type has no boundary")
    splitter = _Splitter(directory)
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": splitter.begin_part,
            "on_part_data": splitter.take_data,
            "on_part_end": splitter.end_part,
            "on_header_field": splitter.take_name,
            "on_header_value": splitter.take_value,
            "on_header_end": splitter.end_header,
            "on_headers_finished": splitter.end_headers,
            "on_end": splitter.end,
        },
    )
    try:
        with body_path.open("rb") as body:
            while block := body.read(_BLOCK_BYTES):
                parser.write(block)
        parser.finalize()
    except MultipartParseError as error:
        raise _malformed(str(error)) from error
    finally:
        splitter.close()
    if not splitter.is_whole or not splitter.parts:
        raise _malformed("it ends before its last part, or has none")
    return tuple(splitter.parts)


class _Splitter:
    """Writes parts to files as a parser comes upon them."""

    def __init__(self, directory: Path) -> None:
        self.parts: list[Part] = []
        self.is_whole = False
        self._directory = directory
        self._headers: dict[bytes, bytes] = {}
        self._name = b""
        self._value = b""
        self._file: IO[bytes] | None = None

    def begin_part(self) -> None:
        if len(self.parts) >= _MOST_PARTS:
            raise _malformed(f"it has more than {_MOST_PARTS} parts")
        self._headers = {}

    def take_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def end_headers(self) -> None:
        path = self._directory / f"part-{len(self.parts)}"
        self.parts.append(Part(path=str(path), media_type=_find_media_type(self._headers)))
        self._file = path.open("wb")

    def take_data(self, data: bytes, start: int, end: int) -> None:
        assert self._file is not None
        self._file.write(data[start:end])

    def end_part(self) -> None:
        self.close()

    def end(self) -> None:
        self.is_whole = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _find_media_type(headers: dict[bytes, bytes]) -> str:
    stated = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    _, options = parse_options_header(headers.get(b"content-disposition"))
    suffix = options.get(b"filename", b"").decode("latin-1").rpartition(".")[2].lower()
    for each in GRAPHS:
        if stated == each.media_type or (stated in _ANYTHING and suffix in each.names):
            return each.written_as
    raise Problem(
        "unsupported-media-type",
        415,
        f"A part is of type {stated or 'unknown'}, which is not read here. Give each part a Content-Type, "
        "or its file a name that ends in .ttl, .nt, .jsonld, .rdf, .nq or .trig.",
        members={"available": [each.media_type for each in GRAPHS]},
    )


def _malformed(reason: str) -> Problem:
    return Problem("bad-form", 400, f"The body is no form of parts: {reason}.")
