"""Whether a release is what its manifest says: content against digest, store against content, files against lists."""

from __future__ import annotations

import gzip
import io
import shutil
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from kg.catalog.index import load_catalog_index
from kg.changes import iter_dump_lines, split_line
from kg.checksums import CHECKSUMS_NAME, Digests, examine_files, load_checksums
from kg.dumps.index import DUMPS_NAME, load_dumps
from kg.entities import ENTITIES_NAME, iter_entities
from kg.errors import KgError, ReleaseDamaged, ReleaseError
from kg.feed.log import Feed, PageLength, load_feed
from kg.feed.members import iter_members
from kg.journal import JournalEntry
from kg.probe import Size, StoreSize, count_store, measure_store
from kg.release import Release
from kg.scratch import make_scratch

__all__ = ["examine_feed", "examine_release"]

_PIECE: Final = 1 << 20
_MAX_LINE_BYTES: Final = 64 << 20
# A page is closed at 4 MiB, whatever its last member holds.
_MAX_PAGE_BYTES: Final = 256 << 20


def examine_release(release: Release, *, quick: bool = False, digests: Digests | None = None) -> Iterator[str]:
    """What is wrong with a release, a sentence each; nothing when all is as it should be.

    Args:
        release: one that is in its directory, damaged or not.
        quick: look at counts, sizes, lists and small files only; the digest of nothing large is computed.
        digests: what was read already, of releases that share files with this one.
    """
    digests = digests or Digests()
    try:
        release.check()
    except ReleaseDamaged as error:
        yield str(error)
        return
    manifest = release.manifest
    if manifest.sequence != release.sequence or not release.id.endswith(f"-{manifest.digest[:8]}"):
        yield f"{release.path}: its manifest has another number or digest than its name"
    checks = [
        _examine_checksums(release, digests, is_quick=quick),
        _examine_store(release) if quick else _examine_content(release),
        _examine_report(release),
    ]
    if release.is_complete:
        checks.append(_examine_derived(release, digests, quick=quick))
    for check in checks:
        try:
            yield from check
        except (KgError, OSError) as error:
            yield str(error)


def _examine_checksums(release: Release, digests: Digests, *, is_quick: bool) -> Iterator[str]:
    """The files against their list; the store as far as that cannot say it."""
    sums = load_checksums(release.path)
    if sums is not None:
        yield from examine_files(
            release.path, sums, digests, is_quick=is_quick, is_complete=release.is_complete or release.manifest.is_plain
        )
    elif release.manifest.has_checksums:
        yield f"{release.path / CHECKSUMS_NAME}: the list of checksums is gone"


def _examine_store(release: Release) -> Iterator[str]:
    counts = release.manifest.counts
    if (found := count_store(release.store_path)) != (expected := counts.quads + counts.triples):
        yield f"{release.store_path}: holds {found:,} statements, and its manifest says {expected:,}"


def _examine_content(release: Release) -> Iterator[str]:
    """The content against the manifest, and the named and the default graph of the store against the content."""
    from kg.store import find_open_graphs, iter_merged_lines  # noqa: PLC0415 - only who examines loads the engine

    size = _demand_lines(release.content_path)
    manifest = release.manifest
    graphs: Counter[bytes] = Counter()
    with make_scratch("examine") as scratch:
        if size > (free := shutil.disk_usage(scratch).free):
            raise ReleaseError(
                f"{release.content_path}: unpacked it has {size:,} bytes, and {free:,} are free to examine them: "
                "name a directory with more room in TMPDIR"
            )
        nquads_path = scratch / "named.nq"
        with nquads_path.open("wb") as output:
            output.writelines(iter_dump_lines(release.content_path))
        with nquads_path.open("rb") as lines:
            content = Size.of(_iter_noted(lines, graphs))
        # In a plain dataset these are statements of the default graph; elsewhere it is the merge of others.
        own = graphs.pop(b"", 0)
        if content.digest != manifest.digest:
            yield f"{release.content_path}: its digest is {content.digest}, and its manifest says {manifest.digest}"
            return
        merged = Size.of(())
        if not manifest.is_plain:
            open_graphs = find_open_graphs(nquads_path, open_licences=manifest.open_licences or ())
            with nquads_path.open("rb") as lines:
                merged = Size.of(iter_merged_lines(lines, open_graphs=open_graphs))
    found = (content.lines - own, len(graphs), merged.lines + own)
    expected = (manifest.counts.quads, manifest.counts.graphs, manifest.counts.triples)
    if found != expected:
        yield (
            f"{release.path}: its manifest says {expected[0]:,} quads in {expected[1]:,} graphs and {expected[2]:,} "
            f"triples in the default graph, and there are {found[0]:,}, {found[1]:,} and {found[2]:,}"
        )
    if measure_store(release.store_path, is_merged=not manifest.is_plain) != StoreSize(content, merged):
        yield f"{release.store_path}: does not hold what the content of the release says"


