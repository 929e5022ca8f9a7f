"""Releases: immutable directories, a symlink to the current one, a journal of publications (ARCHITECTURE).

    releases/<id>/            store/ dumps/ manifest.json report.ttl changes.rdfp.gz
    releases/current          symlink to one of them, swapped atomically
    releases/journal.jsonl    append-only; its last line is the truth about what is current
    releases/kept.json        ids that pruning spares
    releases/.lock            held by whoever changes anything above

A publication is committed by its line in the journal. Whatever a crash leaves behind is put right, under the lock,
by the next change: workspaces and never-published directories go, ``current`` follows the journal.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kg.errors import ReleaseDamaged, ReleaseError, ReleaseNotFound
from kg.journal import Action, JournalEntry, append_entry, load_journal, repair_journal, sync_directory
from kg.manifest import (
    CHANGES_NAME,
    MANIFEST_NAME,
    NQUADS_DUMP_NAME,
    REPORT_NAME,
    STORE_NAME,
    TURTLE_DUMP_NAME,
    Manifest,
    load_manifest,
)

if TYPE_CHECKING:
    from pyoxigraph import Quad

__all__ = ["Release", "Releases", "lock_releases", "recover"]

_ID: Final = re.compile(r"(\d{4,})-([0-9a-f]{8})")
_WORKSPACE: Final = ".building-"
_LOCK_WAIT_S: Final = 30.0


@dataclass(frozen=True)
class Release:
    """One release on disk."""

    id: str
    sequence: int
    digest: str
    parent: str | None
    path: Path

    @property
    def store_path(self) -> Path:
        """The store, to be opened for reading only."""
        return self.path / STORE_NAME

    @property
    def report_path(self) -> Path:
        """The SHACL report of the build, in Turtle."""
        return self.path / REPORT_NAME

    @property
    def changes_path(self) -> Path:
        """What differs from the parent, as an RDF Patch (kg.changes)."""
        return self.path / CHANGES_NAME

    @property
    def nquads_dump_path(self) -> Path:
        """The named graphs as sorted canonical N-Quads, compressed."""
        return self.path / NQUADS_DUMP_NAME

    @property
    def turtle_dump_path(self) -> Path:
        """The default graph as Turtle, compressed."""
        return self.path / TURTLE_DUMP_NAME

    @cached_property
    def manifest(self) -> Manifest:
        """Counts, versions and the summary of the report, read once.

        Raises:
            ReleaseDamaged: the manifest is gone or malformed.
        """
        return load_manifest(self.path / MANIFEST_NAME)


class Releases:
    """The releases of one directory. Reading neither locks nor writes; publishing does both."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal_path = root / "journal.jsonl"
        self.current_path = root / "current"

    def journal(self) -> tuple[JournalEntry, ...]:
        """Every publication, oldest first.

        Raises:
            ReleaseDamaged: the journal is malformed.
        """
        return load_journal(self.journal_path)

    def list(self) -> tuple[Release, ...]:
        """The published releases that are still on disk, oldest first.

        Raises:
            ReleaseDamaged: a manifest or the journal is malformed.
        """
        published = {entry.release for entry in self.journal()}
        found = [_load_release(self.root / each) for each in published if (self.root / each).is_dir()]
        return tuple(sorted(found, key=lambda each: each.sequence))

    def current(self) -> Release | None:
        """The release that readers see now, or None when none was published yet.

        Raises:
            ReleaseDamaged: ``current`` points nowhere.
        """
        try:
            target = self.current_path.readlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ReleaseDamaged(f"{self.current_path} is no symlink: {error}") from error
        return _load_release(self.root / target.name)

    def get(self, ref: str) -> Release:
        """The release of an id, of the beginning of an id or digest, of a sequence number, or ``current``.

        Raises:
            ReleaseNotFound: nothing fits, or more than one release does.
        """
        if ref == "current":
            current = self.current()
            if current is None:
                raise ReleaseNotFound(f"no release in {self.root} yet: run 'kg build' first")
            return current
        releases = self.list()
        if exact := [each for each in releases if ref == each.id or (ref.isdecimal() and int(ref) == each.sequence)]:
            return exact[0]
        found = [each for each in releases if ref and (each.id.startswith(ref) or each.digest.startswith(ref))]
        if len(found) == 1:
            return found[0]
        names = ", ".join(each.id for each in found or releases) or "none"
        problem = "fits more than one release" if found else "is no release"
        raise ReleaseNotFound(f"{ref!r} {problem} in {self.root}; there are: {names}")

    def publish(  # noqa: PLR0913 - all by name; each is a separate thing a release is made of
        self,
        *,
        quads: Iterable[Quad],
        open_licences: Collection[str],
        manifest_extra: Mapping[str, object],
        report_turtle: bytes,
        action: Action = "build",
        prefixes: Mapping[str, str] | None = None,
        instant: datetime | None = None,
    ) -> Release:
        """The new current release; the present one when its content is the same.

        Args:
            quads: the content: named graphs only, no blank nodes, any order.
            open_licences: IRIs of the licences whose graphs enter the default graph.
            manifest_extra: JSON values for the manifest, beside its own entries.
            report_turtle: the SHACL report.
            action: what the journal says.
            prefixes: for the Turtle dump.
            instant: when it is published; SOURCE_DATE_EPOCH or now when left out.

        Raises:
            LicenceUnknown: a graph has no licence.
            RdfError: a quad holds a blank node or belongs to no named graph.
            ReleaseError: another change is going on, or a file cannot be written.
        """
        # Imported here, since the server's process reads releases and must not load the engine (decision 0008).
        from kg.assemble import ReleaseInputs, assemble_release, sync_tree  # noqa: PLC0415
        from kg.rdfio import write_sorted_nquads  # noqa: PLC0415

        root = self.root
        with lock_releases(root):
            recover(root)
            current = self.current()
            with tempfile.TemporaryDirectory(prefix=_WORKSPACE, dir=root) as workspace:
                nquads_path = Path(workspace) / "named.nq"
                with nquads_path.open("wb") as output:
                    digest = write_sorted_nquads(quads, output)
                if current is not None and _is_same(current, digest=digest, open_licences=open_licences):
                    return current
                sequence = _next_sequence(root)
                inputs = ReleaseInputs(
                    id=f"{sequence:04d}-{digest[:8]}",
                    sequence=sequence,
                    digest=digest,
                    parent=None if current is None else current.id,
                    parent_dump_path=None if current is None else current.nquads_dump_path,
                    open_licences=open_licences,
                    prefixes=prefixes or {},
                    report_turtle=report_turtle,
                    extra=manifest_extra,
                )
                assembled = Path(workspace) / "release"
                assemble_release(assembled, nquads_path, inputs=inputs)
                sync_tree(assembled)
                assembled.rename(root / inputs.id)
            sync_directory(root)
            release = _load_release(root / inputs.id)
            _point_current(root, release.id, action=action, instant=instant)
            return release

    def use(self, ref: str, *, instant: datetime | None = None) -> Release:
        """The release of that reference, once it is current; a new line in the journal unless it was so already.

        Raises:
            ReleaseNotFound: there is no such release.
            ReleaseError: another change is going on.
        """
        with lock_releases(self.root):
            recover(self.root)
            release = self.get(ref)
            if self.current() != release:
                _point_current(self.root, release.id, action="use", instant=instant)
            return release


