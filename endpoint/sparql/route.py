"""``/sparql``: the endpoint itself, from the bytes of a request to the bytes of a result."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from endpoint.history.releases import ServedReleases
from endpoint.http.bodies import find_length, read_body
from endpoint.http.budget import FairShare
from endpoint.http.negotiation import negotiate_media_type, read_accept
from endpoint.http.problems import Problem, as_problem, problem_response
from endpoint.http.responses import choose_caching, write_header
from endpoint.operations.observe import QueryLog, QueryObserver
from endpoint.sparql.ask import Asker, Term, iri
from endpoint.sparql.engine import Engine, Result
from endpoint.sparql.formats import GRAPHS, RESULTS, Format, choose_format
from endpoint.sparql.frames import Job, Written
from endpoint.sparql.guard import Limits, inspect_unhurried
from endpoint.sparql.hints import Vocabulary, find_hints
from endpoint.sparql.protocol import QueryRequest, UpdateRequest, read_request
from endpoint.sparql.stream import ClientLeft, Delivery, ResultBroken, stream_answer
from kg.errors import KgError
from kg.release import Release

__all__ = ["EditorPage", "RouteOptions", "SparqlRoute", "Updater"]

EditorPage: TypeAlias = Callable[[Request, QueryRequest, Limits], Awaitable[Response]]
Updater: TypeAlias = Callable[[Request, UpdateRequest], Awaitable[Response]]

_METHODS: Final = ("GET", "HEAD", "POST")
_HTML: Final = "text/html"
_VARY: Final = {"vary": "Accept"}
# Below this a query is cheap, and a hint would cost more than it helps, unless nothing was found.
_WORTH_A_HINT_S: Final = 0.05
_FEDERATED: Final = "http://www.w3.org/ns/sparql-service-description#BasicFederatedQuery"
_LICENCE: Final = "http://creativecommons.org/licenses/by/4.0/"
_INTEGER: Final = "http://www.w3.org/2001/XMLSchema#integer"


@dataclass(frozen=True, kw_only=True)
class RouteOptions:
    """What the route is told: limits, its public address, the build (for ETags), and the page for browsers."""

    limits: Limits
    max_body_bytes: int
    max_result_bytes: int
    patience_s: float
    base_url: str
    build: str
    editor: EditorPage
    share: FairShare
    observer: QueryObserver
    journal: QueryLog
    limits_header: str
    federation: str
    updater: Updater


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request and the way back."""

    scope: Scope
    headers: Headers
    receive: Receive
    send: Send

    async def reply(self, response: Response) -> None:
        await response(self.scope, self.receive, self.send)


