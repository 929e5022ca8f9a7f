"""Write the dumps of a release: for each dataset its syntaxes, its tables and what explains them.

Each file is made from sorted lines in one pass, so memory does not grow with the release; compression runs in threads
beside the making of the next file. A dataset whose digest is that of the release before keeps that release's files,
byte for byte, since the addresses of dumps hold the digest and what they answer never changes (decision 0012).
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyoxigraph as ox

from kg.dumps.columns import Table, make_tables
from kg.dumps.datasets import SHAPES_GRAPH, Dataset, find_datasets, iter_rows
from kg.dumps.documents import write_dictionary, write_metadata
from kg.dumps.entities import RDF_TYPE, iter_entities
from kg.dumps.index import CHECKSUMS_NAME, DUMPS_NAME, Dump, DumpFile, load_dumps, write_index
from kg.dumps.pack import describe_file, pack_file
from kg.dumps.profile import Labels, profile_entities
from kg.dumps.statements import STATEMENTS_NAME, write_statements
from kg.dumps.syntaxes import SYNTAXES, write_syntax
from kg.dumps.tables import write_tables
from kg.errors import ReleaseDamaged
from kg.rdfio import iter_sorted_lines, load_graph
from kg.store import iter_merged_lines, open_read_only
from kg.terms import mint_graph

if TYPE_CHECKING:
    from kg.derive import Sources

__all__ = ["write_dumps"]

# Part of every digest: raise it when the files of the same content change, and so their addresses.
_LAYOUT: Final = 1
_WORKERS: Final = 2
_PENDING: Final = 4
_CSV: Final = "text/csv"
_TYPE: Final = f"<{RDF_TYPE}>".encode()
_INFERRED: Final = f" <{mint_graph('inferred')}> .\n".encode()


def write_dumps(directory: Path, sources: Sources) -> None:
    """Write the dumps of every dataset, and their list, below the directory of a release.

    Raises:
        RdfError: data/dataset.ttl has a pattern that is no regular expression, or a shape cannot be read.
        OSError: a file cannot be written.
    """
    store = open_read_only(sources.store_path)
    surroundings = _read_surroundings(store, sources)
    dumps_path = directory / DUMPS_NAME
    dumps_path.mkdir(exist_ok=True)
    dumps = [
        _write_dataset(dataset, dumps_path / dataset.name, surroundings)
        for dataset in find_datasets(store, open_graphs=sources.open_graphs)
    ]
    write_index(dumps, dumps_path)


@dataclass(frozen=True, kw_only=True)
class _Surroundings:
    """What the files of a dataset need beside its own lines."""

    sources: Sources
    previous: Mapping[str, Dump]
    concepts: Labels
    terms: Labels
    definitions: Labels
    graph_sources: Mapping[str, list[str]]


@dataclass(kw_only=True)
class _Lines:
    """The lines of a dataset on disk: all quads, and their merge; and what was seen while they were written."""

    nquads_path: Path
    merged_path: Path
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    quads: int = 0
    classes: set[str] = field(default_factory=set)

    def iter_seen(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The lines, counted and digested; the classes that they state are noted."""
        for line in lines:
            self.quads += 1
            self.digest.update(line)
            _, predicate, rest = line.split(b" ", 2)
            # What is only inferred gets no table: it would repeat that of the narrower class.
            if predicate == _TYPE and not line.endswith(_INFERRED):
                self.classes.add(rest[1 : rest.index(b">")].decode())
            yield line


def _read_surroundings(store: ox.Store, sources: Sources) -> _Surroundings:
    concepts: dict[str, dict[str, str]] = {}
    for row in iter_rows(store, "concepts"):
        concepts.setdefault(row["term"], {})[row.get("label_lang", "")] = row["label"]
    terms: dict[str, dict[str, str]] = {}
    definitions: dict[str, dict[str, str]] = {}
    for row in iter_rows(store, "terms"):
        language = row.get("label_lang", "")
        terms.setdefault(row["term"], {})[language] = row["label"]
        if "comment" in row:
            definitions.setdefault(row["term"], {})[language] = row["comment"]
    graph_sources: dict[str, list[str]] = {}
    for row in iter_rows(store, "sources"):
        graph_sources.setdefault(row["graph"], []).append(row["source"])
    return _Surroundings(
        sources=sources,
        previous=_load_previous(sources.parent),
        concepts=concepts,
        terms=terms,
        definitions=definitions,
        graph_sources=graph_sources,
    )


