"""``/ldes`` over HTTP: what it says of each publication, and how it may be kept."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyoxigraph as ox
import pytest

from kg.release import Releases
from kg.retention import prune_releases
from kg.terms import BASE
from tests.assertions import assert_problem
from tests.harvest.feeds import (
    LDES,
    SOURCE,
    TREE,
    fetch_feed,
    fetch_quads,
    find_objects,
    fold_members,
    publish,
    read_state,
)
from tests.protocol.conftest import run_server

THING = f"{BASE}id/organisation/"
PUBLIC = "https://data.example.org/chap"
PLAIN = {"Accept-Encoding": "identity"}
SYNTAXES = ("application/trig", "application/n-quads", "application/ld+json")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four publications on pages of three members: the second's clock is behind, the third is a rollback."""
    root = tmp_path_factory.mktemp("feed") / "releases"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kg.feed.steps.PAGE_MEMBERS", 3)
        publish(root, {"de-a": "A", "de-a-b": 'A "b"\\\n\u2028', "de-c#x": "C"}, instant="2026-03-01T12:00:00Z")
        publish(root, {"de-a": "A neu", "de-c#x": "C", "de-d": "D"}, instant="2026-02-01T12:00:00Z")
        Releases(root).use("1")
        publish(root, {"de-a": "A", "de-e": "E"}, instant="2126-01-01T00:00:00Z")
    return root