@contextmanager
def lock_releases(root: Path, *, wait_s: float = _LOCK_WAIT_S) -> Iterator[None]:
    """Hold the lock of a releases directory; the kernel frees it when the process ends, however it ends.

    Raises:
        ReleaseError: another process held it for all of ``wait_s`` seconds, or the directory cannot be made.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ReleaseError(f"{root} cannot be written: {error}") from error
    try:
        deadline = time.monotonic() + wait_s
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise ReleaseError(f"another build or write holds {root / '.lock'}; try again when it is done")
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def recover(root: Path) -> None:
    """Put right what a crash left behind; the caller holds the lock.

    Raises:
        ReleaseDamaged: there is a current release but no journal, or the journal's last release is gone.
    """
    releases = Releases(root)
    repair_journal(releases.journal_path)
    journal = releases.journal()
    if not journal and releases.current_path.is_symlink():
        raise ReleaseDamaged(f"{releases.journal_path} is gone although a release is current: restore it from a backup")
    for path in root.iterdir():
        if path.name.startswith(_WORKSPACE):
            shutil.rmtree(path)
    next_sequence = _next_sequence(root)
    for path in root.iterdir():
        # Renamed into place but never entered: only such a directory has a number that the journal will give next.
        if (found := _ID.fullmatch(path.name)) and int(found[1]) >= next_sequence:
            shutil.rmtree(path)
    if journal and not _is_current(releases, journal[-1].release):
        if not (root / journal[-1].release).is_dir():
            raise ReleaseDamaged(f"{root / journal[-1].release} is gone although the journal says that it is current")
        _swap_symlink(root, journal[-1].release)


def _is_same(release: Release, *, digest: str, open_licences: Collection[str]) -> bool:
    # The digest covers the named graphs; which of them make up the default graph is a setting.
    return release.digest == digest and set(release.manifest.open_licences) == set(open_licences)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _next_sequence(root: Path) -> int:
    # From the journal, not from the directories: a pruned release never gives its number away.
    return 1 + max((int(entry.release.partition("-")[0]) for entry in Releases(root).journal()), default=0)


def _point_current(root: Path, release_id: str, *, action: Action, instant: datetime | None) -> None:
    append_entry(Releases(root).journal_path, release=release_id, action=action, instant=instant)
    _swap_symlink(root, release_id)


def _is_current(releases: Releases, release_id: str) -> bool:
    return releases.current_path.is_symlink() and releases.current_path.readlink().name == release_id


def _swap_symlink(root: Path, release_id: str) -> None:
    fresh = root / ".current"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(release_id)
    fresh.replace(root / "current")
    sync_directory(root)


def _load_release(path: Path) -> Release:
    if not _ID.fullmatch(path.name):
        raise ReleaseDamaged(f"{path}: {path.name!r} is no release id")
    manifest = load_manifest(path / MANIFEST_NAME)
    if manifest.id != path.name:
        raise ReleaseDamaged(f"{path}: its manifest is that of {manifest.id}")
    return Release(manifest.id, manifest.sequence, manifest.digest, manifest.parent, path)
