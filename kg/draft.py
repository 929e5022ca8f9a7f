"""A draft: a store that is being changed, and the list of quads that came to it and went from it.

What a change did is judged by that list (rights, shapes, digests), so there is one way to change the store, and it
keeps the list. Nobody has to say beforehand what will be touched, and nothing has to be compared afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import pyoxigraph as ox

from kg.rdfio import name_graph

__all__ = ["Delta", "Draft", "Graph"]

Graph: TypeAlias = ox.NamedNode | ox.BlankNode | ox.DefaultGraph

_DEFAULT: Final = ox.DefaultGraph()
_STRING: Final = ox.NamedNode("http://www.w3.org/2001/XMLSchema#string")


@dataclass
class Delta:
    """The quads that came, and those that went; no quad is both."""

    added: set[ox.Quad] = field(default_factory=set)
    removed: set[ox.Quad] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def __iter__(self) -> Iterator[ox.Quad]:
        yield from self.added
        yield from self.removed

    @property
    def graphs(self) -> frozenset[str]:
        """The names of the graphs that changed: IRIs, and that of the default graph."""
        return frozenset(name_graph(quad.graph_name) for quad in self)


class Draft:
    """A store that can be changed through this alone; :attr:`delta` leads from what it held first to what it holds."""

    def __init__(self, store: ox.Store) -> None:
        self.delta = Delta()
        self._store = store

    def add(self, quads: Iterable[ox.Quad]) -> None:
        """Let the store hold these quads."""
        self._change([], [quad for quad in _iter_stored(quads) if quad not in self._store])

    def remove(self, quads: Iterable[ox.Quad]) -> None:
        """Let the store hold none of these quads."""
        self._change([quad for quad in _iter_stored(quads) if quad in self._store], [])

    def replace(self, graph: Graph, quads: Iterable[ox.Quad]) -> None:
        """Let a graph hold these quads, which are its own, and no others."""
        before, after = set(self.iter_graph(graph)), dict.fromkeys(_iter_stored(quads))
        self._change([quad for quad in before if quad not in after], [quad for quad in after if quad not in before])

    def holds(self, graph: Graph) -> bool:
        """Whether there is a quad in a graph."""
        return next(self.iter_graph(graph), None) is not None

    def iter_graph(self, graph: Graph) -> Iterator[ox.Quad]:
        """The quads of a graph."""
        return self._store.quads_for_pattern(None, None, None, graph)

    def list_graphs(self) -> list[Graph]:
        """The named graphs."""
        return list(self._store.named_graphs())

    def query(
        self,
        text: str,
        *,
        default_graphs: list[Graph],
        named_graphs: list[ox.NamedNode | ox.BlankNode] | None,
    ) -> ox.QuerySolutions | ox.QueryBoolean | ox.QueryTriples:
        """The result of a query over a dataset of its own; ``named_graphs`` of None are all there are.

        Raises:
            SyntaxError, OSError, RuntimeError, ValueError: as of the engine, also while the result is read.
        """
        return self._store.query(text, default_graph=default_graphs, named_graphs=named_graphs)

    def _change(self, gone: Collection[ox.Quad], fresh: Collection[ox.Quad]) -> None:
        """Take away quads that are there, add some that are not, and note both.

        They stay in the order in which they came, which is about that of the store's files.
        """
        for quad in gone:
            self._store.remove(quad)
        self._store.extend(fresh)
        _note(gone, undoing=self.delta.added, noted=self.delta.removed)
        _note(fresh, undoing=self.delta.removed, noted=self.delta.added)
        # The engine keeps the name of an emptied graph; a release holds quads, so a graph without any is not there.
        for graph in {quad.graph_name for quad in gone}:
            if graph != _DEFAULT and not self.holds(graph):
                self._store.remove_graph(graph)


def _note(quads: Iterable[ox.Quad], *, undoing: set[ox.Quad], noted: set[ox.Quad]) -> None:
    """Note quads that came or went, where that does not undo what is noted on the other side."""
    for quad in quads:
        if quad in undoing:
            undoing.remove(quad)
        else:
            noted.add(quad)


def _iter_stored(quads: Iterable[ox.Quad]) -> Iterator[ox.Quad]:
    """The quads as a store gives them back: it keeps values, so that "01" as an integer becomes "1"."""
    values = []
    for quad in dict.fromkeys(quads):
        if _is_value(quad.object):
            values.append(quad)
        else:
            yield quad
    alone = ox.Store()
    alone.extend(values)
    yield from alone


def _is_value(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> bool:
    """Whether a term may be written in more than one way."""
    if isinstance(term, ox.Literal):
        return term.language is None and term.datatype != _STRING
    return isinstance(term, ox.Triple)
