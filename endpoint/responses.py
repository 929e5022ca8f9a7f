"""One way to answer with a body: ETag of its bytes, 304, HEAD, caching and Vary (RFC 9110, sections 8.8 and 13)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["make_response"]


def make_response(
    request: Request, body: bytes, media_type: str, *, vary: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """The response to a GET or HEAD whose body is known."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # A new release changes any answer at once, so caches ask again, and are told 304 when nothing changed.
    common = {"ETag": etag, "Cache-Control": "public, no-cache", **(headers or {})}
    if vary:
        common["Vary"] = vary
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=common)
    if request.method == "HEAD":
        common["Content-Length"] = str(len(body))
        return Response(b"", headers=common, media_type=media_type)
    return Response(body, headers=common, media_type=media_type)


def _matches(header: str | None, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in (header or "").split(",")}
    return "*" in tags or etag in tags
