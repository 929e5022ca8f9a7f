"""``/about``: what this is, which data there is and where, under which licence, and how to cite it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.history.publications import fetch_citation
from endpoint.pages.site import choose_language, render_page
from endpoint.pages.views import flatten, pick
from endpoint.sparql.ask import Asker

__all__ = ["routes"]


async def _show_about(request: Request) -> Response:
    """The page about the graph as a whole."""
    asker: Asker = request.app.state.asker
    language = choose_language(request)
    named = request.query_params.get("release") or None
    rows = flatten(await asker.select("datasets-named", release=named))
    return await render_page(
        request,
        "about.html",
        citation=await fetch_citation(request, request.app.state.releases.get(named)),
        datasets=[
            {
                "path": "/dataset/" + row["dataset"].rpartition("/")[2],
                "title": pick(row, "title", language),
                "text": pick(row, "text", language),
            }
            for row in rows
        ],
    )


routes = [Route("/about", _show_about)]
