"""``/health``: whether the process lives, and whether it can answer."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from endpoint.history.releases import Lag
from endpoint.http.problems import Problem
from endpoint.sparql.engine import Engine
from kg.errors import ReleaseDamaged

__all__ = ["routes"]

_HEADERS = {"Cache-Control": "no-store"}


async def _live(_: Request) -> Response:
    """The event loop turns; nothing more is claimed."""
    return JSONResponse({"status": "live"}, headers=_HEADERS)


async def _ready(request: Request) -> Response:
    """A release is open, and the engine that is to answer about it is there for the next query."""
    releases = request.app.state.releases
    release = releases.current
    engine: Engine = request.app.state.pool
    if release is None and releases.damage is not None:
        raise Problem(ReleaseDamaged.code, 503, releases.damage)
    if release is None:
        raise Problem("not-ready", 503, "Nothing is published yet: 'kg build' makes the first release.")
    if engine.trouble is not None:
        raise Problem("not-ready", 503, engine.trouble, members=engine.describe())
    answer = {
        "status": "ready",
        "release": release.id,
        "pool": engine.counts(),
        "fences": {"queries": engine.fences.names, "writer": request.app.state.desk.fences.names},
        **engine.describe(),
    }
    if not request.app.state.is_plain:
        answer["derived"] = _describe_lag(request)
    if releases.damage is not None:
        # An earlier release is served still: ready, but not with what was published last.
        answer[ReleaseDamaged.code] = request.app.state.hider.hide(releases.damage)
    if warning := request.app.state.proxies.warning:
        answer["proxy"] = warning
    return JSONResponse(answer, headers=_HEADERS)


def _describe_lag(request: Request) -> dict[str, object]:
    """How far dumps, descriptions, catalogue and feed are behind, and why the last attempt to make them failed."""
    lag: Lag = request.app.state.releases.lag
    trouble: str | None = request.app.state.desk.completer.trouble
    described: dict[str, object] = {
        "releases_behind": lag.releases,
        "feed_steps_behind": lag.feed_steps,
        "seconds_behind": round(lag.seconds(), 3),
    }
    return described | ({"trouble": request.app.state.hider.hide(trouble)} if trouble is not None and lag else {})


routes = [Route("/health/live", _live), Route("/health/ready", _ready)]