def _load_previous(parent: Path | None) -> Mapping[str, Dump]:
    if parent is None:
        return {}
    try:
        return load_dumps(parent)
    except ReleaseDamaged:
        # A damaged parent never stands in the way of a new release: its dumps are made anew.
        return {}


def _write_dataset(dataset: Dataset, directory: Path, around: _Surroundings) -> Dump:
    """Make the files of one dataset, unless the release before has them."""
    directory.mkdir()
    with tempfile.TemporaryDirectory(prefix="dump-", dir=around.sources.nquads_path.parent) as name:
        scratch = Path(name)
        shapes = _load_shapes(around.sources.settings.shapes_dir) if SHAPES_GRAPH in dataset.graphs else []
        if dataset.licence is None and shapes:
            dataset = replace(dataset, licence=_find_licence(shapes))
        lines = _write_lines(scratch, dataset, shapes, around.sources.nquads_path)
        profiles, used = profile_entities(
            iter_entities(lines.merged_path), classes=lines.classes, labels=around.concepts
        )
        tables = make_tables(profiles, prefixes=around.sources.prefixes)
        concepts = {each: around.concepts[each] for each in sorted(used)}
        digest = _digest(dataset, lines, tables, concepts, around)
        previous = around.previous.get(dataset.name)
        same = previous if previous is not None and previous.digest == digest else None
        if same is not None and _take_over(same, directory, around.sources):
            return same
        files = _make_files(directory, dataset, lines, tables, concepts, around)
    return Dump(
        dataset=dataset.name,
        digest=digest,
        first_published=around.sources.instant if same is None else same.first_published,
        first_release=around.sources.release_id if same is None else same.first_release,
        quads=lines.quads,
        licence=dataset.licence,
        graphs=dataset.graphs,
        files=files,
    )


def _load_shapes(shapes_dir: Path) -> list[ox.Quad]:
    """The shapes by which data is judged, as quads; not those in folders below, by which shapes are."""
    return [quad for path in sorted(shapes_dir.glob("*.ttl")) for quad in load_graph(path, graph_iri=SHAPES_GRAPH)]


def _find_licence(quads: Iterable[ox.Quad]) -> str | None:
    licence = ox.NamedNode("http://purl.org/dc/terms/license")
    found = {quad.object.value for quad in quads if quad.predicate == licence and isinstance(quad.object, ox.NamedNode)}
    return found.pop() if len(found) == 1 else None


def _write_lines(scratch: Path, dataset: Dataset, shapes: Iterable[ox.Quad], nquads_path: Path) -> _Lines:
    lines = _Lines(nquads_path=scratch / f"{dataset.name}.nq", merged_path=scratch / f"{dataset.name}.nt")
    wanted = {graph.encode() for graph in dataset.graphs}
    with nquads_path.open("rb") as source, lines.nquads_path.open("wb") as output:
        own = (line for line in source if line[line.rindex(b" <") + 2 : -4] in wanted)
        output.writelines(lines.iter_seen(heapq.merge(own, iter_sorted_lines(shapes))))
    with lines.nquads_path.open("rb") as source, lines.merged_path.open("wb") as output:
        output.writelines(iter_merged_lines(source, open_graphs=dataset.graphs))
    return lines


