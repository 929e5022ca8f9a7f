"""The body of a write on its way into a file: bounded, not too slow, and looked at by nobody here."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Receive

from endpoint.http.problems import Problem

__all__ = ["spool_body"]

# A client that sends nothing for so long is gone.
_PATIENCE_S: Final = 15.0


async def spool_body(receive: Receive, headers: Headers, path: Path, *, limit: int) -> int:
    """The number of bytes of a body, after writing them to a file.

    Raises:
        Problem: it is compressed (415), too long (413), too slow (408), or ended before its end (400).
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(
            "unsupported-coding",
            415,
            "Compressed bodies are not taken, since nobody knows how large they become; send the document as it is.",
            headers={"Accept-Encoding": "identity"},
        )
    too_large = Problem(
        "body-too-large",
        413,
        f"The body is longer than {limit} bytes; send it in parts, with POST.",
        members={"limit": limit},
        headers={"Connection": "close"},
    )
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    size = 0
    with path.open("wb") as file:
        while True:
            try:
                message = await asyncio.wait_for(receive(), _PATIENCE_S)
            except TimeoutError:
                detail = f"Nothing more of the body came within {_PATIENCE_S:g} s."
                raise Problem("body-too-slow", 408, detail, headers={"Connection": "close"}) from None
            if message["type"] == "http.disconnect":
                raise Problem("body-incomplete", 400, "The connection ended before the body did.")
            size += len(message.get("body", b""))
            if size > limit:
                raise too_large
            file.write(message.get("body", b""))
            if not message.get("more_body", False):
                break
    if declared.isdigit() and size != int(declared):
        raise Problem("body-incomplete", 400, "The connection ended before the body did.")
    return size
