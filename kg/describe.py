"""Describe: what a release says about its own graphs, before it is sealed."""

from __future__ import annotations

from pyoxigraph import Store

from kg.queries import QUERIES, load_directory

__all__ = ["describe"]


def describe(store: Store) -> None:
    """Complete the provenance graph: each named graph gets a licence."""
    for rule in load_directory(QUERIES / "describe"):
        store.update(rule.text)
