"""The pages of documents that are lists of statements, and of what is gone."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from endpoint.documents.document import Frame, fetch_triples, keep_release, read_release
from endpoint.documents.naming import Naming
from endpoint.documents.resource_views import make_resource_view
from endpoint.http.negotiation import HTML
from endpoint.pages.site import choose_language, render_page
from endpoint.pages.texts import load_texts
from endpoint.pages.views import flatten
from endpoint.sparql.ask import Asker
from endpoint.sparql.ask import iri as make_iri
from kg.dumps.index import DUMPS_NAME
from kg.terms import BASE

__all__ = ["make_naming", "render_document", "show_resource", "show_tombstone"]


async def make_naming(request: Request) -> Naming:
    """How to name things on a page, with the terms of the release's ontology."""
    asker: Asker = request.app.state.asker
    language = choose_language(request)
    terms = flatten(await asker.select("terms", release=read_release(request)))
    return Naming(language, load_texts(language), {row["term"]: row for row in terms}, request.app.state.context)


async def render_document(request: Request, template: str, frame: Frame, **values: Any) -> Response:
    """The page of a document, with links to its other syntaxes."""
    document = frame.document
    return await render_page(
        request,
        template,
        status=document.status,
        vary=frame.vary,
        headers=frame.headers,
        iri=document.iri,
        formats=[each for each in document.offers if each is not HTML],
        doc_path=document.path,
        doc_query=keep_release(request),
        **values,
    )


async def show_resource(request: Request, frame: Frame) -> Response:
    """The page about a resource: its statements, what is part of it, what names it."""
    asker: Asker = request.app.state.asker
    iri = frame.document.iri
    uses = asker.select("uses", release=read_release(request), thing=make_iri(iri))
    triples, rows, naming = await asyncio.gather(fetch_triples(frame.document.fetch), uses, make_naming(request))
    view = make_resource_view(triples, flatten(rows), iri=iri, naming=naming)
    return await render_document(request, "resource.html", frame, dumps_path=_find_dumps(request, iri), **view)


async def show_tombstone(request: Request, frame: Frame) -> Response:
    """The page of a thing that was withdrawn: that it was, and since when it had been here."""
    triples, naming = await asyncio.gather(fetch_triples(frame.document.fetch), make_naming(request))
    view = make_resource_view(triples, [], iri=frame.document.iri, naming=naming)
    return await render_document(request, "gone.html", frame, **view)


def _find_dumps(request: Request, iri: str) -> str:
    """Where the dumps of a dataset are; empty for everything that has none."""
    name = iri.rpartition("/")[2]
    if iri != f"{BASE}dataset/{name}":
        return ""
    named = read_release(request)
    release = request.app.state.releases.get(named) if named else request.app.state.releases.get_complete()
    return f"/{DUMPS_NAME}/{name}" if (release.path / DUMPS_NAME / name).is_dir() else ""
