"""Dumps from release to release: what is restricted stays out, what is unchanged keeps its address and its bytes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import zstandard
from pyoxigraph import Literal, NamedNode, Quad

from kg.dumps.index import Dump, load_dumps
from kg.release import Release, Releases
from kg.retention import prune_releases
from kg.terms import GRAPH, PROVENANCE_GRAPH
from tests.assertions import assert_problem
from tests.protocol.conftest import run_server
from tests.unit.kg.conftest import CLOSED, OPEN, make_quads

SECRET = "64283"
PREFIXES = {"chap": "https://w3id.org/chap/def#", "skos": "http://www.w3.org/2004/02/skos/core#"}
CATALOGUE = GRAPH + "catalogue"


def make_parts(*names: str) -> list[Quad]:
    """The clusters, and a part of the whole whose pattern fits the restricted graph, too."""
    catalogue, dataset = NamedNode(CATALOGUE), NamedNode("https://w3id.org/chap/dataset/hesse")
    return [
        *make_quads(*names),
        Quad(catalogue, NamedNode("http://purl.org/dc/terms/license"), NamedNode(OPEN), NamedNode(PROVENANCE_GRAPH)),
        Quad(
            dataset,
            NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"),
            NamedNode("http://www.w3.org/ns/dcat#Dataset"),
            catalogue,
        ),
        Quad(dataset, NamedNode("https://w3id.org/chap/def#graphPattern"), Literal("/graph/source-"), catalogue),
    ]


def publish(root: Path, quads: list[Quad], *, day: int = 1) -> Release:
    published = Releases(root).publish(
        quads=quads,
        open_licences=[OPEN],
        manifest_extra={},
        report_turtle=b"",
        prefixes=PREFIXES,
        instant=datetime(2026, 1, day, tzinfo=UTC),
    )
    return published.release


def read_stored(release: Release) -> dict[str, bytes]:
    """Every file of the dumps by path, and the unpacked content of what is compressed."""
    root = release.path / "dumps"
    found = {}
    for path in sorted(each for each in root.rglob("*") if each.is_file()):
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        elif path.suffix == ".zst":
            content = zstandard.ZstdDecompressor().stream_reader(content).read()
        found[str(path.relative_to(root))] = content
    return found


def find_dump(release: Release, dataset: str) -> Dump:
    return load_dumps(release.path)[dataset]


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return publish(tmp_path_factory.mktemp("restricted"), make_parts("alpha", "beta"))


def test_graph_without_open_licence_has_a_dataset_of_its_own(restricted: Release) -> None:
    dumps = load_dumps(restricted.path)
    assert list(dumps) == ["chap", "hesse", "restricted-example-com-licences-restricted"]
    closed = dumps["restricted-example-com-licences-restricted"]
    assert (closed.licence, closed.graphs, closed.quads) == (CLOSED, (GRAPH + "source-closed",), 2)
    assert dumps["hesse"].graphs == (GRAPH + "source-a", GRAPH + "source-b")
    assert GRAPH + "source-closed" not in dumps["chap"].graphs
    assert dumps["chap"].licence == dumps["hesse"].licence == OPEN


def test_restricted_statement_is_in_no_file_of_another_dataset(restricted: Release) -> None:
    leaks, held = [], 0
    for name, content in read_stored(restricted).items():
        if name.startswith("restricted-"):
            held += SECRET.encode() in content
        elif SECRET.encode() in content:
            leaks.append(name)
    assert leaks == []
    # Each syntax and statements.csv, twice compressed; its cluster has no class there, so it has no table.
    assert held == 2 * 7
    assert SECRET.encode() in gzip.decompress(restricted.content_path.read_bytes()), "differences need it"


def test_restricted_statement_is_not_served_but_by_its_own_dataset(restricted: Release, tmp_path: Path) -> None:
    with run_server(restricted.path.parent, tmp_path / "log") as server, server.client() as client:
        for dump in load_dumps(restricted.path).values():
            for file in dump.files:
                if file.compression is None:
                    text = client.get(f"/dumps/{dump.dataset}/{dump.digest}/{file.name}").text
                    assert SECRET not in text or dump.licence == CLOSED, file.name
        assert_problem(client.get("/dumps/content.nq.gz"), 404, "resource-not-found")


def test_same_inputs_and_instant_give_the_same_bytes(restricted: Release, tmp_path: Path) -> None:
    again = publish(tmp_path, make_parts("beta", "alpha"))
    paths = [path.relative_to(restricted.path) for path in (restricted.path / "dumps").rglob("*") if path.is_file()]
    assert len(paths) > 50
    for path in paths:
        assert (again.path / path).read_bytes() == (restricted.path / path).read_bytes(), path


def test_dataset_that_did_not_change_keeps_digest_date_and_bytes(tmp_path: Path) -> None:
    first = publish(tmp_path, make_parts("alpha"), day=1)
    extra = Quad(
        NamedNode("https://w3id.org/chap/dataset/hesse"),
        NamedNode("http://purl.org/dc/terms/title"),
        Literal("Hesse", language="en"),
        NamedNode(CATALOGUE),
    )
    second = publish(tmp_path, [*make_parts("alpha"), extra], day=2)
    before, after = find_dump(first, "hesse"), find_dump(second, "hesse")
    assert before == after
    assert (after.first_published, after.first_release) == ("2026-01-01T00:00:00.000Z", first.id)
    name = "dumps/hesse/hesse.ttl.gz"
    assert (second.path / name).stat().st_ino == (first.path / name).stat().st_ino, "one file on disk"
    changed = find_dump(second, "chap")
    assert changed.digest != find_dump(first, "chap").digest
    assert (changed.first_published, changed.first_release) == ("2026-01-02T00:00:00.000Z", second.id)


def test_file_that_is_lost_is_made_again(tmp_path: Path) -> None:
    first = publish(tmp_path, make_parts("alpha"), day=1)
    lost = first.path / "dumps/hesse/hesse.ttl.gz"
    content = lost.read_bytes()
    lost.unlink()
    label = Quad(
        NamedNode("https://w3id.org/chap/x"), NamedNode("https://w3id.org/chap/y"), Literal("z"), NamedNode(CATALOGUE)
    )
    second = publish(tmp_path, [*make_parts("alpha"), label], day=2)
    assert (second.path / "dumps/hesse/hesse.ttl.gz").read_bytes() == content
    assert find_dump(second, "hesse") == find_dump(first, "hesse")


def test_release_after_one_without_dumps_has_them(tmp_path: Path) -> None:
    first = publish(tmp_path, make_parts("alpha"), day=1)
    (first.path / "dumps/index.json").write_text("{", encoding="utf-8")
    second = publish(tmp_path, make_parts("alpha", "beta"), day=2)
    assert find_dump(second, "chap").first_release == second.id


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Release, Release, httpx.Client]]:
    root = tmp_path / "releases"
    first = publish(root, make_parts("alpha"), day=1)
    second = publish(root, make_parts("alpha", "beta"), day=2)
    with run_server(root, tmp_path / "log") as server, server.client() as client:
        yield first, second, client


def test_any_kept_release_answers_for_its_digests(two: tuple[Release, Release, httpx.Client]) -> None:
    first, second, client = two
    for release in (first, second):
        digest = find_dump(release, "chap").digest
        response = client.get(f"/dumps/chap/{digest}/chap.nt.gz")
        assert response.content == (release.path / "dumps/chap/chap.nt.gz").read_bytes()
        assert response.headers["cache-control"].endswith("immutable")
        latest = client.get(f"/dumps/chap/latest/chap.nt.gz?release={release.id}")
        assert latest.headers["location"] == f"../{digest}/chap.nt.gz"
        page = client.get(f"/dumps/chap?release={release.id}", headers={"Accept": "application/json"}).json()
        assert (page["release"], page["digest"]) == (release.id, digest)
    assert (
        client.get("/dumps/chap/latest/chap.nt.gz")
        .headers["location"]
        .startswith(f"../{find_dump(second, 'chap').digest}")
    )


def test_release_that_was_removed_answers_no_more(two: tuple[Release, Release, httpx.Client]) -> None:
    first, second, client = two
    digest = find_dump(first, "chap").digest
    prune_releases(first.path.parent, keep=1)
    assert_problem(client.get(f"/dumps/chap/{digest}/chap.nt.gz"), 404, "dump-not-found")
    assert client.get(f"/dumps/chap/{find_dump(second, 'chap').digest}/chap.nt.gz").status_code == 200


def test_damaged_list_of_one_release_concerns_no_other(two: tuple[Release, Release, httpx.Client]) -> None:
    first, second, client = two
    digest = find_dump(first, "chap").digest
    (second.path / "dumps/index.json").write_text("{", encoding="utf-8")
    assert client.get(f"/dumps/chap/{digest}/chap.nt.gz").status_code == 200
    assert_problem(client.get("/dumps"), 503, "release-damaged")
