"""A release put on another server, graph by graph, and only what is not there yet (decision 0026).

On the server, ``graph/default`` holds the default graph of the release, and ``graph/published`` says what is there: of
each graph that is complete its digest and size, and of itself the release, once all of it is there and was counted.
So whoever is interrupted goes on where it stopped, and whoever reads knows when to wait.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from kg.changes import iter_dump_lines, parse_graph
from kg.errors import RdfError, RemoteIncomplete
from kg.graph_store import GraphStore
from kg.queries import QUERIES, load_query
from kg.release import Release
from kg.scratch import make_scratch
from kg.store import find_open_graphs, iter_merged_lines
from kg.terms import DEFAULT_GRAPH, GRAPH, PUBLISHED_GRAPH

__all__ = ["PublishSummary", "publish_release"]

_PIECE_BYTES: Final = 4 * 1024 * 1024
_HELD_BYTES: Final = 64 * 1024 * 1024
# How often it is noted what is there already: what is not noted is sent again after an interruption.
_NOTE_S: Final = 1.0
# Servers that read from there look every second, and no query should see half of a change.
_NOTICE_S: Final = 2.5
_IDENTIFIER: Final = "http://purl.org/dc/terms/identifier"
_TRIPLES: Final = "http://rdfs.org/ns/void#triples"
_INTEGER: Final = "http://www.w3.org/2001/XMLSchema#integer"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_DATES: Final = frozenset(_XSD + each for each in ("gYear", "gYearMonth", "date", "dateTime"))
_DATE: Final = re.compile(r"(-?\d{4,})(?:-(\d\d))?(?:-(\d\d))?(T.*)?")
_SHOWN: Final = 5

Progress = Callable[[int, int, str], None]
"""Takes how many graphs are done, how many there are to do, and which is next."""


@dataclass(frozen=True, kw_only=True)
class PublishSummary:
    """What was done: graphs sent, left as they were, deleted; triples; and what the server could not keep apart."""

    sent: int
    unchanged: int
    deleted: int
    triples: int
    merged: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One graph as a file of sorted N-Triples lines."""

    graph: str
    path: Path
    digest: str
    triples: int

    def note(self) -> bytes:
        """The lines of ``graph/published`` that say that the graph is there."""
        return (
            f'<{self.graph}> <{_IDENTIFIER}> "{self.digest}" .\n'
            f'<{self.graph}> <{_TRIPLES}> "{self.triples}"^^<{_INTEGER}> .\n'
        ).encode()


def publish_release(
    release: Release, store: GraphStore, *, progress: Progress, note_s: float = _NOTE_S
) -> PublishSummary:
    """What was done to bring a release to another server; nothing when it is there already.

    Args:
        release: what to bring there.
        store: the server.
        progress: told before each graph, and at the end.
        note_s: seconds after which it is noted there what is complete; what is not noted yet is sent again after an
            interruption.

    Raises:
        RdfError: the release is a plain dataset, or a graph of it has a name outside of ours, or one of those that say
            what was published.
        ReleaseDamaged: the content of the release cannot be read.
        RemoteRefused, RemoteUnavailable: the server does not take it; a next attempt sends what is missing.
        RemoteIncomplete: it holds less than it was sent.
    """
    if release.manifest.is_plain:
        raise RdfError(
            f"{release.id} is a state of a plain dataset, and such are not published elsewhere: "
            "another server takes it graph by graph, as /graph-store gives it"
        )
    with make_scratch("publish") as scratch:
        parts = {each.graph: each for each in _split(release, scratch)}
        there = {row["graph"]: row["digest"] for row in store.select(_read("published"))}
        is_whole = there.pop(PUBLISHED_GRAPH, None) is not None
        done = [each for each in parts.values() if there.get(each.graph) == each.digest]
        missing = [each for each in parts.values() if there.get(each.graph) != each.digest]
        gone = sorted(there.keys() - parts.keys())
        if missing or gone or not is_whole:
            _note(store, done)
            if is_whole:
                time.sleep(_NOTICE_S)
            for graph in gone:
                store.delete(graph)
            _send_all(store, missing, progress, note_s)
        merged = _verify(store, parts)
        whole = f'<{PUBLISHED_GRAPH}> <{_IDENTIFIER}> "{release.id}" .\n'.encode()
        store.put(PUBLISHED_GRAPH, whole + b"".join(each.note() for each in parts.values()))
    return PublishSummary(
        sent=len(missing),
        unchanged=len(done),
        deleted=len(gone),
        triples=sum(each.triples for each in missing),
        merged=tuple(merged),
    )


def _note(store: GraphStore, parts: Collection[_Part]) -> None:
    """Say that these graphs are there, and that no release is whole."""
    if parts:
        store.put(PUBLISHED_GRAPH, b"".join(each.note() for each in parts))
    else:
        # Not every server takes an empty graph.
        store.delete(PUBLISHED_GRAPH)


