"""A candidate: a copy of the store of a release that can be changed, and what was changed in it.

The copy is made of hard links (a checkpoint), so it costs milliseconds, and the release stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import pyoxigraph as ox

from kg.errors import ReleaseError, WriteInvalid
from kg.manifest import Counts
from kg.rdfio import make_graph, name_graph, skolemise
from kg.terms import PROVENANCE_GRAPH

__all__ = ["Apply", "Candidate", "Delta", "create_candidate"]

Apply: TypeAlias = Callable[[ox.Store], "frozenset[str] | tuple[ox.Quad, ...] | None"]
"""Changes a store, and gives what it may have changed: quads, or names of graphs (kg.rdfio.make_graph); None is all."""

_DEFAULT: Final = ox.DefaultGraph()
_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_PROVENANCE: Final = ox.NamedNode(PROVENANCE_GRAPH)
_LICENCE: Final = ox.NamedNode("http://purl.org/dc/terms/license")


@dataclass
class Delta:
    """The quads that came, and those that went: of named graphs, and of a default graph of its own."""

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


class Candidate:
    """The store of a release to be: changes are made in it, counted, and can be told."""

    def __init__(self, base: ox.Store, store: ox.Store, *, open_licences: Collection[str] | None) -> None:
        self.store = store
        self.delta = Delta()
        self.changes_default = False
        self._base = base
        self._is_plain = open_licences is None
        self._open_licences = frozenset(open_licences or ())
        self._is_open: dict[ox.NamedNode, bool] = {}
        self._triples: Counter[ox.Triple] = Counter()

    def apply(self, change: Apply, *, is_exact: bool) -> None:
        """Let something change the store; :attr:`delta` says afterwards what it changed.

        Blank nodes that it brought get IRIs that depend on what is said of them, so that the same again is no change;
        in a plain dataset they stay what they are.

        Args:
            change: what to let loose.
            is_exact: whether graphs that it names are sure to be all that it touches, as quads that it gives are.

        Raises:
            WriteInvalid: it brought statements about statements, or graphs without an IRI, which a release does not
                hold.
        """
        self._find_changes(change(self.store), is_exact=is_exact)
        for quad in self.delta.added:
            if isinstance(quad.object, ox.Triple):
                raise WriteInvalid(
                    "statements about statements (RDF 1.2) are not taken: name the statement with an IRI"
                )
            if isinstance(quad.graph_name, ox.BlankNode):
                raise WriteInvalid("a graph needs an IRI, and one was named by a blank node")
        if not self._is_plain:
            self._skolemise()

    def _find_changes(self, touched: frozenset[str] | tuple[ox.Quad, ...] | None, *, is_exact: bool) -> None:
        if isinstance(touched, tuple):
            self.delta.added = {quad for quad in touched if quad in self.store and quad not in self._base}
            self.delta.removed = {quad for quad in touched if quad in self._base and quad not in self.store}
            self.changes_default = not self._is_plain and "" in self.delta.graphs
            self._forget_empty(make_graph(each) for each in self.delta.graphs)
            return
        if touched is not None:
            self._compare([make_graph(each) for each in touched])
            if is_exact or len(self.store) - len(self._base) == len(self.delta.added) - len(self.delta.removed):
                return
        self.delta = Delta()
        self._compare({*self._base.named_graphs(), *self.store.named_graphs()})
        if self._is_plain:
            self._compare([_DEFAULT])
        else:
            self.changes_default = any(True for _ in _iter_differences(self._base, self.store, _DEFAULT))

    def _compare(self, graphs: Collection[ox.NamedNode | ox.BlankNode | ox.DefaultGraph]) -> None:
        for graph in graphs:
            for quad, is_new in _iter_differences(self._base, self.store, graph):
                (self.delta.added if is_new else self.delta.removed).add(quad)
        self._forget_empty(graphs)

    def _forget_empty(self, graphs: Iterable[ox.NamedNode | ox.BlankNode | ox.DefaultGraph]) -> None:
        """A release holds quads, so a graph without any is not there."""
        for graph in graphs:
            if graph != _DEFAULT and self.store.contains_named_graph(graph) and _is_empty(self.store, graph):
                self.store.remove_graph(graph)

    def settle(self, present: set[ox.Quad], wanted: set[ox.Quad]) -> None:
        """Make quads that are there into those that should be, as a part of the change."""
        for quad in present - wanted:
            self.store.remove(quad)
        self.store.extend(wanted - present)
        self.delta.removed |= present - wanted
        self.delta.added |= wanted - present

    def merge_default(self) -> None:
        """Keep the default graph the merge of the open graphs: a triple goes when no other open graph holds it.

        Not for a plain dataset, whose default graph is its own.
        """
        for quad in self.delta.removed:
            triple = ox.Quad(*quad.triple)
            if self._enters(quad) and not self._is_held(quad) and triple in self.store:
                self.store.remove(triple)
                self._triples[quad.triple] -= 1
        for quad in self.delta.added:
            triple = ox.Quad(*quad.triple)
            if self._enters(quad) and triple not in self.store:
                self.store.add(triple)
                self._triples[quad.triple] += 1

    def count(self, before: Counts, *, graphs: int) -> Counts:
        """The size of the release to be, from that of its parent."""
        if self._is_plain:
            self._triples = Counter(quad.triple for quad in self.delta.added if quad.graph_name == _DEFAULT)
            self._triples.subtract(quad.triple for quad in self.delta.removed if quad.graph_name == _DEFAULT)
        own = sum(self._triples.values()) if self._is_plain else 0
        classes, properties = Counter(before.classes), Counter(before.properties)
        for triple, difference in self._triples.items():
            properties[triple.predicate.value] += difference
            if triple.predicate.value == _TYPE and isinstance(triple.object, ox.NamedNode):
                classes[triple.object.value] += difference
        return Counts(
            quads=before.quads + len(self.delta.added) - len(self.delta.removed) - own,
            graphs=graphs,
            triples=before.triples + sum(self._triples.values()),
            classes=_list_counts(classes),
            properties=_list_counts(properties),
        )

    def _skolemise(self) -> None:
        found = [quad for quad in self.delta.added if _has_blank(quad)]
        if not found:
            return
        for quad in found:
            self.store.remove(quad)
        named = set(skolemise(found))
        fresh = {quad for quad in named if quad not in self._base}
        self.store.extend(fresh)
        self.delta.added = (self.delta.added - set(found)) | fresh
        # What was replaced by the same with blank nodes did not change.
        self.delta.removed -= named
        self.store.extend(named)

    def _enters(self, quad: ox.Quad) -> bool:
        """Whether the graph of a quad is an open one."""
        graph = quad.graph_name
        if not isinstance(graph, ox.NamedNode):
            return False
        if graph not in self._is_open:
            # Of a graph that is gone only the release before knows the licence.
            licences = _find_licences(self.store, graph) or _find_licences(self._base, graph)
            self._is_open[graph] = bool(licences) and licences <= self._open_licences
        return self._is_open[graph]

    def _is_held(self, quad: ox.Quad) -> bool:
        return any(
            self._enters(each) for each in self.store.quads_for_pattern(quad.subject, quad.predicate, quad.object)
        )


def create_candidate(base: ox.Store, path: Path, *, open_licences: Collection[str] | None) -> Candidate:
    """A candidate in a directory that does not exist yet.

    Args:
        base: the store of a release.
        path: the directory.
        open_licences: of the graphs whose merge the default graph is; None for a plain dataset.

    Raises:
        ReleaseError: it cannot be made.
    """
    try:
        base.backup(str(path))
        return Candidate(base, ox.Store(str(path)), open_licences=open_licences)
    except (OSError, RuntimeError) as error:
        raise ReleaseError(f"{path}: no copy of the store could be made: {error}") from error


def _iter_differences(
    before: ox.Store, after: ox.Store, graph: ox.NamedNode | ox.BlankNode | ox.DefaultGraph
) -> Iterator[tuple[ox.Quad, bool]]:
    """The quads of a graph that only one of two stores holds, each with whether it is the one after.

    A copy gives its quads in the same order, so what is alike passes side by side, and nothing is held in memory.
    """
    old_side, new_side = (each.quads_for_pattern(None, None, None, graph) for each in (before, after))
    old, new = next(old_side, None), next(new_side, None)
    while old is not None or new is not None:
        if old is not None and old != new and old not in after:
            yield old, False
            old = next(old_side, None)
        elif new is not None and old != new and new not in before:
            yield new, True
            new = next(new_side, None)
        else:
            old, new = next(old_side, None), next(new_side, None)


def _is_empty(store: ox.Store, graph: ox.NamedNode | ox.BlankNode | ox.DefaultGraph) -> bool:
    return next(store.quads_for_pattern(None, None, None, graph), None) is None


def _find_licences(store: ox.Store, graph: ox.NamedNode) -> frozenset[str]:
    found = (each.object for each in store.quads_for_pattern(graph, _LICENCE, None, _PROVENANCE))
    return frozenset(each.value for each in found if isinstance(each, ox.NamedNode))


def _has_blank(quad: ox.Quad) -> bool:
    return isinstance(quad.subject, ox.BlankNode) or isinstance(quad.object, ox.BlankNode)


def _list_counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in sorted(counts.items()) if number > 0}
