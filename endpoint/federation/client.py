"""One request to an outside endpoint: checked address, limits, redirects checked again, retries with back-off."""

from __future__ import annotations

import asyncio
import random
import re
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

import httpcore

from endpoint.federation.addresses import AddressRefused, resolve_host
from kg.allowlist import OutsideEndpoint

__all__ = ["MEDIA_TYPES", "FetchFailed", "OutsideClient", "Reply"]

MEDIA_TYPES: Final = ("application/sparql-results+json", "application/sparql-results+xml")
_ACCEPT: Final = "application/sparql-results+json, application/sparql-results+xml;q=0.8"
_REDIRECTS: Final = 3
_CONNECT_S: Final = 5.0
_BACK_OFF_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0
# Servers may turn away addresses of more than 8,000 bytes (RFC 9110, section 4.1).
_LONGEST_URL: Final = 8_000
_WORDS_BYTES: Final = 2_000
_WORDS: Final = 200
_BLANKS: Final = re.compile(r"[\s\x00-\x1f\x7f]+")
_MOVED: Final = frozenset([301, 302, 303, 307, 308])
_PASSING: Final = frozenset([429, 502, 503, 504])


class FetchFailed(Exception):
    """A request brought no answer.

    ``code`` is that of the problem document. ``is_theirs`` says that the endpoint is to blame, not the query;
    ``is_passing`` that it may go well in a moment.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        is_theirs: bool = True,
        is_passing: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.is_theirs = is_theirs
        self.is_passing = is_passing
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that has begun; its chunks may be taken once."""

    media_type: str
    chunks: AsyncIterator[bytes]


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked; the name stays in Host and in the TLS handshake."""

    def __init__(self, *, is_private: bool) -> None:
        self._is_private = is_private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection (httpcore.AsyncNetworkBackend).

        Raises:
            AddressRefused: the name leads where no request may go.
            httpcore.ConnectError: the name has no address, or nobody listens there.
        """
        try:
            addresses = await resolve_host(host, port, is_private=self._is_private)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} has no address") from error
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


