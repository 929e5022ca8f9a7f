"""The page of ``/sparql`` for people: a form that works without scripts, and results as a table."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from endpoint.pages import render_editor
from endpoint.sparql.protocol import QueryRequest

__all__ = ["show_editor"]


async def show_editor(request: Request, asked: QueryRequest) -> Response:
    """The form, with the query that was asked in it."""
    return await render_editor(request, asked.text or "")
