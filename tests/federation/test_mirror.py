"""``kg mirror`` against a real server: pages, values, pauses, and a file that a build takes as it is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.allowlist import load_allowlist
from kg.build import lift_all
from kg.errors import LicenceUnknown, RdfSyntaxError, SourceError
from kg.graph_files import iter_mirrored
from kg.mirror import list_mirrors
from kg.settings import KgSettings
from kg.validate import validate
from tests.federation.outside import Handler, Outside, run_outside

NUTS = "http://data.europa.eu/nuts/"
REGIONS = 1_100
GRAPH = "https://w3id.org/chap/graph/mirror-nuts-hesse"


@pytest.fixture
def outside() -> Iterator[Outside]:
    with run_outside() as running:
        lines = [
            f"<{NUTS}code/X{number}> <http://www.w3.org/2004/02/skos/core#broader> <{NUTS}code/DE7> ; "
            f"<http://www.w3.org/2004/02/skos/core#inScheme> <{NUTS}scheme/2024> ; "
            f'<http://www.w3.org/2004/02/skos/core#notation> "X{number}" .'
            for number in range(REGIONS)
        ]
        running.store.load("\n".join(lines).encode(), format=ox.RdfFormat.TURTLE)
        yield running


@pytest.fixture
def allowlist(outside: Outside, tmp_path: Path) -> Path:
    """The shipped names, every address that of the second server."""
    shipped = load_allowlist(Path("data/endpoints.toml"))
    lines = []
    for each in shipped.endpoints.values():
        values = {"iri": each.iri, "url": outside.url + "/sparql", "requests_per_s": 50, "retries": 1, "timeout_s": 5}
        lines += [f"[endpoints.{each.name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    path = tmp_path / "endpoints.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def mirror(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kg", "mirror", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_mirror_comes_in_pages_and_twice_is_once(outside: Outside, allowlist: Path, tmp_path: Path) -> None:
    done = mirror("nuts-hesse", "--endpoints", allowlist, "--data", tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{2 * REGIONS} triples in 4 requests\n" in done.stdout
    assert [request.query.rsplit("LIMIT")[-1].split() for request in outside.log] == [
        ["500", "OFFSET", str(offset)] for offset in (0, 500, 1000, 1500)
    ]
    assert all(request.headers["user-agent"].startswith("CHAP/") for request in outside.log)
    path = tmp_path / "mirrors" / "nuts-hesse.nq"
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    again = mirror("nuts-hesse", "--endpoints", allowlist, "--data", tmp_path)
    assert "as before" in again.stdout
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    # A change there is a change here.
    outside.store.update(f'DELETE DATA {{ <{NUTS}code/X7> <http://www.w3.org/2004/02/skos/core#notation> "X7" }}')
    assert "as before" not in mirror("nuts-hesse", "--endpoints", allowlist, "--data", tmp_path).stdout
    assert path.read_bytes() != before[0]


def test_kept_graph_says_whence_it_comes(allowlist: Path, tmp_path: Path) -> None:
    assert mirror("nuts-hesse", "--endpoints", allowlist, "--data", tmp_path).returncode == 0
    store = ox.Store()
    store.extend(iter_mirrored(tmp_path))
    found = store.query(
        "PREFIX dcterms: <http://purl.org/dc/terms/> PREFIX prov: <http://www.w3.org/ns/prov#> "
        f"ASK {{ GRAPH <https://w3id.org/chap/graph/provenance> {{ <{GRAPH}> a prov:Entity ; "
        "dcterms:license ?licence ; prov:wasDerivedFrom ?source ; dcterms:identifier ?digest "
        "FILTER(STRSTARTS(?digest, 'sha256:')) } "
        "GRAPH <https://w3id.org/chap/graph/sources> { ?source dcterms:date ?date ; dcterms:title ?title ; "
        "<http://xmlns.com/foaf/0.1/page> <https://publications.europa.eu/webapi/rdf/sparql> "
        "FILTER(DATATYPE(?date) = <http://www.w3.org/2001/XMLSchema#date>) } }"
    )
    assert bool(found)
    settings = KgSettings()
    report = validate(store, shapes_dir=settings.shapes_dir, ontology_dir=settings.ontology_dir, trace=None)
    assert report.violations == ()


def test_build_lifts_the_mirror_as_a_graph_that_is_not_open(allowlist: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree("data", data)
    assert mirror("nuts-hesse", "--endpoints", allowlist, "--data", data).returncode == 0
    store = lift_all(KgSettings(data_dir=data)).store
    assert sum(1 for _ in store.quads_for_pattern(None, None, None, ox.NamedNode(GRAPH))) == 2 * REGIONS
    (licence,) = (
        quad.object.value  # type: ignore[union-attr]
        for quad in store.quads_for_pattern(
            ox.NamedNode(GRAPH), ox.NamedNode("http://purl.org/dc/terms/license"), None, None
        )
    )
    assert licence not in KgSettings().open_licences


def test_values_come_from_the_current_release(
    outside: Outside, allowlist: Path, releases_dir: Path, tmp_path: Path
) -> None:
    outside.store.load(
        b'<http://www.wikidata.org/entity/Q1> <http://www.wikidata.org/prop/direct/P6782> "01rdrb571" .',
        format=ox.RdfFormat.N_TRIPLES,
    )
    common = ("wikidata-actors", "--endpoints", allowlist, "--data", tmp_path, "--releases", releases_dir)
    shown = mirror(*common, "--dry-run")
    assert '"01rdrb571"' in shown.stdout
    assert "1 requests" in shown.stdout
    assert outside.log == []
    done = mirror(*common)
    assert done.returncode == 0, done.stderr
    assert "1 triples in 1 requests" in done.stdout
    assert '"01rdrb571"' in outside.log[0].values


def test_bad_iris_are_left_out_and_told(outside: Outside, allowlist: Path, tmp_path: Path) -> None:
    def answer(handler: Handler) -> None:
        good = b'<urn:a> <urn:b> "1" .\n' if "OFFSET 0" in handler.query else b""
        handler.reply(200, good and good + b"<urn:a> <urn:b> <http://example.org/a b> .\n", "application/n-triples")

    outside.answer = answer
    done = mirror("data-europa-hubs", "--endpoints", allowlist, "--data", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 triples" in done.stdout
    assert "http://example.org/a b" in done.stderr


def test_failure_that_passes_is_tried_again(outside: Outside, allowlist: Path, tmp_path: Path) -> None:
    times = []

    def recover(handler: Handler) -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            handler.reply(503, b"", "text/plain", Retry_After="1")
        else:
            handler.evaluate()

    outside.answer = recover
    assert mirror("nuts-hesse", "--endpoints", allowlist, "--data", tmp_path).returncode == 0
    assert times[1] - times[0] >= 1


@pytest.mark.parametrize(
    ("status", "body", "media_type", "code"),
    [
        (503, b"", "text/plain", "remote-unavailable"),
        (400, b"Virtuoso 37000 Error", "text/plain", "remote-refused"),
        (307, b"", "text/plain", "remote-refused"),
        (200, b"<html>", "text/html", "remote-refused"),
        (200, b"<urn:a> <urn:b", "application/n-triples", "remote-refused"),
        (200, b"<urn:a> <urn:b> <urn:c> .", "application/n-triples", "remote-refused"),
        (200, b"", "application/n-triples", "remote-refused"),
        (200, b" " * (17 * 1024 * 1024), "application/n-triples", "remote-refused"),
    ],
    ids=["down", "bad", "moved", "html", "broken", "no pages", "nothing", "large"],
)
def test_failure_leaves_the_file_as_it_was(
    outside: Outside, allowlist: Path, tmp_path: Path, status: int, body: bytes, media_type: str, code: str
) -> None:
    path = tmp_path / "mirrors" / "nuts-hesse.nq"
    path.parent.mkdir()
    path.write_bytes(b"kept")
    outside.answer = lambda handler: handler.reply(status, body, media_type, Location="http://127.0.0.1:99999/")
    done = mirror("nuts-hesse", "--endpoints", allowlist, "--data", tmp_path)
    assert done.returncode == 3, done.stdout
    assert f"error [{code}]" in done.stderr
    assert path.read_bytes() == b"kept"
    assert list(path.parent.iterdir()) == [path]


def test_unknown_mirror_is_told_with_the_nearest() -> None:
    done = mirror("nuts-hessen")
    assert done.returncode == 2
    assert "nuts-hesse" in done.stderr


def test_mirrors_are_listed_with_their_endpoints() -> None:
    done = mirror()
    assert {each.id for each in list_mirrors()} == {line.split()[0] for line in done.stdout.splitlines()}
    shipped = load_allowlist(Path("data/endpoints.toml"))
    assert {each.find_note("endpoint") for each in list_mirrors()} == {each.name for each in shipped.endpoints.values()}


@pytest.mark.parametrize("each", list_mirrors(), ids=lambda each: each.id)
def test_stored_mirror_is_a_construct_in_a_stable_order(each) -> None:  # type: ignore[no-untyped-def]
    assert isinstance(ox.Store().query(each.text), ox.QueryTriples)
    is_paged = each.find_note("page") is not None
    assert is_paged == ("ORDER BY" in each.text)
    assert is_paged != (each.find_note("values") is not None)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<urn:a> <urn:b> <urn:c> <https://w3id.org/chap/graph/mirror-x> .", LicenceUnknown),
        ("<urn:a> <urn:b> <urn:c> <https://w3id.org/chap/graph/inferred> .", SourceError),
        ("<urn:a> <urn:b> <urn:c> .", SourceError),
        ("<urn:a> <urn:b>", RdfSyntaxError),
    ],
)
def test_file_that_kg_mirror_did_not_write_is_refused(tmp_path: Path, text: str, error: type[Exception]) -> None:
    (tmp_path / "mirrors").mkdir()
    (tmp_path / "mirrors" / "x.nq").write_text(text + "\n", encoding="utf-8")
    with pytest.raises(error, match=r"x\.nq"):
        list(iter_mirrored(tmp_path))
