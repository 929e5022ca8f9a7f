"""How much of the engine's time a client has had: a fair share, counted in query seconds."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from endpoint.http.clients import current_client
from endpoint.http.problems import Problem

__all__ = ["FairShare", "Spending"]

_CLIENTS: Final = 10_000
# An answer that costs less is free: look-ups of one client must not slow down those of another.
_FREE_S: Final = 0.01
# A look-up takes less, even where the machine is busy.
_LIGHT_S: Final = 0.5


@dataclass(slots=True)
class _Account:
    balance_s: float
    seen: float
    running: int = 0
    # Whether its last query took no time.
    is_light: bool = False


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

    def charge(self) -> Spending | None:
        """What one query of the client of this request is charged with; None for the server's own.

        Raises:
            Problem: as of :meth:`check`.
        """
        client = current_client()
        if client is None:
            return None
        self.check(client)
        return Spending(self, client)

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

    def spend(self, client: str) -> Spending:
        """Charge the client for the time inside."""
        return Spending(self, client)

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
        account.is_light = passed < _LIGHT_S
        if passed < _FREE_S:
            account.balance_s = min(self._budget_s, account.balance_s + passed)

    def weigh(self, client: str) -> tuple[int, int]:
        """Who goes first: the least of class and number of queries that run now.

        Class 0 is of those who send look-ups, as the last one shows, and have most of their budget; 1 of those who have
        spent nothing; then they are by what they spent lately, in steps that double.
        """
        account = self._settle(client)
        spent_s = self._budget_s - account.balance_s
        if account.is_light and spent_s < self._budget_s / 4:
            return 0, account.running
        return int(1 + spent_s / _LIGHT_S).bit_length(), account.running

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


class Spending(AbstractContextManager[None]):
    """One query of a client; a class, since a generator would cost a look-up more than all else here."""

    __slots__ = ("_share", "_started", "client")

    def __init__(self, share: FairShare, client: str) -> None:
        self._share = share
        self.client = client
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = self._share.begin(self.client)

    def __exit__(self, *_: object) -> None:
        self._share.end(self.client, self._started)

    def weigh(self) -> tuple[int, int]:
        """As of :meth:`FairShare.weigh`."""
        return self._share.weigh(self.client)
