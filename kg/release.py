"""Releases: immutable directories, a symlink to the current one, a journal of publications (ARCHITECTURE).

    releases/<id>/            store/ content.nq.gz graphs.json dumps/ manifest.json report.ttl changes.rdfp.gz
    releases/current          symlink to one of them, swapped atomically
    releases/journal.jsonl    append-only; its last line is the truth about what is current
    releases/kept.json        ids that pruning spares
    releases/feed/            change feed, append-only (kg.feed)
    releases/.lock            held by whoever changes anything above

How one becomes current, and what a crash leaves behind, is in kg.commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kg.commit import (
    CURRENT_NAME,
    commit_release,
    find_next_sequence,
    is_committed,
    list_directories,
    make_current,
    make_workspace,
    read_current_id,
    recover,
)
from kg.errors import ReleaseDamaged, ReleaseNotFound, ReleaseOvertaken, SettingsError
from kg.journal import JOURNAL_NAME, RELEASE_ID, Action, Journal, find_instant, load_journal
from kg.lock import lock_releases
from kg.manifest import (
    CHANGES_NAME,
    CONTENT_NAME,
    DAMAGE_CURE,
    MANIFEST_NAME,
    PENDING_NAME,
    REPORT_NAME,
    STORE_NAME,
    Manifest,
    load_manifest,
)
from kg.references import find_release_id
from kg.settings import CatalogSettings, KgSettings

if TYPE_CHECKING:
    from pyoxigraph import Quad

__all__ = ["Published", "Release", "Releases", "check_mode", "find_complete"]


@dataclass(frozen=True)
class Release:
    """One release on disk. Its manifest is read when something of it is asked for."""

    id: str
    sequence: int
    path: Path

    @property
    def digest(self) -> str:
        """The digest of the named graphs (kg.rdfio)."""
        return self.manifest.digest

    @property
    def parent(self) -> str | None:
        """The id of the release that was current before."""
        return self.manifest.parent

    @cached_property
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
    def content_path(self) -> Path:
        """All that is stated, in restricted graphs too, as sorted canonical N-Quads, compressed; not for readers."""
        return self.path / CONTENT_NAME

    @property
    def is_complete(self) -> bool:
        """Whether its dumps, descriptions and list of things are there; a plain dataset never has any."""
        return not (self.path / PENDING_NAME).exists()

    @property
    def is_awaited(self) -> bool:
        """Whether these are still to come: a write leaves them for later (kg.complete)."""
        return not self.is_complete and not self.manifest.is_plain

    @cached_property
    def manifest(self) -> Manifest:
        """Counts, versions and the summary of the report, read once.

        Raises:
            ReleaseDamaged: the manifest is gone, malformed or another release's.
        """
        manifest = load_manifest(self.path / MANIFEST_NAME)
        if manifest.id != self.id:
            raise ReleaseDamaged(f"{self.path}: its manifest is that of {manifest.id}; {DAMAGE_CURE}")
        return manifest

    def check(self) -> None:
        """Make sure that the release can be read.

        Raises:
            ReleaseDamaged: its manifest or its store is not usable; the message says what to do.
        """
        if not self.manifest.id or not self.store_path.is_dir():
            raise ReleaseDamaged(f"{self.path}: its store is gone; {DAMAGE_CURE}")

    def find_damage(self) -> str | None:
        """What :meth:`check` would say; None when the release can be read."""
        try:
            self.check()
        except ReleaseDamaged as error:
            return str(error)
        return None


@dataclass(frozen=True)
class Published:
    """The release that is current after a publication, and whether it was made by it."""

    release: Release
    is_new: bool


class Releases:
    """The releases of one directory. Reading neither locks nor writes; publishing does both."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal_path = root / JOURNAL_NAME
        self.current_path = root / CURRENT_NAME

    def journal(self) -> Journal:
        """Every publication, oldest first.

        Raises:
            ReleaseDamaged: the journal is malformed.
        """
        return load_journal(self.journal_path)

    def list(self) -> tuple[Release, ...]:
        """The published releases that are still on disk, damaged ones too, oldest first.

        Raises:
            ReleaseDamaged: the journal is malformed.
        """
        found = [_as_release(self.root / each) for each in _list_published(self.root, self.journal())]
        return tuple(sorted(found, key=lambda each: each.sequence))

    def current_id(self) -> str | None:
        """The id that ``current`` points at, whether or not it can be read; None when none was published yet.

        Raises:
            ReleaseDamaged: ``current`` is no symlink.
        """
        return read_current_id(self.root)

    def current(self) -> Release | None:
        """The release that readers see now, or None when none was published yet.

        Raises:
            ReleaseDamaged: ``current`` points nowhere, or at a release that cannot be read.
        """
        current_id = self.current_id()
        if current_id is None:
            return None
        release = _as_release(self.root / current_id)
        release.check()
        return release

    def get(self, ref: str) -> Release:
        """The release of an id, of the beginning of an id or digest, of a sequence number, or ``current``.

        Damage to another release does not matter.

        Raises:
            ReleaseNotFound: nothing fits, or more than one release does.
            ReleaseDamaged: the release cannot be read.
        """
        release = self.find(ref)
        release.check()
        return release

    def find(self, ref: str) -> Release:
        """As :meth:`get`, but a damaged release is found too.

        Raises:
            ReleaseNotFound: nothing fits, or more than one release does.
            ReleasePruned: the release of that id or number was removed.
        """
        if ref == "current":
            current_id = self.current_id()
            if current_id is None:
                raise ReleaseNotFound(f"no release in {self.root} yet: run 'kg build' first")
            return _as_release(self.root / current_id)
        # Damage to the journal does not matter to who knows the id.
        if RELEASE_ID.fullmatch(ref) and is_committed(self.root / ref):
            return _as_release(self.root / ref)
        journal = self.journal()
        return self.find_among(ref, journal=journal, kept=_list_published(self.root, journal))

    def find_among(self, ref: str, *, journal: Journal, kept: Collection[str]) -> Release:
        """As :meth:`find`, by what is known of the directory, without reading all of it."""
        if RELEASE_ID.fullmatch(ref) and is_committed(self.root / ref):
            return _as_release(self.root / ref)
        release_id = find_release_id(ref, journal=journal, kept=kept, has_digest=self._has_digest)
        return _as_release(self.root / release_id)

    def _has_digest(self, release_id: str, beginning: str) -> bool:
        return _as_release(self.root / release_id).digest.startswith(beginning)

    def find_same(self, *, digest: str, open_licences: Collection[str], catalog: CatalogSettings) -> Release | None:
        """The current release, when it holds just this content, merges it alike and names the same publisher."""
        current = self.current()
        if current is None or not _is_same(current, digest=digest, open_licences=open_licences, catalog=catalog):
            return None
        return current

    def publish(  # noqa: PLR0913 - all by name; each is a separate thing a release is made of
        self,
        *,
        quads: Iterable[Quad],
        open_licences: Collection[str] | None,
        manifest_extra: Mapping[str, object],
        report_turtle: bytes,
        action: Action = "build",
        prefixes: Mapping[str, str] | None = None,
        instant: datetime | None = None,
        settings: KgSettings | None = None,
        base: str | None = None,
        is_first: bool = False,
    ) -> Published:
        """The new current release; the present one when its content is the same.

        A current release that is damaged counts as other content, so that a build is always a way out. When its dump
        cannot be read, the new release has no file of changes, and its manifest says so.

        Args:
            quads: the content: named graphs only, no blank nodes, any order.
            open_licences: IRIs of the licences whose graphs enter the default graph; None for a plain dataset.
            manifest_extra: JSON values for the manifest, beside its own entries.
            report_turtle: the SHACL report.
            action: what the journal says.
            prefixes: for the Turtle dump.
            instant: when it is published; SOURCE_DATE_EPOCH or now when left out.
            settings: where ontology and shapes are, and who publishes; the defaults when left out.
            base: the id of the release that parts of the quads were taken from, which must still be the current one.
            is_first: whether nothing may have been published before.

        Raises:
            ReleaseOvertaken: another release is current than ``base``, or any, where this is to be the first.
            LicenceUnknown: a graph has no licence.
            RdfError: a quad holds a blank node or belongs to no named graph.
            ReleaseError: another change is going on, or a file cannot be written.
        """
        # Imported here, since the server's process reads releases and must not load the engine (decision 0008).
        from kg.assemble import ReleaseInputs, assemble_release  # noqa: PLC0415
        from kg.rdfio import write_sorted_nquads  # noqa: PLC0415

        root = self.root
        moment = instant or find_instant()
        chosen = settings or KgSettings()
        with lock_releases(root):
            recover(root)
            current_id = self.current_id()
            if current_id != base and (base is not None or is_first):
                made_from = base or "nothing"
                raise ReleaseOvertaken(
                    f"{current_id} became current while a release was made from {made_from}; try again"
                )
            current = None if current_id is None else _as_release(root / current_id)
            with make_workspace(root) as workspace:
                nquads_path = workspace / "named.nq"
                with nquads_path.open("wb") as output:
                    digest = write_sorted_nquads(quads, output)
                if current is not None and _is_same(
                    current, digest=digest, open_licences=open_licences, catalog=chosen.catalog
                ):
                    return Published(current, is_new=False)
                sequence = find_next_sequence(root)
                described = find_complete(root)
                inputs = ReleaseInputs(
                    id=f"{sequence:04d}-{digest[:8]}",
                    sequence=sequence,
                    digest=digest,
                    parent=None if current is None else current.id,
                    parent_path=None if current is None else current.path,
                    described_path=None if described is None else described.path,
                    instant=moment,
                    open_licences=open_licences,
                    prefixes=prefixes or {},
                    report_turtle=report_turtle,
                    extra=manifest_extra,
                    settings=chosen,
                )
                assembled = workspace / "release"
                assemble_release(assembled, nquads_path, inputs=inputs)
                commit_release(root, assembled, release_id=inputs.id, action=action, instant=moment)
            return Published(_as_release(root / inputs.id), is_new=True)

    def use(self, ref: str, *, instant: datetime | None = None) -> Release:
        """The release of that reference, once it is current; a new line in the journal unless it was so already.

        Raises:
            ReleaseNotFound: there is no such release.
            ReleaseDamaged: it cannot be read.
            ReleaseError: another change is going on.
        """
        with lock_releases(self.root):
            recover(self.root)
            release = self.get(ref)
            # Not `current`: it cannot follow a line whose release is gone.
            if self.journal()[-1].release != release.id:
                make_current(self.root, release.id, instant=instant)
            return release


