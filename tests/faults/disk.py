"""A disk in memory that knows what it would hold after a loss of power, and that fails where it is told to.

The model, after fsync(2): the content of a file is on disk once the file was flushed, a change of names once a
directory that it concerns was, and a rename is one change, though it concerns two. What was not flushed may be lost or
not, each change for itself, in any order, and the content of a file without its name as well as its name without the
content. A flush that fails leaves everything visible and nothing on disk, and the pages that it was for count as clean:
the next flush does not write them, unless they are written anew (as Linux does).

Each call that changes something is a step: ``CALL PATH #N``, the n-th such call with that path, in which names that are
made up anew each time are patterns. A fault strikes at a step.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

__all__ = ["Directory", "Disk", "Fault", "File", "Image", "Link", "Node", "shorten", "write_image"]

_PAGE = 4096
_MADE_UP = re.compile(r"(?<=\.building-)(?!pruned)[^/]+|(?<=\.completing-)[^/]+|(?<=dump-)[^/]+|(?<=\.)\d+(?=\.part)")

# Of inodes; the first is the root's.
_NUMBERS = itertools.count(1)

FaultKind: TypeAlias = Literal["fails", "stays broken", "is full", "is short"]
_TAKES_ROOM = ("create", "mkdir", "symlink", "link", "write", "rename")


@dataclass(frozen=True)
class Fault:
    """What happens at a step.

    ``fails``: that call alone fails (EIO). ``stays broken``: it and every call after it that changes something do.
    ``is full``: it and every call after it that takes room find none (ENOSPC), after half of the bytes, where it
    writes some. ``is short``: it writes half of the bytes, and says so; nothing else is wrong.
    """

    step: str
    kind: FaultKind

    def fits(self) -> bool:
        """Whether that can happen to that call."""
        call = self.step.partition(" ")[0]
        return self.kind in ("fails", "stays broken") or (
            call in _TAKES_ROOM if self.kind == "is full" else call == "write"
        )


@dataclass(eq=False)
class File:
    """A file: as processes see it, as it is on disk, which pages await a flush, which of them one let go of."""

    mode: int = 0o644
    content: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    dirty: set[int] = field(default_factory=set)
    let_go: set[int] = field(default_factory=set)
    names: int = 0
    number: int = field(default_factory=_NUMBERS.__next__)

    def write(self, data: bytes, offset: int) -> None:
        if len(self.content) < offset:
            self.content.extend(bytes(offset - len(self.content)))
        self.content[offset : offset + len(data)] = data
        pages = range(offset // _PAGE, (offset + len(data) - 1) // _PAGE + 1)
        self.dirty.update(pages)
        self.let_go.difference_update(pages)

    def resize(self, length: int) -> None:
        if length < len(self.content):
            del self.content[length:]
        else:
            self.content.extend(bytes(length - len(self.content)))

    def flush(self) -> None:
        after = bytearray(self.content)
        for page in self.let_go:
            start, end = page * _PAGE, min(len(after), (page + 1) * _PAGE)
            if start < end:
                after[start:end] = self.durable[start:end].ljust(end - start, b"\0")
        if after != self.durable:
            self.durable = bytes(after)
        self.dirty.clear()

    def fail_to_flush(self) -> None:
        self.let_go |= self.dirty
        self.dirty.clear()


@dataclass(eq=False)
class Link:
    """A symbolic link; it is whole as soon as its name is there."""

    target: str
    number: int = field(default_factory=_NUMBERS.__next__)


@dataclass(eq=False)
class Directory:
    """A directory: its names as processes see them, and as they are on disk."""

    mode: int = 0o755
    names: dict[str, Node] = field(default_factory=dict)
    durable: dict[str, Node] = field(default_factory=dict)
    number: int = field(default_factory=_NUMBERS.__next__)


Node: TypeAlias = "File | Link | Directory"


@dataclass(frozen=True)
class _Change:
    """A change of names that awaits a flush: what each name of each directory stands for from now on."""

    names: tuple[tuple[Directory, str, Node | None], ...]

    def concerns(self, directory: Directory) -> bool:
        return any(each is directory for each, _, _ in self.names)


Image: TypeAlias = "tuple[tuple[str, str | bytes | None, int], ...]"
"""What a disk holds: path, and the target of a link, the content of a file or None for a directory, with the mode; two
paths of one file are told apart from two equal files by nothing."""


class Disk:
    """Directories side by side, of which one at a time is looked at step by step.

    Attributes:
        steps: those since :meth:`watch`.
        images: what a loss of power would have left at each of these steps, where ``watch`` was told to keep them.
    """

    def __init__(self) -> None:
        self.root = Directory()
        self.steps: list[str] = []
        self.images: list[Image] = []
        self._seen: Counter[str] = Counter()
        self._pending: list[_Change] = []
        self._watched = ""
        self._fault: Fault | None = None
        self._has_struck = False
        self._keeps_images = False
        self._chance = random.Random(0)

    # What the test says.

    def load(self, name: str, source: Path) -> None:
        """Hold a copy of a directory, all of it on disk."""
        top = self.root.names[name] = _load(source, {})
        assert isinstance(top, Directory)

    def drop(self, name: str) -> None:
        """Forget a directory."""
        self.root.names.pop(name, None)

    def watch(self, name: str, fault: Fault | None = None, *, keeps_images: bool = False, seed: int = 0) -> None:
        """From now on the calls below a directory are steps, and a fault strikes at its step."""
        self.steps, self.images = [], []
        self._seen.clear()
        self._pending.clear()
        self._watched = f"/{name}/"
        self._fault, self._has_struck = fault, False
        self._keeps_images = keeps_images
        self._chance = random.Random(seed)

    def mend(self) -> bool:
        """Whether the fault struck; from now on all goes well."""
        struck, self._fault = self._has_struck, None
        return struck

    def look(self) -> Image:
        """The directory as processes see it."""
        return tuple(_iter_image(self._top(), "", on_disk=False))

    def lose_power(self) -> list[Image]:
        """What a loss of power now may leave: nothing that awaits a flush, all names without content, some of each."""
        top = self._top()
        kept = [tuple(_iter_image(top, "", on_disk=True))]
        kept.append(self._image_with([True] * len(self._pending), top, contents=None))
        if self._pending:
            for _ in range(2):
                chosen = [self._chance.random() < 0.5 for _ in self._pending]
                kept.append(self._image_with(chosen, top, contents=self._chance))
        return kept

    def _image_with(self, chosen: Iterable[bool], top: Directory, *, contents: random.Random | None) -> Image:
        durable: dict[int, dict[str, Node]] = {}
        for change, is_kept in zip(self._pending, chosen, strict=True):
            if is_kept:
                for directory, name, node in change.names:
                    names = durable.setdefault(id(directory), dict(directory.durable))
                    if node is None:
                        names.pop(name, None)
                    else:
                        names[name] = node
        return tuple(_iter_image(top, "", on_disk=True, durable=durable, contents=contents))

    def _top(self) -> Directory:
        top = self.root.names[self._watched.strip("/")]
        assert isinstance(top, Directory)
        return top

    # What a file system asks.

    def step(self, call: str, path: str, size: int = 0) -> int:
        """How many bytes of a call are carried out, before it is.

        Raises:
            OSError: the fault is here.
        """
        if not path.startswith(self._watched):
            return size
        if self._keeps_images and call in ("fsync", "fsyncdir"):
            self.images += self.lose_power()
        what = f"{call} {shorten(path.removeprefix(self._watched))}"
        self._seen[what] += 1
        step = f"{what} #{self._seen[what]}"
        self.steps.append(step)
        fault = self._fault
        if fault is None:
            return size
        is_here = step == fault.step
        if is_here:
            self._has_struck = True
        match fault.kind:
            case "fails" if is_here:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            case "stays broken" if self._has_struck:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            case "is full" if self._has_struck and call in _TAKES_ROOM:
                if is_here and size > 1:
                    return size // 2
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            case "is short" if is_here and size > 1:
                return size // 2
        return size

    def find(self, path: str) -> Node:
        """What is at a path.

        Raises:
            OSError: nothing is.
        """
        node: Node = self.root
        for part in path.split("/"):
            if part:
                if not isinstance(node, Directory):
                    raise OSError(errno.ENOTDIR, path)
                try:
                    node = node.names[part]
                except KeyError:
                    raise OSError(errno.ENOENT, path) from None
        return node

    def find_directory(self, path: str) -> Directory:
        """The directory at a path."""
        node = self.find(path)
        if not isinstance(node, Directory):
            raise OSError(errno.ENOTDIR, path)
        return node

    def add(self, path: str, node: Node) -> None:
        """Give something a name."""
        parent, name = self._split(path)
        if name in parent.names:
            raise OSError(errno.EEXIST, path)
        self._change((parent, name, node))

    def remove(self, path: str) -> None:
        """Take a name away."""
        parent, name = self._split(path)
        node = self.find(path)
        if isinstance(node, Directory) and node.names:
            raise OSError(errno.ENOTEMPTY, path)
        self._change((parent, name, None))

    def rename(self, old: str, new: str) -> None:
        """Give something another name, in the place of what has it."""
        node = self.find(old)
        (old_parent, old_name), (parent, name) = self._split(old), self._split(new)
        there = parent.names.get(name)
        if there is node:
            return
        if isinstance(there, Directory) and there.names:
            raise OSError(errno.ENOTEMPTY, new)
        self._change((old_parent, old_name, None), (parent, name, node))

    def flush(self, node: Node, *, fails: bool = False) -> None:
        """Put a file or the names of a directory on disk, or fail to."""
        if isinstance(node, File):
            node.fail_to_flush() if fails else node.flush()
        elif isinstance(node, Directory) and not fails:
            for change in [each for each in self._pending if each.concerns(node)]:
                self._pending.remove(change)
                _apply(change, durable=True)

    def _split(self, path: str) -> tuple[Directory, str]:
        parent, _, name = path.rpartition("/")
        return self.find_directory(parent), name

    def _change(self, *names: tuple[Directory, str, Node | None]) -> None:
        change = _Change(names)
        for directory, name, node in names:
            before = directory.names.get(name)
            if isinstance(before, File):
                before.names -= 1
            if isinstance(node, File):
                node.names += 1
        _apply(change, durable=False)
        self._pending.append(change)


def _apply(change: _Change, *, durable: bool) -> None:
    for directory, name, node in change.names:
        names = directory.durable if durable else directory.names
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def shorten(path: str) -> str:
    """A path, with names that are made up anew each time as patterns."""
    return _MADE_UP.sub("*", path) or "."


def _load(source: Path, seen: dict[tuple[int, int], File]) -> Node:
    status = source.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Link(str(source.readlink()))
    if stat.S_ISDIR(status.st_mode):
        directory = Directory(status.st_mode & 0o7777)
        for each in sorted(source.iterdir()):
            directory.names[each.name] = _load(each, seen)
        directory.durable = dict(directory.names)
        return directory
    file = seen.get((status.st_dev, status.st_ino))
    if file is None:
        content = source.read_bytes()
        file = File(status.st_mode & 0o7777, bytearray(content), content)
        seen[status.st_dev, status.st_ino] = file
    file.names += 1
    return file


def _iter_image(
    directory: Directory,
    path: str,
    *,
    on_disk: bool,
    durable: dict[int, dict[str, Node]] | None = None,
    contents: random.Random | None = None,
) -> Iterator[tuple[str, str | bytes | None, int]]:
    names = (durable or {}).get(id(directory), directory.durable) if on_disk else directory.names
    for name, node in sorted(names.items()):
        here = f"{path}{name}"
        match node:
            case Link():
                yield here, node.target, 0
            case Directory():
                yield here, None, node.mode
                yield from _iter_image(node, f"{here}/", on_disk=on_disk, durable=durable, contents=contents)
            case File():
                yield here, _choose_content(node, on_disk=on_disk, contents=contents), node.mode


def _choose_content(file: File, *, on_disk: bool, contents: random.Random | None) -> bytes:
    if not on_disk:
        return bytes(file.content)
    if contents is None or contents.random() < 0.3 or bytes(file.content) == file.durable:
        return file.durable
    # What came to disk by itself: some pages, and the length that it has now, or had, or had in between.
    shorter, longer = sorted((len(file.durable), len(file.content)))
    after = bytearray(file.durable.ljust(longer, b"\0"))
    for page in file.dirty:
        if contents.random() < 0.5:
            start = page * _PAGE
            after[start : start + _PAGE] = file.content[start : start + _PAGE].ljust(min(_PAGE, longer - start), b"\0")
    return bytes(after[: contents.choice((shorter, longer, contents.randint(shorter, longer)))])


def write_image(image: Image, target: Path) -> None:
    """Make a directory of what a disk held."""
    target.mkdir()
    for path, content, mode in image:
        here = target / path
        if content is None:
            here.mkdir()
        elif isinstance(content, str):
            here.symlink_to(content)
        else:
            here.write_bytes(content)
            here.chmod(mode)
