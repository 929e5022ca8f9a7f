"""The files of one release, made from its sorted N-Quads: store, default graph, dumps, changes, manifest.

Everything here is a function of the lines, the parent and the arguments; compressed files carry no time.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final, cast

import pyoxigraph as ox

from kg.changes import iter_changes, iter_dump_lines, write_patch
from kg.checksums import write_checksums
from kg.content import write_content
from kg.derive import Sources, derive_files, list_dump_checksums
from kg.errors import ReleaseDamaged
from kg.graphs import GraphDigests, GraphState, write_graphs
from kg.journal import format_instant
from kg.manifest import (
    CHANGES_NAME,
    CONTENT_NAME,
    MANIFEST_NAME,
    PENDING_NAME,
    REPORT_NAME,
    STORE_NAME,
    Counts,
    Manifest,
    write_manifest,
)
from kg.settings import KgSettings
from kg.store import find_open_graphs, iter_merged_lines, load_store

__all__ = ["ReleaseInputs", "assemble_release", "open_gzip"]

_TYPE: Final = b"<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"


@dataclass(frozen=True, kw_only=True)
class ReleaseInputs:
    """What a release is made of, besides its quads.

    ``described_path`` is the directory of the last release before it that has dumps and descriptions; ``open_licences``
    is None for a plain dataset, which has neither.
    """

    id: str
    sequence: int
    digest: str
    parent: str | None
    parent_path: Path | None
    described_path: Path | None
    instant: datetime
    open_licences: Collection[str] | None
    prefixes: Mapping[str, str]
    report_turtle: bytes
    extra: Mapping[str, object]
    settings: KgSettings


def assemble_release(directory: Path, nquads_path: Path, *, inputs: ReleaseInputs) -> Manifest:
    """The manifest, after making every file of a release in a directory that does not exist yet.

    Args:
        directory: where the files go; the caller renames it into place.
        nquads_path: the quads of the named graphs as sorted canonical N-Quads; its directory takes scratch files.
        inputs: the rest.

    Raises:
        LicenceUnknown: a graph has no licence.
        ReleaseError: a file cannot be written.
    """
    open_graphs = find_open_graphs(nquads_path, open_licences=inputs.open_licences or ())
    merged_path = nquads_path.with_name("default.nt")
    directory.mkdir()
    counts, graphs = _write_merged(nquads_path, merged_path, open_graphs=open_graphs)
    write_graphs(graphs, directory)
    # The engine and zlib both release the interpreter's lock, so the content costs little while the store loads.
    with ThreadPoolExecutor(max_workers=1) as pool:
        loading = pool.submit(load_store, directory / STORE_NAME, nquads_path=nquads_path, merged_path=merged_path)
        with nquads_path.open("rb") as lines, (directory / CONTENT_NAME).open("wb") as output:
            write_content(lines, output)
        has_changes = _write_changes(directory / CHANGES_NAME, nquads_path, inputs=inputs)
        loading.result()
    sources = Sources(
        release_id=inputs.id,
        digest=inputs.digest,
        nquads_path=nquads_path,
        merged_path=merged_path,
        store_path=directory / STORE_NAME,
        open_graphs=open_graphs,
        prefixes=inputs.prefixes,
        parent=inputs.described_path,
        instant=format_instant(inputs.instant),
        settings=inputs.settings,
    )
    if inputs.open_licences is None:
        (directory / PENDING_NAME).touch()
    else:
        derive_files(directory, sources)
    (directory / REPORT_NAME).write_bytes(inputs.report_turtle)
    manifest = Manifest(
        id=inputs.id,
        sequence=inputs.sequence,
        parent=inputs.parent,
        digest=inputs.digest,
        counts=counts,
        open_licences=None if inputs.open_licences is None else tuple(sorted(inputs.open_licences)),
        versions={"chap-kg": version("chap-kg"), "pyoxigraph": ox.__version__},
        has_changes=has_changes,
        extra={**inputs.extra, "catalog": asdict(inputs.settings.catalog)},
    )
    write_manifest(manifest, directory / MANIFEST_NAME)
    write_checksums(directory, known=list_dump_checksums(directory))
    return manifest


def _write_changes(path: Path, nquads_path: Path, *, inputs: ReleaseInputs) -> bool:
    """Whether there is a file of changes now; without the content of the parent there can be none."""
    try:
        with nquads_path.open("rb") as after, open_gzip(path) as output:
            before = iter_dump_lines(inputs.parent_path / CONTENT_NAME) if inputs.parent_path else iter(())
            write_patch(iter_changes(before, after), output, release=inputs.id, parent=inputs.parent)
    except ReleaseDamaged:
        path.unlink()
        return False
    return True


def _write_merged(
    nquads_path: Path, merged_path: Path, *, open_graphs: Collection[str]
) -> tuple[Counts, dict[str, GraphState]]:
    quads = triples = 0
    digests = GraphDigests()
    classes: Counter[str] = Counter()
    properties: Counter[bytes] = Counter()

    def iter_counted(lines: IO[bytes]) -> Iterator[bytes]:
        nonlocal quads
        for line in lines:
            quads += 1
            digests.add(line)
            yield line

    with nquads_path.open("rb") as lines, merged_path.open("wb") as output:
        for triple in iter_merged_lines(iter_counted(lines), open_graphs=open_graphs):
            triples += 1
            _, predicate, rest = triple.split(b" ", 2)
            properties[predicate] += 1
            if predicate == _TYPE:
                classes[rest[1 : rest.index(b">")].decode()] += 1
            output.write(triple)
    graphs = digests.states()
    counts = Counts(
        quads=quads,
        graphs=len(graphs),
        triples=triples,
        classes=dict(sorted(classes.items())),
        properties={name[1:-1].decode(): properties[name] for name in sorted(properties)},
    )
    return counts, graphs


@contextmanager
def open_gzip(path: Path) -> Iterator[IO[bytes]]:
    """A new compressed file; no time and no name is in it, so that equal content is equal bytes."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as file,
    ):
        yield cast(IO[bytes], file)
