"""One worker process as the server sees it: started, asked, listened to, ended."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

from endpoint.settings import worker_environment
from endpoint.sparql.confinement import Fence
from endpoint.sparql.frames import (
    FRAME_BYTES,
    Conversion,
    Frame,
    FrameDecoder,
    FrameKind,
    Job,
    encode_count,
    encode_frame,
)

__all__ = ["FINAL", "Overseer", "Receiver", "WorkerConnection", "WorkerOptions", "start_worker"]

# With these a job is over.
FINAL: Final = frozenset([FrameKind.WHOLE, FrameKind.END, FrameKind.FAILURE])
_HIGH_WATER: Final = 512 * 1024
_LAST_WORDS: Final = 2_000
_NICE: Final = 10


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """What every worker is started with; ``attach`` takes our end of its link to the gateway, if it has one.

    With ``needs_fence``, one that the kernel does not keep from all but its relay is not used.
    """

    memory_bytes: int
    prefixes_path: Path
    attach: Callable[[socket.socket], None] | None = None
    needs_fence: bool = False


class Receiver(Protocol):
    """Who gets the frames of a job."""

    @property
    def held_bytes(self) -> int:
        """How much of them nobody has taken yet."""

    def receive(self, frame: Frame) -> None:
        """Take the next one."""

    def lose(self) -> None:
        """There will be no more."""


class Overseer(Protocol):
    """Who is told what becomes of a worker."""

    def note_done(self, worker: WorkerConnection) -> None:
        """A job is over, or jobs were taken back: the worker has the next, or none."""

    def note_opened(self, path: str, reason: str) -> None:
        """A store that was to be opened ahead of need is open, or cannot be, for a reason."""

    def note_lost(self, worker: WorkerConnection) -> None:
        """The worker is gone; its jobs are as they were."""


class _Sink:
    """Gets what nobody wants any more."""

    held_bytes = 0

    def receive(self, frame: Frame) -> None:
        pass

    def lose(self) -> None:
        pass


_SINK: Final = _Sink()


class WorkerConnection(asyncio.BufferedProtocol):
    """One worker: its jobs, answered in turn; while nobody takes the frames of the first, the worker waits."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes], overseer: Overseer) -> None:
        loop = asyncio.get_running_loop()
        self.process = process
        self.fences = Fence(0)
        self.is_nice = False
        self.is_lost = False
        self.is_paused = False
        # Whether jobs are being taken back, so that no more may be given.
        self.is_dropping = False
        # The first is the one that it is busy with, since then where another was before it.
        self.jobs: deque[Receiver] = deque()
        self.begun = 0.0
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.ready: asyncio.Future[Frame | None] = loop.create_future()
        # How it ended, and what it said last.
        self.epitaph: asyncio.Future[tuple[int, str]] = loop.create_future()
        self._overseer = overseer
        self._errors = errors
        self._store: str | None = None
        self._transport: asyncio.Transport | None = None
        self._decoder = FrameDecoder()
        self._buffer = memoryview(bytearray(FRAME_BYTES))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio.BaseProtocol)."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the signature is asyncio's
        """Where to read into, always the same: asyncio would map and unmap 256 KiB a read (BufferedProtocol)."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Give the frames that are complete to whom they belong (asyncio.BufferedProtocol)."""
        for frame in self._decoder.feed(self._buffer[:nbytes]):
            kind = frame.kind
            if kind in FINAL:
                self.jobs.popleft().receive(frame)
                self._overseer.note_done(self)
            elif kind is FrameKind.DROPPED:
                self.jobs.clear()
                self.is_dropping = False
                self._overseer.note_done(self)
            elif kind is FrameKind.OPENED:
                self._overseer.note_opened(*json.loads(frame.body))
            elif kind is FrameKind.READY:
                # Nobody waits for it any more where the server stops.
                if not self.ready.done():
                    self.ready.set_result(frame)
            else:
                self.jobs[0].receive(frame)
        if self.jobs and self.jobs[0].held_bytes > _HIGH_WATER and not self.is_paused and self._transport is not None:
            self.is_paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is asyncio's
        """The worker ended, or we ended it (asyncio.BaseProtocol)."""
        self.is_lost = True
        self._may_write.set()
        if not self.ready.done():
            self.ready.set_result(None)
        self._overseer.note_lost(self)

    def pause_writing(self) -> None:
        """The worker does not keep up with what it is fed (asyncio.BaseProtocol)."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """It does again (asyncio.BaseProtocol)."""
        self._may_write.set()

    def resume(self) -> None:
        """Read on, after what was held has been taken."""
        self.is_paused = False
        if self._transport is not None and not self.is_lost:
            self._transport.resume_reading()

    def open_store(self, path: str, *, is_anew: bool = False) -> None:
        """Have the store opened before it is asked, once, or anew."""
        if path == self._store and not is_anew:
            return
        self._store = path
        self._send(encode_frame(FrameKind.OPEN, path.encode()))

    def forget_store(self) -> None:
        """Have a store opened the next time even if it was: another may be in its place."""
        self._store = None

    def ask(self, job: Job | Conversion, receiver: Receiver) -> None:
        """Send a job; its frames follow those of the jobs before it, those of a conversion once it is fed."""
        self.jobs.append(receiver)
        kind = FrameKind.QUERY if isinstance(job, Job) else FrameKind.CONVERT
        self._send(encode_frame(kind, job.encode()))

    async def feed(self, chunk: bytes) -> None:
        """Send a piece of what is to be converted, as soon as the worker has read enough of what was sent before."""
        self._send(encode_frame(FrameKind.DATA, chunk))
        await self._may_write.wait()

    def end_feed(self) -> None:
        """Say that all of it was sent."""
        self._send(encode_frame(FrameKind.END))

    def take_back(self) -> list[Receiver]:
        """Those whose jobs are not begun, to be asked elsewhere; should one begin all the same, its result is lost."""
        first, *behind = self.jobs
        if not behind:
            return []
        self.jobs = deque([first, *(_SINK for _ in behind)])
        self.is_dropping = True
        self._send(encode_frame(FrameKind.DROP, encode_count(len(behind))))
        return [each for each in behind if each is not _SINK]

    def abandon(self, receiver: Receiver) -> None:
        """Nobody wants the result of this job, which is not begun."""
        self.jobs = deque(_SINK if each is receiver else each for each in self.jobs)

    def make_nice(self) -> None:
        """Let every other process go first."""
        self.is_nice = True
        if self.process.poll() is None:
            os.setpriority(os.PRIO_PROCESS, self.process.pid, _NICE)

    def make_ordinary(self) -> bool:
        """Whether it has the priority of the server again, which only a privileged user can give back."""
        try:
            os.setpriority(os.PRIO_PROCESS, self.process.pid, os.getpriority(os.PRIO_PROCESS, 0))
        except (PermissionError, ProcessLookupError):
            return False
        self.is_nice = False
        return True

    def kill(self) -> None:
        """End the worker at once, whatever it does."""
        self.is_lost = True
        if self.process.poll() is None:
            self.process.kill()
        if self._transport is not None:
            self._transport.abort()

    async def wait_ended(self) -> int:
        """The exit status once the process is gone; negative for a signal."""
        return await asyncio.get_running_loop().run_in_executor(None, self.process.wait)

    def last_words(self) -> str:
        """The end of what the worker wrote to its standard error: the engine's own account of a crash."""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _LAST_WORDS))
        return self._errors.read().decode(errors="replace").strip()

    def close(self) -> None:
        """Free what is held for a worker that is gone."""
        if self._transport is not None:
            self._transport.abort()
        self._errors.close()

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self.is_lost:
            self._transport.write(data)


