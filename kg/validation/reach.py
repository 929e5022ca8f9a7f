"""How far shapes look: which nodes a change of statements can make fit or not fit, and what their shapes look at.

A path is one property (kg.validation.shapes), so a shape looks at the statements about its focus node, at those about
the values of that, and so on, as many steps as property shapes stand inside each other. So a changed statement matters
to the nodes that reach its subject in fewer steps, and to no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import pyoxigraph as ox

from kg.validation.shapes import RDF, SH, Shapes

__all__ = ["Surroundings", "find_surroundings", "measure_reach"]

_Node: TypeAlias = ox.NamedNode | ox.BlankNode
# Beyond this many nodes it is cheaper to look at everything.
_MOST: Final = 20_000
# What keeps the focus node, what goes on to its values, and what nobody can see the reach of.
_SAME: Final = tuple(ox.NamedNode(SH + name) for name in ("node", "not", "property", "qualifiedValueShape"))
_LISTS: Final = tuple(ox.NamedNode(SH + name) for name in ("and", "or", "xone"))
_UNKNOWN: Final = tuple(ox.NamedNode(SH + name) for name in ("sparql", "targetObjectsOf", "select", "ask"))
_PATH: Final = ox.NamedNode(SH + "path")
_CLASS: Final = ox.NamedNode(SH + "class")
_TYPE: Final = ox.NamedNode(RDF + "type")
_FIRST: Final = ox.NamedNode(RDF + "first")
_REST: Final = ox.NamedNode(RDF + "rest")


@dataclass(frozen=True)
class Surroundings:
    """The nodes whose fit may be another after a change, and the statements that their shapes look at."""

    focus: frozenset[str]
    data: ox.Store


@lru_cache(maxsize=4)
def measure_reach(shapes: Shapes) -> int | None:
    """How many steps the shapes look away from a focus node; None where that cannot be told."""
    graph = shapes.graph
    if any(True for predicate in _UNKNOWN for _ in graph.quads_for_pattern(None, predicate, None)):
        return None
    known: dict[_Node, int] = {}

    def measure(shape: _Node, above: frozenset[_Node]) -> int:
        if shape in above:
            raise RecursionError
        if shape not in known:
            inner = [measure(each, above | {shape}) for each in _iter_parts(graph, shape)]
            reach = max(inner, default=0)
            if any(True for _ in graph.quads_for_pattern(shape, _PATH, None)):
                # The values themselves are named in the statements of the node; their class is said in their own.
                looks_on = bool(inner) or any(True for _ in graph.quads_for_pattern(shape, _CLASS, None))
                reach += looks_on
            known[shape] = reach
        return known[shape]

    nodes = {quad.subject for quad in graph if isinstance(quad.subject, ox.NamedNode | ox.BlankNode)}
    try:
        return max((measure(each, frozenset()) for each in nodes), default=0)
    except RecursionError:
        return None


def find_surroundings(store: ox.Store, subjects: Iterable[ox.NamedNode], *, reach: int) -> Surroundings | None:
    """What has to be looked at when statements about these subjects came or went; None where that is too much."""
    focus = set(subjects)
    fringe = focus
    for _ in range(reach):
        fringe = {
            quad.subject
            for node in fringe
            for quad in store.quads_for_pattern(None, None, node)
            if isinstance(quad.subject, ox.NamedNode)
        } - focus
        focus |= fringe
        if len(focus) > _MOST:
            return None
    data = ox.Store()
    seen: set[ox.NamedNode] = set()
    fringe = focus
    for _ in range(reach + 1):
        seen |= fringe
        if len(seen) > _MOST:
            return None
        further: set[ox.NamedNode] = set()
        for node in fringe:
            triples = {quad.triple for quad in store.quads_for_pattern(node, None, None)}
            data.extend(ox.Quad(*each) for each in triples)
            # What the classes of a node are narrower than comes from the ontology (kg.validate).
            further |= {
                each.object for each in triples if each.predicate != _TYPE and isinstance(each.object, ox.NamedNode)
            }
        fringe = further - seen
    return Surroundings(frozenset(each.value for each in focus), data)


def _iter_parts(graph: ox.Store, shape: _Node) -> Iterator[_Node]:
    for predicate in _SAME:
        for quad in graph.quads_for_pattern(shape, predicate, None):
            if isinstance(quad.object, ox.NamedNode | ox.BlankNode):
                yield quad.object
    for predicate in _LISTS:
        for quad in graph.quads_for_pattern(shape, predicate, None):
            yield from _iter_list(graph, quad.object)


def _iter_list(graph: ox.Store, head: object) -> Iterator[_Node]:
    while isinstance(head, ox.BlankNode):
        for quad in graph.quads_for_pattern(head, _FIRST, None):
            if isinstance(quad.object, ox.NamedNode | ox.BlankNode):
                yield quad.object
        rest = next(iter(graph.quads_for_pattern(head, _REST, None)), None)
        head = None if rest is None else rest.object