def _digest(dataset: Dataset, lines: _Lines, tables: Collection[Table], concepts: Labels, around: _Surroundings) -> str:
    """The digest of all that the files are made from."""
    terms = {each.class_iri for each in tables} | {
        column.key.property_iri for each in tables for column in each.columns
    }
    beside = {
        "layout": _LAYOUT,
        "dataset": dataset.name,
        "licence": dataset.licence,
        "prefixes": dict(around.sources.prefixes),
        "concepts": concepts,
        "terms": {each: [around.terms[each], around.definitions.get(each)] for each in terms & around.terms.keys()},
        "sources": {each: around.graph_sources[each] for each in dataset.graphs if each in around.graph_sources},
    }
    digest = lines.digest.copy()
    digest.update(json.dumps(beside, sort_keys=True).encode())
    return digest.hexdigest()


def _take_over(previous: Dump, directory: Path, sources: Sources) -> bool:
    """Whether the files of the release before are this one's too now; not when one of them is gone."""
    if sources.parent is None:
        return False
    stored = [sources.parent / DUMPS_NAME / previous.dataset / name for name in _stored_names(previous)]
    if not all(path.is_file() for path in stored):
        return False
    for path in stored:
        os.link(path, directory / path.name)
    return True


def _stored_names(dump: Dump) -> Iterator[str]:
    """The files of a dump that are on disk: what has compressed twins is not stored beside them."""
    names = {each.name for each in dump.files}
    return (name for name in sorted(names) if f"{name}.gz" not in names)


def _make_files(  # noqa: PLR0913, PLR0917 - each is a separate thing that files are made from
    directory: Path,
    dataset: Dataset,
    lines: _Lines,
    tables: Collection[Table],
    concepts: Labels,
    around: _Surroundings,
) -> tuple[DumpFile, ...]:
    scratch = lines.nquads_path.parent
    with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        packing = _Packing(pool, directory, kept=(lines.nquads_path, lines.merged_path))
        for syntax in SYNTAXES:
            path = scratch / f"{dataset.name}.{syntax.suffix}"
            if not path.exists():
                lines_path = lines.nquads_path if syntax.has_graphs else lines.merged_path
                write_syntax(syntax, path, lines_path=lines_path, prefixes=around.sources.prefixes)
            packing.add(path, media_type=syntax.media_type)
        write_tables(iter_entities(lines.merged_path), list(tables), scratch, labels=concepts)
        for table in tables:
            packing.add(scratch / table.file_name, media_type=_CSV, class_iri=table.class_iri)
        statements_path = scratch / STATEMENTS_NAME
        write_statements(statements_path, nquads_path=lines.nquads_path, sources=around.graph_sources)
        packing.add(statements_path, media_type=_CSV)
        metadata_path = write_metadata(directory, dataset, list(tables), labels=around.terms)
        pages = write_dictionary(directory, dataset, list(tables), labels=around.terms, definitions=around.definitions)
        files = [
            *packing.finish(),
            describe_file(metadata_path, media_type="application/csvm+json"),
            *(describe_file(path, media_type="text/html") for path in pages),
        ]
    checksums_path = directory / CHECKSUMS_NAME
    checksums_path.write_text("".join(f"{each.sha256}  {each.name}\n" for each in files), encoding="utf-8")
    return (*files, describe_file(checksums_path, media_type="text/plain"))


class _Packing:
    """Files on their way into the directory, in threads; scratch files go when they are packed."""

    def __init__(self, pool: ThreadPoolExecutor, directory: Path, *, kept: Collection[Path]) -> None:
        self._pool = pool
        self._directory = directory
        self._kept = kept
        self._futures: list[Future[tuple[DumpFile, ...]]] = []

    def add(self, path: Path, *, media_type: str, class_iri: str | None = None) -> None:
        """Pack one more file, once few enough are waiting: what waits takes room on disk."""
        if len(self._futures) >= _PENDING:
            self._futures[-_PENDING].result()
        self._futures.append(self._pool.submit(self._pack, path, media_type, class_iri))

    def finish(self) -> list[DumpFile]:
        """All files, in the order in which they were added."""
        return [file for future in self._futures for file in future.result()]

    def _pack(self, path: Path, media_type: str, class_iri: str | None) -> tuple[DumpFile, ...]:
        files = pack_file(path, self._directory, media_type=media_type, class_iri=class_iri)
        if path not in self._kept:
            path.unlink()
        return files
