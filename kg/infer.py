"""Infer: what follows from the ontology, in a named graph of its own (``graph/inferred``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import pyoxigraph as ox

from kg.queries import QUERIES, QueryDirectory, load_directory, load_query
from kg.store import evaluate_query
from kg.terms import INFERRED_GRAPH, ONTOLOGY_GRAPH

__all__ = ["find_inferred", "infer"]

_INFERRED = ox.NamedNode(INFERRED_GRAPH)
_ONTOLOGY = ox.NamedNode(ONTOLOGY_GRAPH)


def infer(store: ox.Store) -> None:
    """Add the closures of classes and properties and the containment of places.

    Nothing else is inferred: inverses and shortcuts are lifted into the graph of their statement.
    """
    for rule in _load_rules():
        store.update(rule.text)


def find_inferred(store: ox.Store, changed: Iterable[ox.Quad]) -> tuple[set[ox.Quad], set[ox.Quad]]:
    """What is inferred now about all that a change concerns, and what should be.

    The rules look at the statements about one thing at a time, those of containment also at the places around it. So
    they are applied to these alone, in memory.

    Args:
        store: with the change made, but for the graph of inferred statements.
        changed: the quads that came or went in other graphs.
    """
    containing = {row["property"] for row in _select(store, "containing-properties")}
    subjects = {quad.subject for quad in changed}
    moved = {
        quad.subject for quad in changed if quad.predicate in containing and isinstance(quad.subject, ox.NamedNode)
    }
    outer: set[ox.NamedNode | ox.BlankNode | ox.Triple] = set()
    for place in moved:
        for row in _select(store, "places-around", place=place):
            (subjects if row["isWithin"] == ox.Literal(True) else outer).add(row["around"])
    context = ox.Store()
    context.extend(store.quads_for_pattern(None, None, None, _ONTOLOGY))
    for subject in subjects | outer:
        context.extend(quad for quad in store.quads_for_pattern(subject, None, None) if _is_stated(quad))
    infer(context)
    present = {quad for subject in subjects for quad in store.quads_for_pattern(subject, None, None, _INFERRED)}
    wanted = {quad for quad in context.quads_for_pattern(None, None, None, _INFERRED) if quad.subject in subjects}
    return present, wanted


def _is_stated(quad: ox.Quad) -> bool:
    return isinstance(quad.graph_name, ox.NamedNode) and quad.graph_name != _INFERRED


def _select(store: ox.Store, name: str, **bindings: ox.NamedNode) -> Iterator[ox.QuerySolution]:
    text = load_query(QUERIES / "places" / f"{name}.rq").text
    result = evaluate_query(store, text, substitutions=bindings)
    assert isinstance(result, ox.QuerySolutions)
    return iter(result)


@lru_cache(maxsize=1)
def _load_rules() -> QueryDirectory:
    return load_directory(QUERIES / "infer")
