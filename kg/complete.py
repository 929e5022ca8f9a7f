"""Complete: dumps, descriptions and the list of things of a release that a write made, while it is served already."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from kg.changes import iter_dump_lines
from kg.derive import Sources, derive_files
from kg.durable import sync_directory, sync_tree
from kg.errors import ReleaseError
from kg.feed.steps import take_in
from kg.lock import lock_releases
from kg.manifest import PENDING_NAME
from kg.rdfio import load_prefixes
from kg.release import Release, Releases, find_complete
from kg.settings import KgSettings
from kg.store import find_open_graphs, iter_merged_lines

__all__ = ["complete_current"]

_WORKSPACE: Final = ".completing-"


def complete_current(settings: KgSettings) -> Release | None:
    """The current release, once it has all of its files; None where it had them, or nothing is published.

    The files are made beside the others, without the lock, since that takes longest; readers see them once all are
    there. Releases between the last complete one and this stay without.

    Raises:
        ReleaseError: the release was removed meanwhile, or a file cannot be written.
    """
    releases = Releases(settings.releases_dir)
    release = releases.current()
    if release is None or not release.is_awaited:
        return None
    try:
        with tempfile.TemporaryDirectory(prefix=_WORKSPACE, dir=release.path) as name:
            made = Path(name) / "files"
            made.mkdir()
            _derive(release, made, Path(name), settings)
            sync_tree(made)
            with lock_releases(releases.root):
                if not release.is_complete:
                    _put_in_place(release, made)
                take_in(releases.root, releases.journal())
    except OSError as error:
        raise ReleaseError(f"{release.path}: dumps and descriptions could not be made: {error}") from error
    return release


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


def _put_in_place(release: Release, made: Path) -> None:
    """Move the files to where readers look for them; a crash in between is made up for by the next attempt."""
    for path in made.iterdir():
        target = release.path / path.name
        if target.is_dir():
            shutil.rmtree(target)
        path.replace(target)
    sync_directory(release.path)
    (release.path / PENDING_NAME).unlink()
    sync_directory(release.path)
