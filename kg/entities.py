"""The things of a release: ``entities.tsv.gz``, a line for each that the default graph describes.

A line holds the IRI, the digest of what is said of the thing, the instant of the publication since which the digest is
so, and the open graphs that say it. Lines are in the order of the sorted N-Quads, which compare ``<iri>`` with its
brackets: so this file, another release's and the N-Quads themselves can be walked side by side.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kg.errors import ReleaseDamaged
from kg.manifest import DAMAGE_CURE
from kg.terms import PROVENANCE_GRAPH, THING

if TYPE_CHECKING:
    from kg.derive import Sources

__all__ = [
    "ENTITIES_NAME",
    "Change",
    "Description",
    "Descriptions",
    "Entity",
    "compare_entities",
    "iter_entities",
    "write_entities",
]

ENTITIES_NAME: Final = "entities.tsv.gz"
_THING: Final = b"<" + THING.encode()
_DERIVED: Final = b"<http://www.w3.org/ns/prov#wasDerivedFrom>"


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing, the SHA-256 of what is said of it, since when it is so (UTC, ISO 8601), and who says it."""

    iri: str
    digest: str
    instant: str
    graphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a thing between two releases; one side is missing when it came or went."""

    before: Entity | None
    after: Entity | None


@dataclass(frozen=True, slots=True)
class Description:
    """What the default graph says of a thing, as sorted N-Triples lines, and the IRIs of the sources of it."""

    iri: str
    triples: tuple[bytes, ...]
    sources: tuple[str, ...]


def write_entities(directory: Path, sources: Sources) -> None:
    """Write ``entities.tsv.gz`` into the directory of a release.

    The digest is that of the thing's lines in open graphs and of the sources of these graphs, so it changes when
    another source says the same. A parent whose file cannot be read counts as none.
    """
    parent_path = sources.parent / ENTITIES_NAME if sources.parent else None
    with (directory / ENTITIES_NAME).open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as output:
        before = _iter_readable(parent_path) if parent_path else iter(())
        old = next(before, None)
        with sources.nquads_path.open("rb") as lines:
            for new in _iter_digested(lines, open_graphs=sources.open_graphs, instant=sources.instant):
                while old is not None and _key(old) < _key(new):
                    old = next(before, None)
                is_same = old is not None and (old.iri, old.digest) == (new.iri, new.digest)
                instant = old.instant if old is not None and is_same else new.instant
                output.write("\t".join((new.iri, new.digest, instant, " ".join(new.graphs))).encode() + b"\n")


def iter_entities(path: Path, *, below: tuple[str, ...] = (THING,)) -> Iterator[Entity]:
    """The things in an ``entities.tsv.gz`` whose IRIs begin with one of ``below``, in its order.

    Raises:
        ReleaseDamaged: the file is gone, cut short or malformed.
    """
    beginnings = tuple(each.encode() for each in below)
    try:
        with gzip.open(path, "rb") as lines:
            for line in lines:
                if line.startswith(beginnings):
                    iri, digest, instant, graphs = line.decode().rstrip("\n").split("\t")
                    yield Entity(iri, digest, instant, tuple(graphs.split()))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ReleaseDamaged(f"{path}: the list of things cannot be read ({error}); {DAMAGE_CURE}") from error


def compare_entities(before: Iterable[Entity], after: Iterable[Entity]) -> Iterator[Change]:
    """What came, went or changed from one list of things to another, in their order.

    >>> compared = compare_entities([Entity("a:b", "1", "", ())], [Entity("a:b", "2", "", ())])
    >>> [(each.before.digest, each.after.digest) for each in compared]
    [('1', '2')]
    """
    old_side, new_side = iter(before), iter(after)
    old, new = next(old_side, None), next(new_side, None)
    while old is not None or new is not None:
        if new is None or (old is not None and _key(old) < _key(new)):
            yield Change(old, None)
            old = next(old_side, None)
        elif old is None or _key(new) < _key(old):
            yield Change(None, new)
            new = next(new_side, None)
        else:
            if old.digest != new.digest:
                yield Change(old, new)
            old, new = next(old_side, None), next(new_side, None)


class Descriptions:
    """What a release says of its things, read from its sorted N-Quads lines in one pass."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._groups = _iter_things(lines)

    def read(self, entity: Entity) -> Description:
        """The description of a thing, from the graphs that are open only; things are asked for in their order.

        Raises:
            ReleaseDamaged: the lines, as far as they were not read yet, say nothing of it, or cannot be read.
        """
        wanted = b"<" + entity.iri.encode() + b">"
        group = next((each for each in self._groups if each.subject == wanted), None)
        if group is None:
            raise ReleaseDamaged(f"the N-Quads of a release say nothing of {entity.iri}; {DAMAGE_CURE}")
        graphs = {each.encode() for each in entity.graphs}
        triples: list[bytes] = []
        for line in group.lines:
            end = line.rindex(b" <")
            # The same statement of two graphs: they are neighbours.
            if line[end + 2 : -4] in graphs and (not triples or triples[-1][:-3] != line[:end]):
                triples.append(line[:end] + b" .\n")
        return Description(entity.iri, tuple(triples), group.name_sources(graphs))


@dataclass(frozen=True, slots=True)
class _Group:
    """The lines about one thing, not read yet, and the sources of all graphs."""

    subject: bytes
    lines: Iterator[bytes]
    sources: dict[bytes, list[bytes]]

    def name_sources(self, graphs: Collection[bytes]) -> tuple[str, ...]:
        return tuple(sorted({source.decode() for graph in graphs for source in self.sources.get(graph, ())}))


def _iter_things(lines: Iterable[bytes]) -> Iterator[_Group]:
    # What the provenance graph says of graphs comes before all things: .../graph/ sorts before .../id/.
    sources: dict[bytes, list[bytes]] = {}
    provenance = b"<" + PROVENANCE_GRAPH.encode() + b"> .\n"
    for subject, group in groupby(lines, key=_find_subject):
        if subject.startswith(_THING):
            yield _Group(subject, group, sources)
            continue
        for line in group:
            if line.endswith(provenance):
                _, predicate, value = line.split(b" ", 2)
                if predicate == _DERIVED:
                    sources.setdefault(subject[1:-1], []).append(value[1 : value.index(b">")])


def _iter_digested(lines: Iterable[bytes], *, open_graphs: Collection[str], instant: str) -> Iterator[Entity]:
    is_open = {each.encode() for each in open_graphs}
    for group in _iter_things(lines):
        digest = hashlib.sha256()
        graphs: set[bytes] = set()
        for line in group.lines:
            graph = line[line.rindex(b" <") + 2 : -4]
            if graph in is_open:
                graphs.add(graph)
                digest.update(line)
        if graphs:
            digest.update("\n".join(group.name_sources(graphs)).encode())
            named = tuple(sorted(each.decode() for each in graphs))
            yield Entity(group.subject[1:-1].decode(), digest.hexdigest(), instant, named)


def _iter_readable(path: Path) -> Iterator[Entity]:
    """The things in a file, up to where it is damaged: what follows counts as new, which is harmless."""
    try:
        yield from iter_entities(path)
    except ReleaseDamaged:
        return


def _find_subject(line: bytes) -> bytes:
    return line[: line.index(b" ")]


def _key(entity: Entity) -> str:
    return entity.iri + ">"
