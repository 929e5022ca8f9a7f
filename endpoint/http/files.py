"""Files over HTTP: whole or a range of their bytes, with validators, streamed in pieces (RFC 9110, sections 13 and 14).

What an address of these answers never changes, so caches keep it for a year without asking again.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from endpoint.http.problems import Problem
from kg.errors import ReleasePruned

__all__ = ["make_file_response", "make_unpacked_response", "parse_range"]

_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_BLOCK_BYTES: Final = 256 * 1024
_RANGE: Final = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})", re.IGNORECASE)


def make_file_response(  # noqa: PLR0913 - all by name
    request: Request, path: Path, *, media_type: str, sha256: str, size: int, headers: Mapping[str, str]
) -> Response:
    """The response to a GET or HEAD of a file that is stored as it is served.

    Args:
        request: may ask for a range, or only if the file is another than one it knows.
        path: the file.
        media_type: what its bytes are.
        sha256: its checksum, which is its strong ETag.
        size: in bytes.
        headers: further ones.

    Raises:
        Problem: 416, the range begins behind the end.
    """
    etag = f'"{sha256}"'
    common = {"ETag": etag, "Cache-Control": _IMMUTABLE, "Accept-Ranges": "bytes", **headers}
    if _matches(request, etag):
        return Response(status_code=304, headers=common)
    part = _find_range(request, etag, size)
    if part is None:
        part, status = range(size), 200
    else:
        status = 206
        common["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    common["Content-Length"] = str(len(part))
    if request.method == "HEAD":
        return Response(status_code=status, headers=common, media_type=media_type)
    content = _iter_part(_open(path), part)
    return StreamingResponse(content, status_code=status, headers=common, media_type=media_type)


def make_unpacked_response(  # noqa: PLR0913 - all by name
    request: Request,
    *,
    twins: Mapping[str, tuple[Path, int]],
    media_type: str,
    sha256: str,
    size: int,
    headers: Mapping[str, str],
) -> Response:
    """The response to a GET or HEAD of a file that is stored compressed only; no ranges.

    A client that takes the coding of a twin gets the twin's bytes as they are, any other the unpacked ones.

    Args:
        request: may say what it takes, or that it wants the file only if it is another than one it knows.
        twins: path and size of the compressed file by content coding, the best first; gzip is among them.
        media_type: what the unpacked bytes are.
        sha256: their checksum, which is their strong ETag.
        size: how many they are.
        headers: further ones.
    """
    etag = f'"{sha256}"'
    common = {"ETag": etag, "Cache-Control": _IMMUTABLE, "Accept-Ranges": "none", "Vary": "Accept-Encoding", **headers}
    if _matches(request, etag):
        return Response(status_code=304, headers=common)
    accepted = ",".join(request.headers.getlist("accept-encoding"))
    coding = next((each for each in twins if _accepts(accepted, each)), None)
    path = twins[coding or "gzip"][0]
    if coding is not None:
        # The tag of these bytes is made from that of the unpacked ones where all codings are (endpoint.http.coding).
        size = twins[coding][1]
        common["Content-Encoding"] = coding
    common["Content-Length"] = str(size)
    if request.method == "HEAD":
        return Response(headers=common, media_type=media_type)
    file = _open(path)
    content = _iter_unpacked(file) if coding is None else _iter_part(file, range(size))
    return StreamingResponse(content, headers=common, media_type=media_type)


def parse_range(header: str, size: int) -> range | None:
    """The bytes that a Range header asks for; None where it is to be ignored: another unit, several ranges, nonsense.

    Raises:
        Problem: 416, there are no such bytes.

    >>> parse_range("bytes=2-5", 100), parse_range("bytes=-10", 100), parse_range("lines=1-2", 100)
    (range(2, 6), range(90, 100), None)
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if first and last and int(last) < start:
        return None
    if start >= size:
        raise Problem(
            "range-not-satisfiable",
            416,
            f"The file has {size} bytes; the range {header!r} begins behind them.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return range(start, stop)


def _find_range(request: Request, etag: str, size: int) -> range | None:
    header = request.headers.get("range")
    # A range is a matter of GET alone, and only of the very bytes that the client has a part of.
    if header is None or request.method != "GET" or request.headers.get("if-range", etag) != etag:
        return None
    return parse_range(header, size)


def _matches(request: Request, etag: str) -> bool:
    asked = ",".join(request.headers.getlist("if-none-match"))
    return any(tag.strip().removeprefix("W/") in ("*", etag) for tag in asked.split(","))


def _accepts(header: str, coding: str) -> bool:
    """Whether an Accept-Encoding header names a coding and does not refuse it (RFC 9110, section 12.5.3)."""
    for entry in header.lower().split(","):
        name, _, parameter = (part.strip() for part in entry.partition(";"))
        if name == coding:
            return not re.fullmatch(r"q\s*=\s*0(\.0*)?", parameter)
    return False


def _open(path: Path) -> BinaryIO:
    """A file, which can be read to its end from now on, whatever becomes of its name.

    Raises:
        ReleasePruned: it was removed, with all that stood beside it.
    """
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        if path.parent.exists():
            raise
        raise ReleasePruned("The release that this file belongs to was removed; ask for the current one.") from error


def _iter_part(file: BinaryIO, part: range) -> Iterator[bytes]:
    with file:
        file.seek(part.start)
        remaining = len(part)
        while remaining:
            block = file.read(min(_BLOCK_BYTES, remaining))
            if not block:
                # The server cuts the connection: what went out must not look complete.
                raise OSError(f"{file.name} is shorter than its list says")
            remaining -= len(block)
            yield block


def _iter_unpacked(packed: BinaryIO) -> Iterator[bytes]:
    with packed, gzip.open(packed, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
