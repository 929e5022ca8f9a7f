"""Things: ``/id/...`` answers 303 to ``/doc/...``, which negotiates HTML and RDF (Cool URIs for the Semantic Web).

What was merged answers 301 to the thing it is now, what was withdrawn 410 with a tombstone (data/iris.csv).
"""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from endpoint.documents.document import Document, Frame, answer_document, make_fetch, move, read_release
from endpoint.documents.resource_pages import show_resource, show_tombstone
from endpoint.history.memento import with_memento
from endpoint.http.negotiation import HTML, RDF_SYNTAXES, Choice, choose_syntax
from endpoint.http.problems import Problem
from endpoint.http.target import read_path, read_query
from endpoint.pages.site import render_thing
from endpoint.sparql.ask import Asker, Row
from endpoint.sparql.ask import iri as make_iri
from kg.terms import THING

__all__ = ["check_thing", "routes"]

_OFFERS: Final = (HTML, *RDF_SYNTAXES)
_SLUG: Final = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)?")
# Their pages tell a story; every other kind is a list of statements.
_TOLD: Final = frozenset(["forum", "organisation", "programme", "project"])


async def _redirect_thing(request: Request) -> Response:
    """See other: the document about the thing."""
    kind, slug = request.path_params["kind"], request.path_params["slug"]
    standing = await _find_standing(request, kind, slug)
    if successor := _find_successor(standing):
        return move(f"/id/{successor}{read_query(request)}")
    path = f"/doc/{kind}/{slug}"
    if "deprecated" in standing:
        # Nothing is left to see elsewhere: the tombstone is the answer.
        return await _answer(request, f"{THING}{kind}/{slug}", standing, choose_syntax(path, request.headers, _OFFERS))
    return RedirectResponse(path + read_query(request), 303, {"Cache-Control": "public, max-age=3600"})


async def _show_document(request: Request) -> Response:
    """The document about a thing: the thing, the nodes around it, labels of what it names."""
    choice = choose_syntax(read_path(request), request.headers, _OFFERS)
    kind, _, slug = choice.path.removeprefix("/doc/").partition("/")
    standing = await _find_standing(request, kind, slug)
    if successor := _find_successor(standing):
        suffix = f".{choice.syntax.suffix}" if choice.is_fixed else ""
        return move(f"/doc/{successor}{suffix}{read_query(request)}")
    return await _answer(request, f"{THING}{kind}/{slug}", standing, choice)


async def _answer(request: Request, iri: str, standing: Row, choice: Choice) -> Response:
    kind, _, slug = iri.removeprefix(THING).partition("/")
    is_gone = "deprecated" in standing
    fetch = make_fetch(request, "document", choice.path, thing=make_iri(iri))

    async def show(frame: Frame) -> Response:
        if is_gone:
            return await show_tombstone(request, frame)
        if kind in _TOLD and "open" in standing:
            return await render_thing(request, frame, kind=kind, slug=slug)
        return await show_resource(request, frame)

    document = Document(iri=iri, path=choice.path, fetch=fetch, show=show, status=410 if is_gone else 200)
    return await answer_document(request, document, choice)


async def _find_standing(request: Request, kind: str, slug: str) -> Row:
    """Whether the thing stands, was merged or withdrawn.

    Raises:
        Problem: 404, nothing is known of it.
    """
    check_thing(kind, slug)
    asker: Asker = request.app.state.asker
    iri = f"{THING}{kind}/{slug}"
    rows = await asker.select("standing", release=read_release(request), thing=make_iri(iri))
    if not rows:
        raise Problem("resource-not-found", 404, f"Nothing is known of {iri}.")
    return rows[0]


def _find_successor(standing: Row) -> str:
    """Kind and slug of what a thing was merged into; empty when it stands, or was withdrawn."""
    successor = str(standing.get("successor", ""))
    return successor.removeprefix(THING) if "deprecated" in standing and successor.startswith(THING) else ""


def check_thing(kind: str, slug: str) -> None:
    """Let only what can be the address of a thing come near a query.

    Raises:
        Problem: 404, it cannot.
    """
    if not _SLUG.fullmatch(slug) or not re.fullmatch(r"[a-z]+", kind):
        raise Problem("resource-not-found", 404, f"{THING}{kind}/{slug} is no address of a thing.")


routes = [
    Route("/id/{kind}/{slug:path}", _redirect_thing),
    Route("/doc/{kind}/{slug:path}", with_memento(_show_document)),
]
