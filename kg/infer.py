"""Infer: what follows from the ontology, in a named graph of its own (``graph/inferred``)."""

from __future__ import annotations

from pyoxigraph import Store

from kg.queries import QUERIES, load_directory

__all__ = ["infer"]


def infer(store: Store) -> None:
    """Add the closures of classes and properties and the containment of places.

    Nothing else is inferred: inverses and shortcuts are lifted into the graph of their statement.
    """
    for rule in load_directory(QUERIES / "infer"):
        store.update(rule.text)
