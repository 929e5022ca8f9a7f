"""Everything else under our IRIs that is a document where it stands: concepts, schemes, ontology, shapes, datasets.

A hash term (``def#Hub``, ``shapes#HubShape``) lives in the document before the hash, which is all that HTTP sees.
"""

from __future__ import annotations

import asyncio
import re
from functools import cache, partial
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from endpoint.documents.document import (
    Document,
    Frame,
    answer_document,
    fetch_triples,
    make_fetch,
    read_release,
)
from endpoint.documents.jsonld import Context
from endpoint.documents.ontology_views import make_ontology_view, make_shapes_view
from endpoint.documents.resource_pages import make_naming, render_document, show_resource
from endpoint.documents.shapes import fetch_shapes
from endpoint.http.negotiation import HTML, N_TRIPLES, RDF_SYNTAXES, RDF_XML, choose_syntax
from endpoint.http.problems import Problem
from endpoint.http.responses import make_response
from endpoint.http.target import read_path, read_query
from endpoint.sparql.ask import Asker
from endpoint.sparql.ask import iri as make_iri
from kg.terms import BASE

__all__ = ["routes"]

_OFFERS: Final = (HTML, *RDF_SYNTAXES)
_PATH: Final = re.compile(r"/[a-z.-]+(/[A-Za-z0-9._~-]+)*")
_ONTOLOGY: Final = "/def"


async def _show_resource(request: Request) -> Response:
    """A concept, a scheme, a dataset, an agent: whatever the default graph has statements about."""
    choice = choose_syntax(read_path(request), request.headers, _OFFERS)
    iri = BASE + choice.path.removeprefix("/")
    await _demand_known(request, choice.path)
    fetch = make_fetch(request, "document", choice.path, thing=make_iri(iri))
    show = partial(show_resource, request)
    return await answer_document(request, Document(iri=iri, path=choice.path, fetch=fetch, show=show), choice)


async def _show_ontology(request: Request) -> Response:
    """The ontology, also by the IRI of its version; an earlier version, and the alignment, as what is known of them."""
    choice = choose_syntax(read_path(request), request.headers, _OFFERS)
    path = choice.path
    iri = BASE + path.removeprefix("/")
    asker: Asker = request.app.state.asker
    (header,) = await asker.select("ontology-version", release=read_release(request)) or [{}]
    is_whole = path == _ONTOLOGY or iri == str(header.get("version"))
    if not is_whole:
        if path == "/def/alignment":
            query_id = "alignment"
        elif path.startswith("/def/"):
            return await _show_resource(request)
        else:
            raise Problem("not-found", 404, f"There is nothing at {path}.")
    else:
        query_id = "ontology"
    fetch = make_fetch(request, query_id, path, thing=make_iri(iri))

    async def show(frame: Frame) -> Response:
        if not is_whole:
            return await show_resource(request, frame)
        view = make_ontology_view(await fetch_triples(fetch), await make_naming(request), iri=BASE + "def")
        return await render_document(request, "ontology.html", frame, **view)

    return await answer_document(request, Document(iri=iri, path=path, fetch=fetch, show=show), choice)


async def _show_shapes(request: Request) -> Response:
    """The shapes that the release was judged by."""
    choice = choose_syntax(read_path(request), request.headers, _OFFERS)
    path, iri = choice.path, BASE + "shapes"
    if path != "/shapes":
        raise Problem("not-found", 404, f"There is nothing at {path}.")

    async def fetch(media_type: str) -> bytes:
        return await fetch_shapes(request.app.state.releases.get_complete(read_release(request)), media_type)

    async def show(frame: Frame) -> Response:
        view = make_shapes_view(await fetch_triples(fetch), await make_naming(request), iri=iri)
        return await render_document(request, "shapes.html", frame, **view)

    return await answer_document(request, Document(iri=iri, path=path, fetch=fetch, show=show), choice)


async def _show_node(request: Request) -> Response:
    """A node that had no IRI where it came from: it has a document, or it is one of the shapes and in theirs."""
    try:
        return await _show_resource(request)
    except Problem as problem:
        if problem.status != 404:
            raise
        release = request.app.state.releases.get_complete(read_release(request))
        lines = await fetch_shapes(release, N_TRIPLES.media_type)
        if f"\n<{BASE}{read_path(request).removeprefix('/')}> ".encode() not in b"\n" + lines:
            raise
    return RedirectResponse(f"/shapes{read_query(request)}", 303, {"Cache-Control": "public, max-age=3600"})


async def _show_prefixes(request: Request) -> Response:
    """The prefix map, which examples of queries and SHACL constraints refer to; it is a file, so no page shows it."""
    choice = choose_syntax(read_path(request), request.headers, RDF_SYNTAXES)
    path, iri = choice.path, BASE + "def/prefixes"
    if path != "/def/prefixes":
        raise Problem("not-found", 404, f"There is nothing at {path}.")
    file = request.app.state.settings.ontology_dir / "prefixes.ttl"

    async def fetch(media_type: str) -> bytes:
        return await asyncio.to_thread(_convert, file, media_type)

    show = partial(show_resource, request)
    document = Document(iri=iri, path=path, fetch=fetch, show=show, offers=RDF_SYNTAXES)
    return await answer_document(request, document, choice)


@cache
def _convert(path: Path, media_type: str) -> bytes:
    # Imported here, since few ever ask for it.
    from rdflib import Graph  # noqa: PLC0415

    syntax = "pretty-xml" if media_type == RDF_XML.media_type else media_type
    body = Graph().parse(path, format="turtle").serialize(format=syntax, encoding="utf-8")
    if media_type == N_TRIPLES.media_type:
        # As they come, their order would be another in each process.
        return b"".join(sorted(body.splitlines(keepends=True)))
    return body


async def _show_context(request: Request) -> Response:
    """The JSON-LD context that our documents refer to."""
    context: Context = request.app.state.context
    return make_response(request, context.body, "application/ld+json")


async def _demand_known(request: Request, path: str) -> None:
    """Let only what is known pass.

    Raises:
        Problem: 404, it cannot be one of our addresses, or nothing is known of it.
    """
    iri = BASE + path.removeprefix("/")
    asker: Asker = request.app.state.asker
    if not _PATH.fullmatch(path) or not await asker.select(
        "standing", release=read_release(request), thing=make_iri(iri)
    ):
        raise Problem("resource-not-found", 404, f"Nothing is known of {iri}.")


routes = [
    Route("/scheme/{rest:path}", _show_resource),
    Route("/dataset/{rest:path}", _show_resource),
    Route("/maintainers{rest:path}", _show_resource),
    # Nodes that had no IRI where they came from (kg.rdfio.skolemise).
    Route("/.well-known/genid/{rest:path}", _show_node),
    Route("/def/prefixes{rest:path}", _show_prefixes),
    Route("/def{rest:path}", _show_ontology),
    Route("/shapes{rest:path}", _show_shapes),
    Route("/context.jsonld", _show_context),
]
