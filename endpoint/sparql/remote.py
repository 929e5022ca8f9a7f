"""A SPARQL 1.1 server elsewhere that answers in place of the pool, once ``kg publish`` has put the release there.

Its results come back as SPARQL XML or N-Triples, the forms that all engines write well, and a worker of the pool
writes them in the media type that was asked for. What the other engine does not hold (another release, or one that is
being put there right now) the pool answers from its own stores, so nobody ever sees half a release.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import Final

import httpx

from endpoint.http.budget import Spending
from endpoint.http.problems import Problem
from endpoint.sparql.answer import Answer
from endpoint.sparql.confinement import Fence
from endpoint.sparql.failures import busy_problem, remote_problem, timeout_problem, truncated_problem
from endpoint.sparql.frames import Conversion, Job
from endpoint.sparql.pool import QueryPool
from endpoint.sparql.rewrite import Query, bind_values
from kg.errors import QueryRefused
from kg.queries import QUERIES, load_query
from kg.terms import DEFAULT_GRAPH, GRAPH, PUBLISHED_GRAPH

__all__ = ["RemoteEngine", "RemoteOptions"]

_log = getLogger(__name__)
_RESULTS: Final = "application/sparql-results+xml"
_JSON: Final = "application/sparql-results+json"
_TRIPLES: Final = "application/n-triples"
_POLL_S: Final = 1.0
_CHECK_S: Final = 10.0
_START_S: Final = 3.0
_WORDS_BYTES: Final = 4_000
# No graph: a dataset that names none of a kind has none of them, which Virtuoso takes for all.
_NO_GRAPH: Final = "urn:x-chap:none"
_MARKER: Final = load_query(QUERIES / "publish" / "published-release.rq").text
# Functions of Virtuoso's own that reach files, SQL and the network.
_FUNCTIONS: Final = re.compile(r"(?:bif|sql):", re.IGNORECASE)
# What Virtuoso is to join first is what stands first: it estimates by chance, and now and then begins with all triples.
_IN_ORDER: Final = 'define sql:select-option "order" '


@dataclass(frozen=True, kw_only=True)
class RemoteOptions:
    """Where the other engine is, how it is asked, and what is allowed to a query there."""

    url: str
    authorization: str | None
    connections: int
    timeout_s: float
    queue_wait_s: float


class RemoteEngine:
    """The other engine, with the pool behind it."""

    def __init__(self, pool: QueryPool, options: RemoteOptions) -> None:
        self._pool = pool
        self._options = options
        self._client: httpx.AsyncClient | None = None
        # One of its own, so that a check never waits for queries.
        self._checking: httpx.AsyncClient | None = None
        self._watcher: asyncio.Task[None] | None = None
        # The store that is asked now, and the release that the other engine holds whole.
        self._store: str | None = None
        self._held: str | None = None
        self._unreachable: str | None = "The other engine was not asked yet which release it holds."
        self._is_virtuoso = False
        self._running = 0
        self._was_checked = asyncio.Event()
        self.stopped: Counter[str] = pool.stopped

    @property
    def trouble(self) -> str | None:
        """Why the other engine does not answer for the current release, or why nobody can."""
        if self._pool.trouble or self._unreachable:
            return self._pool.trouble or self._unreachable
        wanted = None if self._store is None else _release_id(self._store)
        if wanted == self._held:
            return None
        held = f"holds {self._held}" if self._held else "holds no release whole"
        return (
            f"The engine behind this server {held}, and {wanted} is current: 'kg publish' brings it there. "
            "Until then the query processes of this server answer."
        )

    @property
    def fences(self) -> Fence:
        """Those of the pool."""
        return self._pool.fences

    def describe(self) -> dict[str, object]:
        """Which release the other engine holds whole."""
        return {**self._pool.describe(), "held": self._held}

    def counts(self) -> dict[str, int]:
        """The counts of the pool, and the queries that the other engine is busy with."""
        return {**self._pool.counts(), "remote": self._running}

    async def start(self) -> None:
        """Start the pool, and ask the other engine which release it holds."""
        await self._pool.start()
        options = self._options
        timeout = httpx.Timeout(options.timeout_s, connect=_CHECK_S, pool=options.queue_wait_s)
        self._client = _make_client(options, connections=options.connections, timeout=timeout)
        self._checking = _make_client(options, connections=1, timeout=httpx.Timeout(_CHECK_S))
        self._watcher = asyncio.create_task(self._watch())
        # The server is there for its own releases even where the other engine hangs.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._was_checked.wait(), _START_S)
        if self.trouble is not None:
            _log.warning("%s", self.trouble)

    async def close(self) -> None:
        """Leave the other engine, and close the pool."""
        if self._watcher is not None:
            self._watcher.cancel()
        for client in (self._client, self._checking):
            if client is not None:
                await client.aclose()
        await self._pool.close()

    def prepare_store(self, path: str) -> None:
        """Take note of what is current now; the pool opens it, too."""
        self._store = path
        self._pool.prepare_store(path)

    def refuse_store(self, reason: str) -> None:
        """The pool asks the current store nothing; the other engine does not need it."""
        self._pool.refuse_store(reason)

    @property
    def on_damage(self) -> Callable[[], None] | None:
        """Told when a query of the pool met damage."""
        return self._pool.on_damage

    @on_damage.setter
    def on_damage(self, told: Callable[[], None] | None) -> None:
        self._pool.on_damage = told

    def mark(self, store: str) -> str:
        """The address of the other engine, where it answers for a store: it may write values in other forms."""
        return self._options.url if store == self._store and self._held == _release_id(store) else ""

    @asynccontextmanager
    async def answer(self, job: Job, spending: Spending | None) -> AsyncIterator[Answer]:
        """The answer of the other engine where it holds the release, else of the pool; so too where SERVICE is called.

        Raises:
            Problem: it refuses the query, cannot be reached, takes too long, or would cut the result.
        """
        held = self._held
        if held is None or job.calls or not self.mark(job.store):
            async with self._pool.answer(job, spending) as answer:
                yield answer
            return
        asked = _write_request(job, is_virtuoso=self._is_virtuoso)
        started = time.monotonic()
        self._running += 1
        try:
            with spending or nullcontext():
                async with self._ask(asked) as response:
                    conversion = Conversion(source_type=asked.accept, media_type=job.media_type)
                    source = self._read(response, held)
                    async with self._pool.answer(conversion, None, source, client=_name(spending)) as answer:
                        answer.started = started
                        yield answer
        finally:
            self._running -= 1

    @asynccontextmanager
    async def _ask(self, asked: _Request) -> AsyncIterator[httpx.Response]:
        """The response of the other engine, its status and headers looked at."""
        limit_s = self._options.timeout_s
        try:
            async with asyncio.timeout(limit_s) as limit:
                if asked.counting is not None:
                    await self._count(asked)
                async with self._stream(asked.text, asked.accept, asked.fields) as response:
                    await _check_response(response, limit_s, asked.limit)
                    limit.reschedule(None)
                    yield response
        except TimeoutError:
            raise timeout_problem(limit_s) from None

    async def _count(self, asked: _Request) -> None:
        """Make sure that Virtuoso has all solutions of a pattern whose triples it would cut without a word.

        Of the answer only the headers matter; rows are as short as they can be.
        """
        assert asked.counting is not None
        async with self._stream(asked.counting, "text/csv", asked.fields) as response:
            await _check_response(response, self._options.timeout_s, asked.limit)

    @asynccontextmanager
    async def _stream(
        self, text: str, accept: str, fields: Mapping[str, Sequence[str]]
    ) -> AsyncIterator[httpx.Response]:
        assert self._client is not None
        try:
            async with self._client.stream(
                "POST", self._options.url, data={"query": text, **fields}, headers={"Accept": accept}
            ) as response:
                yield response
        except httpx.PoolTimeout:
            raise busy_problem(f"The engine was busy for {self._options.queue_wait_s:g} s.") from None
        except httpx.TimeoutException:
            raise timeout_problem(self._options.timeout_s) from None
        except httpx.HTTPError as error:
            raise _unreachable_problem(error) from error

    async def _read(self, response: httpx.Response, held: str) -> AsyncIterator[bytes]:
        """The bytes of a result, as long as they are all of one release."""
        try:
            async for chunk in response.aiter_bytes():
                yield chunk
        except httpx.TimeoutException:
            raise timeout_problem(self._options.timeout_s) from None
        except httpx.HTTPError as error:
            raise _unreachable_problem(error) from error
        if self._held != held:
            raise busy_problem("Another release was put on the engine while it answered.")

    async def _watch(self) -> None:
        while True:
            await self._check()
            self._was_checked.set()
            await asyncio.sleep(_POLL_S)

    async def _check(self) -> None:
        """Ask which release the other engine holds whole."""
        assert self._checking is not None
        try:
            response = await self._checking.post(self._options.url, data={"query": _MARKER}, headers={"Accept": _JSON})
            await _check_response(response, _CHECK_S, None)
            document = response.json()
            rows = document["results"]["bindings"]
            self._held = rows[0]["release"]["value"] if rows else None
            # Virtuoso writes these members, which no standard has.
            self._is_virtuoso = "link" in document["head"] or "distinct" in document["results"]
        except (httpx.HTTPError, Problem, ValueError, LookupError, TypeError) as error:
            self._unreachable = f"The engine behind this server does not answer as a SPARQL server: {error}"
        else:
            self._unreachable = None


def _name(spending: Spending | None) -> str:
    return "" if spending is None else spending.client


def _make_client(options: RemoteOptions, *, connections: int, timeout: httpx.Timeout) -> httpx.AsyncClient:
    # The engine is near, and to unpack its answers would keep the server from others.
    headers = {"User-Agent": "chap-endpoint", "Accept-Encoding": "identity"}
    if options.authorization is not None:
        headers["Authorization"] = options.authorization
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(headers=headers, limits=limits, timeout=timeout, trust_env=False)


@dataclass(frozen=True, kw_only=True)
class _Request:
    """A query as the other engine gets it; ``counting`` gives a row for each solution of a CONSTRUCT."""

    text: str
    accept: str
    fields: Mapping[str, Sequence[str]]
    limit: int | None
    counting: str | None


def _write_request(job: Job, *, is_virtuoso: bool) -> _Request:
    asked = Query(bind_values(job.text, job.bindings))
    _refuse_functions(asked)
    query = asked.describe_as_construct()
    fields: dict[str, Sequence[str]] = {}
    if job.default_graphs or job.named_graphs:
        fields = {
            "default-graph-uri": job.default_graphs or [_NO_GRAPH],
            "named-graph-uri": job.named_graphs or [_NO_GRAPH],
        }
    elif not query.names_dataset:
        query = query.place_default_graph(DEFAULT_GRAPH, namespace=GRAPH, hidden=[DEFAULT_GRAPH, PUBLISHED_GRAPH])
    is_graph = query.form == "CONSTRUCT"
    hint = _IN_ORDER if is_virtuoso and asked.form == "DESCRIBE" else ""
    return _Request(
        text=hint + query.text,
        accept=_TRIPLES if is_graph else _RESULTS,
        fields=fields,
        limit=query.limit,
        counting=hint + query.count_solutions().text if is_graph and is_virtuoso else None,
    )


def _refuse_functions(query: Query) -> None:
    """Refuse the functions of Virtuoso's own, which reach its files, its SQL and the network."""
    for iri in query.iris:
        if _FUNCTIONS.match(iri):
            detail = f"<{iri}> belongs to one engine, and is not SPARQL; it is not answered here."
            raise Problem(QueryRefused.code, 403, detail)


def _release_id(store: str) -> str:
    return Path(store).parent.name


async def _check_response(response: httpx.Response, limit_s: float, limit: int | None) -> None:
    """Make sure that a response is the result of a query, and all of it.

    Virtuoso says in headers, if at all, that it left something out: X-SQL-State for a query that it stopped
    ("anytime"), X-SPARQL-MaxRows for as many rows as it ever gives.

    Raises:
        Problem: it is not.
    """
    if response.status_code != 200:
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _WORDS_BYTES:
                break
        raise remote_problem(response.status_code, body[:_WORDS_BYTES].decode(errors="replace"), limit_s)
    if state := response.headers.get("x-sql-state"):
        raise truncated_problem(f"it stopped the query before its end (SQL state {state})", None)
    most = response.headers.get("x-sparql-maxrows", "")
    if most.isdecimal() and (limit is None or limit > int(most)):
        raise truncated_problem(f"it gives at most {most} rows", int(most))


def _unreachable_problem(error: httpx.HTTPError) -> Problem:
    _log.error("the other engine: %r", error)
    return Problem(
        "remote-unavailable", 502, "The engine behind this server cannot be reached, or broke off its answer."
    )
