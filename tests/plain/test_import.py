"""``kg import graph`` in plain mode: every syntax by its ending, any graph, and what is no document."""

from __future__ import annotations

from pathlib import Path

import pytest

from kg.build import build
from kg.cli import main
from kg.release import Releases
from kg.store import open_read_only
from tests.plain.conftest import normalise, parse, plain_settings
from tests.writes.test_graph_store import DOCUMENTS

GRAPH = "http://example.org/g"
ENDINGS = {
    ".ttl": "text/turtle",
    ".nt": "application/n-triples",
    ".nq": "application/n-quads",
    ".trig": "application/trig",
    ".n3": "text/n3",
    ".jsonld": "application/ld+json",
    ".rdf": "application/rdf+xml",
}
HELD = '<urn:x:a> <urn:x:p> _:b . _:b <urn:x:q> "1" ; <urn:x:r> _:c . _:c <urn:x:q> "2" .'


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (("DEFAULT_GRAPH", "own"), ("SHAPES", "none"), ("RELEASES_DIR", str(tmp_path / "releases"))):
        monkeypatch.setenv(f"KG_{name}", value)
    build(plain_settings(tmp_path / "releases"))
    return tmp_path / "releases"


def read(root: Path) -> list[str]:
    current = Releases(root).current()
    assert current is not None
    return normalise(open_read_only(current.store_path))


def bring(path: Path, text: str, name: str, *options: str) -> int:
    path.write_text(text, encoding="utf-8")
    return main(["import", "graph", str(path), "--name", name, *options])


def test_every_syntax_is_known_by_its_ending(root: Path, tmp_path: Path) -> None:
    for ending, media_type in ENDINGS.items():
        assert bring(tmp_path / f"file{ending}", DOCUMENTS[media_type], GRAPH) == 0
        assert read(root) == parse(f"GRAPH <{GRAPH}> {{ {HELD} }}")


def test_graph_is_replaced_and_others_stay(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file.ttl"
    assert bring(path, "<urn:x:s> <urn:x:p> 0 .", "default") == 0
    assert bring(path, "<#it> <urn:x:p> 1 , 2 .", GRAPH) == 0
    assert bring(path, "<#it> <urn:x:p> 2 .", GRAPH) == 0
    assert read(root) == parse(f"<urn:x:s> <urn:x:p> 0 . GRAPH <{GRAPH}> {{ <{GRAPH}#it> <urn:x:p> 2 }}")
    assert "published: 0 quads added, 1 removed" in capsys.readouterr().err
    before = Releases(root).current_id()
    assert bring(path, "<#it> <urn:x:p> 3 .", GRAPH, "--dry-run") == 0
    assert bring(path, "<#it> <urn:x:p> 2 .", GRAPH) == 0
    told = capsys.readouterr()
    assert "would be published: 1 quads added, 1 removed" in told.err
    assert "nothing changed" in told.err
    assert told.out.split() == [before, before]


@pytest.mark.parametrize(
    ("name", "text", "graph", "told"),
    [
        ("file.pdf", "", GRAPH, "no RDF syntax is known"),
        ("file.ttl", "<urn:x:s> ", GRAPH, "[rdf-syntax]"),
        ("file.ttl", "<urn:x:s> <urn:x:p> 1 .", "no iri", "[invalid-iri]"),
        ("file.ttl", "<urn:x:s> <urn:x:p> " + "[ <urn:x:p> " * 200 + "1" + " ]" * 200 + " .", GRAPH, "100 brackets"),
        ("file.jsonld", '{"@context": "http://127.0.0.1:9/context", "a": 1}', GRAPH, "nothing is fetched"),
        ("file.rdf", '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]><r>&e;</r>', GRAPH, "has a DTD"),
        ("file.trig", "<urn:x:g> { <urn:x:s> <urn:x:p> 1 }", GRAPH, "named graphs"),
    ],
)
def test_what_cannot_be_brought_in_changes_nothing(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, graph: str, told: str
) -> None:
    before = Releases(root).current_id()
    assert bring(tmp_path / name, text, graph) != 0
    assert told in capsys.readouterr().err
    assert Releases(root).current_id() == before


def test_file_that_is_not_there_is_said(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "graph", str(tmp_path / "none.ttl"), "--name", GRAPH, "--releases", str(root)]) != 0
    assert "there is no such file" in capsys.readouterr().err
