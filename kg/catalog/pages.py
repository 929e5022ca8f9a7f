"""The catalogue in pages: one island a dataset and, where there are several pages, one node that leads through them.

An island is what can be reached from a dataset: nothing in it leads to the catalogue or to another dataset, so a
harvester that stores and deletes by reachability takes just it. A page lists whole islands, in the order of their IRIs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from kg.catalog.facts import DATASET, construct
from kg.catalog.index import PAGE_SIZE, SUFFIXES, CatalogIndex, name_page
from kg.catalog.syntaxes import sort_triples, write_syntax
from kg.terms import PUBLIC_PLACEHOLDER

__all__ = ["write_pages"]

_CATALOG: Final = ox.NamedNode(f"{PUBLIC_PLACEHOLDER}/catalog")
_DCAT: Final = "http://www.w3.org/ns/dcat#"
_HYDRA: Final = "http://www.w3.org/ns/hydra/core#"
_TYPE: Final = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
_SIZE: Final = ox.NamedNode(_DCAT + "byteSize")
_NON_NEGATIVE: Final = ox.NamedNode("http://www.w3.org/2001/XMLSchema#nonNegativeInteger")
_INTEGER: Final = ox.NamedNode("http://www.w3.org/2001/XMLSchema#integer")
_SERVICE: Final = ox.NamedNode(_DCAT + "DataService")
_ISLAND: Final = ("catalog/catalog-dataset", "catalog/catalog-distributions", "catalog/catalog-services")


def write_pages(directory: Path, facts: ox.Store, index: CatalogIndex, *, prefixes: Mapping[str, str]) -> None:
    """Write every page in every syntax below the directory of the release.

    Raises:
        ReleaseError: a file cannot be written.
    """
    header = list(construct(facts, "catalog/catalog-header"))
    said = _group_by_island(_restore(each) for query in _ISLAND for each in construct(facts, query))
    for number in range(1, index.pages + 1):
        datasets = [ox.NamedNode(DATASET + name) for name in index.list_page(number)]
        triples = [*header, *_iter_islands(said, datasets)]
        for suffix in SUFFIXES:
            way = list(_iter_way(index, number, suffix))
            order = [
                _CATALOG.value,
                *{_find_document(each.subject) for each in way},
                *(each.value for each in datasets),
            ]
            page = sort_triples([*triples, *way], first=order)
            write_syntax(page, directory / name_page(number, suffix), prefixes=prefixes)


def _group_by_island(triples: Iterable[ox.Triple]) -> Mapping[str, list[ox.Triple]]:
    """The triples by dataset, with all that is named within it by a hash, and by whatever else they are about."""
    found: dict[str, list[ox.Triple]] = {}
    for triple in triples:
        document, subject = _find_document(triple.subject), str(triple.subject).strip("<>")
        found.setdefault(document if document.startswith(DATASET) else subject, []).append(triple)
    return found


def _iter_islands(said: Mapping[str, list[ox.Triple]], datasets: Iterable[ox.NamedNode]) -> Iterator[ox.Triple]:
    """The islands of some datasets, and what the catalogue lists of them."""
    for dataset in datasets:
        yield ox.Triple(_CATALOG, ox.NamedNode(_DCAT + "dataset"), dataset)
        for triple in said.get(dataset.value, ()):
            yield triple
            if triple.predicate == _TYPE and triple.object == _SERVICE:
                yield ox.Triple(_CATALOG, ox.NamedNode(_DCAT + "service"), triple.subject)
            if isinstance(triple.object, ox.NamedNode) and _find_document(triple.object) != dataset.value:
                # The types of what is led to: licences, places, documents.
                yield from said.get(triple.object.value, ())


def _find_document(node: ox.NamedNode | ox.BlankNode | ox.Triple) -> str:
    return str(node).strip("<>").partition("#")[0]


def _restore(triple: ox.Triple) -> ox.Triple:
    # The engine knows one kind of integer; DCAT wants another for sizes.
    if triple.predicate == _SIZE and isinstance(triple.object, ox.Literal):
        return ox.Triple(triple.subject, _SIZE, ox.Literal(triple.object.value, datatype=_NON_NEGATIVE))
    return triple


def _iter_way(index: CatalogIndex, number: int, suffix: str) -> Iterator[ox.Triple]:
    """The page's own node, in both dialects that harvesters know (HARVEST 2.1 and 2.3); none when all is on one page.

    The links name the syntax, since harvesters read every page as they did the first, and which datasets there are:
    when one comes or goes in the middle of a harvest, the next page is refused rather than cut elsewhere.
    """
    if index.pages == 1:
        return

    def link(page: int) -> ox.NamedNode:
        return ox.NamedNode(f"{PUBLIC_PLACEHOLDER}/catalog.{suffix}?page={page}&of={index.members}")

    def say(term: str, value: ox.NamedNode | ox.Literal) -> ox.Triple:
        return ox.Triple(link(number), ox.NamedNode(_HYDRA + term), value)

    for kind in ("PartialCollectionView", "PagedCollection"):
        yield ox.Triple(link(number), _TYPE, ox.NamedNode(_HYDRA + kind))
    yield say("totalItems", ox.Literal(str(len(index.issued)), datatype=_INTEGER))
    yield say("itemsPerPage", ox.Literal(str(PAGE_SIZE), datatype=_INTEGER))
    targets = {"first": 1, "last": index.pages, "previous": number - 1, "next": number + 1}
    for term, page in targets.items():
        if 1 <= page <= index.pages:
            yield say(term, link(page))
            yield say(f"{term}Page", link(page))
