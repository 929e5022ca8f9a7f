"""``/health``: whether the process lives, and whether it can answer."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from endpoint.problems import Problem

__all__ = ["routes"]

_HEADERS = {"Cache-Control": "no-store"}


async def _live(_: Request) -> Response:
    """The event loop turns; nothing more is claimed."""
    return JSONResponse({"status": "live"}, headers=_HEADERS)


async def _ready(request: Request) -> Response:
    """A release is open and a worker is there for the next query."""
    release = request.app.state.releases.current
    pool = request.app.state.pool
    if release is None:
        raise Problem("not-ready", 503, "Nothing is published yet: 'kg build' makes the first release.")
    if not pool.is_ready:
        raise Problem("not-ready", 503, "No query worker is alive; new ones are being started.")
    return JSONResponse({"status": "ready", "release": release.id, "pool": pool.counts()}, headers=_HEADERS)


routes = [Route("/health/live", _live), Route("/health/ready", _ready)]
