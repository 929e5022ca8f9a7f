"""Releases as documents, and every page, document and query out of the release that is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from rdflib import Graph, URIRef
from rdflib.compare import to_isomorphic

from kg.history import History
from kg.journal import Journal, append_entry, load_journal
from kg.release import Release, Releases
from kg.retention import prune_releases
from tests.assertions import assert_problem
from tests.harvest.memento_data import TIMES, publish, publish_history
from tests.protocol.conftest import RunningServer, run_server
from tests.protocol.processes import wait_until

SYNTAXES = {"ttl": "turtle", "jsonld": "json-ld", "rdf": "xml", "nt": "nt"}
ADDRESS = "https://w3id.org/chap/release/"
DATASET = URIRef("https://w3id.org/chap/dataset/chap")
DCAT = "http://www.w3.org/ns/dcat#"
ASK = "query=ASK%20%7B%7D"
# Every kind of route that reads a release.
READS = [
    "/",
    "/about",
    "/hubs",
    "/actors?q=a",
    "/doc/organisation/de-a",
    "/doc/organisation/de-a.ttl",
    "/doc/organisation/de-a.html",
    f"/sparql?{ASK}",
    "/api/v1/hubs",
    "/catalog.ttl",
    "/.well-known/void",
    "/releases",
]


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, list[Release]]]:
    """A server on a history in which the fourth release is damaged and the second was removed."""
    directory = tmp_path_factory.mktemp("history")
    root = directory / "releases"
    releases = publish_history(root)
    for kept in (releases[2], releases[3], releases[4]):
        assert kept.path.is_dir()
    prune_releases(root, keep=3)
    assert not releases[1].path.exists()
    (releases[3].path / "manifest.json").write_text("x", encoding="utf-8")
    with run_server(root, directory / "log") as running:
        yield running, releases


@pytest.fixture(scope="module")
def server(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server on the shipped data."""
    with run_server(releases_dir, tmp_path_factory.mktemp("history-shipped") / "log") as running:
        yield running


@pytest.fixture
def client(past: tuple[RunningServer, list[Release]]) -> Iterator[httpx.Client]:
    with past[0].client() as client:
        yield client


def with_release(path: str, release: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}release={release}"


@pytest.mark.parametrize("path", READS)
def test_release_that_is_not_there_is_said_alike_everywhere(
    client: httpx.Client, past: tuple[RunningServer, list[Release]], path: str
) -> None:
    releases = past[1]
    headers = {"Accept": "text/html"} if path in ("/", "/about", "/doc/organisation/de-a", "/releases") else {}
    for status, code, release in (
        (404, "release-not-found", "0099-00000000"),
        (404, "release-not-found", "9" * 5000),
        (410, "release-pruned", releases[1].id),
        (410, "release-pruned", "2"),
        (503, "release-damaged", releases[3].id),
    ):
        answer = client.get(with_release(path, release), headers=headers)
        problem = assert_problem(answer, status, code)
        if status == 410:
            assert releases[1].id in problem["detail"]
            assert "2001-09-11" in problem["detail"]


@pytest.mark.parametrize("path", [each for each in READS if not each.startswith("/releases")])
def test_answer_out_of_a_named_release_may_be_kept(
    client: httpx.Client, past: tuple[RunningServer, list[Release]], path: str
) -> None:
    third = past[1][2]
    for release in (third.id, "3"):
        answer = client.get(with_release(path, release))
        assert answer.status_code in (200, 404), answer.text
        if answer.status_code == 200:
            assert answer.headers["cache-control"] == "public, max-age=86400"
            assert answer.headers["etag"]
    # What these mean may change: the beginning of an id may soon fit two.
    for release in ("current", third.id[:6]):
        answer = client.get(with_release(path, release))
        if answer.status_code == 200:
            assert answer.headers["cache-control"] == "public, no-cache"


