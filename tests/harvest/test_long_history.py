"""A history of many publications: it comes in pages, and what is asked of it costs what it costs of a short one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from endpoint.history.memento import TIMEMAP_SIZE
from endpoint.history.releases import ServedReleases
from kg.errors import ReleaseNotFound, ReleasePruned
from kg.feed import log as feed_log
from kg.feed import steps as feed_steps
from kg.journal import _follow, append_entry, load_journal
from kg.release import Release, Releases
from tests.assertions import assert_problem
from tests.bench.long_history import READABLE_EVERY, lengthen
from tests.harvest.memento_data import TIMES, parse_links, publish
from tests.protocol.conftest import RunningServer, run_server

DOCUMENT = "/doc/organisation/de-a"
ENTRIES = READABLE_EVERY * (TIMEMAP_SIZE + TIMEMAP_SIZE // 2)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("long") / "releases"
    publish(root, TIMES[0], things={"de-a": "A"})
    lengthen(root, ENTRIES)
    return root


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with run_server(root, tmp_path_factory.mktemp("long-server") / "log") as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def readable(root: Path) -> list[int]:
    """The lines of the journal whose release is there."""
    current = Releases(root).current_id()
    return [each.sequence for each in load_journal(root / "journal.jsonl") if each.release == current]


def test_time_map_is_gathered_from_its_pages(client: httpx.Client, readable: list[int]) -> None:
    address: str | None = f"/timemap{DOCUMENT}"
    mementos, spans, pages = [], [], 0
    before = ""
    while address:
        answer = client.get(address)
        assert answer.status_code == 200
        links = parse_links(answer.text)
        (own,) = [each for each in links if "self" in each.relations]
        assert own.target.endswith(address.partition("://")[2].partition("/")[2])
        spans.append((own.parameters["from"], own.parameters["until"]))
        listed = [each for each in links if "memento" in each.relations]
        assert len(listed) <= TIMEMAP_SIZE
        assert spans[-1] == (listed[0].parameters["datetime"], listed[-1].parameters["datetime"])
        mementos += listed
        # RFC 7089, section 5: documents that are gathered by following links of this type.
        others = {
            name: each for each in links if "timemap" in each.relations for name in each.relations if name != "timemap"
        }
        assert all({"from", "until", "type"} <= each.parameters.keys() for each in others.values())
        assert (others["prev"].target if "prev" in others else "") == before
        before, address = own.target, others["next"].target if "next" in others else None
        pages += 1
    assert pages == 2
    assert len({each.target for each in mementos}) == len(mementos) == len(readable)
    assert ["first" in each.relations for each in mementos] == [True] + [False] * (len(mementos) - 1)
    assert ["last" in each.relations for each in mementos] == [False] * (len(mementos) - 1) + [True]


def test_time_map_has_the_same_pages_in_json(client: httpx.Client, readable: list[int]) -> None:
    first = client.get(f"/timemap{DOCUMENT}", headers={"Accept": "application/json"}).json()
    second = client.get(first["pages"]["next"]["uri"], headers={"Accept": "application/json"}).json()
    listed = first["mementos"]["list"] + second["mementos"]["list"]
    assert len(listed) == len(readable)
    assert first["mementos"]["first"] == second["mementos"]["first"] == listed[0]
    assert first["mementos"]["last"] == second["mementos"]["last"] == listed[-1]
    assert second["pages"]["prev"]["uri"] == first["timemap_uri"]["json_format"]
    assert second["pages"].keys() == {"prev"}
    assert first["pages"]["next"]["from"] == second["mementos"]["list"][0]["datetime"]


@pytest.mark.parametrize("page", ["0", "3", "x", "-1", "9" * 5000])
def test_page_that_is_not_there_is_said(client: httpx.Client, page: str) -> None:
    for path in (f"/timemap{DOCUMENT}", "/releases.json", "/releases.html"):
        number = f"{page}0000" if page == "3" and path != f"/timemap{DOCUMENT}" else page
        assert_problem(client.get(path, params={"page": number}), 400, "bad-parameter")


def test_memento_in_the_midst_knows_its_neighbours(client: httpx.Client, root: Path, readable: list[int]) -> None:
    middle = len(readable) // 2
    release = Releases(root).current_id()
    answer = client.get(DOCUMENT, params={"release": str(release), "publication": str(readable[middle])})
    links = parse_links(answer.headers["link"])
    (before,) = [each for each in links if "prev" in each.relations]
    (after,) = [each for each in links if "next" in each.relations]
    assert before.target.endswith(f"publication={readable[middle - 1]}")
    assert after.target.endswith(f"publication={readable[middle + 1]}")
    for number in ("0", "3", f"0{readable[middle]}", str(ENTRIES + 1), "9" * 5000):
        answer = client.get(DOCUMENT, params={"release": str(release), "publication": number})
        assert_problem(answer, 400, "bad-parameter")


def test_releases_are_gathered_from_their_pages(client: httpx.Client, root: Path) -> None:
    document = client.get("/releases.json").json()
    listed = [each["version"] for each in document["releases"]]
    while len(listed) < 200:
        following = client.get(document["next"]).json()
        assert client.get(following["previous"]).json()["releases"] == document["releases"]
        listed += [each["version"] for each in following["releases"]]
        document = following
    releases = load_journal(root / "journal.jsonl").releases
    assert listed == list(releases[: len(listed)])
    assert document["total"] == len(releases)
    # The real one was published hundreds of times: the first time and the last ones are told.
    publications = client.get("/releases.json").json()["releases"][0]["publications"]
    assert publications[0]["action"] == "build"
    assert len(publications) < TIMEMAP_SIZE / 10


def test_release_that_is_not_there_is_said_in_few_words(client: httpx.Client, root: Path) -> None:
    pruned = load_journal(root / "journal.jsonl").releases[-1]
    for status, code, ref in ((404, "release-not-found", "999999"), (410, "release-pruned", pruned)):
        answer = client.get("/sparql", params={"query": "ASK {}", "release": ref})
        assert len(assert_problem(answer, status, code)["detail"]) < 300


def make_served(root: Path) -> ServedReleases:
    return ServedReleases(root, on_switch=lambda _: None, on_damage=lambda _: None, is_plain=False)


def test_what_a_request_asks_reads_no_journal_and_no_directory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = make_served(root)
    asyncio.run(served.refresh())

    def read(*_: object) -> object:
        raise AssertionError("history was read from disk while a request waited")

    for name in ("load_journal", "list_directories"):
        monkeypatch.setattr(f"kg.release.{name}", read)
    current = served.get()
    assert served.get(current.id) == served.get("1") == current
    for ref in ("999999", "0999-00000000", "x", "f" * 64):
        with pytest.raises(ReleaseNotFound):
            served.get(ref)
    for ref in ("2", served.history.journal.releases[-1]):
        with pytest.raises(ReleasePruned):
            served.get(ref)
    assert served.is_fixed(current.id)
    assert not served.is_fixed("999999-00000000")


def test_looking_again_reads_what_was_appended(tmp_path: Path) -> None:
    release = publish(tmp_path, TIMES[0], things={"de-a": "A"})
    lengthen(tmp_path, 500)
    served, path = make_served(tmp_path), tmp_path / "journal.jsonl"
    asyncio.run(served.refresh())
    reader, size = _follow(path).reader, path.stat().st_size
    read_bytes, version = reader.read_bytes, served.version
    asyncio.run(served.refresh())
    assert (reader.read_bytes, served.version) == (read_bytes, version)
    append_entry(path, release=release.id, action="use")
    asyncio.run(served.refresh())
    assert reader.read_bytes - read_bytes == path.stat().st_size - size
    assert len(served.history.publications) == 501
    assert served.version != version
    assert served.lag.feed_steps == 1


def test_change_reads_what_was_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publication in a process that made one before; and it looks at few of the many releases there were."""
    publish(tmp_path, TIMES[0], things={"de-a": "A"})
    lengthen(tmp_path, 500)
    publish(tmp_path, "Wed, 01 Jan 2025 00:00:00 GMT", things={"de-a": "B"})
    readers = [_follow(tmp_path / "journal.jsonl").reader, feed_log._follow(tmp_path).reader]
    before = [each.read_bytes for each in readers]
    looked: list[Path] = []
    is_pending = feed_steps._is_pending

    def look(path: Path) -> bool:
        looked.append(path)
        return is_pending(path)

    monkeypatch.setattr(feed_steps, "_is_pending", look)
    release: Release = publish(tmp_path, "Thu, 02 Jan 2025 00:00:00 GMT", things={"de-a": "C"})
    # A line of each.
    assert all(0 < each.read_bytes - start < 300 for each, start in zip(readers, before, strict=True))
    assert 0 < len(looked) < 10
    assert release.sequence == load_journal(tmp_path / "journal.jsonl").next_number - 1
