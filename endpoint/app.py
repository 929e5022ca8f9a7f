"""The application: settings in, an ASGI callable out; nothing happens at import time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from endpoint.api.v1 import create_api
from endpoint.documents import named_graphs, resources, vocabulary
from endpoint.documents.jsonld import load_context
from endpoint.federation import listing
from endpoint.harvest import catalog, dumps, feed, sitemap
from endpoint.history import memento, publications
from endpoint.history.releases import ServedReleases
from endpoint.http.budget import FairShare
from endpoint.http.cache import ResponseCache
from endpoint.http.clients import Clients, knowing_clients, parse_networks
from endpoint.http.coding import Codings
from endpoint.http.middleware import Envelope, internal_problem
from endpoint.http.paths import HiddenPaths, PathHider
from endpoint.http.problems import Problem, as_problem, problem_response
from endpoint.http.proxies import ProxyWatch
from endpoint.http.target import HostCheck, read_path
from endpoint.operations import health, metrics
from endpoint.operations.observe import QueryLog
from endpoint.pages import about, editor, plain, site
from endpoint.settings import EndpointSettings, read_secret
from endpoint.sparql.ask import Asker
from endpoint.sparql.confinement import Fence
from endpoint.sparql.connection import WorkerOptions
from endpoint.sparql.engine import Engine
from endpoint.sparql.guard import Limits
from endpoint.sparql.places import ReadingLimits
from endpoint.sparql.pool import PoolLimits, QueryPool
from endpoint.sparql.remote import RemoteEngine, RemoteOptions
from endpoint.sparql.route import RouteOptions, SparqlRoute
from endpoint.writes import graph_store
from endpoint.writes.desk import Desk
from endpoint.writes.updates import answer_update
from kg.allowlist import SHIPPED_NAME, load_allowlist
from kg.errors import KgError
from kg.queries import load_directory
from kg.settings import asset_directory

if TYPE_CHECKING:
    from endpoint.federation.gateway import Gateway

__all__ = ["create_app", "create_engine", "create_gateway"]

_PACKAGE = Path(__file__).parent
_MIB = 1024 * 1024


def create_gateway(settings: EndpointSettings) -> Gateway | None:
    """The gateway to the outside endpoints that the settings allow, if they allow any.

    Raises:
        SettingsError: the allow-list is broken.
    """
    if not settings.federation_file:
        return None
    from endpoint.federation.gateway import Gateway  # noqa: PLC0415 - an HTTP client, which few servers need

    shipped = asset_directory("data") / SHIPPED_NAME
    path = shipped if settings.federation_file == "shipped" else Path(settings.federation_file)
    return Gateway(load_allowlist(path), base_url=settings.base_url)


def create_engine(settings: EndpointSettings, gateway: Gateway | None = None) -> Engine:
    """What answers queries, as the settings ask for it, not started yet: the pool, or another engine before it.

    Raises:
        SettingsError: the file with the authorization for the other engine cannot be read.
    """
    pool = QueryPool(_pool_limits(settings), _worker_options(settings, gateway))
    if not settings.remote_sparql_url:
        return pool
    options = RemoteOptions(
        url=settings.remote_sparql_url,
        authorization=read_secret(settings.remote_authorization_file),
        connections=settings.remote_connections,
        timeout_s=settings.query_timeout_s,
        queue_wait_s=settings.query_queue_wait_s,
    )
    return RemoteEngine(pool, options)


def create_app(
    settings: EndpointSettings, pool: Engine, gateway: Gateway | None = None, *, fences: Fence, is_plain: bool
) -> ASGIApp:
    """The application that serves the releases of the settings; it starts the engine and closes it.

    Args:
        settings: where, what, and within which limits.
        pool: the engine, not started yet.
        gateway: where SERVICE goes, if it goes anywhere.
        fences: what processes get here, for what is said of the writer before it is first needed.
        is_plain: of a plain dataset (kg.settings) there is nothing but SPARQL, the graph store and the history.
    """
    releases = ServedReleases(
        settings.releases_dir,
        on_switch=lambda each: pool.prepare_store(str(each.store_path)),
        on_damage=pool.refuse_store,
        is_plain=is_plain,
    )
    share = FairShare(budget_s=settings.client_budget_s, earned_per_s=settings.client_earned_per_s)
    pool.on_damage = releases.suspect
    asker = Asker(pool, releases, load_directory(_PACKAGE / "queries"), share)
    desk = Desk(settings, releases, fences)
    build = _build_digest()
    measured = metrics.Metrics(pool=pool, share=share, gateway=gateway)
    options = RouteOptions(
        limits=_query_limits(settings, gateway),
        max_body_bytes=settings.max_body_mib * _MIB,
        max_result_bytes=settings.query_max_result_mib * _MIB,
        patience_s=settings.query_timeout_s,
        base_url=settings.base_url,
        build=build,
        editor=editor.show_editor,
        share=share,
        observer=measured,
        journal=QueryLog(
            is_full=settings.log_queries, slow_s=settings.slow_query_s, shows_text=settings.log_query_text
        ),
        limits_header=_describe_limits(settings),
        federation=listing.describe(gateway.allowed) if gateway else "",
        updater=partial(answer_update, desk),
    )
    sparql = SparqlRoute(pool, releases, asker, options)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await releases.refresh()
        await pool.start()
        desk.catch_up()
        watcher = asyncio.create_task(releases.watch(then=desk.catch_up))
        try:
            yield
        finally:
            watcher.cancel()
            await desk.close()
            await pool.close()
            if gateway is not None:
                await gateway.close()

    handlers = {
        Problem: _answer_problem,
        KgError: _answer_error,
        HTTPException: _answer_http_error,
        Exception: _answer_bug,
    }
    app = Starlette(
        routes=[*_common_routes(), *(plain.routes if is_plain else _graph_routes())],
        exception_handlers=handlers,
        lifespan=lifespan,
    )
    # One address, one thing: a slash more is another address, and nothing is there.
    app.router.redirect_slashes = False
    app.state.settings = settings
    app.state.pool = pool
    app.state.releases = releases
    app.state.asker = asker
    app.state.context = load_context(settings.ontology_dir / "context.jsonld")
    app.state.build = build
    app.state.metrics = measured
    app.state.share = share
    app.state.gateway = gateway
    app.state.desk = desk
    app.state.is_plain = is_plain
    app.state.hider = PathHider(settings)
    app.state.proxies = ProxyWatch(parse_networks(settings.trusted_proxies))
    if not is_plain:
        app.mount("/api/v1", create_api(app.state, handlers))
    inner = Codings(HiddenPaths(_divert(app, "/sparql", sparql), app.state.hider))
    cache = ResponseCache(
        knowing_clients(Envelope(inner, watch=app.state.proxies, hider=app.state.hider), _clients(settings)),
        find_version=lambda: releases.version,
        capacity_bytes=settings.cache_mib * _MIB,
    )
    measured.watch_cache(cache)
    measured.watch_derived(find_lag=lambda: releases.lag, find_failures=lambda: desk.completer.failures)
    measured.watch_writes(outcomes=desk.outcomes, refused=desk.gate.refused)
    return HostCheck(cache)


def _divert(app: Starlette, path: str, route: ASGIApp) -> ASGIApp:
    """The application, but for one path, which is spared the framework's routing."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == path:
            # As the framework would do: pages look for the application there.
            scope["app"] = app
            await route(scope, receive, send)
        else:
            await app(scope, receive, send)

    return call


