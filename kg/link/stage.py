"""Link: the reviewed mappings of ``data/links`` become statements, by the updates in ``queries/link``.

Each row is seen as plain triples first, as the rows of tables are. A link is stated as one triple, and beside it stands
what is known about it (owl:Axiom, as SSSOM writes mappings in RDF): who says so, how it was found, how sure it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, Store

from kg.errors import LinkSetError
from kg.link.sssom import Link, LinkSet, load_link_sets
from kg.queries import QUERIES, load_directory
from kg.rdfio import load_prefixes
from kg.tables import XYZ, RecordRef
from kg.terms import GRAPH, SCHEME, THING, mint_graph, mint_link, mint_node

__all__ = ["link"]

_XSD: Final = "http://www.w3.org/2001/XMLSchema#"


def link(store: Store, links_dir: Path, *, ontology_dir: Path) -> Mapping[str, tuple[RecordRef, ...]]:
    """Which row each node about a link came from, after adding the links of all mapping sets to a store.

    A row that names the source asserting it goes into the graph of that source; one that is our own judgement into the
    graph of its set, which rests on what the set compares. Refused pairs make no statement.

    Raises:
        LinkSetError: a set is broken or not reviewed, or names a subject or a source that the store does not know.
    """
    sets = load_link_sets(links_dir, load_prefixes(ontology_dir / "prefixes.ttl"))
    if problems := [*_iter_unknown(store, sets)]:
        raise LinkSetError(problems)
    stated = [(link_set, each) for link_set in sets for each in link_set.links if not each.is_negated]
    store.extend(quad for link_set in sets for quad in _iter_set_quads(link_set))
    store.extend(quad for link_set, each in stated for quad in _iter_row_quads(link_set, each))
    for update in load_directory(QUERIES / "link"):
        store.update(update.text)
    store.clear_graph(DefaultGraph())
    return {mint_link(each.subject, each.object_curie): (_record(link_set, each),) for link_set, each in stated}


def _iter_unknown(store: Store, sets: Iterable[LinkSet]) -> Iterator[str]:
    for link_set in sets:
        path = f"data/links/{link_set.file}"
        for source in link_set.sources:
            if not _is_described(store, source):
                yield f"{path}: {source} is unknown.\n  Cure: add the source to data/sources.csv."
        if not link_set.sources and not all(each.source or each.is_negated for each in link_set.links):
            yield (
                f"{path}: nothing says where the sets that it compares come from.\n"
                "  Cure: name one as subject_source or object_source, with the prefix source:."
            )
        for each in link_set.links:
            for column, iri in (("subject_id", each.subject), ("object_id", each.object_id)):
                if iri.startswith((SCHEME, THING)) and not _is_described(store, iri):
                    yield (
                        f"{path} row {each.line}, column {column}: {iri} is unknown.\n"
                        "  Cure: name a thing of data/iris.csv or a concept of ontology/schemes, or add it there first."
                    )
            if each.source and not _is_described(store, each.source):
                yield (
                    f"{path} row {each.line}, column mapping_source: {each.source} is unknown.\n"
                    "  Cure: add the source to data/sources.csv."
                )


def _is_described(store: Store, iri: str) -> bool:
    return next(store.quads_for_pattern(NamedNode(iri), None, None, None), None) is not None


def _iter_set_quads(link_set: LinkSet) -> Iterator[Quad]:
    node = NamedNode(f"{GRAPH}links-{link_set.name}")
    yield Quad(node, NamedNode(XYZ + "title"), Literal(link_set.title, language="en"))
    yield Quad(node, NamedNode(XYZ + "licence"), NamedNode(link_set.licence))
    for source in link_set.sources:
        yield Quad(node, NamedNode(XYZ + "source"), NamedNode(source))


def _iter_row_quads(link_set: LinkSet, each: Link) -> Iterator[Quad]:
    row = NamedNode(_record(link_set, each).iri)
    graph = mint_node("graph", "source", each.source) if each.source else mint_graph(f"links-{link_set.name}")
    terms: dict[str, NamedNode | Literal] = {
        "link": NamedNode(mint_link(each.subject, each.object_curie)),
        "graph": NamedNode(graph),
        "subject": NamedNode(each.subject),
        "predicate": NamedNode(each.predicate),
        "object": NamedNode(each.object_id),
        "object_label": Literal(each.object_label),
        "justification": NamedNode(each.justification),
        "confidence": Literal(str(each.confidence), datatype=NamedNode(_XSD + "decimal")),
        "reviewer": Literal(each.reviewer),
        "date": Literal(each.date.isoformat(), datatype=NamedNode(_XSD + "date")),
    }
    if each.author:
        terms["author"] = Literal(each.author)
    if each.source:
        terms["source"] = NamedNode(each.source)
    if each.comment:
        terms["comment"] = Literal(each.comment, language="en")
    for name, term in terms.items():
        yield Quad(row, NamedNode(XYZ + name), term)


def _record(link_set: LinkSet, each: Link) -> RecordRef:
    return RecordRef(f"links/{link_set.file}", each.line, each.object_curie)
