"""Another server, as ``kg publish`` needs it: its graphs put, added to and deleted, its SPARQL endpoint asked.

Graphs go over the SPARQL 1.1 Graph Store Protocol (https://www.w3.org/TR/sparql11-http-rdf-update/). All that is sent
may be sent again without harm, so what fails in passing is tried again, with longer and longer pauses.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import httpx

from kg.errors import RemoteError, RemoteIncomplete, RemoteRefused, RemoteUnavailable

__all__ = ["Access", "GraphStore", "find_query_url", "open_graph_store"]

_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_LONGEST_PAUSE_S: Final = 30.0
_PASSING: Final = frozenset([429, 502, 503, 504])
_N_TRIPLES: Final = "application/n-triples"
_TURTLE: Final = "text/turtle"
_WORDS: Final = 300
# Where servers have their SPARQL endpoint, by the end of the address of their graph store (decision 0026).
_QUERY_PATHS: Final = {
    "/store": "/query",  # Oxigraph
    "/data": "/sparql",  # Apache Jena Fuseki
    "/sparql-graph-crud": "/sparql",  # Virtuoso
    "/sparql-graph-crud-auth": "/sparql",
    "/rdf-graphs/service": "",  # GraphDB, RDF4J
    "/sparql/gsp": "/sparql",  # Amazon Neptune
}
_CURES: Final = {
    401: "it wants to know who you are: give --token-env, or --user with --password-env",
    403: "this user may not write there (Virtuoso: grant the role SPARQL_UPDATE)",
    404: "no graph store is at that address",
    405: "it does not take this at that address: is it the one of the Graph Store Protocol?",
    413: "the request is too large for it: let it take bodies of 4 MiB",
    415: "it reads neither N-Triples nor Turtle there",
}

Method: TypeAlias = Literal["PUT", "POST", "DELETE"]


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who publishes: a bearer token, or a user and a password, which the server asks for by Basic or by Digest."""

    token: str | None = None
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        """Nothing that is secret."""
        return f"Access(user={self.user!r})"


def find_query_url(graph_store_url: str) -> str:
    """The SPARQL endpoint that belongs to a graph store, as far as addresses tell; else the same address.

    >>> find_query_url("http://localhost:7878/store")
    'http://localhost:7878/query'
    """
    url = graph_store_url.rstrip("/")
    for end, other in _QUERY_PATHS.items():
        if url.endswith(end):
            return url.removesuffix(end) + other
    return graph_store_url


class GraphStore:
    """A server to publish to."""

    def __init__(self, url: str, query_url: str, access: Access, *, pauses_s: Sequence[float] = _PAUSES_S) -> None:
        self.url = url
        self._pauses_s = pauses_s
        self.query_url = query_url
        self._media_type = _N_TRIPLES
        headers = {"User-Agent": "chap-kg"}
        if access.token is not None:
            headers["Authorization"] = f"Bearer {access.token}"
        auth = _Challenged(access.user, access.password or "") if access.user is not None else None
        # A large piece may take a server minutes to index.
        self._client = httpx.Client(headers=headers, auth=auth, timeout=httpx.Timeout(300, connect=10))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def put(self, graph: str, lines: bytes) -> None:
        """Make the graph hold just these N-Triples lines.

        Raises:
            RemoteRefused: the server does not take them; the message says what to change.
            RemoteUnavailable: it does not answer.
        """
        self._write("PUT", graph, lines)

    def add(self, graph: str, lines: bytes) -> None:
        """Add N-Triples lines to the graph; errors as those of :meth:`put`."""
        self._write("POST", graph, lines)

    def delete(self, graph: str) -> None:
        """Make sure that the graph is not there; errors as those of :meth:`put`."""
        response = self._send("DELETE", self.url, params={"graph": graph})
        if response.status_code != 404:
            self._check(response, f"DELETE {graph}")

    def select(self, text: str) -> list[dict[str, str]]:
        """The rows of a SELECT, values by variable.

        Raises:
            RemoteRefused: the server does not answer it.
            RemoteIncomplete: it leaves out rows.
            RemoteUnavailable: it does not answer at all.
        """
        response = self._send(
            "POST", self.query_url, data={"query": text}, headers={"Accept": "application/sparql-results+json"}
        )
        self._check(response, f"the query at {self.query_url}")
        if (most := response.headers.get("x-sparql-maxrows")) or "x-sql-state" in response.headers:
            raise RemoteIncomplete(
                f"{self.query_url} leaves out rows of a result (at most {most or 'as many as it has time for'}): "
                "raise ResultSetMaxRows, or the time limits, in virtuoso.ini"
            )
        try:
            rows = response.json()["results"]["bindings"]
            return [{name: term["value"] for name, term in row.items()} for row in rows]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise RemoteError(
                f"{self.query_url} is no SPARQL endpoint ({error!r}); give the right --query-url"
            ) from error

    def _write(self, method: Method, graph: str, lines: bytes) -> None:
        headers = {"Content-Type": self._media_type}
        response = self._send(method, self.url, params={"graph": graph}, content=lines, headers=headers)
        if response.status_code == 415 and self._media_type == _N_TRIPLES:
            # N-Triples are Turtle, which the protocol's examples use and every server reads.
            self._media_type = _TURTLE
            return self._write(method, graph, lines)
        return self._check(response, f"{method} {graph}")

    def _send(self, method: Method, url: str, **request: object) -> httpx.Response:
        trouble = ""
        for pause_s in (*self._pauses_s, None):
            try:
                response = self._client.request(method, url, **request)  # type: ignore[arg-type]
            except httpx.TransportError as error:
                trouble, wait_s = str(error) or type(error).__name__, pause_s
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise RemoteRefused(f"{url} is no address to publish to: {error}") from error
            else:
                if response.status_code not in _PASSING:
                    return response
                trouble = f"it answered {response.status_code}"
                wait_s = None if pause_s is None else max(pause_s, _read_pause(response))
            if wait_s is not None:
                time.sleep(wait_s)
        raise RemoteUnavailable(f"{url} did not answer in {len(self._pauses_s) + 1} attempts: {trouble}")

    def _check(self, response: httpx.Response, what: str) -> None:
        if response.is_success:
            return
        said = " ".join(response.text.split())[:_WORDS]
        cure = _CURES.get(response.status_code, said or "without a word")
        raise RemoteRefused(f"{what}: {response.url.copy_with(query=None)} answered {response.status_code}; {cure}")


class _Challenged(httpx.Auth):
    """Basic or Digest, whichever the server asks for (RFC 7617, RFC 7616)."""

    def __init__(self, user: str, password: str) -> None:
        self._basic, self._digest = httpx.BasicAuth(user, password), httpx.DigestAuth(user, password)
        self._chosen: httpx.BasicAuth | httpx.DigestAuth | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The requests that lead to an answer (httpx.Auth)."""
        if self._chosen is None:
            response = yield request
            if response.status_code != 401:
                return
            wants_digest = "digest" in response.headers.get("www-authenticate", "").lower()
            self._chosen = self._digest if wants_digest else self._basic
        yield from self._chosen.auth_flow(request)


def _read_pause(response: httpx.Response) -> float:
    """The seconds of Retry-After, where it gives seconds."""
    text = response.headers.get("retry-after", "")
    return min(float(text), _LONGEST_PAUSE_S) if text.isdecimal() else 0.0


@contextmanager
def open_graph_store(url: str, query_url: str, access: Access) -> Iterator[GraphStore]:
    """A server to publish to, its connections closed in the end."""
    store = GraphStore(url, query_url, access)
    try:
        yield store
    finally:
        store.close()
