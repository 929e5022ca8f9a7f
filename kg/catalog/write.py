"""The descriptions of a release: what is written, and from what (decision 0013).

    catalog/<page>.<suffix>   DCAT-AP.de 3.0, in pages of 100 datasets
    catalog/index.json        since when each dataset has been published
    void.<suffix>             VoID, with prefixes and example queries
    examples.<suffix>         prefixes and example queries alone

Addresses of the server are written with a placeholder (kg.terms.PUBLIC_PLACEHOLDER), which it replaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING

import pyoxigraph as ox

from kg.catalog.examples import iter_examples
from kg.catalog.facts import collect_facts, construct
from kg.catalog.index import (
    CATALOG_NAME,
    EXAMPLES_NAME,
    SUFFIXES,
    VOID_NAME,
    CatalogIndex,
    load_catalog_index,
    write_catalog_index,
)
from kg.catalog.pages import write_pages
from kg.catalog.syntaxes import sort_triples, write_syntax
from kg.dumps.index import load_dumps
from kg.errors import ReleaseDamaged
from kg.queries import QUERIES, load_directory
from kg.store import open_read_only

if TYPE_CHECKING:
    from kg.derive import Sources

__all__ = ["write_descriptions"]

_log = getLogger(__name__)


def write_descriptions(directory: Path, sources: Sources) -> None:
    """Write catalogue, VoID and examples into the directory of a release whose dumps are there.

    Raises:
        ReleaseDamaged: there is no list of dumps.
        ReleaseError: a file cannot be written.
    """
    dumps = load_dumps(directory)
    since = _find_since(sources.parent)
    index = CatalogIndex(issued={name: since.get(name, dump.first_published) for name, dump in dumps.items()})
    (directory / CATALOG_NAME).mkdir()
    write_catalog_index(index, directory / CATALOG_NAME)
    store = open_read_only(sources.store_path)
    facts = collect_facts(store, dumps, issued=index.issued, settings=sources.settings.catalog)
    write_pages(directory, facts, index, prefixes=sources.prefixes)
    examples = list(iter_examples(sources.settings.ontology_dir))
    _write(examples, directory / EXAMPLES_NAME, sources)
    _write([*examples, *_iter_void(store, facts)], directory / VOID_NAME, sources)


def _find_since(parent: Path | None) -> Mapping[str, str]:
    """When each dataset of the release before was first published."""
    try:
        earlier = load_catalog_index(parent) if parent else None
    except ReleaseDamaged as error:
        # A build is always a way out of damage.
        _log.warning("datasets count as first published with what they hold now: %s", error)
        return {}
    return {} if earlier is None else earlier.issued


def _iter_void(store: ox.Store, facts: ox.Store) -> Iterator[ox.Triple]:
    """VoID: from the facts the datasets and their dumps, from the store the statistics of its default graph."""
    for name in load_directory(QUERIES / "void" / "facts").ids():
        yield from construct(facts, f"void/facts/{name}")
    for name in load_directory(QUERIES / "void" / "statistics").ids():
        yield from construct(store, f"void/statistics/{name}")


def _write(triples: Iterable[ox.Triple], path: Path, sources: Sources) -> None:
    ordered = sort_triples(triples)
    for suffix in SUFFIXES:
        write_syntax(ordered, path.with_suffix(f".{suffix}"), prefixes=sources.prefixes)
