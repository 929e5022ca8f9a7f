"""How far shapes look: which nodes a change of statements can make fit or not fit, and what their shapes look at.

A path is one property (kg.validation.shapes), so a shape looks at the statements about its focus node, at those about
the values of that, and so on, as many steps as property shapes stand inside each other; beyond the focus node itself
only at those with the few predicates that they name. So a changed statement matters to its subject, and to the nodes
from which so many steps lead there as some shape takes to look at its predicate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Final, TypeAlias

import pyoxigraph as ox

from kg.validation.shapes import RDF, RDFS, SH, Shapes

__all__ = ["Layer", "Surroundings", "find_layers", "find_surroundings"]

_Node: TypeAlias = ox.NamedNode | ox.BlankNode
Layer: TypeAlias = frozenset[ox.NamedNode] | None
"""The predicates of the statements that shapes look at, so many steps from a focus node; None are all."""

# Beyond this many nodes it is cheaper to look at everything.
_MOST: Final = 20_000
# What keeps the focus node, what goes on to its values, and what nobody can see the reach of.
_SAME: Final = tuple(ox.NamedNode(SH + name) for name in ("node", "not", "property", "qualifiedValueShape"))
_LISTS: Final = tuple(ox.NamedNode(SH + name) for name in ("and", "or", "xone"))
_UNKNOWN: Final = tuple(ox.NamedNode(SH + name) for name in ("sparql", "targetObjectsOf", "select", "ask"))
_PATH: Final = ox.NamedNode(SH + "path")
_COMPARED: Final = tuple(ox.NamedNode(SH + name) for name in ("equals", "disjoint", "lessThan", "lessThanOrEquals"))
_CLASS: Final = ox.NamedNode(SH + "class")
_CLOSED: Final = ox.NamedNode(SH + "closed")
_TYPE: Final = ox.NamedNode(RDF + "type")
_SUB_CLASS: Final = ox.NamedNode(RDFS + "subClassOf")
_FIRST: Final = ox.NamedNode(RDF + "first")
_REST: Final = ox.NamedNode(RDF + "rest")


@dataclass(frozen=True)
class Surroundings:
    """The nodes whose fit may be another after a change, and the statements that their shapes look at."""

    focus: frozenset[str]
    data: ox.Store


@lru_cache(maxsize=4)
def find_layers(shapes: Shapes) -> tuple[Layer, ...] | None:
    """What shapes look at, by steps from a focus node; None where that cannot be told.

    Of the focus node that is everything: which shapes are for it depends on its statements, too.
    """
    graph = shapes.graph
    if any(True for predicate in _UNKNOWN for _ in graph.quads_for_pattern(None, predicate, None)):
        return None
    known: dict[_Node, tuple[Layer, ...]] = {}

    def measure(shape: _Node, above: frozenset[_Node]) -> tuple[Layer, ...]:
        if shape in above:
            raise RecursionError
        if shape not in known:
            parts = [measure(each, above | {shape}) for each in _iter_parts(graph, shape)]
            # A class is looked at where the shape looks: at the values, if it has a path.
            seen = _merge([*parts, (frozenset([_TYPE] if _list_objects(graph, shape, _CLASS) else ()),)])
            paths = _list_objects(graph, shape, _PATH)
            compared = [each for predicate in _COMPARED for each in _list_objects(graph, shape, predicate)]
            own: Layer = frozenset(each for each in (*paths, *compared) if isinstance(each, ox.NamedNode))
            if _list_objects(graph, shape, _CLOSED):
                own = None
            known[shape] = (own, *seen) if paths else _merge([(own,), seen])
        return known[shape]

    nodes = {quad.subject for quad in graph if isinstance(quad.subject, ox.NamedNode | ox.BlankNode)}
    try:
        _, *beyond = _merge(measure(each, frozenset()) for each in nodes) or (None,)
    except RecursionError:
        return None
    while beyond and beyond[-1] == frozenset():
        beyond.pop()
    return (None, *beyond)


def find_surroundings(
    store: ox.Store, changed: Collection[ox.Quad], *, layers: tuple[Layer, ...]
) -> Surroundings | None:
    """What has to be looked at when these statements came or went; None where that is too much.

    A class that got narrower or wider matters to all of its instances, and to what points at them: too much.
    """
    if any(quad.predicate == _SUB_CLASS for quad in changed):
        return None
    focus = {quad.subject for quad in changed if isinstance(quad.subject, ox.NamedNode)}
    before: set[ox.NamedNode] = set()
    for layer in reversed(layers[1:]):
        before |= {
            quad.subject
            for quad in changed
            if isinstance(quad.subject, ox.NamedNode) and (layer is None or quad.predicate in layer)
        }
        before = {
            quad.subject
            for node in before
            for quad in store.quads_for_pattern(None, None, node)
            if isinstance(quad.subject, ox.NamedNode)
        }
        focus |= before
        if len(focus) > _MOST:
            return None
    data = ox.Store()
    # What the classes of a node are narrower than; what the ontology says of that comes later (kg.validate).
    data.extend(ox.Quad(*quad.triple) for quad in store.quads_for_pattern(None, _SUB_CLASS, None))
    fringe, read = focus, 0
    for layer in layers:
        read += len(fringe)
        if read > _MOST:
            return None
        triples = {triple for node in fringe for triple in _iter_about(store, node, layer)}
        data.extend(ox.Quad(*each) for each in triples)
        # A focus node that is also a value needs no second look: each layer beyond the first is within the one before,
        # since every shape counts as one that starts anywhere.
        fringe = {
            each.object for each in triples if each.predicate != _TYPE and isinstance(each.object, ox.NamedNode)
        } - focus
    return Surroundings(frozenset(each.value for each in focus), data)


def _merge(stacks: Iterable[tuple[Layer, ...]]) -> tuple[Layer, ...]:
    """What any of them looks at, step by step."""
    return tuple(
        None if any(each is None for each in layers) else frozenset().union(*(each for each in layers if each))
        for layers in zip_longest(*stacks, fillvalue=frozenset())
    )


def _iter_about(store: ox.Store, node: ox.NamedNode, layer: Layer) -> Iterator[ox.Triple]:
    for predicate in [None] if layer is None else layer:
        for quad in store.quads_for_pattern(node, predicate, None):
            yield quad.triple


def _list_objects(graph: ox.Store, shape: _Node, predicate: ox.NamedNode) -> list[object]:
    return [quad.object for quad in graph.quads_for_pattern(shape, predicate, None)]


def _iter_parts(graph: ox.Store, shape: _Node) -> Iterator[_Node]:
    for predicate in _SAME:
        for part in _list_objects(graph, shape, predicate):
            if isinstance(part, ox.NamedNode | ox.BlankNode):
                yield part
    for predicate in _LISTS:
        for head in _list_objects(graph, shape, predicate):
            yield from _iter_list(graph, head)


def _iter_list(graph: ox.Store, head: object) -> Iterator[_Node]:
    while isinstance(head, ox.BlankNode):
        for quad in graph.quads_for_pattern(head, _FIRST, None):
            if isinstance(quad.object, ox.NamedNode | ox.BlankNode):
                yield quad.object
        rest = next(iter(graph.quads_for_pattern(head, _REST, None)), None)
        head = None if rest is None else rest.object
