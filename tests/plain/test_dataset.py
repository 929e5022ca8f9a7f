"""A plain dataset as a whole: beginning, protocol, description, pages, history, and what does not go together."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pyoxigraph as ox
import pytest

from endpoint.reader.update import read_update
from endpoint.writes.evaluate import carry_out
from kg.build import build, check
from kg.doctor import examine_directory, examine_one, list_releases
from kg.errors import RdfError, SettingsError
from kg.graph_store import Access, GraphStore
from kg.publish import publish_release
from kg.release import Releases
from kg.replica import export_release, import_release
from kg.settings import KgSettings, load_settings
from kg.transaction import Write, Writer, write
from tests.assertions import assert_problem
from tests.killing import kill_changes, list_steps
from tests.plain.conftest import TURTLE, Plain, parse, plain_settings
from tests.protocol.conftest import run_server
from tests.unit.kg.conftest import OPEN, make_quads

SD = "http://www.w3.org/ns/sparql-service-description#"
TRICKY = '"a <urn:x:b> \\"c\\" <d" , "e <f>"^^<urn:x:g> , <urn:x:o> , _:b'
PAGES = ["/", "/about", "/sparql", "/releases"]
# What describes the graph of CHAP.
ABSENT = [
    "/catalog",
    "/.well-known/void",
    "/void.ttl",
    "/dumps",
    "/ldes",
    "/sitemap.xml",
    "/api/v1/actors",
    "/actors",
    "/def",
]


def run_kg(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kg", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def change(root: Path, text: str = f"INSERT DATA {{ <urn:x:s> <urn:x:p> {TRICKY} }}") -> None:
    """Update a plain dataset."""

    apply = partial(carry_out, read_update(text, base="urn:x:base"))
    work = Write(apply=apply, writer=Writer(name="owner", graphs=("",)))
    write(plain_settings(root), work, on_commit=lambda: None)


def find_problems(root: Path) -> list[str]:
    found = [*examine_directory(root), *(each for release in list_releases(root) for each in examine_one(release))]
    return [each.what for each in found]


def test_build_begins_an_empty_dataset_and_never_replaces_one(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    mode = {"KG_DEFAULT_GRAPH": "own", "KG_SHAPES": "none", "KG_RELEASES_DIR": str(root)}
    first = run_kg("build", **mode)
    assert first.returncode == 0, first.stderr
    change(root)
    again = run_kg("build", **mode)
    current = Releases(root).current()
    assert current is not None
    assert (again.returncode, again.stdout.strip()) == (0, current.id)
    assert current.manifest.counts.triples == 4
    assert run_kg("doctor", **mode).returncode == 0
    shown = run_kg("release", "diff", "1", "current", **mode)
    assert "default graph: +4 -0" in shown.stdout
    cited = run_kg("release", "cite", **mode)
    assert "no persistent address" in cited.stderr
    assert cited.returncode == 3


def test_server_without_a_release_says_how_to_begin(tmp_path: Path) -> None:
    wrapper = "env KG_DEFAULT_GRAPH=own KG_SHAPES=none"
    with run_server(tmp_path / "releases", tmp_path / "log", wrapper=wrapper) as server:
        assert "kg build" in server.log_path.read_text(encoding="utf-8")
        assert "kg build" in assert_problem(httpx.get(f"{server.url}/health/ready"), 503, "not-ready")["detail"]
        assert "kg build" in httpx.get(f"{server.url}/graph-store?default").json()["detail"]


def test_modes_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="KG_SHAPES=none as well"):
        load_settings({"KG_DEFAULT_GRAPH": "own"})
    with pytest.raises(SettingsError, match="KG_DEFAULT_GRAPH=own as well"):
        load_settings({"KG_SHAPES": "none"})
    with pytest.raises(SettingsError, match="one of merge, own"):
        load_settings({"KG_DEFAULT_GRAPH": "union"})
    mode = {"KG_DEFAULT_GRAPH": "own", "KG_SHAPES": "none"}
    for name, value in (("KG_DATA_DIR", "x"), ("KG_OPEN_LICENCES", "urn:x:y"), ("KG_WRITTEN_LICENCE", "urn:x:y")):
        with pytest.raises(SettingsError, match=f"{name} means nothing"):
            load_settings({**mode, name: value})
    with pytest.raises(SettingsError, match="nothing is judged"):
        check(plain_settings(tmp_path))

    plain, built = tmp_path / "plain", tmp_path / "built"
    build(plain_settings(plain))
    Releases(built).publish(quads=make_quads("alpha"), open_licences=[OPEN], manifest_extra={}, report_turtle=b"")
    with pytest.raises(SettingsError, match="holds a plain dataset: set KG_DEFAULT_GRAPH=own"):
        build(KgSettings(releases_dir=plain))
    with pytest.raises(SettingsError, match="built from tables: unset KG_DEFAULT_GRAPH"):
        build(plain_settings(built))
    with pytest.raises(SettingsError, match="built from tables: unset KG_DEFAULT_GRAPH"):
        change(built)
    served = run_kg("serve", "--port", "0", "--releases", str(plain))
    assert served.returncode == 2
    assert "holds a plain dataset" in served.stderr
    served = run_kg(
        "serve", "--port", "0", "--releases", str(plain), ENDPOINT_REMOTE_SPARQL_URL="http://x.example/", **mode
    )
    assert served.returncode == 2
    assert "ENDPOINT_REMOTE_SPARQL_URL" in served.stderr


def test_queries_see_default_and_named_graphs(plain: Plain) -> None:
    plain.fill(
        "<urn:x:s> <urn:x:p> 0 . GRAPH <urn:x:g> { <urn:x:s> <urn:x:p> 1 } GRAPH <urn:x:h> { <urn:x:s> <urn:x:p> 2 }"
    )

    def select(query: str, **parameters: str) -> list[str]:
        text = plain.client.get("/sparql", params={"query": query, **parameters}, headers={"Accept": "text/csv"}).text
        return sorted(text.splitlines()[1:])

    everything = "SELECT ?o { ?s ?p ?o }"
    assert select(everything) == ["0"]
    assert select("SELECT ?g ?o { GRAPH ?g { ?s ?p ?o } }") == ["urn:x:g,1", "urn:x:h,2"]
    assert select(everything, **{"default-graph-uri": "urn:x:g"}) == ["1"]
    assert select("SELECT ?o FROM <urn:x:g> FROM <urn:x:h> { ?s ?p ?o }") == ["1", "2"]
    assert select("SELECT ?o { GRAPH ?g { ?s ?p ?o } }", **{"named-graph-uri": "urn:x:h"}) == ["2"]


def test_description_says_what_is_there(plain: Plain) -> None:
    plain.fill("<urn:x:s> <urn:x:p> 0 . GRAPH <urn:x:g> { <urn:x:s> <urn:x:p> 1 , 2 }")
    text = plain.client.get("/sparql", headers={"Accept": "application/n-triples"}).text
    found = {
        (quad.subject.value, quad.predicate.value): quad.object
        for quad in ox.parse(text, format=ox.RdfFormat.N_TRIPLES)
    }
    dataset = f"{plain.server.url}/sparql#dataset"
    assert found[dataset, SD + "namedGraph"] == ox.NamedNode("urn:x:g")
    default = found[dataset, SD + "defaultGraph"]
    assert found[default.value, "http://rdfs.org/ns/void#triples"].value == "1"
    assert found["urn:x:g", "http://rdfs.org/ns/void#triples"].value == "2"
    assert found[dataset, "http://purl.org/dc/terms/extent"].value == "1 named graphs"
    # Neither a licence nor a description elsewhere is claimed.
    assert "license" not in text
    assert "seeAlso" not in text


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["de", "en"])
def test_pages_speak_of_the_dataset(plain: Plain, path: str, language: str) -> None:
    page = plain.client.get(path, params={"lang": language}, headers={"Accept": "text/html"})
    assert page.status_code == 200, page.text
    for absent in ("Hess", "/clusters", "/dumps", "creativecommons"):
        assert absent not in page.text
    for release in Releases(plain.releases_dir).list()[:2]:
        assert plain.client.get(f"/releases/{release.id}", headers={"Accept": "text/html"}).status_code == 200
        assert (
            plain.client.get(path, params={"release": release.id}, headers={"Accept": "text/html"}).status_code == 200
        )


@pytest.mark.parametrize("path", ABSENT)
def test_what_describes_the_graph_of_chap_is_not_there(plain: Plain, path: str) -> None:
    assert "plain dataset" in assert_problem(plain.client.get(path), 404, "not-found")["detail"]


def test_releases_go_by_the_address_of_the_server(plain: Plain) -> None:
    record = plain.client.get("/releases", headers={"Accept": "application/json"}).json()
    assert record["id"] == f"{plain.server.url}/"
    assert record["current"].startswith(f"{plain.server.url}/releases/")
    assert "w3id.org/chap" not in plain.client.get("/releases.nt").text


def test_writes_are_releases(plain: Plain, tmp_path: Path) -> None:
    plain.fill("<urn:x:s> <urn:x:p> 0 .")
    before = plain.client.get("/health/ready").json()["release"]
    data = f"<urn:x:s> <urn:x:p> {TRICKY} ."
    for query in ("?default", "?graph=urn:x:g"):
        response = plain.client.put(f"/graph-store{query}", content=data, headers=TURTLE)
        assert response.status_code in (201, 204), response.text
    asked = {"query": "SELECT ?o { ?s ?p ?o }", "release": before}
    assert plain.client.get("/sparql", params=asked, headers={"Accept": "text/csv"}).text.splitlines() == ["o", "0"]
    old = plain.client.get("/graph-store", params={"default": "", "release": before})
    assert parse(old.text) == parse("<urn:x:s> <urn:x:p> 0 .")

    current = Releases(plain.releases_dir).current()
    assert current is not None
    assert find_problems(plain.releases_dir) == []
    counts = current.manifest.counts
    assert (counts.triples, counts.quads, counts.graphs) == (4, 4, 1)
    assert counts.properties == {"urn:x:p": 4}
    # A copy elsewhere is the same, and is looked through when it arrives.
    export_release(Releases(plain.releases_dir), "current", tmp_path / "archive")
    assert import_release(tmp_path / "replica", tmp_path / "archive").release.digest == current.digest
    with pytest.raises(RdfError, match="plain dataset"):
        publish_release(
            current, GraphStore("http://127.0.0.1:9/", "http://127.0.0.1:9/", Access()), progress=lambda *_: None
        )


def test_damage_to_the_default_graph_is_found(tmp_path: Path) -> None:
    build(plain_settings(tmp_path))
    change(tmp_path)
    current = Releases(tmp_path).current()
    assert current is not None
    assert find_problems(tmp_path) == []
    store = ox.Store(str(current.store_path))
    store.add(ox.Quad(ox.NamedNode("urn:x:s"), ox.NamedNode("urn:x:p"), ox.Literal("slipped in")))
    store.flush()
    del store
    assert any("does not hold what the content" in each for each in find_problems(tmp_path))


def test_killed_write_happened_or_did_not(tmp_path: Path) -> None:
    for name in ("whole", "before", "after"):
        build(plain_settings(tmp_path / name))
        change(tmp_path / name)
    steps = list_steps(f"{__name__}:change_again", tmp_path / "whole")
    chosen = {
        tmp_path / "before": next(each for each in steps if each.startswith("fsync journal.jsonl")),
        tmp_path / "after": next(each for each in steps if each.startswith("symlink")),
    }
    kill_changes(f"{__name__}:change_again", chosen)
    for root in chosen:
        change(root, "INSERT DATA { <urn:x:next> <urn:x:p> 1 }")
        assert find_problems(root) == []
        assert Releases(root).current_id() == Releases(root).journal()[-1].release


def change_again(root: Path) -> None:
    change(root, "DELETE WHERE { <urn:x:s> <urn:x:p> <urn:x:o> } ; INSERT DATA { <urn:x:again> <urn:x:p> 1 }")
