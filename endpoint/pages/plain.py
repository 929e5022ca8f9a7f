"""What a plain dataset has in place of the pages about the graph of CHAP: one that says what it is (decision 0032)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.http.problems import Problem
from endpoint.http.target import read_path
from endpoint.pages.site import render_page

__all__ = ["routes"]


async def _show_home(request: Request) -> Response:
    """How much there is, and where to ask and to write."""
    release = request.app.state.releases.get(request.query_params.get("release") or None)
    return await render_page(request, "plain.html", counts=release.manifest.counts)


async def _show_nothing(request: Request) -> Response:
    """Not found: catalogue, dumps, feed, API and documents describe the graph of CHAP, and it is not here."""
    detail = f"There is nothing at {read_path(request)}. A plain dataset has /sparql, /graph-store and /releases."
    raise Problem("not-found", 404, detail)


# The last one takes what no other route does.
routes = [Route("/", _show_home), Route("/about", _show_home), Route("/{path:path}", _show_nothing)]
