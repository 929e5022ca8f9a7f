"""One way to answer with a body: ETag of its bytes, 304, HEAD, caching and Vary (RFC 9110, sections 8.8 and 13)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["choose_caching", "is_unchanged", "make_response", "write_header"]

# Visible ASCII and the blank: what the value of a header may hold (RFC 9110, section 5.5).
_IN_HEADER: Final = bytes(range(0x20, 0x7F)).decode()


def write_header(text: str) -> str:
    r"""A text, or an IRI that becomes a URI (RFC 3987, section 3.1), as the value of a header: the rest is encoded.

    >>> write_header('<https://example.org/\u00e4\n>; rel="license"')
    '<https://example.org/%C3%A4%0A>; rel="license"'
    """
    return text if text.isascii() and text.isprintable() else quote(text, safe=_IN_HEADER)


def choose_caching(*, is_fixed: bool) -> str:
    """How long others may keep an answer out of a release, by whether the request names that release for ever."""
    # A new release changes any answer at once, so caches ask again, and are told 304 when nothing changed. What a
    # release holds never changes, but how it is written does with the next version of this server.
    return "public, max-age=86400" if is_fixed else "public, no-cache"


def is_unchanged(request: Request, etag: str) -> bool:
    """Whether the client has just this representation already: then 304 is the answer."""
    return _matches(request.headers.get("if-none-match"), etag)


def make_response(
    request: Request, body: bytes, media_type: str, *, vary: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """The response to a GET or HEAD whose body is known, out of the current release or the one that is named."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    is_fixed = request.app.state.releases.is_fixed(request.query_params.get("release"))
    common = {"ETag": etag, "Cache-Control": choose_caching(is_fixed=is_fixed), **(headers or {})}
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
