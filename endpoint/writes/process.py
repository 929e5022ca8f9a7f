"""The writer process as the server sees it: started when it is needed, asked in turn, ended at its limits."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from logging import getLogger
from typing import IO, Final

from endpoint.http.problems import Problem
from endpoint.settings import EndpointSettings, writer_environment
from endpoint.sparql.confinement import Fence
from endpoint.writes.messages import Event, Job, decode_event, encode

__all__ = ["WriterProcess"]

_log = getLogger(__name__)
_MIB: Final = 1024 * 1024
# A report may be long; a line is read whole.
_LONGEST_LINE: Final = 256 * _MIB
_START_S: Final = 60.0
_COMMIT_S: Final = 60.0
_RETRY_AFTER: Final = {"Retry-After": "5"}
_LAST_WORDS: Final = 2_000


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class WriterProcess:
    """Carries out writes, one at a time, in the order in which they came."""

    def __init__(self, settings: EndpointSettings, fences: Fence) -> None:
        self._settings = settings
        # Those that are around the process; before it is first needed, those that it will get as far as is known.
        self.fences = fences
        self._running: _Running | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._is_closing = False

    async def submit(self, job: Job) -> Event:
        """What became of a job.

        Raises:
            Problem: 503, too many writes wait, or the server is stopping; 504, 507 or 500, the writer came to its
                limits or ended.
        """
        if self._waiting >= self._settings.write_queue:
            raise Problem("busy", 503, "Too many writes wait for their turn. Try again.", headers=_RETRY_AFTER)
        # A write that has begun is carried through, whether or not its client still waits.
        return await asyncio.shield(asyncio.create_task(self._take_turn(job)))

    async def close(self) -> None:
        """End the process; a write that is not yet being published has not happened."""
        self._is_closing = True
        await self._end()

    async def _take_turn(self, job: Job) -> Event:
        self._waiting += 1
        try:
            async with self._turn:
                return await self._carry_out(job)
        finally:
            self._waiting -= 1

    async def _carry_out(self, job: Job) -> Event:
        if self._is_closing:
            raise Problem("closing", 503, "The server is stopping. Try again in a few seconds.", headers=_RETRY_AFTER)
        running = self._running
        if running is None or running.process.poll() is not None:
            running = await self._start()
        limit_s = self._settings.write_timeout_s
        running.writer.write(encode(job))
        line = await self._read_line(running, limit_s)
        if line is None:
            raise Problem(
                "write-timeout",
                504,
                f"The write was stopped after {limit_s:g} s, and nothing was changed. Send less at once.",
                members={"limit_s": limit_s},
            )
        if line and decode_event(line).event == "committing":
            line = await self._read_line(running, _COMMIT_S)
            if line is None:
                raise Problem("write-unclear", 504, "The disk is slow; see in /releases whether this was published.")
            if not line:
                problem = await self._explain_end()
                detail = "The writer ended while it published; see in /releases whether this was published."
                raise Problem("write-unclear", 500, detail) from problem
        if not line:
            raise await self._explain_end()
        return decode_event(line)

    async def _read_line(self, running: _Running, limit_s: float) -> bytes | None:
        """The next line, empty when the process has ended; None after ending it at the limit."""
        try:
            return await asyncio.wait_for(running.reader.readline(), limit_s)
        except TimeoutError:
            await self._end()
            return None

    async def _start(self) -> _Running:
        await self._end()
        ours, theirs = socket.socketpair()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        process = await asyncio.to_thread(_spawn, theirs, errors, self._settings)
        theirs.close()
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_LONGEST_LINE)
        self._running = _Running(process, errors, reader, writer)
        try:
            line = await asyncio.wait_for(reader.readline(), _START_S)
        except TimeoutError:
            line = b""
        event = decode_event(line) if line else None
        if event is None or event.event != "ready":
            reason = event.message if event else _read_last_words(errors)
            await self._end()
            _log.error("the writer could not be started: %s", reason)
            # Its last words are a traceback, for those who read the log.
            told = reason if event else "the log of the server says why."
            raise Problem("writer-failed", 503, f"The writer could not be started: {told}", headers=_RETRY_AFTER)
        self.fences = Fence(event.fences)
        return self._running

    async def _explain_end(self) -> Problem:
        """What to tell when the process ended by itself."""
        assert self._running is not None
        status = await asyncio.to_thread(self._running.process.wait)
        words = _read_last_words(self._running.errors)
        await self._end()
        _log.warning("the writer ended with status %s: %s", status, words)
        if "alloc" in words or "MemoryError" in words or status in (-signal.SIGABRT, -signal.SIGKILL):
            limit = self._settings.write_memory_mib
            return Problem(
                "write-out-of-memory",
                507,
                f"The write needs more than the {limit} MiB that one may have; nothing was changed. Send less at once.",
                members={"limit_mib": limit},
            )
        return Problem("write-crashed", 500, "The writer ended; nothing was changed. Others were not touched.")

    async def _end(self) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        if running.process.poll() is None:
            running.process.kill()
        running.writer.close()
        await asyncio.to_thread(running.process.wait)
        running.errors.close()


def _spawn(theirs: socket.socket, errors: IO[bytes], settings: EndpointSettings) -> subprocess.Popen[bytes]:
    descriptor = theirs.fileno()
    return subprocess.Popen(  # noqa: S603 - our own program, with arguments of our own
        [
            *(sys.executable, "-m", "endpoint.writes.worker"),
            *(str(descriptor), str(settings.write_memory_mib * _MIB), str(settings.write_max_depth)),
            *(str(settings.query_max_depth), str(settings.query_max_operators)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        pass_fds=(descriptor,),
        env=writer_environment(settings),
        start_new_session=True,
    )


def _read_last_words(errors: IO[bytes]) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - _LAST_WORDS))
    return errors.read().decode(errors="replace").strip()