class SparqlRoute:
    """An ASGI application for the one path; it stands beside the framework's routes for speed."""

    def __init__(self, pool: Engine, releases: ServedReleases, asker: Asker, options: RouteOptions) -> None:
        self._pool = pool
        self._releases = releases
        self._asker = asker
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        exchange = _Exchange(scope, Headers(scope=scope), receive, send)
        started, outcome, sent, text = time.monotonic(), "ok", 0, None
        try:
            request = await self._read(exchange)
            if isinstance(request, UpdateRequest):
                await exchange.reply(await self._options.updater(_make_request(exchange), request))
                return
            text = request.text
            if text is None:
                await self._introduce(exchange, request)
                return
            sent = await self._answer(exchange, request, text)
        except (Problem, KgError) as error:
            outcome = await self._tell(exchange, error)
        except ClientLeft:
            outcome = "client-left"
        except ResultBroken:
            outcome = "broken"
            raise
        finally:
            if text is not None:
                seconds = time.monotonic() - started
                self._options.observer.observe(outcome, seconds, sent)
                self._options.journal.note(text, outcome, seconds, sent)

    async def _tell(self, exchange: _Exchange, error: Problem | KgError) -> str:
        """The code of a problem, after telling it to the client.

        Not where it was caught: a variable there would tie frame, traceback and request into a cycle, and the
        connection of a body that never ends would stay open until the collector comes by.
        """
        problem = error if isinstance(error, Problem) else as_problem(error)
        problem.headers.setdefault("CHAP-Limits", self._options.limits_header)
        await exchange.reply(problem_response(problem))
        return problem.code

    async def _read(self, exchange: _Exchange) -> QueryRequest | UpdateRequest:
        method = exchange.scope["method"]
        if method not in _METHODS:
            allowed = ", ".join([*_METHODS, "OPTIONS"])
            raise Problem("method-not-allowed", 405, f"{method} means nothing here.", headers={"Allow": allowed})
        body = await _read_body(exchange, self._options.max_body_bytes) if method == "POST" else b""
        query_string = exchange.scope["query_string"].decode("latin-1")
        content_type = exchange.headers.get("content-type") if method == "POST" else None
        return read_request(method, query_string, content_type, body)

    async def _introduce(self, exchange: _Exchange, request: QueryRequest) -> None:
        """A page for people, a description of the service for programs (SPARQL 1.1 Service Description, section 2)."""
        accept = read_accept(exchange.headers)
        if request.format is None and _prefers_html(accept):
            await exchange.reply(await self._options.editor(_make_request(exchange), request, self._options.limits))
            return
        format_ = choose_format("construct", accept=accept, override=request.format)
        release = self._releases.get(request.release)
        federation = self._options.federation
        headers = self._headers(request, format_, release, federation, "description")
        if _is_known(headers["etag"], exchange.headers):
            await exchange.reply(Response(status_code=304, headers=headers))
            return
        endpoint = f"{self._options.base_url}/sparql"
        further: dict[str, Term] = {}
        if not release.manifest.is_plain:
            further = {
                "licence": iri(_LICENCE),
                "void": iri(f"{self._options.base_url}/.well-known/void"),
                "catalog": iri(f"{self._options.base_url}/catalog"),
                "examples": iri(f"{self._options.base_url}/.well-known/sparql-examples"),
            }
        if federation:
            further |= {
                "feature": iri(_FEDERATED),
                "allowed": Term("literal", federation, "en"),
                "listing": iri(f"{self._options.base_url}/federation"),
            }
        body = await self._asker.construct(
            "service-description",
            media_type=format_.written_as,
            release=release.id,
            endpoint=iri(endpoint),
            dataset=iri(f"{endpoint}#dataset"),
            default_graph=iri(f"{endpoint}#default-graph"),
            triples=Term("literal", str(release.manifest.counts.triples), datatype=_INTEGER),
            extent=Term("literal", f"{release.manifest.counts.graphs} named graphs", "en"),
            limits=Term("literal", f"Limits of a query: {self._options.limits_header}.", "en"),
            **further,
        )
        await exchange.reply(Response(body, headers={"Content-Type": format_.content_type, **headers}))

    async def _answer(self, exchange: _Exchange, request: QueryRequest, text: str) -> int:
        """The number of bytes sent."""
        accept = read_accept(exchange.headers)
        if request.format == "html" or (request.format is None and _prefers_html(accept)):
            # The page shows what is wrong with a query, too.
            page = await self._options.editor(_make_request(exchange), request, self._options.limits)
            await exchange.reply(page)
            return 0
        inspection = await inspect_unhurried(text, limits=self._options.limits, share=self._options.share)
        format_ = choose_format(inspection.form, accept=accept, override=request.format)
        release = self._releases.get(request.release)
        headers: Mapping[str, str]
        if inspection.is_volatile:
            headers = {"cache-control": "no-store", **_VARY}
        else:
            graphs = json.dumps([request.default_graphs, request.named_graphs]) if request.has_dataset else ""
            headers = self._headers(request, format_, release, inspection.text, graphs)
            if _is_known(headers["etag"], exchange.headers):
                await exchange.reply(Response(status_code=304, headers=headers))
                return 0
        written = Written(text, self._options.limits.base)
        job = Job(
            store=str(release.store_path),
            text=inspection.text,
            media_type=format_.written_as,
            default_graphs=request.default_graphs,
            named_graphs=request.named_graphs,
            calls=inspection.calls,
            written=written,
        )
        spending = self._options.share.charge()
        started = time.monotonic()

        def describe(answer: Result) -> list[tuple[bytes, bytes]]:
            seconds = time.monotonic() - started
            found = {
                "content-type": format_.content_type,
                "chap-release": release.id,
                "chap-limits": self._options.limits_header,
                "server-timing": f"query;dur={seconds * 1000:.1f}",
                **headers,
            }
            if answer.rows is not None:
                found["chap-rows"] = str(answer.rows)
            is_worth_it = answer.rows == 0 or seconds > _WORTH_A_HINT_S
            if is_worth_it and (hints := find_hints(written, _find_vocabulary(release))):
                found["chap-hint"] = write_header("; ".join(hints))
            return [(name.encode(), value.encode("latin-1")) for name, value in found.items()]

        delivery = Delivery(
            is_head=exchange.scope["method"] == "HEAD",
            receive=exchange.receive,
            send=exchange.send,
            describe=describe,
            max_bytes=self._options.max_result_bytes,
            patience_s=self._options.patience_s,
        )
        return await stream_answer(self._pool, job, delivery, spending)

    def _headers(self, request: QueryRequest, format_: Format, release: Release, *parts: str) -> dict[str, str]:
        """ETag, caching and Vary of an answer that is a function of release and request."""
        # No part but the last can hold the separator.
        engine = self._pool.mark(str(release.store_path))
        key = "\n".join([release.id, engine, self._options.build, format_.media_type, *reversed(parts)])
        caching = choose_caching(is_fixed=self._releases.is_fixed(request.release))
        return {"etag": f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"', "cache-control": caching, **_VARY}


@lru_cache(maxsize=4)
def _find_vocabulary(release: Release) -> Vocabulary:
    counts = release.manifest.counts
    return Vocabulary([*counts.classes, *counts.properties])


def _make_request(exchange: _Exchange) -> Request:
    return Request(exchange.scope, exchange.receive)


async def _read_body(exchange: _Exchange, limit: int) -> bytes:
    if exchange.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unsupported-media-type", 415, "Compressed bodies are not read here; send the query as it is.")
    return await read_body(exchange.receive, declared=find_length(exchange.scope["headers"]), limit=limit)


def _prefers_html(accept: str | None) -> bool:
    """Whether a browser asks: HTML stands in its Accept header, and comes before what it knows only as anything."""
    return accept is not None and _HTML in accept and negotiate_media_type(accept, [_HTML, *_OTHERS]) == _HTML


_OTHERS: Final = (*(each.media_type for each in [*GRAPHS, *RESULTS]),)


def _is_known(etag: str, headers: Headers) -> bool:
    """Whether the client has this representation (RFC 9110, section 13.1.2; weak comparison)."""
    asked = ",".join(headers.getlist("if-none-match"))
    return bool(asked) and etag in [each.strip().removeprefix("W/") for each in asked.split(",")]