def _clients(settings: EndpointSettings) -> Clients:
    return Clients(
        trusted=parse_networks(settings.trusted_proxies),
        ipv4_prefix=settings.client_ipv4_prefix,
        ipv6_prefix=settings.client_ipv6_prefix,
    )


def _describe_limits(settings: EndpointSettings) -> str:
    """The limits of a query, as they stand in a header of each answer."""
    return (
        f"time={settings.query_timeout_s:g}s, memory={settings.query_memory_mib}MiB, "
        f"result={settings.query_max_result_mib}MiB, query={settings.query_max_kib}KiB"
    )


def _common_routes() -> list[BaseRoute]:
    static = Mount("/static", StaticFiles(directory=_PACKAGE / "static"))
    return [
        *health.routes,
        *metrics.routes,
        *publications.routes,
        *listing.routes,
        *graph_store.routes,
        static,
    ]


def _graph_routes() -> list[BaseRoute]:
    """What describes the graph of CHAP."""
    return [
        *catalog.routes,
        *resources.routes,
        *vocabulary.routes,
        *named_graphs.routes,
        *site.routes,
        *dumps.routes,
        *feed.routes,
        *sitemap.routes,
        *memento.routes,
        *about.routes,
    ]


def _pool_limits(settings: EndpointSettings) -> PoolLimits:
    return PoolLimits(
        workers=settings.query_workers,
        long_workers=settings.query_long_workers,
        long_after_s=settings.query_long_after_s,
        timeout_s=settings.query_timeout_s,
        queue=settings.query_queue,
        queue_wait_s=settings.query_queue_wait_s,
        reading=ReadingLimits(
            bytes_per_s=settings.client_least_kib_per_s * 1024, patience_s=settings.client_patience_s
        ),
        idle_memory_bytes=settings.query_idle_memory_mib * _MIB,
    )


def _worker_options(settings: EndpointSettings, gateway: Gateway | None) -> WorkerOptions:
    return WorkerOptions(
        memory_bytes=settings.query_memory_mib * _MIB,
        prefixes_path=(settings.ontology_dir / "prefixes.ttl").resolve(),
        attach=gateway.attach if gateway else None,
        needs_fence=gateway is not None and not settings.federation_unfenced,
    )


def _query_limits(settings: EndpointSettings, gateway: Gateway | None) -> Limits:
    return Limits(
        bytes_=settings.query_max_kib * 1024,
        depth=settings.query_max_depth,
        operators=settings.query_max_operators,
        base=f"{settings.base_url}/sparql",
        services=gateway.allowed.endpoints if gateway else {},
    )


def _build_digest() -> str:
    """What this program and its engine are, for ETags: another build may write the same data differently."""
    digest = hashlib.sha256(version("pyoxigraph").encode())
    for path in sorted(each for each in _PACKAGE.rglob("*") if each.is_file() and each.suffix != ".pyc"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


async def _answer_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(error)


async def _answer_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, KgError)
    return problem_response(as_problem(error))


async def _answer_bug(request: Request, _: Exception) -> Response:
    return problem_response(internal_problem(request.scope))


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "not-found", 405: "method-not-allowed"}
    details = {404: f"There is nothing at {read_path(request)}.", 405: f"{request.method} means nothing here."}
    code, detail = codes.get(error.status_code, "http"), details.get(error.status_code, error.detail)
    return problem_response(Problem(code, error.status_code, detail, headers=error.headers))
