"""Who asks, and how much of the engine's time they have had: a fair share, counted in query seconds."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from endpoint.http.problems import Problem

__all__ = ["FairShare", "find_client", "network_key", "parse_networks"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_CLIENTS: Final = 10_000
# What one customer of a provider is given, at the least (RFC 6177): any number of addresses of one machine.
_V6_PREFIX: Final = 64
# An answer that costs less is free: look-ups of one client must not slow down those of another.
_FREE_S: Final = 0.01


def parse_networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by blanks or commas.

    Raises:
        ValueError: one is malformed.

    >>> parse_networks("127.0.0.1, 10.0.0.0/8")[1].prefixlen
    8
    """
    return tuple(ipaddress.ip_network(part) for part in text.replace(",", " ").split())


def find_client(scope: Scope, trusted: Sequence[Network]) -> str:
    """The address of whoever asks: the nearest one that is no proxy of ours (RFC 7239, section 8.1 on trust)."""
    client = scope.get("client")
    address = client[0] if client else ""
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


def network_key(address: str, *, v6_prefix: int = _V6_PREFIX) -> str:
    """What stands for one client: an IPv4 address, the network of an IPv6 one, or a text that is no address as it is.

    >>> network_key("2001:db8:1:2:3::4"), network_key("::ffff:192.0.2.1"), network_key("192.0.2.1")
    ('2001:db8:1:2::/64', '192.0.2.1', '192.0.2.1')
    """
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), v6_prefix), strict=False))


@dataclass(slots=True)
class _Account:
    balance_s: float
    seen: float
    running: int = 0


class FairShare:
    """Each client has a budget of query seconds that fills up again; who has overdrawn it waits.

    A running query is charged as it runs, so that many at once do not slip through.
    """

    def __init__(self, *, budget_s: float, earned_per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget_s = budget_s
        self._earned_per_s = earned_per_s
        self._clock = clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self.refused = 0

    def check(self, client: str) -> None:
        """Let the client ask.

        Raises:
            Problem: 429, the client has overdrawn its budget; ``Retry-After`` says when it has earned enough.
        """
        account = self._settle(client)
        if account.balance_s <= 0:
            self.refused += 1
            wait_s = max(1, math.ceil((1 - account.balance_s) / self._earned_per_s))
            raise Problem(
                "too-many-query-seconds",
                429,
                f"This address has used up its share of {self._budget_s:g} query seconds. Try again in {wait_s} s, "
                "with narrower queries, or take a dump.",
                headers={"Retry-After": str(wait_s)},
            )

    def spend(self, client: str) -> AbstractContextManager[None]:
        """Charge the client for the time inside."""
        return _Spending(self, client)

    def begin(self, client: str) -> float:
        """When a query of the client begins: now; from here on it is charged."""
        self._settle(client).running += 1
        return self._clock()

    def end(self, client: str, started: float) -> None:
        """A query that began then is over."""
        account = self._settle(client)
        account.running -= 1
        # Settling has charged all that ran since; what was too short to count is given back.
        passed = self._clock() - started
        if passed < _FREE_S:
            account.balance_s = min(self._budget_s, account.balance_s + passed)

    def _settle(self, client: str) -> _Account:
        now = self._clock()
        account = self._accounts.get(client)
        if account is None:
            account = self._accounts[client] = _Account(self._budget_s, now)
            while len(self._accounts) > _CLIENTS:
                oldest = next(iter(self._accounts))
                if self._accounts[oldest].running:
                    self._accounts.move_to_end(oldest)
                    break
                del self._accounts[oldest]
        self._accounts.move_to_end(client)
        passed = now - account.seen
        account.seen = now
        earned = passed * self._earned_per_s
        account.balance_s = min(self._budget_s, account.balance_s + earned - passed * account.running)
        return account


class _Spending(AbstractContextManager[None]):
    """One query of a client; a class, since a generator would cost a look-up more than all else here."""

    __slots__ = ("_client", "_share", "_started")

    def __init__(self, share: FairShare, client: str) -> None:
        self._share = share
        self._client = client
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = self._share.begin(self._client)

    def __exit__(self, *_: object) -> None:
        self._share.end(self._client, self._started)


def _parse_hop(text: str) -> str | None:
    """The address of a hop, in its normal form, without port and brackets; None for ``unknown`` and the like."""
    candidates = [text, text.rpartition(":")[0], text.partition("]")[0].removeprefix("[")]
    for candidate in candidates:
        try:
            return str(ipaddress.ip_address(candidate))
        except ValueError:
            continue
    return None


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
