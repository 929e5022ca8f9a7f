"""Writes as releases: history, dumps that follow, and builds that carry them over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.build import build, check
from kg.complete import complete_current
from kg.draft import Draft
from kg.errors import PublishRefused
from kg.feed.log import load_feed
from kg.release import Releases
from kg.settings import KgSettings
from kg.store import open_read_only
from kg.transaction import Outcome, Write, Writer, write
from kg.untrusted import Document, parse_document
from kg.validate import validate
from tests.protocol.processes import wait_until
from tests.writes.conftest import TURTLE, WRITTEN, comment, run_writable

QUERY = f"SELECT ?text {{ GRAPH <{WRITTEN}holm-ten> {{ ?s ?p ?text }} }}"
ANNA = Writer(name="anna", graphs=(WRITTEN,))


@pytest.fixture
def settings(releases_dir: Path, tmp_path: Path) -> KgSettings:
    shutil.copytree(releases_dir, tmp_path / "releases", symlinks=True)
    return KgSettings(releases_dir=tmp_path / "releases")


def write_graph(settings: KgSettings, name: str, turtle: str, directory: Path) -> Outcome:
    """What comes of replacing a graph."""
    path = directory / "document.ttl"
    path.write_text(turtle, encoding="utf-8")
    graph = ox.NamedNode(WRITTEN + name)
    document = Document(path=path, media_type="text/turtle", base_iri=graph.value)
    quads = parse_document(document, graph=graph, max_depth=10)

    def change(draft: Draft) -> None:
        draft.replace(graph, quads)

    return write(settings, Write(apply=change, writer=ANNA), on_commit=lambda: None)


def test_ten_releases_ago_answers_as_then_and_dumps_follow(releases_dir: Path, tmp_path: Path) -> None:
    with run_writable(releases_dir, tmp_path) as running, running.client() as client:
        url = f"/graph-store?graph={WRITTEN}holm-ten"
        made = []
        for number in range(11):
            response = client.put(url, content=comment(f"number {number}"), headers=TURTLE)
            made.append(response.headers["chap-release"])
            # Harvesters are answered all the while, from the last release that has its dumps.
            assert client.get("/catalog", headers={"Accept": "text/turtle"}).status_code == 200
            assert client.get("/dumps").status_code == 200
        for release_id, text in ((made[0], "number 0"), (made[-1], "number 10")):
            (row,) = client.get("/sparql", params={"query": QUERY, "release": release_id}).json()["results"]["bindings"]
            assert row["text"]["value"] == text
        (row,) = client.get("/sparql", params={"query": QUERY}).json()["results"]["bindings"]
        assert row["text"]["value"] == "number 10"
        newest = Releases(running.releases_dir).get(made[-1])
        # The feed takes in what the last write brought once its things are listed.
        assert wait_until(lambda: _is_taken_in(running.releases_dir, newest.id), seconds=120)
        assert newest.is_complete

        def follows() -> bool:
            dumps = client.get("/dumps", headers={"Accept": "application/json"}).json()
            return bool(dumps["release"] == newest.id)

        assert wait_until(follows, seconds=10)


def _is_taken_in(releases_dir: Path, release_id: str) -> bool:
    last = load_feed(releases_dir).last
    return last is not None and last.release == release_id and not last.passed


def test_build_carries_written_graphs_over(settings: KgSettings, tmp_path: Path, actor: str) -> None:
    written = write_graph(settings, "carried", actor, tmp_path)
    assert written.is_new
    # The write inferred, described and merged as a build does: so a build finds nothing to do.
    rebuilt = build(settings)
    assert not rebuilt.is_new
    assert rebuilt.release.id == written.release.id
    assert check(settings).conforms
    store = open_read_only(rebuilt.release.store_path)
    default = set(store.quads_for_pattern(None, None, None, ox.DefaultGraph()))
    assert len(default) == rebuilt.release.manifest.counts.triples
    assert len(store) - len(default) == rebuilt.release.manifest.counts.quads
    # Whole, or as far as the change reaches: the judgement is the same.
    whole = validate(store, shapes_dir=settings.shapes_dir, ontology_dir=settings.ontology_dir)
    about = {"https://w3id.org/chap/id/organisation/de-example", "https://w3id.org/chap/id/organisation/de-parent"}
    assert {each for each in whole.results if each.focus in about} == {
        each for each in written.report.results if each.focus in about
    }
    assert set(written.report.results) <= set(whole.results)
    # A build with other settings makes a release, and the written graph is in it.
    other = KgSettings(releases_dir=settings.releases_dir, publisher_name="Somebody else")
    again = build(other)
    assert again.is_new
    graph = ox.NamedNode(WRITTEN + "carried")
    kept = open_read_only(again.release.store_path)
    assert set(kept.quads_for_pattern(None, None, None, graph)) == set(store.quads_for_pattern(None, None, None, graph))


def test_build_refuses_what_no_longer_fits_and_names_the_graph(
    settings: KgSettings, tmp_path: Path, repository: Path
) -> None:
    """Two names of one language: the written one fits until the tables bring theirs."""
    name = "http://www.w3.org/2004/02/skos/core#prefLabel"
    holm = "https://w3id.org/chap/id/organisation/de-holm"
    store = open_read_only(Releases(settings.releases_dir).get("current").store_path)
    assert any(store.quads_for_pattern(ox.NamedNode(holm), ox.NamedNode(name), None))
    refused = write_graph(settings, "names", f'<{holm}> <{name}> "Ein anderer Name"@de .', tmp_path)
    assert refused.report.violations
    shapes_dir = tmp_path / "shapes"
    shutil.copytree(repository / "shapes", shapes_dir)
    fits = write_graph(settings, "notes", comment("a note"), tmp_path)
    assert fits.is_new
    # The rules change: notes are no longer wanted.
    thing = shapes_dir / "Note.ttl"
    thing.write_text(
        """@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
        @prefix sh: <http://www.w3.org/ns/shacl#> .
        @prefix shapes: <https://w3id.org/chap/shapes#> .
        @prefix dcterms: <http://purl.org/dc/terms/> .
        shapes:NoteShape a sh:NodeShape ; dcterms:requires rdfs:comment ;
            sh:targetNode <https://w3id.org/chap/id/organisation/de-holm> ;
            sh:property shapes:NoteShape-comment .
        shapes:NoteShape-comment a sh:PropertyShape ; sh:path rdfs:comment ; sh:maxCount 0 ;
            sh:severity sh:Violation ; sh:message "Keine Notiz."@de , "No note."@en .""",
        encoding="utf-8",
    )
    stricter = KgSettings(releases_dir=settings.releases_dir, shapes=shapes_dir)
    with pytest.raises(PublishRefused) as caught:
        build(stricter)
    assert f"<{WRITTEN}notes>, written by anna:" in str(caught.value)
    assert "NoteShape-comment" in str(caught.value)
    assert Releases(settings.releases_dir).get("current").id == fits.release.id


def test_containment_of_places_follows_a_write(settings: KgSettings, tmp_path: Path) -> None:
    """A place between two others: what is within it is within what it is within, and no longer when it goes."""
    within = "<http://www.opengis.net/ont/geosparql#sfWithin>"
    inner, middle, outer = (f"<https://w3id.org/chap/id/place/x-{name}>" for name in ("inner", "middle", "outer"))
    write_graph(settings, "inner", f"{inner} {within} {middle} .", tmp_path)
    there = write_graph(settings, "outer", f"{middle} {within} {outer} .", tmp_path)
    query = f"ASK {{ {inner} {within} {outer} }}"
    assert there.is_new
    assert open_read_only(there.release.store_path).query(query)
    gone = write_graph(settings, "outer", "", tmp_path)
    assert not open_read_only(gone.release.store_path).query(query)
    assert not build(settings).is_new


def test_release_is_completed_once(settings: KgSettings, tmp_path: Path) -> None:
    release = write_graph(settings, "complete", comment("complete"), tmp_path).release
    assert not release.is_complete
    assert complete_current(settings) == release
    assert release.is_complete
    assert (release.path / "dumps" / "index.json").is_file()
    assert (release.path / "catalog" / "index.json").is_file()
    assert not list(release.path.glob(".*"))
    assert complete_current(settings) is None
