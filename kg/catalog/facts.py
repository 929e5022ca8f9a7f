"""What descriptions are made from, as one small graph that the queries of ``queries/{catalog,void}`` read.

It joins the texts of data/dataset.ttl as the release holds them, the list of dumps and the settings (as rows: one
``xyz:`` property a column, as in kg.tables), and what every release offers (offers.ttl).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import fields
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from kg.dumps.index import Dump
from kg.errors import QueryError
from kg.queries import QUERIES, load_query
from kg.rdfio import load_graph
from kg.settings import CatalogSettings
from kg.store import evaluate_query
from kg.tables import ROW, XYZ
from kg.terms import BASE, PUBLIC_PLACEHOLDER

__all__ = ["DATASET", "collect_facts", "construct"]

DATASET: Final = BASE + "dataset/"
_OFFERS: Final = Path(__file__).with_name("offers.ttl")
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
# Of the settings, those that are addresses.
_IRIS: Final = frozenset({"publisher_iri", "publisher_type", "contact_url", "contributor_id"})


def construct(store: ox.Store, name: str, **bindings: ox.NamedNode) -> Iterator[ox.Triple]:
    """The triples of a stored CONSTRUCT, named by its path below ``queries``.

    Raises:
        QueryError: it is no CONSTRUCT, or cannot be evaluated.
    """
    result = evaluate_query(store, load_query(QUERIES / f"{name}.rq").text, substitutions=bindings)
    if not isinstance(result, ox.QueryTriples):
        raise QueryError(f"the query {name} makes no triples")
    return iter(result)


def collect_facts(
    store: ox.Store, dumps: Mapping[str, Dump], *, issued: Mapping[str, str], settings: CatalogSettings
) -> ox.Store:
    """The facts about the datasets that have dumps.

    Args:
        store: the store of the release.
        dumps: the list of its dumps.
        issued: for each dataset the instant when it was first published.
        settings: who publishes.
    """
    facts = ox.Store()
    facts.extend(ox.Quad(each.subject, each.predicate, each.object) for each in load_graph(_OFFERS, graph_iri=ROW))
    for query in ("catalog/catalog-descriptions", "catalog/catalog-periods"):
        facts.extend(ox.Quad(*each) for each in construct(store, query))
    facts.extend(_describe_settings(settings))
    # A dataset may be made of files that are not in the store, as the shapes are: no query reaches these.
    queryable = {each.value for each in store.named_graphs() if isinstance(each, ox.NamedNode)}
    for dump in dumps.values():
        facts.extend(_describe_dump(dump, issued[dump.dataset], queryable=queryable))
    facts.update(load_query(QUERIES / "catalog" / "catalog-defaults.ru").text)
    return facts


def _describe_settings(settings: CatalogSettings) -> Iterator[ox.Quad]:
    row = ox.NamedNode(ROW + "settings")
    yield _cell(row, "base", ox.Literal(PUBLIC_PLACEHOLDER))
    for each in fields(settings):
        value = getattr(settings, each.name)
        if each.name == "contact_email" and value:
            yield _cell(row, each.name, ox.NamedNode(f"mailto:{value}"))
        elif value:
            yield _cell(row, each.name, ox.NamedNode(value) if each.name in _IRIS else ox.Literal(value))


def _describe_dump(dump: Dump, issued: str, *, queryable: Set[str]) -> Iterator[ox.Quad]:
    dataset = ox.NamedNode(DATASET + dump.dataset)
    yield _cell(dataset, "name", ox.Literal(dump.dataset))
    yield _cell(dataset, "digest", ox.Literal(dump.digest))
    yield _cell(dataset, "issued", _typed(issued, "dateTime"))
    yield _cell(dataset, "first_published", _typed(dump.first_published, "dateTime"))
    yield _cell(dataset, "first_release", ox.Literal(dump.first_release))
    yield _cell(dataset, "quads", _typed(str(dump.quads), "integer"))
    if dump.licence is not None:
        yield _cell(dataset, "licence", ox.NamedNode(dump.licence))
    for graph in queryable & set(dump.graphs):
        yield _cell(dataset, "graph", ox.NamedNode(graph))
    for file in dump.files:
        node = ox.NamedNode(f"{dataset.value}#{file.name}")
        yield _cell(dataset, "file", node)
        yield _cell(node, "name", ox.Literal(file.name))
        yield _cell(node, "media_type", ox.Literal(file.media_type))
        yield _cell(node, "bytes", _typed(str(file.size), "nonNegativeInteger"))
        yield _cell(node, "sha256", _typed(file.sha256, "hexBinary"))
        if file.compression is not None:
            yield _cell(node, "compression", ox.Literal(file.compression))
        if file.class_iri is not None:
            yield _cell(node, "class", ox.NamedNode(file.class_iri))


def _cell(row: ox.NamedNode, column: str, value: ox.NamedNode | ox.Literal) -> ox.Quad:
    return ox.Quad(row, ox.NamedNode(XYZ + column), value)


def _typed(text: str, datatype: str) -> ox.Literal:
    return ox.Literal(text, datatype=ox.NamedNode(_XSD + datatype))