def _iter_noted(lines: Iterable[bytes], graphs: Counter[bytes]) -> Iterator[bytes]:
    for line in lines:
        graphs[split_line(line)[1]] += 1
        yield line


def _examine_report(release: Release) -> Iterator[str]:
    """The SHACL report and the differences: whether they are there, and can be read."""
    if not release.report_path.is_file():
        yield f"{release.report_path}: the SHACL report is gone"
    if release.manifest.has_changes:
        _demand_lines(release.changes_path)


def _examine_derived(release: Release, digests: Digests, *, quick: bool) -> Iterator[str]:
    """The list of things, that of the catalogue, and the dumps with their checksums."""
    _demand_lines(release.path / ENTITIES_NAME)
    for _ in iter_entities(release.path / ENTITIES_NAME):
        pass
    load_catalog_index(release.path)
    for dump in load_dumps(release.path).values():
        names = {each.name for each in dump.files}
        for file in dump.files:
            path = release.path / DUMPS_NAME / dump.dataset / file.name
            if not path.is_file():
                # What has a compressed twin need not be stored beside it.
                if f"{file.name}.gz" not in names:
                    yield f"{path}: is gone"
            elif path.stat().st_size != file.size:
                yield f"{path}: has {path.stat().st_size:,} bytes, and the list of dumps says {file.size:,}"
            elif not quick and digests.measure(path).sha256 != file.sha256:
                yield f"{path}: has another SHA-256 than the list of dumps says"


def examine_feed(root: Path, journal: Sequence[JournalEntry]) -> Iterator[str]:
    """What is wrong with the feed of a releases directory, as far as the journal goes; nothing where there is none."""
    try:
        feed = load_feed(root)
        if not feed.steps:
            return
        yield from _examine_steps(feed, journal)
        for page in feed.pages.values():
            yield from _examine_page(feed.page_path(page.length.number), page.length)
        if feed.seen:
            _demand_lines(feed.entities_path(feed.seen))
            for _ in iter_entities(feed.entities_path(feed.seen)):
                pass
    except ReleaseDamaged as error:
        yield str(error)


def _examine_steps(feed: Feed, journal: Sequence[JournalEntry]) -> Iterator[str]:
    assert feed.last is not None
    if feed.steps > len(journal) or journal[feed.steps - 1].release != feed.last.release:
        yield f"{feed.log_path}: knows publications that the journal does not"
    if sorted(feed.pages) != list(range(1, len(feed.pages) + 1)):
        yield f"{feed.log_path}: a page is missing in it"


def _examine_page(path: Path, length: PageLength) -> Iterator[str]:
    if length.stored_bytes > _MAX_PAGE_BYTES:
        raise ReleaseDamaged(f"{path}: a page of {length.stored_bytes:,} bytes is none of ours")
    plain_bytes = _demand_lines(path, length=length.stored_bytes, most_bytes=_MAX_PAGE_BYTES)
    with path.open("rb") as file, gzip.open(io.BytesIO(file.read(length.stored_bytes))) as lines:
        members = sum(1 for _ in iter_members(lines))
    if (plain_bytes, members) != (length.plain_bytes, length.members):
        yield f"{path}: the page is not as long as the log of the feed says"


def _demand_lines(path: Path, *, length: int | None = None, most_bytes: int | None = None) -> int:
    """How many bytes a compressed file, or its first ``length`` bytes, come to; reading it line by line is safe then.

    Raises:
        ReleaseDamaged: it is gone, cut short, no gzip, or has a line that would fill the memory, or is larger than
            ``most_bytes``.
    """
    size = run = 0
    try:
        with path.open("rb") as file, gzip.open(file if length is None else io.BytesIO(file.read(length))) as plain:
            while piece := plain.read(_PIECE):
                size += len(piece)
                if most_bytes is not None and size > most_bytes:
                    raise ReleaseDamaged(f"{path}: it unpacks to more than {most_bytes:,} bytes")
                end = piece.rfind(b"\n")
                run = run + len(piece) if end < 0 else len(piece) - end - 1
                if run > _MAX_LINE_BYTES:
                    raise ReleaseDamaged(f"{path}: it has a line of more than {_MAX_LINE_BYTES:,} bytes")
    except (OSError, EOFError, zlib.error) as error:
        raise ReleaseDamaged(f"{path}: it cannot be read ({error})") from error
    return size
