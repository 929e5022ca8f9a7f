"""Graphs out of outside SPARQL endpoints: one polite request, bounded, tried again when its failure may pass."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

import httpx

from kg.allowlist import OutsideEndpoint
from kg.errors import RemoteRefused, RemoteUnavailable

__all__ = ["OutsideGraphs"]

_ACCEPT: Final = "application/n-triples, text/turtle;q=0.9, application/rdf+xml;q=0.5"
_PASSING: Final = frozenset([429, 502, 503, 504])
_BACK_OFF_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_WORDS: Final = 300


class OutsideGraphs:
    """Asks one endpoint for graphs, no faster than its entry in the allow-list says. ``close`` at the end."""

    def __init__(self, endpoint: OutsideEndpoint, *, contact: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._endpoint = endpoint
        self._sleep = sleep
        self._next_start = 0.0
        agent = f"CHAP/{version('chap-kg')} (kg mirror; {contact or 'https://w3id.org/chap'})"
        self._client = httpx.Client(
            headers={"Accept": _ACCEPT, "Accept-Encoding": "identity", "User-Agent": agent},
            timeout=endpoint.timeout_s,
            follow_redirects=False,
            # Before the client looks at where a redirect leads, and stumbles over an address that is none.
            event_hooks={"response": [self._refuse_redirect]},
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def fetch(self, query: str) -> tuple[bytes, str]:
        """The document that a CONSTRUCT gives, and its media type.

        Raises:
            RemoteUnavailable: the endpoint cannot be reached, or fails again and again.
            RemoteRefused: it turns the query down, sends elsewhere, or answers with more than is allowed.
        """
        for attempt in range(self._endpoint.retries + 1):
            self._wait_turn()
            try:
                return self._fetch_once(query)
            except _Passing as passing:
                pause_s = max(passing.retry_after_s, _BACK_OFF_S * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311
                if attempt == self._endpoint.retries or pause_s > _LONGEST_PAUSE_S:
                    raise RemoteUnavailable(f"{self._endpoint.url}: {passing}; try again later") from passing
                self._sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")

    def _fetch_once(self, query: str) -> tuple[bytes, str]:
        endpoint = self._endpoint
        request = (
            self._client.build_request("GET", endpoint.url, params={"query": query})
            if endpoint.method == "GET"
            else self._client.build_request("POST", endpoint.url, data={"query": query})
        )
        deadline = time.monotonic() + endpoint.timeout_s
        body = bytearray()
        try:
            response = self._client.send(request, stream=True)
            try:
                for chunk in response.iter_raw():
                    body += chunk
                    if len(body) > endpoint.max_bytes:
                        raise RemoteRefused(f"{endpoint.url}: the answer is larger than {endpoint.max_mib:g} MiB")
                    if time.monotonic() > deadline:
                        raise _Passing(f"no complete answer within {endpoint.timeout_s:g} s")
            finally:
                response.close()
        except httpx.TransportError as error:
            raise _Passing(f"{type(error).__name__}: {error}") from error
        if response.status_code in _PASSING:
            wait = response.headers.get("retry-after", "")
            raise _Passing(f"answers {response.status_code}", float(wait) if wait.isdecimal() else 0.0)
        if response.status_code != 200:
            said = " ".join(body[:_WORDS].decode(errors="replace").split())
            raise RemoteRefused(f"{endpoint.url} answers {response.status_code}: {said!r}")
        return bytes(body), response.headers.get("content-type", "").partition(";")[0].strip().lower()

    def _refuse_redirect(self, response: httpx.Response) -> None:
        if response.is_redirect:
            target = response.headers.get("location", "")
            raise RemoteRefused(
                f"{self._endpoint.url} sends on to {target!r}: if that is right, make it the url in the allow-list"
            )

    def _wait_turn(self) -> None:
        now = time.monotonic()
        self._sleep(max(0.0, self._next_start - now))
        self._next_start = max(now, self._next_start) + 1 / self._endpoint.requests_per_s


class _Passing(Exception):
    """A failure that may be none in a moment."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
