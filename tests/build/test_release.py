"""The shipped data as a release: twice the same, whole in its dumps, with a default graph that counts right."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, Store, parse

from kg.build import lift_all
from kg.changes import iter_dump_lines
from kg.lift import Lifted
from kg.rdfio import content_digest
from kg.release import Release, Releases
from kg.settings import KgSettings
from kg.store import open_read_only
from kg.terms import PROVENANCE_GRAPH

pytestmark = pytest.mark.slow
SETTINGS = KgSettings()


def publish(root: Path, store: Store) -> Release:
    return (
        Releases(root)
        .publish(quads=store, open_licences=SETTINGS.open_licences, manifest_extra={}, report_turtle=b"", prefixes={})
        .release
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, lifted: Lifted) -> Release:
    return publish(tmp_path_factory.mktemp("made"), lifted.store)


@pytest.fixture(scope="module")
def store(made: Release) -> Store:
    return open_read_only(made.store_path)


def test_second_publication_makes_nothing(made: Release, lifted: Lifted) -> None:
    assert publish(made.path.parent, lifted.store) == made
    assert len(Releases(made.path.parent).journal()) == 1


def test_lifting_again_gives_the_same_digest(made: Release) -> None:
    assert content_digest(lift_all(SETTINGS).store) == made.digest


def test_publication_elsewhere_gives_the_same_dumps(made: Release, lifted: Lifted, tmp_path: Path) -> None:
    again = publish(tmp_path, lifted.store)
    assert again.id == made.id
    for name in ("content_path", "changes_path"):
        assert getattr(again, name).read_bytes() == getattr(made, name).read_bytes(), name
    assert again.manifest == made.manifest


def test_digest_is_that_of_the_dump(made: Release) -> None:
    lines = gzip.decompress(made.content_path.read_bytes())
    assert hashlib.sha256(lines).hexdigest() == made.digest
    assert list(iter_dump_lines(made.content_path)) == sorted(set(lines.splitlines(keepends=True)))


def test_dump_holds_every_named_quad(made: Release, store: Store, lifted: Lifted) -> None:
    dumped = set(parse(gzip.decompress(made.content_path.read_bytes()), format=RdfFormat.N_QUADS))
    assert dumped == set(lifted.store)
    assert dumped == {quad for quad in store if isinstance(quad.graph_name, NamedNode)}


def test_default_graph_is_the_merge_of_the_graphs_under_open_licences(made: Release, store: Store) -> None:
    licence = NamedNode("http://purl.org/dc/terms/license")
    licences = store.quads_for_pattern(None, licence, None, NamedNode(PROVENANCE_GRAPH))
    opened = {each.subject for each in licences if each.object in {NamedNode(iri) for iri in SETTINGS.open_licences}}
    expected = {quad.triple for quad in store if quad.graph_name in opened}
    merged = [quad.triple for quad in _in(store, DefaultGraph())]
    assert set(merged) == expected
    assert len(merged) == len(expected) == made.manifest.counts.triples


def test_manifest_counts_what_the_store_holds(made: Release, store: Store) -> None:
    counts = made.manifest.counts
    assert counts.quads == sum(isinstance(quad.graph_name, NamedNode) for quad in store)
    assert counts.graphs == len(list(store.named_graphs()))
    kind = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
    for class_iri, number in counts.classes.items():
        found = store.quads_for_pattern(None, kind, NamedNode(class_iri), DefaultGraph())
        assert len({quad.subject for quad in found}) == number, class_iri


def _in(store: Store, graph: NamedNode | DefaultGraph) -> list[Quad]:
    return list(store.quads_for_pattern(None, None, None, graph))
