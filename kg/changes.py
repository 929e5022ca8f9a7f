"""What differs between two releases, as one pass over two sorted lists of N-Quads lines.

On disk a difference is an RDF Patch (``changes.rdfp.gz``): a header, then one row per quad, ``D`` for a quad that the
parent held and ``A`` for one it did not, each followed by the canonical N-Quads line. Rows are in the order of the
lines, so the same two releases always give the same bytes. Without its two first characters a row is N-Quads.
See https://afs.github.io/rdf-delta/rdf-patch.html
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, TypeAlias

from kg.errors import ReleaseDamaged

__all__ = [
    "Change",
    "ChangeCounts",
    "GraphChange",
    "Mark",
    "iter_changes",
    "iter_dump_lines",
    "parse_graph",
    "split_line",
    "summarise_changes",
    "write_patch",
]

Mark: TypeAlias = Literal["A", "D"]


@dataclass(frozen=True, slots=True)
class Change:
    """One quad that came (A) or went (D); ``line`` is its canonical N-Quads line."""

    mark: Mark
    line: bytes


@dataclass(frozen=True, kw_only=True)
class ChangeCounts:
    """How many quads came and went."""

    added: int
    removed: int


@dataclass(frozen=True, kw_only=True)
class GraphChange:
    """How many quads came and went in one graph; the default graph of a plain dataset has an empty name."""

    graph: str
    added: int
    removed: int


def iter_changes(before: Iterable[bytes], after: Iterable[bytes]) -> Iterator[Change]:
    """The changes that lead from one sorted list of lines to the other, in the order of the lines.

    >>> [(each.mark, each.line) for each in iter_changes([b"a", b"b"], [b"b", b"c"])]
    [('D', b'a'), ('A', b'c')]
    """
    old_lines, new_lines = iter(before), iter(after)
    old, new = next(old_lines, None), next(new_lines, None)
    while old is not None and new is not None:
        if old < new:
            yield Change("D", old)
            old = next(old_lines, None)
        elif new < old:
            yield Change("A", new)
            new = next(new_lines, None)
        else:
            old, new = next(old_lines, None), next(new_lines, None)
    while old is not None:
        yield Change("D", old)
        old = next(old_lines, None)
    while new is not None:
        yield Change("A", new)
        new = next(new_lines, None)


def iter_dump_lines(path: Path) -> Iterator[bytes]:
    """The sorted lines of the N-Quads dump of a release.

    Raises:
        ReleaseDamaged: the dump is gone or cut short.
    """
    try:
        with gzip.open(path, "rb") as lines:
            yield from lines
    except (OSError, EOFError, zlib.error) as error:
        raise ReleaseDamaged(f"{path}: the dump cannot be read ({error}); restore it from a backup") from error


def write_patch(changes: Iterable[Change], output: IO[bytes], *, release: str, parent: str | None) -> ChangeCounts:
    """The counts, after writing the changes as one transaction of an RDF Patch."""
    output.write(f'H id "{release}" .\n'.encode())
    if parent is not None:
        output.write(f'H prev "{parent}" .\n'.encode())
    output.write(b"TX .\n")
    added = removed = 0
    for change in changes:
        added, removed = added + (change.mark == "A"), removed + (change.mark == "D")
        output.write(change.mark.encode() + b" " + change.line)
    output.write(b"TC .\n")
    return ChangeCounts(added=added, removed=removed)


def summarise_changes(changes: Iterable[Change]) -> tuple[GraphChange, ...]:
    """How many quads came and went in each graph that changed, sorted by graph."""
    marks = Counter((split_line(change.line)[1].decode(), change.mark) for change in changes)
    graphs = sorted({graph for graph, _ in marks})
    return tuple(GraphChange(graph=each, added=marks[each, "A"], removed=marks[each, "D"]) for each in graphs)


def parse_graph(line: bytes) -> str:
    r"""The IRI of the graph that an N-Quads line of a named graph ends with.

    >>> parse_graph(b"<a:s> <a:p> <a:o> <a:g> .\n")
    'a:g'
    """
    return line[line.rindex(b" <") + 2 : line.rindex(b">")].decode()


def split_line(line: bytes) -> tuple[bytes, bytes]:
    r"""Subject, predicate and object as they stand in a line, and the IRI of its graph; empty for the default graph.

    Where every line has a graph, what follows the last ``" <"`` is its name, and looking for that is faster. Without
    one, the last may begin the object, or stand in a literal: then a quote follows.

    >>> split_line(b'<a:s> <a:p> "a <b" <a:g> .\n')
    (b'<a:s> <a:p> "a <b"', b'a:g')
    >>> split_line(b'_:s <a:p> "a <b"^^<a:d> .\n')
    (b'_:s <a:p> "a <b"^^<a:d>', b'')
    >>> split_line(b"<a:s> <a:p> <a:o> .\n")
    (b'<a:s> <a:p> <a:o>', b'')
    """
    end = line.rindex(b" <")
    is_named = line.endswith(b"> .\n") and b'"' not in line[end:]
    if is_named and end > line.index(b" ", line.index(b" ") + 1):
        return line[:end], line[end + 2 : -4]
    return line[:-3], b""
