"""The page of ``/sparql`` for people: a form that works without scripts, and results as a table."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from endpoint.http.problems import Problem
from endpoint.pages.links import find_href
from endpoint.pages.site import render_page
from endpoint.sparql.frames import Job, Written
from endpoint.sparql.guard import Inspection, Limits, inspect_unhurried
from endpoint.sparql.protocol import QueryRequest
from kg.queries import load_directory

__all__ = ["show_editor"]

_ROWS: Final = 500
_BYTES: Final = 4 * 1024 * 1024
_SOLUTIONS: Final = ("select", "ask")


async def show_editor(request: Request, asked: QueryRequest, limits: Limits) -> Response:
    """The form; with a query, its result below, or what is wrong with it."""
    result: dict[str, Any] = {"vars": [], "rows": [], "total": None, "boolean": None, "text": "", "problem": ""}
    status, is_volatile = 200, False
    if asked.text is not None:
        try:
            inspection = await inspect_unhurried(asked.text, limits=limits, share=request.app.state.share)
            is_volatile = inspection.is_volatile
            result |= await _ask(request, asked, inspection, Written(asked.text, limits.base))
        except Problem as problem:
            result["problem"], status = problem.detail, problem.status
    page = await render_page(
        request,
        "sparql.html",
        query=asked.text or "",
        result=result,
        outside=limits.services.values(),
        questions=load_directory(request.app.state.settings.ontology_dir / "questions"),
        vary="Accept, Accept-Language",
        status=status,
    )
    if is_volatile:
        page.headers["Cache-Control"] = "no-store"
    return page


async def _ask(request: Request, asked: QueryRequest, inspection: Inspection, written: Written) -> dict[str, Any]:
    """What the template shows of a result; a long one is cut, and says so."""
    is_graph = inspection.form not in _SOLUTIONS
    state = request.app.state
    spending = state.share.charge()
    job = Job(
        store=str(state.releases.get(asked.release).store_path),
        text=inspection.text,
        media_type="text/turtle" if is_graph else "application/sparql-results+json",
        default_graphs=asked.default_graphs,
        named_graphs=asked.named_graphs,
        calls=inspection.calls,
        written=written,
    )
    body = bytearray()
    async with state.pool.answer(job, spending) as answer:
        async for chunk in answer:
            body += chunk
            if len(body) > _BYTES:
                raise Problem(
                    "result-too-large", 413, "The result is too large for a page: choose a format, or add a LIMIT."
                )
    if is_graph:
        return {"text": body.decode()}
    document = json.loads(body)
    if "boolean" in document:
        return {"boolean": document["boolean"]}
    names, bindings = document["head"]["vars"], document["results"]["bindings"]
    rows = [[_make_cell(binding.get(name)) for name in names] for binding in bindings[:_ROWS]]
    return {"vars": names, "rows": rows, "total": len(bindings), "shown": _ROWS}


def _make_cell(term: dict[str, str] | None) -> dict[str, str]:
    if term is None:
        return {"text": "", "href": "", "language": ""}
    value = term["value"]
    return {
        "text": value.removeprefix("https://w3id.org/chap/"),
        "href": find_href(value) if term["type"] == "uri" else "",
        "language": term.get("xml:lang", ""),
    }
