"""A candidate: a copy of the store of a release that can be changed, and what was changed in it.

The copy is made of hard links (a checkpoint), so it costs milliseconds, and the release stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import pyoxigraph as ox

from kg.draft import Delta, Draft
from kg.errors import ReleaseError, WriteInvalid
from kg.manifest import Counts
from kg.rdfio import skolemise
from kg.terms import PROVENANCE_GRAPH

__all__ = ["Apply", "Candidate", "create_candidate"]

Apply: TypeAlias = Callable[[Draft], None]
"""Changes what a store holds."""

_DEFAULT: Final = ox.DefaultGraph()
_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_PROVENANCE: Final = ox.NamedNode(PROVENANCE_GRAPH)
_LICENCE: Final = ox.NamedNode("http://purl.org/dc/terms/license")


class Candidate:
    """The store of a release to be: changes are made in it, counted, and can be told.

    ``store`` is for reading; it is changed through drafts alone. :attr:`delta` says what was stated or taken back: in
    named graphs, and in a default graph of its own. The merge that a default graph is otherwise is not a part of it.
    """

    def __init__(self, base: ox.Store, store: ox.Store, *, open_licences: Collection[str] | None) -> None:
        self.store = store
        self._base = base
        self._draft = Draft(store)
        self._merge = Draft(store)
        self._is_plain = open_licences is None
        self._open_licences = frozenset(open_licences or ())
        self._is_open: dict[ox.NamedNode, bool] = {}

    @property
    def delta(self) -> Delta:
        """What differs from the release before."""
        return self._draft.delta

    def apply(self, change: Apply) -> None:
        """Let something change what is held.

        Blank nodes that it brought get IRIs that depend on what is said of them, so that the same again is no change;
        in a plain dataset they stay what they are.

        Raises:
            WriteInvalid: it brought statements about statements, or graphs without an IRI, which a release does not
                hold.
        """
        change(self._draft)
        for quad in self.delta.added:
            if isinstance(quad.object, ox.Triple):
                raise WriteInvalid(
                    "statements about statements (RDF 1.2) are not taken: name the statement with an IRI"
                )
            if isinstance(quad.graph_name, ox.BlankNode):
                raise WriteInvalid("a graph needs an IRI, and one was named by a blank node")
        if not self._is_plain:
            self._skolemise()

    def settle(self, present: set[ox.Quad], wanted: set[ox.Quad]) -> None:
        """Make quads that are there into those that should be, as a part of the change."""
        self._draft.remove(present - wanted)
        self._draft.add(wanted - present)

    def merge_default(self) -> None:
        """Keep the default graph the merge of the open graphs: a triple goes when no other open graph holds it.

        Not for a plain dataset, whose default graph is its own.
        """
        gone = (quad for quad in self.delta.removed if self._enters(quad) and not self._is_held(quad))
        self._merge.remove([ox.Quad(*quad.triple) for quad in gone])
        self._merge.add([ox.Quad(*quad.triple) for quad in self.delta.added if self._enters(quad)])

    def count(self, before: Counts, *, graphs: int) -> Counts:
        """The size of the release to be, from that of its parent."""
        default = self.delta if self._is_plain else self._merge.delta
        triples = Counter(quad.triple for quad in default.added if quad.graph_name == _DEFAULT)
        triples.subtract(quad.triple for quad in default.removed if quad.graph_name == _DEFAULT)
        own = sum(triples.values()) if self._is_plain else 0
        classes, properties = Counter(before.classes), Counter(before.properties)
        for triple, difference in triples.items():
            properties[triple.predicate.value] += difference
            if triple.predicate.value == _TYPE and isinstance(triple.object, ox.NamedNode):
                classes[triple.object.value] += difference
        return Counts(
            quads=before.quads + len(self.delta.added) - len(self.delta.removed) - own,
            graphs=graphs,
            triples=before.triples + sum(triples.values()),
            classes=_list_counts(classes),
            properties=_list_counts(properties),
        )

    def _skolemise(self) -> None:
        found = [quad for quad in self.delta.added if _has_blank(quad)]
        if found:
            self._draft.remove(found)
            self._draft.add(skolemise(found))

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
        ReleaseError: the store of the release is no good.
        OSError: the disk refuses.
    """
    try:
        base.backup(str(path))
        return Candidate(base, ox.Store(str(path)), open_licences=open_licences)
    except RuntimeError as error:
        raise ReleaseError(f"{path}: no copy of the store could be made: {error}") from error


def _find_licences(store: ox.Store, graph: ox.NamedNode) -> frozenset[str]:
    found = (each.object for each in store.quads_for_pattern(graph, _LICENCE, None, _PROVENANCE))
    return frozenset(each.value for each in found if isinstance(each, ox.NamedNode))


def _has_blank(quad: ox.Quad) -> bool:
    return isinstance(quad.subject, ox.BlankNode) or isinstance(quad.object, ox.BlankNode)


def _list_counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in sorted(counts.items()) if number > 0}
