"""Catalogues for tests: of the shipped data, or of as many datasets as a test wants; and how to read them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from rdflib import DCTERMS, RDF, Graph, Namespace
from rdflib.term import Node

from kg.catalog.index import CATALOG_NAME
from kg.catalog.write import write_descriptions
from kg.derive import Sources
from kg.dumps.index import DUMPS_NAME, Dump, load_dumps, write_index
from kg.rdfio import load_prefixes
from kg.release import Release
from kg.settings import KgSettings
from kg.terms import PUBLIC_PLACEHOLDER

__all__ = [
    "CONTRIBUTOR",
    "DATASET",
    "DCAT",
    "DCTERMS",
    "HYDRA",
    "PUBLIC",
    "find_datasets",
    "find_island",
    "make_dumps",
    "parse_page",
    "read_catalog",
    "revise",
    "write_catalog",
]

CONTRIBUTOR = "http://dcat-ap.de/def/contributors/hessen"
# Not the one of rdflib, which lacks dcat:version.
DCAT = Namespace("http://www.w3.org/ns/dcat#")
DATASET = "https://w3id.org/chap/dataset/"
HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
PUBLIC = "https://data.example.org"


def make_dumps(release: Release, number: int) -> dict[str, Dump]:
    """The dumps of as many datasets, each like the smallest of the shipped data, under names of their own."""
    model = load_dumps(release.path)["ontology"]
    found = {}
    for each in range(number):
        name = f"part-{each:04d}"
        files = tuple(file for file in model.files if file.media_type in ("text/turtle", "text/csv"))[:6]
        found[name] = replace(model, dataset=name, digest=hashlib.sha256(name.encode()).hexdigest(), files=files)
    return found


def revise(dump: Dump, *, instant: str) -> Dump:
    """A dump after a small change of its dataset: another digest, published at that instant."""
    digest = hashlib.sha256(dump.digest.encode()).hexdigest()
    files = tuple(replace(file, size=file.size + 1) for file in dump.files)
    return replace(dump, digest=digest, first_published=instant, first_release="0002-cafebabe", files=files)


def write_catalog(
    directory: Path,
    release: Release,
    *,
    dumps: Mapping[str, Dump] | None = None,
    settings: KgSettings | None = None,
    parent: Path | None = None,
) -> Path:
    """The directory, once the descriptions of a release are there, as if it had these dumps and settings."""
    (directory / DUMPS_NAME).mkdir(parents=True)
    write_index((load_dumps(release.path) if dumps is None else dumps).values(), directory / DUMPS_NAME)
    chosen = settings or KgSettings()
    sources = Sources(
        release_id=release.id,
        digest=release.digest,
        nquads_path=release.path,
        merged_path=release.path,
        store_path=release.store_path,
        open_graphs=frozenset(),
        prefixes=load_prefixes(chosen.ontology_dir / "prefixes.ttl"),
        parent=parent,
        instant="2026-11-24T00:00:00.000Z",
        settings=chosen,
    )
    write_descriptions(directory, sources)
    return directory


def parse_page(content: bytes, syntax: str = "nt") -> Graph:
    """A page as a client of the public address would read it."""
    return Graph().parse(data=content.replace(PUBLIC_PLACEHOLDER.encode(), PUBLIC.encode()), format=syntax)


def read_catalog(directory: Path) -> list[Graph]:
    """Every page of a catalogue, in order."""
    paths = sorted((directory / CATALOG_NAME).glob("*.nt"), key=lambda path: int(path.stem))
    return [parse_page(path.read_bytes()) for path in paths]


def find_island(page: Graph, start: Node) -> Graph:
    """All that can be reached from a node: what harvesters store, check and delete with a dataset (HARVEST 2.1)."""
    island, waiting, seen = Graph(), [start], {start}
    while waiting:
        for triple in page.triples((waiting.pop(), None, None)):
            island.add(triple)
            if triple[2] not in seen:
                seen.add(triple[2])
                waiting.append(triple[2])
    return island


def find_datasets(pages: Iterable[Graph]) -> list[str]:
    """The datasets of some pages, in the order of the pages."""
    return [each for page in pages for each in sorted(map(str, page.subjects(RDF.type, DCAT.Dataset)))]
