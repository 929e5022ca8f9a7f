"""Whether a release is what its manifest says: content against digest, store against content, files against lists."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from kg.catalog.index import load_catalog_index
from kg.changes import iter_dump_lines, split_line
from kg.dumps.index import DUMPS_NAME, load_dumps
from kg.entities import ENTITIES_NAME, iter_entities
from kg.errors import KgError, ReleaseDamaged
from kg.feed.log import Feed, PageLength, load_feed
from kg.feed.members import iter_members
from kg.journal import JournalEntry
from kg.manifest import PENDING_NAME
from kg.release import Release
from kg.scratch import make_scratch

__all__ = ["examine_feed", "examine_release"]

_PIECE: Final = 1 << 20
_MAX_LINE_BYTES: Final = 64 << 20


def examine_release(release: Release, *, quick: bool = False) -> Iterator[str]:
    """What is wrong with a release, a sentence each; nothing when all is as it should be.

    Args:
        release: one that is in its directory, damaged or not.
        quick: look at counts, sizes and lists only; no digest is computed.
    """
    try:
        release.check()
    except ReleaseDamaged as error:
        yield str(error)
        return
    manifest = release.manifest
    if manifest.sequence != release.sequence or not release.id.endswith(f"-{manifest.digest[:8]}"):
        yield f"{release.path}: its manifest has another number or digest than its name"
    checks = [_examine_store(release) if quick else _examine_content(release), _examine_report(release)]
    if not (release.path / PENDING_NAME).exists():
        checks.append(_examine_derived(release, quick=quick))
    for check in checks:
        try:
            yield from check
        except (KgError, OSError) as error:
            yield str(error)


def _examine_store(release: Release) -> Iterator[str]:
    from kg.store import open_read_only  # noqa: PLC0415 - only who examines loads the engine

    counts = release.manifest.counts
    if (found := len(open_read_only(release.store_path))) != (expected := counts.quads + counts.triples):
        yield f"{release.store_path}: holds {found:,} statements, and its manifest says {expected:,}"


@dataclass(frozen=True)
class _Size:
    """Sorted lines: how many, and the SHA-256 of them."""

    lines: int
    digest: str


def _examine_content(release: Release) -> Iterator[str]:
    """The content against the manifest, and the named and the default graph of the store against the content."""
    from kg.store import find_open_graphs, iter_merged_lines  # noqa: PLC0415 - as above

    _demand_lines(release.content_path)
    manifest = release.manifest
    graphs: Counter[bytes] = Counter()
    with make_scratch("examine") as scratch:
        nquads_path = scratch / "named.nq"
        with nquads_path.open("wb") as output:
            output.writelines(iter_dump_lines(release.content_path))
        with nquads_path.open("rb") as lines:
            content = _measure(_iter_noted(lines, graphs))
        # In a plain dataset these are statements of the default graph; elsewhere it is the merge of others.
        own = graphs.pop(b"", 0)
        if content.digest != manifest.digest:
            yield f"{release.content_path}: its digest is {content.digest}, and its manifest says {manifest.digest}"
            return
        merged = _measure(())
        if not manifest.is_plain:
            open_graphs = find_open_graphs(nquads_path, open_licences=manifest.open_licences or ())
            with nquads_path.open("rb") as lines:
                merged = _measure(iter_merged_lines(lines, open_graphs=open_graphs))
    found = (content.lines - own, len(graphs), merged.lines + own)
    expected = (manifest.counts.quads, manifest.counts.graphs, manifest.counts.triples)
    if found != expected:
        yield (
            f"{release.path}: its manifest says {expected[0]:,} quads in {expected[1]:,} graphs and {expected[2]:,} "
            f"triples in the default graph, and there are {found[0]:,}, {found[1]:,} and {found[2]:,}"
        )
    if _measure_store(release) != (content, merged):
        yield f"{release.store_path}: does not hold what the content of the release says"


def _measure_store(release: Release) -> tuple[_Size, _Size]:
    """The size of what a store holds beside a merged default graph, and that of this, in one pass."""
    from pyoxigraph import DefaultGraph  # noqa: PLC0415 - as above

    from kg.rdfio import sort_lines  # noqa: PLC0415
    from kg.store import open_read_only  # noqa: PLC0415

    merged = None if release.manifest.is_plain else DefaultGraph()
    lines = sort_lines(
        f"d{each.triple} .\n".encode() if each.graph_name == merged else f"n{each} .\n".encode()
        for each in open_read_only(release.store_path)
    )
    sizes = {kind: _measure(line[1:] for line in group) for kind, group in groupby(lines, key=lambda line: line[:1])}
    return sizes.get(b"n", _measure(())), sizes.get(b"d", _measure(()))


def _measure(lines: Iterable[bytes]) -> _Size:
    digest = hashlib.sha256()
    number = 0
    for line in lines:
        digest.update(line)
        number += 1
    return _Size(number, digest.hexdigest())


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


def _examine_derived(release: Release, *, quick: bool) -> Iterator[str]:
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
            elif not quick:
                with path.open("rb") as content:
                    if hashlib.file_digest(content, "sha256").hexdigest() != file.sha256:
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
    plain_bytes = _demand_lines(path, length=length.stored_bytes)
    with path.open("rb") as file, gzip.open(io.BytesIO(file.read(length.stored_bytes))) as lines:
        members = sum(1 for _ in iter_members(lines))
    if (plain_bytes, members) != (length.plain_bytes, length.members):
        yield f"{path}: the page is not as long as the log of the feed says"


def _demand_lines(path: Path, *, length: int | None = None) -> int:
    """How many bytes a compressed file, or its first ``length`` bytes, come to; reading it line by line is safe then.

    Raises:
        ReleaseDamaged: it is gone, cut short, no gzip, or has a line that would fill the memory.
    """
    size = run = 0
    try:
        with path.open("rb") as file, gzip.open(file if length is None else io.BytesIO(file.read(length))) as plain:
            while piece := plain.read(_PIECE):
                size += len(piece)
                end = piece.rfind(b"\n")
                run = run + len(piece) if end < 0 else len(piece) - end - 1
                if run > _MAX_LINE_BYTES:
                    raise ReleaseDamaged(f"{path}: it has a line of more than {_MAX_LINE_BYTES:,} bytes")
    except (OSError, EOFError, zlib.error) as error:
        raise ReleaseDamaged(f"{path}: it cannot be read ({error})") from error
    return size