@pytest.fixture(scope="module")
def client(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    log_path = tmp_path_factory.mktemp("server") / "log"
    with run_server(root, log_path, public_url=PUBLIC) as server, httpx.Client(timeout=30, headers=PLAIN) as client:
        # As a proxy would: what clients see is the public address.
        client.event_hooks["request"] = [lambda request: _route(request, server.url)]
        client.base_url = httpx.URL(PUBLIC)
        yield client


def _route(request: httpx.Request, server_url: str) -> None:
    inside = httpx.URL(server_url)
    path = request.url.raw_path.decode().removeprefix("/chap")
    request.url = request.url.copy_with(
        scheme=inside.scheme, host=inside.host, port=inside.port, raw_path=path.encode()
    )


def test_feed_tells_every_publication(client: httpx.Client) -> None:
    members = fetch_feed(client)
    assert [(each.kind, each.thing.removeprefix(THING)) for each in members] == [
        *[("Create", each) for each in ("de-a-b", "de-a", "de-c#x")],
        *[("Delete", "de-a-b"), ("Update", "de-a"), ("Create", "de-d")],
        *[("Create", "de-a-b"), ("Update", "de-a"), ("Delete", "de-d")],
        *[("Delete", "de-a-b"), ("Delete", "de-c#x"), ("Create", "de-e")],
    ]
    assert [each.position for each in members] == list(range(1, 13))
    assert [each.iri for each in members][2:5] == [
        f"{PUBLIC}/ldes/1#organisation/de-c%23x/1",
        f"{PUBLIC}/ldes/2#organisation/de-a-b/2",
        f"{PUBLIC}/ldes/2#organisation/de-a/2",
    ]


def test_feed_leads_to_the_state_of_each_publication(root: Path, client: httpx.Client) -> None:
    members = fetch_feed(client)
    for entry in Releases(root).journal():
        until = [each for each in members if each.position <= 3 * entry.sequence]
        assert fold_members(until) == read_state(Releases(root).get(entry.release))


def test_timestamps_rise_though_a_clock_went_back(client: httpx.Client) -> None:
    members = fetch_feed(client)
    instants = [members[index].published for index in range(0, 12, 3)]
    assert instants[0] == "2026-03-01T12:00:00.000Z"
    assert instants[1] == "2026-03-01T12:00:00.001Z"
    assert instants[1] < instants[2] < instants[3] == "2126-01-01T00:00:00.000Z"
    assert [each.published for each in members] == sorted(each.published for each in members)


def test_members_name_sources_and_release(root: Path, client: httpx.Client) -> None:
    entries = Releases(root).journal()
    for member in fetch_feed(client):
        release = entries[(member.position - 1) // 3].release
        expected = frozenset({SOURCE, f"{BASE}release/{release}"} if member.kind != "Delete" else ())
        assert (member.derived_from, bool(member.payload)) == (expected, member.kind != "Delete")


def test_restricted_statements_are_not_in_the_feed(root: Path, client: httpx.Client) -> None:
    assert all(b"64283" not in gzip.decompress(each.read_bytes()) for each in (root / "feed").rglob("*.gz"))
    assert all("64283" not in client.get(f"/ldes/{number}").text for number in (1, 2, 3, 4))


@pytest.mark.parametrize("path", ["/ldes", "/ldes/1", "/ldes/4"])
def test_all_syntaxes_say_the_same(client: httpx.Client, path: str) -> None:
    expected, *others = [set(fetch_quads(client, path, each)) for each in SYNTAXES]
    assert expected
    assert all(each == expected for each in others)


def test_root_describes_one_stream_with_one_view(client: httpx.Client) -> None:
    quads = fetch_quads(client, "/ldes")
    assert find_objects(quads, f"{TREE}view") == [f"{PUBLIC}/ldes"]
    for name in ("timestampPath", "sequencePath", "versionOfPath", "pollingInterval", "retentionPolicy"):
        assert len(find_objects(quads, LDES + name)) == 1
    assert [each for each in quads if isinstance(each.graph_name, ox.NamedNode)] == []
    assert "public.invalid" not in client.get("/ldes").text


def test_relations_bound_their_pages(client: httpx.Client) -> None:
    root = fetch_quads(client, "/ldes")
    relations = [each.subject.value for each in root if each.predicate.value == f"{TREE}node"]  # type: ignore[union-attr]
    assert len(relations) == 7
    for relation in relations:
        (page,), (value,) = find_objects(root, f"{TREE}node", relation), find_objects(root, f"{TREE}value", relation)
        (kind,) = find_objects(root, "http://www.w3.org/1999/02/22-rdf-syntax-ns#type", relation)
        instants = find_objects(fetch_quads(client, page), "https://www.w3.org/ns/activitystreams#published")
        if kind == f"{TREE}GreaterThanOrEqualToRelation":
            assert min(instants) == value
        else:
            assert kind == f"{TREE}LessThanRelation"
            assert max(instants) < value


def test_retention_keeps_what_it_says(root: Path, tmp_path: Path) -> None:
    releases_dir = Path(shutil.copytree(root, tmp_path / "releases", symlinks=True))
    with run_server(releases_dir, tmp_path / "log") as server, server.client() as client:
        quads = fetch_quads(client, "/ldes")
        (policy,) = find_objects(quads, f"{LDES}retentionPolicy")
        (starting,) = find_objects(quads, f"{LDES}startingFrom", policy)
        before = [client.get(f"/ldes/{number}").content for number in (1, 2, 3, 4)]
        assert len(prune_releases(releases_dir, keep=1)) == 2
        assert [client.get(f"/ldes/{number}").content for number in (1, 2, 3, 4)] == before
        assert min(each.published for each in fetch_feed(client)) == starting


def test_finished_pages_are_for_ever_and_others_are_asked_for_again(client: httpx.Client) -> None:
    for path, caching in (
        ("/ldes", "no-cache"),
        ("/ldes/3", "public, max-age=604800, immutable"),
        ("/ldes/4", "no-cache"),
    ):
        response = client.get(path)
        assert response.headers["cache-control"] == caching
        assert "Accept" in response.headers["vary"].split(", ")
        head = client.head(path)
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", response.headers["etag"])
        again = client.get(path, headers={"If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = client.get(path, headers={"Accept": "application/ld+json", "If-None-Match": response.headers["etag"]})
        assert other.status_code == 200
        is_immutable = find_objects(fetch_quads(client, path), f"{LDES}immutable") == ["true"]
        assert is_immutable == ("immutable" in caching)


def test_tree_client_gets_trig_by_default_and_no_syntax_without_graphs(client: httpx.Client) -> None:
    assert client.get("/ldes/1", headers={"Accept": "*/*"}).headers["content-type"] == "application/trig"
    for path in ("/ldes", "/ldes/1"):
        assert_problem(client.get(path, headers={"Accept": "text/turtle"}), 406, "not-acceptable")


def test_page_that_is_not_there_is_not_found(client: httpx.Client) -> None:
    assert_problem(client.get("/ldes/5"), 404, "feed-page-not-found")
    assert_problem(client.get("/ldes/0"), 404, "feed-page-not-found")


def test_feed_grows_while_it_is_served(tmp_path: Path) -> None:
    with run_server(tmp_path / "releases", tmp_path / "log") as server, server.client() as client:
        assert_problem(client.get("/ldes"), 503, "release")
        publish(tmp_path / "releases", {"de-a": "A"}, instant="2026-03-01T12:00:00Z")
        assert [each.kind for each in fetch_feed(client)] == ["Create"]
        publish(tmp_path / "releases", {"de-a": "B"}, instant="2026-03-02T12:00:00Z")
        Releases(tmp_path / "releases").use("1")
        Releases(tmp_path / "releases").use("2")
        assert [each.kind for each in fetch_feed(client)] == ["Create", "Update", "Update", "Update"]


def test_another_source_for_the_same_is_an_update(tmp_path: Path) -> None:
    publish(tmp_path, {"de-a": "A"}, instant="2026-03-01T12:00:00Z")
    publish(tmp_path, {"de-a": "A"}, instant="2026-03-02T12:00:00Z", stated_by=("source-a", "source-b"))
    with run_server(tmp_path, tmp_path / "log") as server, server.client() as client:
        first, second = fetch_feed(client)
    assert (first.payload, second.kind) == (second.payload, "Update")
