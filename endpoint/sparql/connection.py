"""One worker process as the server sees it: started, asked, listened to, ended."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from endpoint.settings import worker_environment
from endpoint.sparql.frames import FRAME_BYTES, Conversion, Frame, FrameDecoder, FrameKind, Job, encode_frame

__all__ = ["WorkerConnection", "WorkerOptions", "start_worker"]

_HIGH_WATER: Final = 512 * 1024
_LOW_WATER: Final = 128 * 1024
_LAST_WORDS: Final = 2_000
_NICE: Final = 10


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """What every worker is started with."""

    memory_bytes: int
    prefixes_path: Path


class WorkerConnection(asyncio.BufferedProtocol):
    """The frames of one worker, in order; while nobody takes them, nothing is read and the worker waits."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self.process = process
        self.has_no_network = False
        self.is_nice = False
        self._errors = errors
        self._store: str | None = None
        self._transport: asyncio.Transport | None = None
        self._decoder = FrameDecoder()
        self._buffer = memoryview(bytearray(FRAME_BYTES))
        self._frames: deque[Frame] = deque()
        self._held_bytes = 0
        self._is_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio.BaseProtocol)."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the signature is asyncio's
        """Where to read into, always the same: asyncio would map and unmap 256 KiB a read (BufferedProtocol)."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take the frames that are complete (asyncio.BufferedProtocol)."""
        for frame in self._decoder.feed(self._buffer[:nbytes]):
            self._frames.append(frame)
            self._held_bytes += len(frame.body)
        if self._held_bytes > _HIGH_WATER and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is asyncio's
        """The worker ended, or we ended it (asyncio.BaseProtocol)."""
        self.is_lost = True
        self._may_write.set()
        self._wake()

    def pause_writing(self) -> None:
        """The worker does not keep up with what it is fed (asyncio.BaseProtocol)."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """It does again (asyncio.BaseProtocol)."""
        self._may_write.set()

    async def next_frame(self) -> Frame | None:
        """The next frame; None once the worker is gone and all that it said is taken."""
        while not self._frames:
            if self.is_lost:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        frame = self._frames.popleft()
        self._held_bytes -= len(frame.body)
        if self._is_paused and self._held_bytes < _LOW_WATER and self._transport is not None and not self.is_lost:
            self._is_paused = False
            self._transport.resume_reading()
        return frame

    def open_store(self, path: str) -> None:
        """Have the store opened before it is asked."""
        if path == self._store:
            return
        self._store = path
        self._send(encode_frame(FrameKind.OPEN, path.encode()))

    def ask(self, job: Job | Conversion) -> None:
        """Send a job; its frames follow, those of a conversion once it is fed."""
        kind = FrameKind.QUERY if isinstance(job, Job) else FrameKind.CONVERT
        self._send(encode_frame(kind, job.encode()))

    async def feed(self, chunk: bytes) -> None:
        """Send a piece of what is to be converted, as soon as the worker has read enough of what was sent before."""
        self._send(encode_frame(FrameKind.DATA, chunk))
        await self._may_write.wait()

    def end_feed(self) -> None:
        """Say that all of it was sent."""
        self._send(encode_frame(FrameKind.END))

    def make_nice(self) -> None:
        """Let every other process go first; there is no way back for an ordinary user."""
        self.is_nice = True
        if self.process.poll() is None:
            os.setpriority(os.PRIO_PROCESS, self.process.pid, _NICE)

    def kill(self) -> None:
        """End the worker at once, whatever it does."""
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

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def start_worker(options: WorkerOptions) -> WorkerConnection:
    """A worker that is ready to be asked.

    Raises:
        OSError: no process can be started, or it ended before it was ready.
    """
    ours, theirs = socket.socketpair()
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
    try:
        process = await asyncio.to_thread(_spawn, theirs, errors, options)
    except OSError:
        ours.close()
        errors.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    _, worker = await loop.create_unix_connection(lambda: WorkerConnection(process, errors), sock=ours)
    ready = await worker.next_frame()
    if ready is None or ready.kind is not FrameKind.READY:
        worker.kill()
        await worker.wait_ended()
        words = worker.last_words()
        worker.close()
        raise OSError(f"a query worker ended before it was ready: {words}")
    worker.has_no_network = bool(ready.body[0])
    return worker


def _spawn(theirs: socket.socket, errors: IO[bytes], options: WorkerOptions) -> subprocess.Popen[bytes]:
    descriptor = theirs.fileno()
    # A session of its own: Ctrl-C at a terminal is for the server, which then ends its workers in order.
    return subprocess.Popen(  # noqa: S603 - our own program, with arguments of our own
        [
            *(sys.executable, "-m", "endpoint.sparql.worker"),
            *(str(descriptor), str(options.memory_bytes), str(options.prefixes_path)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        pass_fds=(descriptor,),
        env=worker_environment(),
        start_new_session=True,
    )
