"""What harvesters and agents read first: the DCAT-AP.de catalogue, VoID, example queries (decision 0013).

The files were made with the release. Serving one is reading it and putting the public address where its placeholder
stands. A page is whole or an error: a harvester deletes what it did not see.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.http.negotiation import RDF_SYNTAXES, RDF_XML, Choice, choose_syntax
from endpoint.http.problems import Problem
from endpoint.http.responses import make_response
from kg.catalog.index import EXAMPLES_NAME, VOID_NAME, load_catalog_index, name_page
from kg.errors import ReleaseDamaged
from kg.release import Release
from kg.terms import PUBLIC_PLACEHOLDER

__all__ = ["routes"]

_LICENCE: Final = '<https://creativecommons.org/licenses/by/4.0/>; rel="license"'
_PLACEHOLDER: Final = PUBLIC_PLACEHOLDER.encode()


async def _show_catalog(request: Request) -> Response:
    """One page of the catalogue; the only one, where it has up to a hundred datasets."""
    choice = _choose(request)
    release = _find_release(request)
    index = load_catalog_index(release.path)
    if index is None:
        raise _too_old(release)
    number = _parse_page(request.query_params.get("page", "1"))
    if number > index.pages:
        raise Problem("no-such-page", 404, f"The catalogue ends with page {index.pages}.")
    if request.query_params.get("of", index.members) != index.members:
        detail = "Datasets have come or gone since the page that led here: begin again at /catalog."
        raise Problem("catalogue-changed", 410, detail)
    body = await _read(request, release, name_page(number, choice.syntax.suffix))
    if "release" in request.query_params:
        # The way through the pages of a release that was asked for stays in it.
        ampersand = b"&amp;" if choice.syntax is RDF_XML else b"&"
        body = body.replace(b"?page=", b"?release=" + release.id.encode() + ampersand + b"page=")
    return _answer(request, body, choice, canonical="/catalog", fixed="/catalog")


async def _show_void(request: Request) -> Response:
    """VoID (https://www.w3.org/TR/void/), with prefixes and example queries."""
    choice = _choose(request)
    body = await _read(request, _find_release(request), f"{VOID_NAME}.{choice.syntax.suffix}")
    return _answer(request, body, choice, canonical="/.well-known/void", fixed="/void")


async def _show_examples(request: Request) -> Response:
    """Prefixes and example queries, as query editors look for them."""
    choice = _choose(request)
    body = await _read(request, _find_release(request), f"{EXAMPLES_NAME}.{choice.syntax.suffix}")
    return _answer(request, body, choice, canonical="/.well-known/sparql-examples", fixed="/examples")


async def _lead_to_docs(_: Request) -> Response:
    """The address of the API, as the catalogue gives it, leads to its documentation."""
    return Response(status_code=303, headers={"Location": "/api/v1/docs", "Cache-Control": "public, max-age=3600"})


def _choose(request: Request) -> Choice:
    # Turtle stands first: harvesters say that they take anything, and must get RDF.
    return choose_syntax(request.scope["path"], request.headers, RDF_SYNTAXES)


def _find_release(request: Request) -> Release:
    release: Release = request.app.state.releases.get_complete(request.query_params.get("release") or None)
    return release


def _too_old(release: Release) -> Problem:
    return Problem("no-description", 404, f"Release {release.id} was made before there was this; ask for another.")


def _parse_page(text: str) -> int:
    if not text.isdecimal() or len(text) > 6 or int(text) < 1:
        raise Problem("bad-parameter", 400, f"The page {text!r} is no number from 1.", members={"parameter": "page"})
    return int(text)


async def _read(request: Request, release: Release, name: str) -> bytes:
    """A stored description, complete with the public address.

    Raises:
        Problem: 404, the release is older than such files.
        ReleaseDamaged: the file cannot be read.
    """
    try:
        content = await asyncio.to_thread((release.path / name).read_bytes)
    except OSError as error:
        if load_catalog_index(release.path) is None:
            raise _too_old(release) from error
        raise ReleaseDamaged(f"{release.path / name} cannot be read ({error}); build anew with 'kg build'") from error
    return content.replace(_PLACEHOLDER, request.app.state.settings.base_url.encode())


def _answer(request: Request, body: bytes, choice: Choice, *, canonical: str, fixed: str) -> Response:
    base = request.app.state.settings.base_url
    kept = {name: request.query_params[name] for name in ("release", "page") if name in request.query_params}
    query = f"?{urlencode(kept)}" if kept else ""
    links = [f'<{base}{canonical}>; rel="canonical"', _LICENCE]
    links += [
        f'<{base}{fixed}.{each.suffix}{query}>; rel="alternate"; type="{each.media_type}"'
        for each in RDF_SYNTAXES
        if each != choice.syntax
    ]
    vary = "" if choice.is_fixed else "Accept"
    return make_response(request, body, choice.syntax.media_type, vary=vary, headers={"Link": ", ".join(links)})


_SUFFIXES: Final = tuple(each.suffix for each in RDF_SYNTAXES)
routes = [
    Route("/catalog", _show_catalog),
    Route("/.well-known/void", _show_void),
    Route("/.well-known/sparql-examples", _show_examples),
    *(Route(f"/catalog.{suffix}", _show_catalog) for suffix in _SUFFIXES),
    *(Route(f"/void.{suffix}", _show_void) for suffix in _SUFFIXES),
    *(Route(f"/examples.{suffix}", _show_examples) for suffix in _SUFFIXES),
    Route("/api/v1", _lead_to_docs),
]
