"""Who asks: the address of a client, and the network that stands for one."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Clients", "Network", "current_client", "find_client", "find_network", "knowing_clients", "parse_networks"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Longer than any address with a port and brackets; what is longer is no hop, whatever a proxy wrote.
_LONGEST_HOP: Final = 64
_client: ContextVar[str | None] = ContextVar("client", default=None)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by blanks or commas.

    Raises:
        ValueError: one is malformed.

    >>> parse_networks("127.0.0.1, 10.0.0.0/8")[1].prefixlen
    8
    """
    return tuple(ipaddress.ip_network(part) for part in text.replace(",", " ").split())


@dataclass(frozen=True, kw_only=True)
class Clients:
    """How clients are told apart: behind which proxies, and how much of an address is one of them."""

    trusted: tuple[Network, ...]
    ipv4_prefix: int
    ipv6_prefix: int

    def find(self, scope: Scope) -> str:
        """The network of whoever asks, which is one client."""
        address = find_client(scope, self.trusted)
        return find_network(address, ipv4_prefix=self.ipv4_prefix, ipv6_prefix=self.ipv6_prefix)


def find_client(scope: Scope, trusted: Sequence[Network]) -> str:
    """The address of whoever asks: the nearest one that is no proxy of ours (RFC 7239, section 8.1 on trust)."""
    client = scope.get("client")
    address = _parse_address(client[0]) if client else ""
    if not trusted:
        return address
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    hops = [hop.strip() for hop in b",".join(forwarded).decode("latin-1").split(",") if hop.strip()]
    while hops and _is_in(address, trusted):
        hop = _parse_hop(hops.pop())
        if hop is None:
            # What is no address cannot be an account; the last one that was stands for all behind it.
            break
        address = hop
    return address


@lru_cache(maxsize=4096)
def find_network(address: str, *, ipv4_prefix: int, ipv6_prefix: int) -> str:
    """The network of an address, by the length of its prefix; what is no address stands for itself.

    Whoever has one IPv6 address has all of a network.

    >>> find_network("2001:db8::7", ipv4_prefix=32, ipv6_prefix=64)
    '2001:db8::/64'
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    prefix = ipv4_prefix if parsed.version == 4 else ipv6_prefix
    return address if prefix == parsed.max_prefixlen else str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))


def current_client() -> str | None:
    """The client whose request is being answered; None where the server does something of its own."""
    return _client.get()


def knowing_clients(app: ASGIApp, clients: Clients) -> ASGIApp:
    """An ASGI application in which :func:`current_client` tells who asks."""

    # No coroutine of its own, which a look-up would pay for at each step.
    def call(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            _client.set(clients.find(scope))
        return app(scope, receive, send)

    return call


def _parse_hop(text: str) -> str | None:
    """The address of a hop, in its normal form, without port and brackets; None for ``unknown`` and the like."""
    if len(text) > _LONGEST_HOP:
        return None
    candidates = [text, text.rpartition(":")[0], text.partition("]")[0].removeprefix("[")]
    return next((found for each in candidates if (found := _find_normal_form(each))), None)


@lru_cache(maxsize=4096)
def _parse_address(text: str) -> str:
    """The address that a socket names, in its normal form."""
    return _find_normal_form(text) or text


def _find_normal_form(text: str) -> str | None:
    """An address as it is written everywhere: IPv4 as such (RFC 4291, section 2.5.5.2), IPv6 without its zone."""
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