class OutsideClient:
    """Asks one endpoint. ``close`` at the end."""

    def __init__(self, endpoint: OutsideEndpoint, *, user_agent: str) -> None:
        self._endpoint = endpoint
        self._headers = {"Accept": _ACCEPT, "Accept-Encoding": "identity", "User-Agent": user_agent}
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_make_ssl_context(),
            max_connections=endpoint.concurrency,
            keepalive_expiry=30.0,
            network_backend=_CheckedBackend(is_private=endpoint.is_private),
        )

    async def close(self) -> None:
        """Close what connections are left open."""
        await self._pool.aclose()

    @asynccontextmanager
    async def ask(self, query: str) -> AsyncIterator[Reply]:
        """The answer to a query, whose chunks are checked as they come. Nothing here watches the clock.

        Raises:
            FetchFailed: there is none, or it breaks off.
        """
        async with AsyncExitStack() as stack:
            response = await self._open_patiently(stack, query)
            media_type = self._check_head(response)
            yield Reply(media_type, self._iter_chunks(response))

    async def _open_patiently(self, stack: AsyncExitStack, query: str) -> httpcore.Response:
        attempt = 0
        while True:
            opened = AsyncExitStack()
            stack.push_async_exit(opened)
            try:
                return await self._open(opened, query)
            except FetchFailed as error:
                await opened.aclose()
                if not error.is_passing or attempt >= self._endpoint.retries:
                    raise
                pause_s = max(error.retry_after_s or 0, _BACK_OFF_S * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311
                if pause_s > _LONGEST_PAUSE_S:
                    raise
                await asyncio.sleep(pause_s)
                attempt += 1

    async def _open(self, stack: AsyncExitStack, query: str) -> httpcore.Response:
        """The response, redirects followed, once its head is there."""
        form = urlencode({"query": query})
        url, method, content = self._endpoint.url, self._endpoint.method, form.encode()
        if method == "GET" and len(url) + len(form) < _LONGEST_URL:
            url, content = f"{url}{'&' if urlsplit(url).query else '?'}{form}", b""
        else:
            method = "POST"
        for _ in range(_REDIRECTS + 1):
            response = await stack.enter_async_context(self._request(method, url, content))
            if response.status in _MOVED:
                url = self._check_redirect(url, _header(response, b"location"))
                if response.status == 303:
                    method, content = "GET", b""
                await stack.aclose()
                continue
            if response.status != 200:
                raise await self._explain(response)
            return response
        raise FetchFailed("federation-redirect-refused", f"{self._endpoint.label} sends on and on.")

    @asynccontextmanager
    async def _request(self, method: str, url: str, content: bytes) -> AsyncIterator[httpcore.Response]:
        headers: list[tuple[bytes | str, bytes | str]] = [*self._headers.items()]
        if method == "POST":
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        label = self._endpoint.label
        try:
            async with self._pool.stream(
                method, url, headers=headers, content=content or None, extensions={"timeout": {"connect": _CONNECT_S}}
            ) as response:
                yield response
        except AddressRefused as error:
            message = f"{label} was not asked: {error}."
            raise FetchFailed("federation-address-refused", message, is_theirs=False) from error
        except httpcore.RemoteProtocolError as error:
            message = f"{label} does not speak HTTP well, or broke off: {error}."
            raise FetchFailed("federation-failed", message) from error
        except (
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
        ) as error:
            message = f"{label} cannot be reached: {error or type(error).__name__}."
            raise FetchFailed("federation-failed", message, is_passing=True) from error

    def _check_redirect(self, url: str, location: str) -> str:
        """Where a redirect leads: the same scheme, host and port, or from HTTP to HTTPS on the usual ports."""
        before = _find_origin(self._endpoint.url)
        target, after = "", None
        if location and location.isascii() and location.isprintable():
            # What is no address at all is refused as one elsewhere is.
            with suppress(ValueError):
                target = urljoin(url, location)
                after = _find_origin(target)
        assert before is not None
        if after is None or after not in (before, _encrypt(before)):
            message = (
                f"{self._endpoint.label} sends on to {(target or location)!r}, and only its own host "
                f"{before.host} is allowed, on its own port."
            )
            raise FetchFailed("federation-redirect-refused", message)
        return target

    def _check_head(self, response: httpcore.Response) -> str:
        """The media type of an answer that may be read."""
        label = self._endpoint.label
        coding = _header(response, b"content-encoding").lower()
        if coding not in ("", "identity"):
            raise FetchFailed(
                "federation-failed", f"{label} answers compressed ({coding!r}), which it was not asked for."
            )
        media_type = _header(response, b"content-type").partition(";")[0].strip().lower()
        if media_type not in MEDIA_TYPES:
            raise FetchFailed("federation-failed", f"{label} answers {media_type!r}, not {' or '.join(MEDIA_TYPES)}.")
        length = _header(response, b"content-length")
        if length.isdecimal() and int(length) > self._endpoint.max_bytes:
            raise self._too_large()
        return media_type

    async def _iter_chunks(self, response: httpcore.Response) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in response.aiter_stream():
            size += len(chunk)
            if size > self._endpoint.max_bytes:
                raise self._too_large()
            yield chunk

    def _too_large(self) -> FetchFailed:
        message = (
            f"The answer of {self._endpoint.label} is larger than {self._endpoint.max_mib:g} MiB. Ask it for less."
        )
        return FetchFailed("federation-too-large", message, is_theirs=False)

    async def _explain(self, response: httpcore.Response) -> FetchFailed:
        """Why there is no answer, in the endpoint's own words as far as they are text."""
        words = bytearray()
        if _header(response, b"content-type").lower().startswith("text/plain"):
            async for chunk in response.aiter_stream():
                words += chunk
                if len(words) > _WORDS_BYTES:
                    break
        said = _BLANKS.sub(" ", words.decode(errors="replace")).strip()[:_WORDS]
        wait = _header(response, b"retry-after")
        return FetchFailed(
            "federation-failed",
            f"{self._endpoint.label} answers {response.status}{f': {said!r}' if said else ''}.",
            is_theirs=response.status == 429 or response.status >= 500,
            is_passing=response.status in _PASSING,
            retry_after_s=float(wait) if wait.isdecimal() else None,
        )


@cache
def _make_ssl_context() -> ssl.SSLContext:
    """One for all endpoints, since it reads the certificates of the system."""
    return ssl.create_default_context()


def _header(response: httpcore.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), "")


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


_PORTS: Final = {"http": 80, "https": 443}


def _find_origin(url: str) -> _Origin | None:
    """Where an address leads; None where it names a user, no host or another scheme.

    Raises:
        ValueError: its host or its port is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        return None
    return _Origin(parts.scheme, parts.hostname, _PORTS[parts.scheme] if parts.port is None else parts.port)


def _encrypt(origin: _Origin) -> _Origin:
    """The same host by HTTPS, where both are on the ports that everybody knows; else what it is."""
    is_usual = (origin.scheme, origin.port) == ("http", _PORTS["http"])
    return _Origin("https", origin.host, _PORTS["https"]) if is_usual else origin
