"""The body of a request: whole, in time, not too long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from starlette.types import Receive

from endpoint.http.problems import Problem

__all__ = ["find_length", "read_body"]

_PATIENCE_S: Final = 5.0


def find_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """The length that a request declares, when it does."""
    lengths = [value for name, value in headers if name == b"content-length"]
    return int(lengths[0]) if len(lengths) == 1 and lengths[0].isdigit() else None


async def read_body(receive: Receive, *, declared: int | None, limit: int) -> bytes:
    """All of the body.

    Raises:
        Problem: it is too long, came too slowly, or ended before its end.
    """
    too_large = Problem("body-too-large", 413, f"The body is longer than {limit} bytes.", members={"limit": limit})
    if declared is not None and declared > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem("body-incomplete", 400, "The connection ended before the body did.")
                body += message.get("body", b"")
                if len(body) > limit:
                    raise too_large
                if not message.get("more_body", False):
                    break
    except TimeoutError as error:
        detail = f"The body did not arrive within {_PATIENCE_S:g} s."
        raise Problem("body-too-slow", 408, detail, headers={"Connection": "close"}) from error
    if declared is not None and len(body) != declared:
        raise Problem("body-incomplete", 400, "The connection ended before the body did.")
    return bytes(body)
