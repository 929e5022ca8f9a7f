"""Stored queries, asked of the pool: how the routes of this server look things up.

The HTTP process evaluates nothing, not even its own queries: it sends the text of an .rq file to a worker, with
values for its parameters, and reads SPARQL JSON back.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from endpoint.history.releases import ServedReleases
from endpoint.http.budget import FairShare
from endpoint.http.problems import Problem
from endpoint.sparql.engine import Engine
from endpoint.sparql.frames import Binding, Job
from kg.errors import QueryError
from kg.queries import QueryDirectory

__all__ = ["Asker", "Row", "Term", "iri", "number", "text"]

_JSON: Final = "application/sparql-results+json"
_INTEGER: Final = "http://www.w3.org/2001/XMLSchema#integer"
# Of the results that rows are read from; as rows they take three times as much.
_REMEMBERED_BYTES: Final = 16 * 1024 * 1024
_LARGEST_BYTES: Final = _REMEMBERED_BYTES // 4
# What an entry takes beside its rows, whose bindings are short.
_ENTRY_BYTES: Final = 2_048


@dataclass(frozen=True, slots=True)
class Term:
    """An RDF term of a result (SPARQL 1.1 Query Results JSON Format, section 3.2.2)."""

    kind: Literal["uri", "literal", "bnode"]
    value: str
    language: str | None = None
    datatype: str | None = None

    def __str__(self) -> str:
        """The value, as most readers want it."""
        return self.value


Row: TypeAlias = dict[str, Term]


def iri(value: str) -> Term:
    """An IRI to bind."""
    return Term("uri", value)


def text(value: str) -> Term:
    """A plain literal to bind."""
    return Term("literal", value)


def number(value: str) -> Term:
    """A whole number to bind."""
    return Term("literal", value, datatype=_INTEGER)


class Asker:
    """Asks the stored queries of a release, at the cost of the client whose request asks.

    What was answered once is remembered, since a release does not change, and costs nobody anything.
    """

    def __init__(self, pool: Engine, releases: ServedReleases, queries: QueryDirectory, share: FairShare) -> None:
        self._pool = pool
        self._releases = releases
        self._queries = queries
        self._share = share
        self._remembered: OrderedDict[tuple[object, ...], tuple[list[Row], int]] = OrderedDict()
        self._remembered_bytes = 0

    async def select(self, query_id: str, /, *, release: str | None = None, **bindings: Term) -> list[Row]:
        """The rows of a stored SELECT; a variable without a value is absent from its row. Not to be changed.

        Raises:
            UnknownQuery: there is no such query.
            ReleaseNotFound: there is no such release.
            Problem: the pool could not answer.
        """
        release_id = self._releases.get(release).id
        key = (release_id, query_id, *sorted(bindings.items(), key=lambda each: each[0]))
        if key in self._remembered:
            self._remembered.move_to_end(key)
            return self._remembered[key][0]
        body = await self._run(query_id, _JSON, release_id, bindings)
        rows = [
            {name: _parse_term(value) for name, value in row.items()} for row in json.loads(body)["results"]["bindings"]
        ]
        self._remember(key, rows, len(body) + _ENTRY_BYTES)
        return rows

    def _remember(self, key: tuple[object, ...], rows: list[Row], size: int) -> None:
        """Keep rows, unless they would push out too many others; those used longest ago go."""
        if size > _LARGEST_BYTES or key in self._remembered:
            return
        self._remembered[key] = (rows, size)
        self._remembered_bytes += size
        while self._remembered_bytes > _REMEMBERED_BYTES:
            _, (_, dropped) = self._remembered.popitem(last=False)
            self._remembered_bytes -= dropped

    async def construct(
        self, query_id: str, /, *, media_type: str, release: str | None = None, **bindings: Term
    ) -> bytes:
        """The graph of a stored CONSTRUCT, in an RDF media type.

        Raises:
            UnknownQuery: there is no such query.
            ReleaseNotFound: there is no such release.
            Problem: the pool could not answer.
        """
        return await self._run(query_id, media_type, self._releases.get(release).id, bindings)

    async def _run(self, query_id: str, media_type: str, release_id: str, bindings: dict[str, Term]) -> bytes:
        query = self._queries.get(query_id)
        if unknown := bindings.keys() - set(query.params):
            raise QueryError(f"the query {query_id} has no parameter {', '.join(sorted(unknown))}")
        job = Job(
            store=str(self._releases.get(release_id).store_path),
            text=query.text,
            media_type=media_type,
            bindings={name: _encode_term(term) for name, term in bindings.items()},
        )
        try:
            async with self._pool.answer(job, self._share.charge()) as answer:
                return b"".join([chunk async for chunk in answer])
        except Problem as problem:
            if problem.status == 400:
                # A stored query that the engine cannot answer is our fault, not the client's.
                raise QueryError(f"the query {query_id} failed: {problem.detail}") from problem
            raise


def _parse_term(value: dict[str, str]) -> Term:
    kind: Literal["uri", "literal", "bnode"]
    match value["type"]:
        case "uri":
            kind = "uri"
        case "bnode":
            kind = "bnode"
        case _:
            kind = "literal"
    return Term(kind, value["value"], value.get("xml:lang"), value.get("datatype"))


def _encode_term(term: Term) -> Binding:
    if term.kind == "uri":
        return ("iri", term.value, "")
    if term.datatype:
        return ("typed", term.value, term.datatype)
    return ("literal", term.value, term.language or "")
