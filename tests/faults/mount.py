"""The disk of tests.faults.disk as a file system (FUSE), in a process of its own: ``python -m tests.faults.mount``."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from tests.faults.disk import Directory, Disk, Fault, File, Image, Link, Node

__all__ = ["MountedDisk", "find_obstacle", "mount_disk"]

_START_S = 20
_SOCKET = "control"
_KINDS = {Directory: stat.S_IFDIR, File: stat.S_IFREG, Link: stat.S_IFLNK}


class MountedDisk:
    """A mounted disk: its directory, and what can be asked of the process behind it (see Disk)."""

    def __init__(self, directory: Path, connection: Connection) -> None:
        self.directory = directory
        self._connection = connection

    def load(self, name: str, source: Path) -> Path:
        """The copy of a directory, all of it on disk."""
        self._ask("load", name, source)
        return self.directory / name

    def drop(self, name: str) -> None:
        """Forget a directory."""
        self._ask("drop", name)

    def watch(self, name: str, fault: Fault | None = None, *, keeps_images: bool = False, seed: int = 0) -> None:
        """From now on the calls below a directory are steps, and a fault strikes at its step."""
        self._ask("watch", name, fault, keeps_images=keeps_images, seed=seed)

    def mend(self) -> bool:
        """Whether the fault struck; from now on all goes well."""
        return bool(self._ask("mend"))

    def steps(self) -> list[str]:
        """The steps since :meth:`watch`."""
        steps: list[str] = self._ask("steps")
        return steps

    def images(self) -> list[Image]:
        """What a loss of power would have left at each of them, each image once."""
        images: list[Image] = self._ask("images")
        return images

    def look(self) -> Image:
        """The directory as processes see it."""
        image: Image = self._ask("look")
        return image

    def lose_power(self) -> list[Image]:
        """What a loss of power now may leave."""
        images: list[Image] = self._ask("lose_power")
        return images

    def _ask(self, what: str, *arguments: object, **options: object) -> Any:
        self._connection.send((what, arguments, options))
        answer = self._connection.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer


def find_obstacle() -> str | None:
    """Why no file system can be mounted here; None where one can."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "there is no /dev/fuse for this user"
    if shutil.which("fusermount3") is None:
        return "fuse3 is not installed"
    try:
        import mfusepy  # noqa: F401, PLC0415 - it looks for libfuse when it is loaded
    except (ImportError, OSError) as error:
        return f"mfusepy cannot be loaded ({error})"
    with tempfile.TemporaryDirectory(prefix="chap-fuse-") as name:
        try:
            with mount_disk(Path(name)):
                return None
        except OSError as error:
            return f"no file system can be mounted here ({error})"


@contextmanager
def mount_disk(directory: Path) -> Iterator[MountedDisk]:
    """A disk below a directory that is there.

    Raises:
        OSError: it cannot be mounted.
    """
    place, socket = directory / "disk", directory / _SOCKET
    place.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, place, socket],
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parent.parent.parent,
    )
    try:
        deadline = time.monotonic() + _START_S
        while not (place.is_mount() and socket.exists()):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise OSError(process.communicate()[1].decode(errors="replace").strip() or "nothing was mounted")
            time.sleep(0.01)
        with Client(str(socket)) as connection:
            yield MountedDisk(place, connection)
    finally:
        subprocess.run(["fusermount3", "-u", "-z", place], check=False, stderr=subprocess.DEVNULL)
        if process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
        process.communicate()


def _serve(disk: Disk, lock: threading.Lock, socket: Path) -> None:
    """Answer what the test asks, one question after the other."""
    with Listener(str(socket)) as listener, listener.accept() as connection, suppress(EOFError):
        while True:
            what, arguments, options = connection.recv()
            with lock:
                connection.send(_answer(disk, what, arguments, options))
    # The test is gone.
    os._exit(0)


def _answer(disk: Disk, what: str, arguments: Any, options: Any) -> Any:
    try:
        if what == "steps":
            return disk.steps
        if what == "images":
            return list(dict.fromkeys(disk.images))
        return getattr(disk, what)(*arguments, **options)
    except Exception as error:  # noqa: BLE001 - the test raises it
        return error


