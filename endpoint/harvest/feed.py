"""``/ldes``: the change feed as a Linked Data Event Stream (https://w3id.org/ldes/specification, LDES Server Primer).

The root describes the stream and leads to every page; a page holds up to a thousand members. Finished pages never
change and say so; the root and the last page are asked for again, with their ETag. What is stored is N-Quads with the
placeholder for the public address; other syntaxes are written from it, member by member, while it is sent.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from endpoint.harvest.feed_syntaxes import load_context, write_feed
from endpoint.http.negotiation import JSON_LD, N_QUADS, TRIG, Syntax, choose_syntax
from endpoint.http.problems import Problem
from endpoint.http.responses import is_unchanged, make_response
from endpoint.http.target import read_path
from kg.errors import ReleaseDamaged, ReleaseError
from kg.feed.log import FEED_NAME, Feed, FeedPage, load_feed
from kg.feed.members import FEED_IRI, iter_members, name_page
from kg.journal import format_instant
from kg.terms import PUBLIC_PLACEHOLDER

__all__ = ["routes"]

_PACKAGE: Final = Path(__file__).parent
_STREAM: Final = tuple((_PACKAGE / "feed.nt").read_bytes().splitlines(keepends=True))
_CONTEXT: Final = load_context(_PACKAGE / "feed-context.jsonld")
# What cannot hold named graphs would lose what members say.
_OFFERS: Final = (TRIG, N_QUADS, JSON_LD)
_CHUNK_BYTES: Final = 64 * 1024
_FINISHED: Final = "public, max-age=604800, immutable"
# Not "public": the feed goes on without a change of the release, by which this server's own cache knows answers.
_GROWING: Final = "no-cache"

_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_TREE: Final = "https://w3id.org/tree#"
_LDES: Final = "https://w3id.org/ldes#"
_PUBLISHED: Final = "https://www.w3.org/ns/activitystreams#published"


async def _show_root(request: Request) -> Response:
    """The root: what the stream is, what is kept, and where its pages are."""
    syntax = choose_syntax(read_path(request), request.headers, _OFFERS).syntax
    body = await run_in_threadpool(_write_root, _find_version(request), syntax, request.app.state.settings.base_url)
    headers = {"Cache-Control": _GROWING}
    return make_response(request, body, syntax.content_type, vary="Accept", headers=headers)


async def _show_page(request: Request) -> Response:
    """A page with its members, oldest first."""
    syntax = choose_syntax(read_path(request), request.headers, _OFFERS).syntax
    feed = await run_in_threadpool(load_feed, _find_version(request).releases_dir)
    page = feed.pages.get(request.path_params["number"])
    if page is None:
        raise Problem("feed-page-not-found", 404, f"The feed has {len(feed.pages)} pages, from 1.")
    stored = await run_in_threadpool(_read_page, feed, page)
    is_finished = page.length.number < len(feed.pages)
    base_url: str = request.app.state.settings.base_url
    version = f"{request.app.state.build} {base_url} {syntax.media_type} {is_finished}".encode()
    headers = {
        "ETag": f'"{hashlib.sha256(version + stored).hexdigest()[:32]}"',
        "Cache-Control": _FINISHED if is_finished else _GROWING,
        "Vary": "Accept",
    }
    if is_unchanged(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        return Response(headers=headers, media_type=syntax.content_type)
    pieces = write_feed(
        _describe_page(page, is_finished=is_finished),
        iter_members(gzip.GzipFile(fileobj=io.BytesIO(stored))),
        syntax=syntax,
        context=_CONTEXT,
    )
    return StreamingResponse(_iter_chunks(pieces, base_url), headers=headers, media_type=syntax.content_type)


class _Version(NamedTuple):
    """What is published in the feed: its log only ever grows."""

    releases_dir: Path
    mtime_ns: int
    size: int


def _find_version(request: Request) -> _Version:
    releases_dir: Path = request.app.state.settings.releases_dir
    try:
        status = Feed(root=releases_dir / FEED_NAME).log_path.stat()
    except FileNotFoundError:
        raise ReleaseError("the feed begins with the next publication: 'kg build' makes the first release") from None
    return _Version(releases_dir, status.st_mtime_ns, status.st_size)


def _read_page(feed: Feed, page: FeedPage) -> bytes:
    """The file of a page, as far as it is published."""
    length = page.length
    with feed.page_path(length.number).open("rb") as file:
        stored = file.read(length.stored_bytes)
    if len(stored) < length.stored_bytes:
        raise ReleaseDamaged(f"{feed.page_path(length.number)} is cut short; restore it from a backup")
    return stored


@lru_cache(maxsize=len(_OFFERS))
def _write_root(version: _Version, syntax: Syntax, base_url: str) -> bytes:
    feed = load_feed(version.releases_dir)
    lines = list(_STREAM)
    if feed.pages:
        # Everything is kept since then, for ever. A policy without a statement would mean that nothing is.
        starting = f'"{feed.pages[1].first}"^^<{_XSD}dateTime>'
        lines.append(f"<{FEED_IRI}#retention> <{_LDES}startingFrom> {starting} .\n".encode())
    for page in feed.pages.values():
        lines += _describe_relations(page, is_finished=page.length.number < len(feed.pages))
    return b"".join(_iter_chunks(write_feed(lines, (), syntax=syntax, context=_CONTEXT), base_url))


def _describe_relations(page: FeedPage, *, is_finished: bool) -> Iterator[bytes]:
    """That the members of a page are from its first instant on and, once it is finished, before the one after its last.

    Both bounds point at one page, so both hold (LDES Server Primer, "Relations").
    """
    bounds = [("from", "GreaterThanOrEqualTo", page.first)]
    if is_finished:
        after = datetime.fromisoformat(page.last) + timedelta(milliseconds=1)
        bounds.append(("until", "LessThan", format_instant(after)))
    for name, relation, value in bounds:
        iri = f"{FEED_IRI}#{name}-{page.length.number}"
        yield (
            f"<{FEED_IRI}> <{_TREE}relation> <{iri}> .\n"
            f"<{iri}> <{_TYPE}> <{_TREE}{relation}Relation> .\n"
            f"<{iri}> <{_TREE}node> <{name_page(page.length.number)}> .\n"
            f"<{iri}> <{_TREE}path> <{_PUBLISHED}> .\n"
            f'<{iri}> <{_TREE}value> "{value}"^^<{_XSD}dateTime> .\n'
        ).encode()


def _describe_page(page: FeedPage, *, is_finished: bool) -> Iterator[bytes]:
    iri = name_page(page.length.number)
    yield f"<{iri}> <{_TYPE}> <{_TREE}Node> .\n".encode()
    if is_finished:
        yield f'<{iri}> <{_LDES}immutable> "true"^^<{_XSD}boolean> .\n'.encode()


def _iter_chunks(pieces: Iterable[bytes], base_url: str) -> Iterator[bytes]:
    """The pieces with the public address in them, gathered so that sending them costs little."""
    base = base_url.encode()
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _CHUNK_BYTES:
            yield b"".join(waiting).replace(PUBLIC_PLACEHOLDER.encode(), base)
            waiting, size = [], 0
    yield b"".join(waiting).replace(PUBLIC_PLACEHOLDER.encode(), base)


routes = [Route("/ldes", _show_root), Route("/ldes/{number:int}", _show_page)]
