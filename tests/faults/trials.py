"""Putting faults into changes, and judging what is left: the state before or the state after, and the right words.

What is asked of a change that met a fault:

- it ended well, or with an error of ours; a full disk is called so;
- well means the state after, also should the power be lost now; an error means the state before, for ever; where it is
  said to be unclear, it is one of both, whatever is lost;
- nothing is left that the next change does not clear up, and then ``kg doctor`` finds nothing.

What is asked of a disk that lost its power within a change is the last, and that it is one of the two states.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import shutil
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from pyoxigraph import RdfFormat

from kg.errors import DiskError, DiskFull, DiskUnclear, KgError
from tests.faults.changes import Change, State, find_change, find_leftovers, find_problems, settle
from tests.faults.disk import Fault, FaultKind, Image, write_image
from tests.faults.mount import MountedDisk
from tests.federation.outside import run_outside

__all__ = ["Bench", "Ended", "choose_steps", "list_faults", "open_bench", "sample_faults"]

INSTANT = "1700000000"
_ANY = "any"
KINDS: tuple[FaultKind, ...] = ("fails", "stays broken", "is full", "is short")
_LONGEST_S = 60
_WORKSPACE = re.compile(r"(.*/\.(?:building|completing)-)[^/]*(/.*)?")


@dataclass(frozen=True)
class Ended:
    """How a change ended: well, or with the code and the words of an error; a bug has the code ``bug``."""

    code: str = ""
    words: str = ""


@dataclass(frozen=True)
class _Base:
    """What a change begins from, its states before and after, and its steps where nothing is wrong."""

    change: Change
    directory: Path
    before: State
    after: State
    steps: tuple[str, ...]
    images: tuple[Image, ...]
    after_images: tuple[Image, ...]


@dataclass
class Bench:
    """A mounted disk, the bases of the changes, and a place for what is looked at."""

    disk: MountedDisk
    scratch: Path
    url: str
    looks: int = 0
    missed: int = 0
    _bases: dict[str, _Base] = field(default_factory=dict)
    _judged: dict[tuple[str, Image], tuple[State, tuple[str, ...]]] = field(default_factory=dict)

    def base(self, name: str) -> _Base:
        """What a change begins from; made once."""
        if name not in self._bases:
            self._bases[name] = self._make_base(find_change(name))
        return self._bases[name]

    def _make_base(self, change: Change) -> _Base:
        directory = self.scratch / f"base-{change.name}"
        # A store that was written to has threads, and a process with threads is not copied.
        prepared = _call(_prepare, change.name, directory)
        assert prepared == Ended(), f"{change.name} cannot be prepared: {prepared.words}"
        (directory / "url").write_text(self.url)
        case = self.disk.load(change.name, directory)
        self.disk.watch(change.name, keeps_images=True)
        ended = _call(_run, change.name, case)
        assert ended == Ended(), f"{change.name} fails where nothing is wrong: {ended}"
        steps, images = self.disk.steps(), self.disk.images()
        after_images, visible = self.disk.lose_power(), self.disk.look()
        self.disk.drop(change.name)
        before = change.describe(directory)
        with self._written(visible) as here:
            settle(here)
            after = change.describe(here)
        assert before != after, change.name
        return _Base(change, directory, before, after, tuple(steps), tuple(images), tuple(after_images))

    def try_fault(self, name: str, fault: Fault) -> list[str]:
        """What is wrong with how a change took a fault."""
        base = self.base(name)
        case = self.disk.load(name, base.directory)
        self.disk.watch(name, fault)
        ended = _call(_run, name, case)
        struck = self.disk.mend()
        visible, lost = self.disk.look(), self.disk.lose_power()
        self.disk.drop(name)
        if not struck:
            # The engine's own threads come to some of its steps at one time and not at another.
            self.missed += 1
            return []
        where = f"{name}, {fault.kind} at {fault.step}"
        found = [f"{where}: {each}" for each in self._judge_words(ended, fault)]
        code = _ANY if ended.code == "bug" else ended.code
        for when, images in (("as seen", [visible]), ("after a loss of power", lost)):
            for image in images:
                words = f" [{ended.code}: {ended.words[:300]}]" if ended.code else ""
                found += [f"{where}, {when}: {each}{words}" for each in self._judge(base, image, code)]
        return list(dict.fromkeys(found))

    def try_losses(self, name: str) -> Iterator[list[str]]:
        """What is wrong with each disk that lost its power within a change, or right after it."""
        base = self.base(name)
        for images, code in ((base.images, _ANY), (base.after_images, "")):
            for image in dict.fromkeys(map(_leave_out_workspaces, images)):
                yield [f"{name}, power lost: {each}" for each in self._judge(base, image, code)]

    @staticmethod
    def _judge_words(ended: Ended, fault: Fault) -> Iterator[str]:
        said = f"{ended.code}: {ended.words}"
        if ended.code == "bug":
            yield f"a bug: {ended.words}"
        elif ended.code and fault.kind == "is short":
            yield f"a short write is an error: {said}"
        elif ended.code == DiskError.code and fault.kind == "is full":
            yield f"a full disk is not called so: {said}"
        elif ended.code not in ("", DiskFull.code, DiskError.code, DiskUnclear.code):
            yield f"the disk is not blamed: {said}"
        elif "/dev/shm" in ended.words or "/tmp" in ended.words:
            yield f"a path of the server is told: {said}"

    def _judge(self, base: _Base, image: Image, code: str) -> list[str]:
        """What is wrong with an image that a change left which ended with a code; any code where the power was lost."""
        key = (base.change.name, _leave_out_workspaces(image))
        if key not in self._judged:
            self._judged[key] = self._examine(base.change, key[1])
        state, problems = self._judged[key]
        is_open = code in (DiskUnclear.code, _ANY) or base.change.is_derived
        allowed = [base.before, base.after] if is_open else [base.before if code else base.after]
        found = list(problems)
        if not (state in allowed or (is_open and base.change.is_partial and _is_between(state, base))):
            found.append(f"it is {_name_state(state, base)}, and should be {_name_state(allowed[0], base)}")
        return found

    def _examine(self, change: Change, image: Image) -> tuple[State, tuple[str, ...]]:
        """The state that a directory comes to after the next change cleared up, and what is wrong with it."""
        self.looks += 1
        with self._written(image) as here:
            problems = [f"not safe before: {each}" for each in find_problems(here)]
            if (words := settle(here)) is not None:
                problems.append(f"not cleared up: {words}")
            problems += [
                f"left for ever: {each}" for each in [*find_problems(here, quick=False), *find_leftovers(here)]
            ]
            try:
                state = change.describe(here)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                state = {"not to be read": repr(error)}
            return state, tuple(problems)

    @contextmanager
    def _written(self, image: Image) -> Iterator[Path]:
        here = self.scratch / "look"
        write_image(image, here)
        try:
            yield here
        finally:
            shutil.rmtree(here)


def _is_between(state: State, base: _Base) -> bool:
    """Whether each part is as it was or as it should become."""
    # The feed of a plain dataset says of each publication alone that it was passed over.
    names = {*state, *base.before, *base.after} - {"feed"}
    return all(state.get(each) in (base.before.get(each), base.after.get(each)) for each in names)


def _name_state(state: State, base: _Base) -> str:
    if state in (base.before, base.after):
        return "the state before" if state == base.before else "the state after"
    differs = {each: value for each, value in state.items() if value != base.before.get(each)}
    gone = sorted(base.before.keys() - state.keys())
    return f"neither of both ({str(differs)[:500]} differs from before, {gone} are gone)"


def _leave_out_workspaces(image: Image) -> Image:
    """An image without what is in workspaces, which is thrown away as it is."""
    kept = []
    for path, content, mode in image:
        match = _WORKSPACE.fullmatch(path)
        if match is None:
            kept.append((path, content, mode))
        elif match[2] is None:
            kept.append((f"{match[1]}x", content, mode))
    return tuple(dict.fromkeys(kept))


def list_faults(steps: Iterable[str]) -> list[Fault]:
    """Every fault that fits a step."""
    faults = (Fault(step, kind) for step in steps for kind in KINDS)
    return [each for each in faults if each.fits()]


def choose_steps(steps: Iterable[str]) -> list[str]:
    """The first and the last of the steps that are alike."""
    return list(dict.fromkeys(each for group in _group(steps) for each in (group[0], group[-1])))


def sample_faults(steps: Iterable[str], *, is_long: bool) -> list[Fault]:
    """Every fault at steps that others could see, and some at steps in workspaces; of a long change some of both.

    Of some steps each meets a fault of another kind than the one before.
    """
    groups = _group(steps)
    seen = [group[0] for group in groups if _WORKSPACE.search(group[0]) is None]
    hidden = [group[len(group) // 2] for group in groups if _WORKSPACE.search(group[0])]
    thinned = _thin(hidden, 4 if is_long else 12) + (_thin(seen, 12) if is_long else [])
    turns = [Fault(step, KINDS[at % len(KINDS)]) for at, step in enumerate(thinned)]
    fitting = [each if each.fits() else Fault(each.step, "fails") for each in turns]
    return fitting if is_long else list_faults(seen) + fitting


def _thin(steps: list[str], most: int) -> list[str]:
    """At most so many of the steps, from the first to the last."""
    return [steps[at * len(steps) // most] for at in range(most)] if len(steps) > most else steps


def _group(steps: Iterable[str]) -> list[list[str]]:
    """Steps that are alike: the same call with the same path, but for its numbers."""
    alike: dict[str, list[str]] = {}
    for each in steps:
        alike.setdefault(re.sub(r"\d+", "0", each.rpartition(" #")[0]), []).append(each)
    return list(alike.values())


@contextmanager
def open_bench(disk: MountedDisk, scratch: Path) -> Iterator[Bench]:
    """A bench on a mounted disk."""
    with run_outside() as outside:
        outside.store.load(
            b"<http://data.europa.eu/nuts/code/X> <http://www.w3.org/2004/02/skos/core#broader> "
            b"<http://data.europa.eu/nuts/code/DE7> ; <http://www.w3.org/2004/02/skos/core#inScheme> "
            b"<http://data.europa.eu/nuts/scheme/2024> .",
            format=RdfFormat.TURTLE,
        )
        yield Bench(disk, scratch, outside.url + "/sparql")


# ------------ processes


def _call(function: Callable[[str, Path], None], name: str, directory: Path) -> Ended:
    """How a function ended, in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(theirs, function, name, directory))
    process.start()
    theirs.close()
    try:
        if not ours.poll(_LONGEST_S):
            process.kill()
            return Ended("bug", f"no end within {_LONGEST_S} s")
        return ours.recv()  # type: ignore[no-any-return]
    except EOFError:
        return Ended("bug", "the process ended")
    finally:
        ours.close()
        process.join()


def _tell(connection: Connection, function: Callable[[str, Path], None], name: str, directory: Path) -> None:
    os.environ["SOURCE_DATE_EPOCH"] = INSTANT
    logging.disable()
    try:
        function(name, directory)
    except KgError as error:
        connection.send(Ended(error.code, str(error)))
    except BaseException:  # noqa: BLE001 - what is no error of ours is a finding
        connection.send(Ended("bug", traceback.format_exc()[-1500:]))
    else:
        connection.send(Ended())


def _prepare(name: str, directory: Path) -> None:
    find_change(name).prepare(directory)


def _run(name: str, directory: Path) -> None:
    find_change(name).run(directory)
