"""Things: ``/id/...`` answers 303 to ``/doc/...``, which negotiates HTML and RDF (Cool URIs for the Semantic Web)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.negotiation import negotiate_media_type, read_accept
from endpoint.pages import FORMATS, render_thing
from endpoint.problems import Problem
from endpoint.responses import make_response
from endpoint.sparql.ask import Asker
from endpoint.sparql.ask import iri as make_iri

__all__ = ["check_thing", "routes"]

_THING: Final = "https://w3id.org/chap/id/"
_SUFFIXES: Final = {suffix: media_type for suffix, media_type, _ in FORMATS} | {"html": "text/html"}
_OFFERS: Final = ("text/html", *(media_type for _, media_type, _ in FORMATS))
_SLUG: Final = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)?")


async def _redirect_thing(request: Request) -> Response:
    """See other: the document about the thing."""
    kind, slug = request.path_params["kind"], request.path_params["slug"]
    check_thing(kind, slug)
    query = f"?{request.url.query}" if request.url.query else ""
    return Response(
        status_code=303, headers={"Location": f"/doc/{kind}/{slug}{query}", "Cache-Control": "public, max-age=3600"}
    )


async def _show_document(request: Request) -> Response:
    """The document about a thing: the thing, the nodes around it, labels of what it names."""
    kind, slug = request.path_params["kind"], request.path_params["slug"]
    name, dot, suffix = slug.rpartition(".")
    if dot and suffix in _SUFFIXES:
        slug, media_type = name, _SUFFIXES[suffix]
    else:
        negotiated = negotiate_media_type(read_accept(request.headers), _OFFERS)
        if negotiated is None:
            raise Problem(
                "not-acceptable", 406, f"Available are {', '.join(_OFFERS)}.", members={"available": list(_OFFERS)}
            )
        media_type = negotiated
    check_thing(kind, slug)
    if media_type == "text/html":
        return await render_thing(request, kind=kind, slug=slug)
    asker: Asker = request.app.state.asker
    iri = f"{_THING}{kind}/{slug}"
    release = request.query_params.get("release") or None
    if not await asker.select("is-known", release=release, thing=make_iri(iri)):
        raise Problem("resource-not-found", 404, f"Nothing is known of {iri}.")
    body = await asker.construct("document", media_type=media_type, release=release, thing=make_iri(iri))
    path = f"/doc/{kind}/{slug}"
    query = f"?{urlencode({'release': release})}" if release else ""
    links = [f'<{iri}>; rel="canonical"', '<https://creativecommons.org/licenses/by/4.0/>; rel="license"']
    links += [
        f'<{path}.{each}{query}>; rel="alternate"; type="{type_}"'
        for each, type_ in _SUFFIXES.items()
        if type_ != media_type
    ]
    return make_response(request, body, media_type, vary="Accept, Accept-Language", headers={"Link": ", ".join(links)})


def check_thing(kind: str, slug: str) -> None:
    """Let only what can be the address of a thing come near a query.

    Raises:
        Problem: 404, it cannot.
    """
    if not _SLUG.fullmatch(slug) or not re.fullmatch(r"[a-z]+", kind):
        raise Problem("resource-not-found", 404, f"{_THING}{kind}/{slug} is no address of a thing.")


routes = [Route("/id/{kind}/{slug:path}", _redirect_thing), Route("/doc/{kind}/{slug:path}", _show_document)]
