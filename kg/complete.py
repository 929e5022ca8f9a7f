"""Complete: dumps, descriptions and the list of things of a release that a write made, while it is served already."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from kg.changes import iter_dump_lines
from kg.checksums import CHECKSUMS_NAME, load_checksums, write_checksums
from kg.commit import COMPLETING, recover
from kg.derive import Sources, derive_files, list_dump_checksums
from kg.durable import put_in_place, sync_directory, sync_tree, translate_disk_errors
from kg.feed.steps import take_in
from kg.lock import lock_completion, lock_releases
from kg.manifest import PENDING_NAME
from kg.rdfio import load_prefixes
from kg.release import Release, Releases, find_complete
from kg.settings import KgSettings
from kg.store import find_open_graphs, iter_merged_lines

__all__ = ["complete_current"]

# A build may hold the lock for long, and what was made meanwhile is worth the wait.
_WAIT_S: Final = 900.0


def complete_current(settings: KgSettings) -> Release | None:
    """The current release, once it has all of its files and the feed has taken it in; None where it had them.

    The files are made beside the releases, without the lock, since that takes longest; readers see them once all are
    there. Releases between the last complete one and this stay without, and the feed tells what they changed with the
    step of this one. What whoever tried before left behind is cleared up.

    Raises:
        DiskError: a file cannot be written, or the release was removed meanwhile.
        ReleaseDamaged: the release, the journal or the feed cannot be read.
        ReleaseError: another change goes on and on.
    """
    root = settings.releases_dir
    releases = Releases(root)
    with translate_disk_errors("what is made of the current release"), lock_completion(root):
        for path in root.glob(f"{COMPLETING}*"):
            shutil.rmtree(path)
        with lock_releases(root, wait_s=_WAIT_S):
            recover(root)
        release = releases.current()
        is_awaited = release is not None and release.is_awaited
        if release is not None and is_awaited:
            with tempfile.TemporaryDirectory(prefix=COMPLETING, dir=root, ignore_cleanup_errors=True) as name:
                made = Path(name) / "files"
                made.mkdir()
                _derive(release, made, Path(name), settings)
                _add_checksums(release, made)
                sync_tree(made)
                with lock_releases(root, wait_s=_WAIT_S):
                    if not release.is_complete:
                        _put_in_place(release, made)
        with lock_releases(root, wait_s=_WAIT_S):
            take_in(root, releases.journal())
    return release if is_awaited else None


def _derive(release: Release, made: Path, scratch: Path, settings: KgSettings) -> None:
    nquads_path, merged_path = scratch / "named.nq", scratch / "default.nt"
    with nquads_path.open("wb") as output:
        output.writelines(iter_dump_lines(release.content_path))
    open_graphs = find_open_graphs(nquads_path, open_licences=release.manifest.open_licences or ())
    with nquads_path.open("rb") as lines, merged_path.open("wb") as output:
        output.writelines(iter_merged_lines(lines, open_graphs=open_graphs))
    described = find_complete(settings.releases_dir)
    journal = Releases(settings.releases_dir).journal()
    sources = Sources(
        release_id=release.id,
        digest=release.digest,
        nquads_path=nquads_path,
        merged_path=merged_path,
        store_path=release.store_path,
        open_graphs=open_graphs,
        prefixes=load_prefixes(settings.ontology_dir / "prefixes.ttl"),
        parent=None if described is None else described.path,
        instant=journal[journal.find_places(release.id)[0]].instant,
        settings=settings,
    )
    derive_files(made, sources)


def _add_checksums(release: Release, made: Path) -> None:
    """Make the list of the release anew, with the files that were made; where there was none, none is begun."""
    if (sums := load_checksums(release.path)) is not None:
        write_checksums(made, known=list_dump_checksums(made), beside=sums)


def _put_in_place(release: Release, made: Path) -> None:
    """Move the files to where readers look for them; a crash in between is made up for by the next attempt."""
    listed = made / CHECKSUMS_NAME
    for path in made.iterdir():
        target = release.path / path.name
        if target.is_dir():
            shutil.rmtree(target)
        if path != listed:
            path.replace(target)
    sync_directory(release.path)
    if listed.exists():
        # It comes last, once what it names is on disk.
        put_in_place(listed, release.path / CHECKSUMS_NAME)
    (release.path / PENDING_NAME).unlink()
    sync_directory(release.path)