def test_releases_are_listed_in_every_syntax(client: httpx.Client, past: tuple[RunningServer, list[Release]]) -> None:
    releases = past[1]
    graphs = {}
    for suffix, name in SYNTAXES.items():
        answer = client.get(f"/releases.{suffix}")
        assert answer.status_code == 200
        negotiated = client.get("/releases", headers={"Accept": answer.headers["content-type"].partition(";")[0]})
        assert negotiated.content == answer.content
        assert negotiated.headers["vary"].startswith("Accept")
        graphs[suffix] = to_isomorphic(Graph().parse(data=answer.text, format=name))
    graph = graphs["ttl"]
    assert all(each == graph for each in graphs.values())
    assert set(graph.objects(DATASET, URIRef(f"{DCAT}hasVersion"))) == {URIRef(ADDRESS + each.id) for each in releases}
    assert set(graph.objects(DATASET, URIRef(f"{DCAT}hasCurrentVersion"))) == {URIRef(ADDRESS + releases[0].id)}
    assert len(set(graph.subjects(URIRef("http://www.w3.org/ns/prov#used")))) == 6
    assert not [
        term for triple in graph for term in triple if not isinstance(term, URIRef) and term.n3().startswith("_:")
    ]


def test_releases_are_listed_as_json(client: httpx.Client, past: tuple[RunningServer, list[Release]]) -> None:
    releases = past[1]
    answer = client.get("/releases", headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    listed = {each["version"]: each for each in answer.json()["releases"]}
    states = ["current", "removed", "kept", "damaged", "kept"]
    assert [listed[each.id]["status"] for each in releases] == states
    assert [each["action"] for each in listed[releases[0].id]["publications"]] == ["build", "use"]
    assert listed[releases[0].id]["issued"] == "2000-09-15T11:28:26.000Z"
    assert listed[releases[2].id]["checksum"]["digest"] == releases[2].digest
    assert listed[releases[4].id]["parent"] == ADDRESS + releases[3].id
    # The one that was published last stands first.
    assert answer.json()["releases"][0]["version"] == releases[0].id


@pytest.mark.parametrize("language", ["de", "en"])
def test_releases_are_listed_for_people(
    client: httpx.Client, past: tuple[RunningServer, list[Release]], language: str
) -> None:
    releases = past[1]
    page = client.get("/releases", params={"lang": language}, headers={"Accept": "text/html"})
    assert page.headers["content-language"] == language
    assert f'href="/releases/{releases[2].id}?lang={language}"' in page.text
    for gone in (releases[1], releases[3]):
        assert f'href="/releases/{gone.id}' not in page.text
        assert gone.id in page.text
    assert ("20. Januar 2010, 09:34 UTC" if language == "de" else "20 January 2010, 09:34 UTC") in page.text
    assert client.get("/releases?page=2", headers={"Accept": "text/html"}).status_code == 400


def test_address_of_a_release_leads_to_its_document(
    client: httpx.Client, past: tuple[RunningServer, list[Release]]
) -> None:
    server, releases = past
    release = releases[2]
    moved = client.get(f"/release/{release.id}?lang=de")
    assert (moved.status_code, moved.headers["location"]) == (303, f"/releases/{release.id}?lang=de")
    assert client.get(f"/release/{release.id}.ttl").headers["location"] == f"/releases/{release.id}.ttl"
    graphs = []
    for suffix, name in SYNTAXES.items():
        answer = client.get(f"/release/{release.id}.{suffix}", follow_redirects=True)
        assert f'<{ADDRESS}{release.id}>; rel="describes"' in answer.headers["link"]
        graphs.append(to_isomorphic(Graph().parse(data=answer.text, format=name)))
    graph = graphs[0]
    assert all(each == graph for each in graphs)
    subject = URIRef(ADDRESS + release.id)
    assert str(graph.value(subject, URIRef(f"{DCAT}version"))) == release.id
    assert str(graph.value(subject, URIRef("http://xmlns.com/foaf/0.1/page"))) == f"{server.url}/releases/{release.id}"
    checksum = graph.value(subject, URIRef("http://spdx.org/rdf/terms#checksum"))
    assert str(graph.value(checksum, URIRef("http://spdx.org/rdf/terms#checksumValue"))) == release.digest
    # Every address of ours in it answers.
    ours = {str(term).partition("#")[0] for triple in graph for term in triple if str(term).startswith(ADDRESS)}
    for address in ours - {ADDRESS + each.id for each in (releases[1], releases[3])}:
        assert client.get(urlsplit(address).path.removeprefix("/chap"), follow_redirects=True).status_code == 200


def test_document_of_a_release_has_problems_like_all(
    client: httpx.Client, past: tuple[RunningServer, list[Release]]
) -> None:
    releases = past[1]
    for path in ("/release/", "/releases/"):
        assert_problem(client.get(f"{path}0099-00000000"), 404, "release-not-found")
        # For people a number is enough in ?release=, but a release has one address.
        assert_problem(client.get(f"{path}3"), 404, "release-not-found")
        assert_problem(client.get(path + releases[1].id), 410, "release-pruned")
        assert_problem(client.get(path + releases[3].id), 503, "release-damaged")
    assert_problem(client.get("/releases.csv"), 404, "not-found")
    assert_problem(client.get("/releases", headers={"Accept": "text/csv"}), 406, "not-acceptable")


def test_page_of_a_release_says_how_to_cite_it(client: httpx.Client, past: tuple[RunningServer, list[Release]]) -> None:
    release = past[1][2]
    page = client.get(f"/releases/{release.id}", headers={"Accept": "text/html", "Accept-Language": "en"})
    assert page.status_code == 200
    for each in (ADDRESS + release.id, release.digest, "11 September 2001, 20:36 UTC", "@misc{"):
        assert each in page.text


@pytest.mark.parametrize("path", ["/releases", "/releases.json", "/releases.ttl"])
def test_history_is_asked_for_again_and_not_sent_again(client: httpx.Client, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    first = client.get(path, headers=plain)
    assert first.headers["cache-control"] == "public, no-cache"
    again = client.get(path, headers={"If-None-Match": first.headers["etag"], **plain})
    assert (again.status_code, again.content) == (304, b"")
    head = client.head(path, headers=plain)
    assert (head.headers["etag"], head.content) == (first.headers["etag"], b"")


class _Links(HTMLParser):
    """The local addresses that a page leads to, but for those that leave the release on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._aside = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "aside" and attributes.get("class") == "past":
            self._aside += 1
        target = attributes.get("href") if tag == "a" else attributes.get("action") if tag == "form" else None
        if target and target.startswith("/") and not self._aside:
            self.found.append(target)

    def handle_endtag(self, tag: str) -> None:
        if tag == "aside":
            self._aside = 0


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/about",
        "/clusters",
        "/actors?page=2",
        "/hubs?field=ai",
        "/doc/organisation/de-holm",
        "/doc/programme/de-houses-of",
        "/sparql",
        "/dataset/chap",
        "/def",
        "/scheme/hub-kind",
    ],
)
def test_links_of_a_page_stay_in_its_release(server: RunningServer, release: Release, path: str) -> None:
    with server.client() as client:
        page = client.get(with_release(path, release.id), headers={"Accept": "text/html"})
        assert page.status_code == 200
        links = _Links()
        links.feed(page.text)
        assert len(links.found) > 10
        # A form sends its fields, not the query of its address.
        assert ("<form" in page.text) == (f'<input type="hidden" name="release" value="{release.id}">' in page.text)
        fixed = re.compile(r"/static/|/releases/|/sparql$|/api/v1/docs|/(clusters|actors|hubs)$")
        leaving = [
            each
            for each in links.found
            if parse_qs(urlsplit(each).query).get("release") != [release.id] and not fixed.match(each)
        ]
        assert leaving == []


@pytest.mark.parametrize(("language", "words"), [("de", "Sie sehen die Ausgabe"), ("en", "You see release")])
def test_page_out_of_a_named_release_says_so(
    client: httpx.Client, past: tuple[RunningServer, list[Release]], language: str, words: str
) -> None:
    third = past[1][2]
    page = client.get(f"/hubs?q=a&release={third.id}&lang={language}").text
    assert f"{words} {third.id}" in page
    assert ("11. September 2001" if language == "de" else "11 September 2001") in page
    (now,) = re.findall(r'<a href="([^"]*)">(?:Zur aktuellen|Go to the current one)</a>', page)
    assert now.replace("&amp;", "&") == f"/hubs?q=a&lang={language}"
    assert client.get(now.replace("&amp;", "&")).status_code == 200
    assert words not in client.get(f"/hubs?lang={language}").text


def test_api_stays_in_its_release(server: RunningServer, release: Release) -> None:
    with server.client() as client:
        answer = client.get("/api/v1/actors", params={"release": release.id, "limit": 2}).json()
        assert answer["release"] == release.id
        for address in (answer["id"], answer["next"], *(each["document"] for each in answer["items"])):
            assert parse_qs(urlsplit(urljoin(server.url, address)).query)["release"] == [release.id]


A, B, C = "0001-aaaaaaaa", "0002-bbbbbbbb", "0003-cccccccc"


def write_journal(path: Path, publications: Iterable[tuple[str, str]]) -> Journal:
    """A journal with some more publications: releases and when."""
    for release, when in publications:
        append_entry(path, release=release, action="write", instant=datetime.fromisoformat(when))
    return load_journal(path)


def test_history_tells_when_what_was_current(tmp_path: Path) -> None:
    publications = [
        (A, "2026-01-01T00:00:00.900Z"),
        (B, "2026-01-03T00:00:00.000Z"),
        (A, "2026-01-02T00:00:00.000Z"),
        (C, "2026-01-04T00:00:00.000Z"),
    ]
    history = History(write_journal(tmp_path / "journal.jsonl", publications), [A, C, "0009-eeeeeeee"])
    assert [each.sequence for each in history.readable] == [1, 3, 4]
    moments = [each.moment.isoformat() for each in history.publications]
    assert moments == [f"2026-01-0{day}T00:00:00+00:00" for day in (1, 3, 3, 4)]
    assert history.kept == {A, C}
    assert [each.sequence for each in history.find_publications(A)] == [1, 3]
    span = history.find_span(history.publications[1])
    assert (span.first.sequence, span.last.sequence) == (1, 4)
    assert (span.previous, span.next) == (history.publications[0], history.publications[2])
    assert History(Journal(), ()).find_at(history.publications[0].moment) is None


@pytest.mark.parametrize("kept", [[A, B], [A, B, C], [C], [B, C], []])
def test_history_that_goes_on_is_what_one_from_the_beginning_is(tmp_path: Path, kept: list[str]) -> None:
    """Whatever came, went and came back: pruned releases, rollbacks, directories that an import put back."""
    path = tmp_path / "journal.jsonl"
    day = "2026-01-0{}T00:00:00Z".format
    before = History(write_journal(path, [(A, day(1)), (B, day(2)), (A, day(4))]), [A])
    journal = write_journal(path, [(C, day(3)), (B, day(5))])
    after, anew = History(journal, kept, before=before), History(journal, kept)
    for at in (1, 2, 3, 4, 5, 6):
        assert after.find_at(datetime.fromisoformat(day(at))) == anew.find_at(datetime.fromisoformat(day(at)))
    for publication in anew.publications:
        assert after.find_span(publication) == anew.find_span(publication)
    assert list(after.readable) == list(anew.readable)
    assert list(after.publications) == list(anew.publications)
    # Who looks at the one before sees what it said.
    assert [each.sequence for each in before.readable] == [1, 3]
    assert len(before.publications) == 3
    # One that nobody took up leaves no trace in the next.
    assert list(History(journal, kept, before=before).readable) == list(anew.readable)


def test_journal_that_is_damaged_while_the_server_runs_is_said(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    first = publish(root, TIMES[0], things={"de-a": "one"})
    with run_server(root, tmp_path / "log") as server, server.client() as client:
        assert client.get("/releases.json").json()["releases"][0]["version"] == first.id
        journal = Releases(root).journal_path
        sound = journal.read_bytes()
        journal.write_bytes(sound + json.dumps({"sequence": 7}).encode() + b"\n")
        assert wait_until(lambda: "release-damaged" in client.get("/health/ready").json(), seconds=2)
        answer = client.get("/health/ready").json()
        assert "journal" in answer["release-damaged"]
        # What was known before is served still.
        assert client.get("/releases.json").json()["releases"][0]["version"] == first.id
        journal.write_bytes(sound)
