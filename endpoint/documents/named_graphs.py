"""Named graphs, the units of provenance: what a graph states, where it is from, under which licence.

TriG and N-Quads keep the statements in their graph; the other syntaxes hold its triples. What describes the graph and
the document stands beside them, in the default graph where there is one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.documents.document import (
    LICENCE,
    Document,
    Frame,
    answer_document,
    fetch_triples,
    make_fetch,
    read_release,
)
from endpoint.documents.resource_pages import make_naming, render_document
from endpoint.documents.resource_views import make_resource_view, make_statements
from endpoint.documents.triples import Triple
from endpoint.http.negotiation import DATASET_SYNTAXES, HTML, N_QUADS, N_TRIPLES, TRIG, TURTLE, choose_syntax
from endpoint.http.problems import Problem
from endpoint.http.target import read_path
from endpoint.pages.views import flatten
from endpoint.sparql.ask import Asker, Row
from endpoint.sparql.ask import iri as make_iri
from kg.terms import GRAPH

__all__ = ["routes"]

_OFFERS: Final = (HTML, *DATASET_SYNTAXES)
_PATH: Final = re.compile(r"/graph/[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)?")
# As in graph-description.rq, which says so in the document.
_LIMIT: Final = 10_000
_SHOWN: Final = 300
_NOTHING: Final = make_iri("urn:x-chap:none")


async def _show_graph(request: Request) -> Response:
    """The document about a named graph."""
    choice = choose_syntax(read_path(request), request.headers, _OFFERS)
    path = choice.path
    iri = GRAPH + path.removeprefix("/graph/")
    size = await _find_size(request, path, iri)
    is_whole = int(str(size["count"])) <= _LIMIT
    describe = make_fetch(request, "graph-description", path, graph=make_iri(iri), held=_NOTHING)
    whole = make_fetch(request, "graph-description", path, graph=make_iri(iri), held=make_iri(iri))
    asker: Asker = request.app.state.asker

    async def state(media_type: str) -> bytes:
        if not is_whole:
            return b""
        release = read_release(request)
        return await asker.construct("graph-statements", media_type=media_type, release=release, graph=make_iri(iri))

    async def fetch(media_type: str) -> bytes:
        if media_type == N_QUADS.media_type:
            return _put_into(iri, await state(N_TRIPLES.media_type)) + await describe(N_TRIPLES.media_type)
        if media_type == TRIG.media_type:
            return _wrap(iri, await state(TURTLE.media_type)) + await describe(TURTLE.media_type)
        return await (whole if is_whole else describe)(media_type)

    async def show(frame: Frame) -> Response:
        description, statements = await asyncio.gather(fetch_triples(describe), fetch_triples(state))
        return await _render(request, frame, description, statements)

    licence = str(size.get("licence", LICENCE))
    document = Document(iri=iri, path=path, fetch=fetch, show=show, offers=_OFFERS, licence=licence)
    return await answer_document(request, document, choice)


async def _render(
    request: Request, frame: Frame, description: Sequence[Triple], statements: Sequence[Triple]
) -> Response:
    asker: Asker = request.app.state.asker
    iri = frame.document.iri
    naming = await make_naming(request)
    rows = flatten(await asker.select("graph-names", release=read_release(request), graph=make_iri(iri)))
    naming = replace(naming, names={**{row["node"]: row for row in rows}, **naming.names})
    return await render_document(
        request,
        "graph.html",
        frame,
        statements=make_statements(statements[:_SHOWN], naming),
        shown=min(len(statements), _SHOWN),
        total=len(statements),
        **make_resource_view(description, [], iri=iri, naming=naming),
    )


async def _find_size(request: Request, path: str, iri: str) -> Row:
    """How large a graph is, and its licence.

    Raises:
        Problem: 404, there is no such graph.
    """
    asker: Asker = request.app.state.asker
    rows = (
        await asker.select("graph-size", release=read_release(request), graph=make_iri(iri))
        if _PATH.fullmatch(path)
        else []
    )
    if not rows:
        raise Problem("resource-not-found", 404, f"There is no graph {iri}.")
    return rows[0]


def _put_into(graph_iri: str, lines: bytes) -> bytes:
    """N-Triples as N-Quads of a graph."""
    return lines.replace(b" .\n", f" <{graph_iri}> .\n".encode())


def _wrap(graph_iri: str, turtle: bytes) -> bytes:
    """Turtle, whose prefixes come first, as a graph of TriG."""
    lines = turtle.splitlines(keepends=True)
    start = next((at for at, line in enumerate(lines) if not line.startswith(b"@prefix ")), len(lines))
    return b"".join([*lines[:start], f"<{graph_iri}> {{\n".encode(), *lines[start:], b"}\n"])


routes = [Route("/graph/{name:path}", _show_graph)]