async def start_worker(options: WorkerOptions, overseer: Overseer) -> WorkerConnection:
    """A worker that is ready to be asked.

    Raises:
        OSError: no process can be started, it ended before it was ready, or no fence is around it that must be.
    """
    ours, theirs = socket.socketpair()
    links: list[socket.socket] = [*socket.socketpair()] if options.attach else []
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
    try:
        process = await asyncio.to_thread(_spawn, [theirs, *links[1:]], errors, options)
    except OSError:
        ours.close()
        errors.close()
        for link in links:
            link.close()
        raise
    finally:
        theirs.close()
    if options.attach:
        options.attach(links[0])
        links[1].close()
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    _, worker = await loop.create_unix_connection(lambda: WorkerConnection(process, errors, overseer), sock=ours)
    ready = await worker.ready
    if ready is None:
        _, words = await worker.epitaph
        raise OSError(f"a query worker ended before it was ready: {words}")
    worker.fences = Fence(ready.body[0])
    if options.needs_fence and not worker.fences.holds_federation:
        worker.kill()
        raise OSError("the kernel grants a query worker no fence to the network any more, and SERVICE needs one")
    return worker


def _spawn(ends: list[socket.socket], errors: IO[bytes], options: WorkerOptions) -> subprocess.Popen[bytes]:
    descriptors = [each.fileno() for each in ends]
    # A session of its own: Ctrl-C at a terminal is for the server, which then ends its workers in order.
    return subprocess.Popen(  # noqa: S603 - our own program, with arguments of our own
        [
            *(sys.executable, "-m", "endpoint.sparql.worker"),
            *(str(options.memory_bytes), str(options.prefixes_path), *map(str, descriptors)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        pass_fds=descriptors,
        env=worker_environment(),
        start_new_session=True,
    )
