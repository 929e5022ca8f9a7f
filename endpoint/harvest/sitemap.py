"""What search engines are told: ``/robots.txt`` (RFC 9309) and sitemaps (https://www.sitemaps.org/protocol.html).

The index lists parts of at most 50,000 addresses; parts lie at the root, since a sitemap speaks only for what is below
its own directory. Addresses are those of pages for people; ``lastmod`` is the instant of the publication since which
what is said of a thing is so, taken from the release's list of things, which is streamed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from endpoint.http.problems import Problem
from endpoint.http.responses import is_unchanged, make_response
from endpoint.pages.collections import COLLECTIONS
from kg.entities import ENTITIES_NAME, Entity, iter_entities
from kg.terms import THING

__all__ = ["URLS_PER_PART", "routes"]

URLS_PER_PART: Final = 50_000
_NAMESPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
_XML: Final = "application/xml"
_LISTS: Final = ("/", *(f"/{name}" for name in COLLECTIONS))
# Things whose page is of use without the page that led to it; the others are parts of these pages.
_KINDS: Final = tuple(
    f"{THING}{each}/" for each in ("organisation", "programme", "project", "forum", "place", "service", "source")
)
_CHUNK_LINES: Final = 500
# For robots: what is computed, what is for machines, and what shows an older state of another page.
_DISALLOWED: Final = (
    "/sparql?query=",
    "/sparql?*&query=",
    "/graph-store",
    "/reconcile",
    "/ldes",
    "/metrics",
    "/health/",
    "/*?*release=",
)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the sitemap: how many things it lists, and the latest instant among them."""

    things: int
    latest: str


async def _show_robots(request: Request) -> Response:
    """Who may read what, and where the sitemap is."""
    base_url: str = request.app.state.settings.base_url
    prefix = urlsplit(base_url).path
    lines = [
        "User-agent: *",
        *(f"Disallow: {prefix}{path}" for path in _DISALLOWED),
        "",
        f"Sitemap: {base_url}/sitemap.xml",
    ]
    return make_response(request, "\n".join([*lines, ""]).encode(), "text/plain; charset=utf-8")


async def _show_index(request: Request) -> Response:
    """The parts of the sitemap, each with its latest change."""
    base_url: str = request.app.state.settings.base_url
    parts = await run_in_threadpool(_count_parts, _entities_path(request))
    entries = "".join(
        f"<sitemap>{_locate(base_url, f'/sitemap-{number}.xml', part.latest)}</sitemap>\n"
        for number, part in enumerate(parts, start=1)
    )
    # Always of the current release, whatever a request names.
    headers = {"Cache-Control": "public, no-cache"}
    return make_response(request, _wrap("sitemapindex", entries).encode(), _XML, headers=headers)


async def _show_part(request: Request) -> Response:
    """The addresses of one part."""
    path = _entities_path(request)
    number: int = request.path_params["number"]
    parts = await run_in_threadpool(_count_parts, path)
    if not 1 <= number <= len(parts):
        raise Problem("sitemap-not-found", 404, f"The sitemap has {len(parts)} parts, from 1.")
    base_url: str = request.app.state.settings.base_url
    version = f"{request.app.state.build} {request.app.state.releases.get_complete().id} {base_url} {number}".encode()
    headers = {"ETag": f'"{hashlib.sha256(version).hexdigest()[:32]}"', "Cache-Control": "public, no-cache"}
    if is_unchanged(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        return Response(headers=headers, media_type=_XML)
    latest = max(part.latest for part in parts)
    lists = [_locate(base_url, each, latest) for each in _LISTS] if number == 1 else []
    start = sum(part.things for part in parts[: number - 1])
    things = islice(_iter_pages(path), start, start + parts[number - 1].things)
    located = (_locate(base_url, _to_path(each), each.instant) for each in things)
    return StreamingResponse(_iter_chunks(chain(lists, located)), headers=headers, media_type=_XML)


def _entities_path(request: Request) -> Path:
    path: Path = request.app.state.releases.get_complete().path / ENTITIES_NAME
    return path


@lru_cache(maxsize=4)
def _count_parts(path: Path) -> tuple[_Part, ...]:
    """The parts of a release's sitemap; a release never changes, so this is counted once."""
    parts: list[_Part] = []
    # The first part has the lists, too; there is one even when nothing has a page.
    room = URLS_PER_PART - len(_LISTS)
    things, latest = 0, ""
    for entity in _iter_pages(path):
        if things == room:
            parts.append(_Part(things, latest))
            room, things, latest = URLS_PER_PART, 0, ""
        things, latest = things + 1, max(latest, entity.instant)
    return (*parts, _Part(things, latest))


def _iter_pages(path: Path) -> Iterator[Entity]:
    """The things that have a page in the sitemap."""
    for entity in iter_entities(path, below=_KINDS):
        slug = entity.iri.removeprefix(THING).partition("/")[2]
        if "/" not in slug and "#" not in slug:
            yield entity


def _to_path(entity: Entity) -> str:
    return "/doc/" + entity.iri.removeprefix(THING)


def _locate(base_url: str, path: str, instant: str) -> str:
    lastmod = f"<lastmod>{instant}</lastmod>" if instant else ""
    return f"<loc>{escape(base_url + path)}</loc>{lastmod}"


def _wrap(element: str, content: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{element} xmlns="{_NAMESPACE}">\n{content}</{element}>\n'


def _iter_chunks(entries: Iterator[str]) -> Iterator[bytes]:
    head, tail = _wrap("urlset", "\0").split("\0")
    yield head.encode()
    while batch := list(islice(entries, _CHUNK_LINES)):
        yield "".join(f"<url>{each}</url>\n" for each in batch).encode()
    yield tail.encode()


routes = [
    Route("/robots.txt", _show_robots),
    Route("/sitemap.xml", _show_index),
    Route("/sitemap-{number:int}.xml", _show_part),
]
