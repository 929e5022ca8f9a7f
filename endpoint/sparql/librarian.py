"""Long texts are read beside the loop, one at a time; whose turn it is goes round among the clients.

A thread that reads takes turns with the loop, so more than one would only keep the loop waiting longer. What reading
takes is charged to whoever sent the text: one that is no query costs as much as one that is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Final, TypeVar

from endpoint.http.budget import FairShare
from endpoint.http.clients import current_client

__all__ = ["LIBRARIAN", "QUICK_LENGTH", "Librarian"]

# What has no more characters is read on the loop, in 50 ms at the worst.
QUICK_LENGTH: Final = 4_096
_T = TypeVar("_T")


class Librarian:
    """Does one piece of work at a time, in a thread of its own."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
        # Those who wait, by their clients; whose client comes first is next.
        self._rows: dict[str, deque[asyncio.Future[None]]] = {}
        self._is_busy = False

    async def do(self, work: Callable[[], _T], *, share: FairShare | None = None) -> _T:
        """What comes of the work, once it is its turn; its time is charged to the client of this request.

        Raises:
            Problem: 429, the client has overdrawn its budget by then.
        """
        await self._wait(current_client() or "")
        try:
            with (share.charge() if share is not None else None) or nullcontext():
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._call_next()

    async def _wait(self, client: str) -> None:
        if not self._is_busy:
            self._is_busy = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._rows.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # It was called just as it left.
                self._call_next()
            raise

    def _call_next(self) -> None:
        while self._rows:
            client = next(iter(self._rows))
            row = self._rows.pop(client)
            turn = row.popleft()
            if row:
                self._rows[client] = row
            if not turn.cancelled():
                turn.set_result(None)
                return
        self._is_busy = False


LIBRARIAN: Final = Librarian()
