"""Documents about things: one way to choose a syntax, to answer in it, and to say what else there is (Link).

RDF is written by a worker; JSON-LD is compacted here, from N-Triples, with the published context (``jsonld``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from endpoint.documents.jsonld import Context, write_jsonld
from endpoint.documents.triples import Triple, parse_ntriples
from endpoint.http.negotiation import HTML, JSON_LD, N_TRIPLES, RDF_SYNTAXES, Choice, Syntax
from endpoint.http.responses import make_response, write_header
from endpoint.sparql.ask import Asker, Term
from endpoint.sparql.ask import iri as make_iri
from kg.terms import BASE

__all__ = [
    "LICENCE",
    "Document",
    "Fetch",
    "Frame",
    "answer_document",
    "fetch_triples",
    "keep_release",
    "make_fetch",
    "move",
    "read_release",
]

LICENCE: Final = "https://creativecommons.org/licenses/by/4.0/"
_PROFILE: Final = BASE + "shapes"
# Beyond so many bytes of N-Triples, JSON-LD is written in a thread, so that other requests need not wait.
_LONG: Final = 200_000

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, kw_only=True)
class Document:
    """What a document is about, where it is, and who writes it.

    ``path`` is the local path without suffix; ``fetch`` gives the RDF in a media type, ``show`` the page. ``status`` is
    that of all representations: 410 for a tombstone.
    """

    iri: str
    path: str
    fetch: Fetch
    show: Callable[[Frame], Awaitable[Response]]
    offers: Sequence[Syntax] = (HTML, *RDF_SYNTAXES)
    licence: str = LICENCE
    status: int = 200


@dataclass(frozen=True)
class Frame:
    """What the page of a document is shown with: the document, the value of Vary, further headers."""

    document: Document
    vary: str
    headers: Mapping[str, str]


async def answer_document(request: Request, document: Document, choice: Choice) -> Response:
    """The document in the syntax that was chosen, with links to everything around it."""
    headers = {"Link": write_header(", ".join(_make_links(request, document, choice.syntax)))}
    read = [] if choice.is_fixed else ["Accept"]
    if choice.syntax is HTML:
        # A language that is chosen by hand leaves the header unread.
        read += [] if "lang" in request.query_params else ["Accept-Language"]
        return await document.show(Frame(document, ", ".join(read), headers))
    if choice.syntax is JSON_LD:
        body = await document.fetch(N_TRIPLES.media_type)
        if len(body) > _LONG:
            body = await asyncio.to_thread(_write_jsonld, request, document, body)
        else:
            body = _write_jsonld(request, document, body)
    else:
        body = await document.fetch(choice.syntax.media_type)
    if document.status == 200:
        return make_response(request, body, choice.syntax.content_type, vary=", ".join(read), headers=headers)
    headers |= {"Cache-Control": "no-store"} | ({"Vary": ", ".join(read)} if read else {})
    return Response(body, status_code=document.status, headers=headers, media_type=choice.syntax.content_type)


def move(path: str) -> Response:
    """Moved permanently, to what a thing was merged into."""
    # Not for ever: what was merged by mistake comes back.
    return RedirectResponse(path, 301, {"Cache-Control": "public, max-age=3600"})


def make_fetch(request: Request, query_id: str, path: str, /, **bindings: Term) -> Fetch:
    """The fetch of a document whose RDF is a stored CONSTRUCT; the query knows the address of the document, too."""
    asker: Asker = request.app.state.asker
    base_url = request.app.state.settings.base_url
    given = {"document": make_iri(base_url + path), "endpoint": make_iri(f"{base_url}/sparql"), **bindings}

    async def fetch(media_type: str) -> bytes:
        return await asker.construct(query_id, media_type=media_type, release=read_release(request), **given)

    return fetch


async def fetch_triples(fetch: Fetch) -> list[Triple]:
    """The triples of a document, for a page."""
    return parse_ntriples(await fetch(N_TRIPLES.media_type))


def keep_release(request: Request) -> str:
    """The query string, with its question mark, of an address in the release that a request names; else empty."""
    release = read_release(request)
    return f"?{urlencode({'release': release})}" if release else ""


def read_release(request: Request) -> str | None:
    """The release that a request names, as it names it."""
    return request.query_params.get("release") or None


def _write_jsonld(request: Request, document: Document, body: bytes) -> bytes:
    context: Context = request.app.state.context
    context_url = f"{request.app.state.settings.base_url}/context.jsonld"
    return write_jsonld(parse_ntriples(body), root=document.iri, context=context, context_url=context_url)


def _make_links(request: Request, document: Document, syntax: Syntax) -> list[str]:
    """The Link header (RFC 8288): what it is about, the other syntaxes, what describes it, licence, profile."""
    base_url = request.app.state.settings.base_url
    query = keep_release(request)
    links = [f'<{document.iri}>; rel="canonical"']
    links += [
        f'<{base_url}{document.path}.{each.suffix}{query}>; rel="alternate"; type="{each.media_type}"'
        for each in document.offers
        if each is not syntax
    ]
    links += [f'<{base_url}/.well-known/void>; rel="describedby"', f'<{document.licence}>; rel="license"']
    if syntax is not HTML:
        links.append(f'<{_PROFILE}>; rel="profile"')
    return links
