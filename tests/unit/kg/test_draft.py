"""A draft: whatever is done to it in whatever order, its delta leads from what was to what is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import pyoxigraph as ox
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.draft import Draft, Graph

INTEGER = ox.NamedNode("http://www.w3.org/2001/XMLSchema#integer")
GRAPHS: list[Graph] = [ox.DefaultGraph(), ox.NamedNode("urn:x:g"), ox.NamedNode("urn:x:h"), ox.BlankNode("g")]
# The engine stores values: the first two are one.
OBJECTS: list[ox.Literal | ox.BlankNode | ox.Triple] = [
    ox.Literal("1", datatype=INTEGER),
    ox.Literal("01", datatype=INTEGER),
    ox.Literal("1"),
    ox.BlankNode("o"),
    ox.Triple(ox.NamedNode("urn:x:s"), ox.NamedNode("urn:x:p"), ox.Literal("0.50", datatype=INTEGER)),
]
Step: TypeAlias = tuple[str, Graph, list[ox.Quad]]


def make_quads(graph: Graph, places: Iterable[int]) -> list[ox.Quad]:
    subject, predicate = ox.NamedNode("urn:x:s"), ox.NamedNode("urn:x:p")
    return [ox.Quad(subject, predicate, OBJECTS[place], graph) for place in places]


places = st.lists(st.integers(0, len(OBJECTS) - 1), max_size=4)
steps = st.builds(
    lambda verb, graph, chosen: (verb, graph, make_quads(graph, chosen)),
    st.sampled_from(["add", "remove", "replace"]),
    st.sampled_from(GRAPHS),
    places,
)


def change(store: ox.Store, step: Step) -> None:
    """What a step amounts to, as the engine does it."""
    verb, graph, quads = step
    if verb == "replace":
        store.clear_graph(graph)
    for quad in quads:
        (store.remove if verb == "remove" else store.add)(quad)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(GRAPHS), places), max_size=3), st.lists(steps, max_size=6))
def test_delta_leads_from_what_was_to_what_is(before: list[tuple[Graph, list[int]]], done: list[Step]) -> None:
    base = [quad for graph, chosen in before for quad in make_quads(graph, chosen)]
    store, model = ox.Store(), ox.Store()
    store.extend(base)
    model.extend(base)
    first = set(store)
    draft = Draft(store)
    for step in done:
        verb, graph, quads = step
        if verb == "replace":
            draft.replace(graph, quads)
        else:
            (draft.remove if verb == "remove" else draft.add)(quads)
        change(model, step)
        assert set(store) == set(model)
        assert draft.delta.added == set(store) - first
        assert draft.delta.removed == first - set(store)
        # A graph without quads is not there.
        assert set(store.named_graphs()) == {quad.graph_name for quad in store} - {ox.DefaultGraph()}