# The arguments are those that the library gives.
# ruff: noqa: ARG002
def _make_operations(disk: Disk, lock: threading.Lock) -> Any:
    import mfusepy  # noqa: PLC0415 - it looks for libfuse when it is loaded

    class Operations(mfusepy.Operations):  # type: ignore[misc]
        use_ns = True

        def __init__(self) -> None:
            self._open: dict[int, tuple[File, str]] = {}
            self._next = 1

        def getattr(self, path: str | None, fh: int | None = None) -> dict[str, Any]:
            with lock:
                node: Node = self._open[fh][0] if path is None and fh is not None else disk.find(path or "/")
                status: dict[str, Any] = {"st_ino": node.number, "st_uid": os.getuid(), "st_gid": os.getgid()}
                match node:
                    case Directory():
                        return {**status, "st_mode": stat.S_IFDIR | node.mode, "st_nlink": 2}
                    case Link():
                        size = len(node.target.encode())
                        return {**status, "st_mode": stat.S_IFLNK | 0o777, "st_nlink": 1, "st_size": size}
                    case File():
                        size = len(node.content)
                        blocks = -(-size // 4096) * 8
                        mode = stat.S_IFREG | node.mode
                        return {
                            **status,
                            "st_mode": mode,
                            "st_nlink": node.names,
                            "st_size": size,
                            "st_blocks": blocks,
                        }

        def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
            with lock:
                names = disk.find_directory(path).names
                found = [(name, _KINDS[type(node)], node.number) for name, node in names.items()]
                # An entry without a number is passed over.
                around = [(name, stat.S_IFDIR, 1) for name in (".", "..")]
                return [(name, {"st_mode": kind, "st_ino": number}, 0) for name, kind, number in [*around, *found]]

        def readlink(self, path: str) -> str:
            with lock:
                node = disk.find(path)
                if not isinstance(node, Link):
                    raise OSError(errno.EINVAL, path)
                return node.target

        def statfs(self, path: str) -> dict[str, int]:
            pages = 1 << 30
            return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": pages, "f_bfree": pages, "f_bavail": pages}

        def chmod(self, path: str, mode: int) -> int:
            with lock:
                node = disk.find(path)
                if not isinstance(node, Link):
                    node.mode = mode & 0o7777
                return 0

        def chown(self, path: str, uid: int, gid: int) -> int:
            return 0

        def utimens(self, path: str, times: object = None) -> int:
            return 0

        def mkdir(self, path: str, mode: int) -> int:
            with lock:
                disk.step("mkdir", path)
                disk.add(path, Directory(mode & 0o7777))
                return 0

        def symlink(self, target: str, source: str) -> int:
            with lock:
                disk.step("symlink", target)
                disk.add(target, Link(source))
                return 0

        def link(self, target: str, source: str) -> int:
            with lock:
                disk.step("link", target)
                disk.add(target, disk.find(source))
                return 0

        def rename(self, old: str, new: str) -> int:
            with lock:
                disk.step("rename", new)
                disk.rename(old, new)
                return 0

        def unlink(self, path: str) -> int:
            with lock:
                disk.step("unlink", path)
                disk.remove(path)
                return 0

        def rmdir(self, path: str) -> int:
            with lock:
                disk.step("rmdir", path)
                disk.remove(path)
                return 0

        def create(self, path: str, mode: int, fi: object = None) -> int:
            with lock:
                disk.step("create", path)
                file = File(mode & 0o7777)
                disk.add(path, file)
                return self._hold(file, path)

        def open(self, path: str, flags: int) -> int:
            with lock:
                node = disk.find(path)
                if not isinstance(node, File):
                    raise OSError(errno.EISDIR, path)
                if flags & os.O_TRUNC:
                    disk.step("truncate", path)
                    node.resize(0)
                return self._hold(node, path)

        def _hold(self, file: File, path: str) -> int:
            handle = self._next
            self._next += 1
            self._open[handle] = (file, path)
            return handle

        def release(self, path: str | None, fh: int) -> int:
            with lock:
                self._open.pop(fh, None)
                return 0

        def read(self, path: str | None, size: int, offset: int, fh: int) -> bytes:
            with lock:
                return bytes(self._open[fh][0].content[offset : offset + size])

        def write(self, path: str | None, data: bytes, offset: int, fh: int) -> int:
            with lock:
                file, known = self._open[fh]
                size = disk.step("write", path or known, len(data))
                file.write(data[:size], offset)
                return size

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            with lock:
                disk.step("truncate", path)
                node = disk.find(path)
                if not isinstance(node, File):
                    raise OSError(errno.EISDIR, path)
                node.resize(length)
                return 0

        def fsync(self, path: str | None, datasync: int, fh: int) -> int:
            with lock:
                file, known = self._open[fh]
                self._flush("fsync", path or known, file)
                return 0

        def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
            with lock:
                self._flush("fsyncdir", path, disk.find_directory(path))
                return 0

        def _flush(self, call: str, path: str, node: Node) -> None:
            try:
                disk.step(call, path)
            except OSError:
                disk.flush(node, fails=True)
                raise
            disk.flush(node)

    return Operations()


def _main(place: str, socket: str) -> None:
    import mfusepy  # noqa: PLC0415 - it looks for libfuse when it is loaded

    disk, lock = Disk(), threading.Lock()
    threading.Thread(target=_serve, args=(disk, lock, Path(socket)), daemon=True).start()
    mfusepy.FUSE(
        _make_operations(disk, lock),
        place,
        foreground=True,
        nothreads=True,
        use_ino=True,
        hard_remove=True,
        attr_timeout=0,
        entry_timeout=0,
        fsname="chap-faults",
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