def check_mode(release: Release, *, is_plain: bool) -> None:
    """Make sure that a release is what the settings speak of: the graph that is built from tables, or a plain dataset.

    Raises:
        SettingsError: it is of the other kind.
        ReleaseDamaged: it cannot be read.
    """
    if release.manifest.is_plain == is_plain:
        return
    root = release.path.parent
    if is_plain:
        raise SettingsError(
            f"{root} holds a graph that was built from tables: unset KG_DEFAULT_GRAPH and KG_SHAPES, or name another "
            "directory for the plain dataset with --releases DIR"
        )
    raise SettingsError(
        f"{root} holds a plain dataset: set KG_DEFAULT_GRAPH=own and KG_SHAPES=none, or name another directory with "
        "--releases DIR"
    )


def find_complete(root: Path) -> Release | None:
    """The release that was published last of those that are still there and have dumps and descriptions."""
    journal = load_journal(root / JOURNAL_NAME)
    newest = sorted(_list_published(root, journal), key=lambda name: journal.find_places(name)[-1], reverse=True)
    return next((each for each in (_as_release(root / name) for name in newest) if each.is_complete), None)


def _list_published(root: Path, journal: Journal) -> list[str]:
    return [name for name in list_directories(root) if journal.find_places(name)]


def _is_same(release: Release, *, digest: str, open_licences: Collection[str] | None, catalog: CatalogSettings) -> bool:
    # The digest covers the named graphs; which of them make up the default graph, and who publishes, are settings.
    if release.find_damage() is not None:
        return False
    manifest = release.manifest
    return (
        manifest.digest == digest
        and manifest.open_licences == (None if open_licences is None else tuple(sorted(open_licences)))
        and manifest.extra.get("catalog") == asdict(catalog)
    )


def _as_release(path: Path) -> Release:
    found = RELEASE_ID.fullmatch(path.name)
    if not found:
        raise ReleaseDamaged(f"{path}: {path.name!r} is no release id")
    return Release(path.name, int(found[1]), path)