def _split(release: Release, directory: Path) -> Iterator[_Part]:
    """The named graphs and the default graph of a release, each in a file of its own."""
    quads = directory / "named.nq"
    files = _GraphFiles(directory)
    with quads.open("wb") as output:
        for line in iter_dump_lines(release.content_path):
            output.write(line)
            files.write(parse_graph(line), line[: line.rindex(b" <")] + b" .\n")
    open_graphs = find_open_graphs(quads, open_licences=release.manifest.open_licences or ())
    if wrong := [
        each for each in files.graphs if not each.startswith(GRAPH) or each in (DEFAULT_GRAPH, PUBLISHED_GRAPH)
    ]:
        raise RdfError(
            f"not published: {', '.join(wrong[:_SHOWN])}; names of graphs begin with {GRAPH}, and "
            f"{DEFAULT_GRAPH} and {PUBLISHED_GRAPH} are taken"
        )
    with quads.open("rb") as lines:
        for line in iter_merged_lines(lines, open_graphs=open_graphs):
            files.write(DEFAULT_GRAPH, line)
    yield from files.close()


class _GraphFiles:
    """Lines sorted out into a file a graph, with little memory and few open files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: defaultdict[str, list[bytes]] = defaultdict(list)
        self._held_bytes = 0
        self._digests: defaultdict[str, hashlib._Hash] = defaultdict(hashlib.sha256)
        self.graphs: dict[str, int] = {}

    def write(self, graph: str, line: bytes) -> None:
        self._held[graph].append(line)
        self._held_bytes += len(line)
        if self._held_bytes > _HELD_BYTES:
            self._flush()

    def close(self) -> Iterator[_Part]:
        self._flush()
        for graph, triples in sorted(self.graphs.items()):
            yield _Part(graph=graph, path=self._path(graph), digest=self._digests[graph].hexdigest(), triples=triples)

    def _flush(self) -> None:
        for graph, lines in self._held.items():
            self.graphs[graph] = self.graphs.get(graph, 0) + len(lines)
            data = b"".join(lines)
            self._digests[graph].update(data)
            with self._path(graph).open("ab") as output:
                output.write(data)
        self._held.clear()
        self._held_bytes = 0

    def _path(self, graph: str) -> Path:
        return self._directory / f"{hashlib.sha256(graph.encode()).hexdigest()}.nt"


def _send_all(store: GraphStore, parts: Collection[_Part], progress: Progress, note_s: float) -> None:
    """Send graphs, and note which are there; at an interruption, too, where that is still possible."""
    notes: list[bytes] = []
    noted_at = time.monotonic()
    try:
        for number, part in enumerate(parts):
            progress(number, len(parts), part.graph)
            pieces = _iter_pieces(part.path)
            store.put(part.graph, next(pieces))
            for piece in pieces:
                store.add(part.graph, piece)
            notes.append(part.note())
            if time.monotonic() - noted_at >= note_s:
                store.add(PUBLISHED_GRAPH, b"".join(notes))
                notes, noted_at = [], time.monotonic()
    except KeyboardInterrupt:
        store.add(PUBLISHED_GRAPH, b"".join(notes))
        raise
    if notes:
        store.add(PUBLISHED_GRAPH, b"".join(notes))
    progress(len(parts), len(parts), "")


def _iter_pieces(path: Path) -> Iterator[bytes]:
    """The lines of a file in pieces of a size that servers take."""
    with path.open("rb") as lines:
        while piece := b"".join(lines.readlines(_PIECE_BYTES)):
            yield piece


def _verify(store: GraphStore, parts: Mapping[str, _Part]) -> list[str]:
    """What the server keeps as one though it was sent as two, after counting all graphs there.

    Raises:
        RemoteIncomplete: it holds another number of triples, and that is not the reason.
    """
    sizes = {row["graph"]: int(row["triples"]) for row in store.select(_read("graph-sizes"))}
    merged: list[str] = []
    wrong: dict[str, str] = {}
    for part in parts.values():
        size = sizes.get(part.graph, 0)
        if size == part.triples:
            continue
        twins = _find_twins(part.path.read_bytes()) if size < part.triples else []
        if size + len(twins) == part.triples:
            merged += twins
        else:
            wrong[part.graph] = f"{part.graph} holds {size} of {part.triples} triples"
    if wrong:
        # Those will be sent again.
        _note(store, [each for each in parts.values() if each.graph not in wrong])
        shown = "; ".join(list(wrong.values())[:_SHOWN])
        raise RemoteIncomplete(
            f"{len(wrong)} graphs are not whole at {store.url}: {shown}; publish again, which sends them anew"
        )
    return merged


def _find_twins(lines: bytes) -> list[str]:
    """The triples that state, in other words, what one before them states.

    Some servers store values and not what was written: for Virtuoso, the year 2009 is the first instant of it.
    """
    seen: set[tuple[object, ...]] = set()
    twins = []
    for quad in ox.parse(lines, format=ox.RdfFormat.N_TRIPLES):
        value = _value(quad.triple)
        if value in seen:
            twins.append(str(quad.triple))
        seen.add(value)
    return twins


def _value(triple: ox.Triple) -> tuple[object, ...]:
    """Subject, predicate and the value of the object."""
    literal = triple.object
    value: object = literal
    if isinstance(literal, ox.Literal):
        datatype = literal.datatype.value
        if datatype in _DATES and (found := _DATE.fullmatch(literal.value)):
            year, month, day, time_of_day = found.groups()
            value = ("instant", year, month or "01", day or "01", time_of_day or "T00:00:00")
        elif datatype == f"{_XSD}decimal":
            value = ("decimal", Decimal(literal.value))
    return (triple.subject, triple.predicate, value)


def _read(query_id: str) -> str:
    return load_query(QUERIES / "publish" / f"{query_id}.rq").text
