"""What follows a publication: dumps, descriptions, catalogue and feed, made by a process that lets all others go first.

It is begun again until all is there, whatever came in between: a full disk, a kill, a publication by somebody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from logging import getLogger
from typing import Final

from endpoint.history.releases import ServedReleases
from endpoint.settings import EndpointSettings, writer_environment

__all__ = ["Completer"]

_log = getLogger(__name__)
_NICE: Final = 10
# After a failure: as long as it takes to notice, then twice as long each time.
_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0


class Completer:
    """Has the current release completed and the feed brought up to it, again and again until nothing is left to do."""

    def __init__(self, settings: EndpointSettings, releases: ServedReleases) -> None:
        self._settings = settings
        self._releases = releases
        self._task: asyncio.Task[None] | None = None
        self._awake = asyncio.Event()
        self.failures = 0
        self.trouble: str | None = None

    def wake(self) -> None:
        """Something is to be done."""
        self._awake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End the process; what is not complete is completed after the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        pause_s = _PAUSE_S
        while True:
            await self._awake.wait()
            before = self._releases.lag
            trouble = await self._complete()
            await self._releases.refresh()
            self._awake.clear()
            if trouble is None and self._releases.lag == before:
                trouble = "the attempt ended well, and as much is still to be done"
            if trouble is not None:
                self.failures += 1
            if trouble is None or not self._releases.lag:
                self.trouble, pause_s = None, _PAUSE_S
            else:
                if trouble != self.trouble:
                    _log.error("dumps, descriptions or feed could not be made, which is tried again: %s", trouble)
                self.trouble = trouble
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            if self._releases.lag:
                self._awake.set()

    async def _complete(self) -> str | None:
        """Why an attempt failed, in words for everybody; None where it did not."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "endpoint.writes.completer"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=writer_environment(self._settings),
            start_new_session=True,
        )
        try:
            with contextlib.suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
            reason, errors = await process.communicate()
        except asyncio.CancelledError:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise
        if not process.returncode:
            return None
        if errors:
            _log.warning("dumps, descriptions or feed: %s", errors.decode(errors="replace").strip())
        if process.returncode < 0:
            return f"the process was ended ({signal.Signals(-process.returncode).name})"
        return reason.decode(errors="replace").strip() or "the process failed; its reason is in the log of the server"
