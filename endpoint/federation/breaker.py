"""A circuit breaker: an endpoint that fails again and again is left alone for a while, then tried once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

__all__ = ["Breaker", "BreakerOpen"]


class BreakerOpen(Exception):
    """The endpoint is left alone; ``retry_after_s`` says for how long still."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"not to be asked for {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Breaker:
    """Closed, open after so many failures in a row, half open when the pause is over: then one request may try."""

    def __init__(self, *, failures: int, pause_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._pause_s = pause_s
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0
        self._is_trying = False

    @property
    def is_open(self) -> bool:
        """Whether requests are refused, but for one that tries."""
        return self._failures >= self._limit

    def admit(self) -> None:
        """Let one request begin; ``settle`` must follow.

        Raises:
            BreakerOpen: the endpoint is left alone.
        """
        if not self.is_open:
            return
        left_s = self._open_until - self._clock()
        if left_s > 0 or self._is_trying:
            raise BreakerOpen(max(1, math.ceil(left_s)))
        self._is_trying = True

    def settle(self, is_well: bool | None) -> None:
        """Take note of how a request ended; None says nothing of the endpoint, as when the client left."""
        self._is_trying = False
        if is_well:
            self._failures = 0
        elif is_well is False:
            self._failures += 1
            if self.is_open:
                self._open_until = self._clock() + self._pause_s
