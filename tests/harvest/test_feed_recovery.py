"""The feed after crashes, lost files and journals that do not fit: nothing is told twice, and nothing is lost."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.entities import ENTITIES_NAME, iter_entities
from kg.errors import ReleaseDamaged, ReleaseError
from kg.feed.log import load_feed
from kg.journal import Journal
from kg.release import Releases
from kg.retention import keep_release, prune_releases
from tests.harvest.feeds import ReadMember, fold_members, publish, read_members, read_state

DAY = "2026-03-0{}T12:00:00Z"


def read_feed(root: Path) -> list[ReadMember]:
    """The members as far as they are published: what a server would serve."""
    feed = load_feed(root)
    quads = []
    for page in feed.pages.values():
        stored = feed.page_path(page.length.number).read_bytes()[: page.length.stored_bytes]
        quads += list(ox.parse(gzip.decompress(stored), format=ox.RdfFormat.N_QUADS))
    return read_members(quads)


def assert_in_step(root: Path) -> None:
    """The feed has taken in the whole journal, and leads to what is current."""
    current = Releases(root).current()
    assert current is not None
    assert load_feed(root).steps == len(Releases(root).journal())
    assert fold_members(read_feed(root)) == read_state(current)


def interrupt(patch: pytest.MonkeyPatch, name: str) -> None:
    """Make a function a crash; taking in the journal is one when there is something to take in."""

    def die(*arguments: object, **_: object) -> None:
        if name == "kg.commit.take_in":
            root, journal = arguments
            assert isinstance(root, Path)
            assert isinstance(journal, Journal)
            if load_feed(root).steps == len(journal):
                return
        raise KeyboardInterrupt

    patch.setattr(name, die)


@pytest.mark.parametrize(
    "where",
    [
        "kg.commit.take_in",  # after the line in the journal
        "kg.feed.steps._copy",  # members are on the page, but not published
        "kg.feed.steps.append_step",  # all is there but the line
    ],
)
@pytest.mark.parametrize("change", ["publish", "use", "keep"])
def test_next_change_makes_up_for_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, change: str
) -> None:
    publish(tmp_path, {"de-a": "A", "de-b": "B"}, instant=DAY.format(1))
    with monkeypatch.context() as patch:
        interrupt(patch, where)
        with pytest.raises(KeyboardInterrupt):
            publish(tmp_path, {"de-a": "B", "de-c": "C"}, instant=DAY.format(2))
    assert load_feed(tmp_path).steps == 1
    assert [each.kind for each in read_feed(tmp_path)] == ["Create", "Create"]
    if change == "publish":
        publish(tmp_path, {"de-a": "C"}, instant=DAY.format(3))
    elif change == "use":
        Releases(tmp_path).use("1")
    else:
        keep_release(tmp_path, "1")
    assert_in_step(tmp_path)
    assert [each.kind for each in read_feed(tmp_path)][:5] == ["Create", "Create", "Update", "Delete", "Create"]
    assert {each.published for each in read_feed(tmp_path)[2:5]} == {"2026-03-02T12:00:00.000Z"}


def test_torn_line_and_torn_page_were_never_published(tmp_path: Path) -> None:
    publish(tmp_path, {"de-a": "A"}, instant=DAY.format(1))
    feed = load_feed(tmp_path)
    before = read_feed(tmp_path)
    with feed.log_path.open("ab") as log, feed.page_path(1).open("ab") as page:
        log.write(b'{"sequence":2')
        page.write(b"torn")
    assert read_feed(tmp_path) == before
    publish(tmp_path, {"de-a": "B"}, instant=DAY.format(2))
    assert_in_step(tmp_path)


def test_interrupted_feed_is_the_same_as_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for root in (tmp_path / "whole", tmp_path / "broken"):
        publish(root, {"de-a": "A"}, instant=DAY.format(1))
        with monkeypatch.context() as patch:
            if root.name == "broken":
                interrupt(patch, "kg.feed.steps.append_step")
                with pytest.raises(KeyboardInterrupt):
                    publish(root, {"de-a": "B"}, instant=DAY.format(2))
            else:
                publish(root, {"de-a": "B"}, instant=DAY.format(2))
        publish(root, {"de-b": "B"}, instant=DAY.format(3))
    whole, broken = (sorted((tmp_path / name / "feed").rglob("*")) for name in ("whole", "broken"))
    assert [each.name for each in whole] == [each.name for each in broken]
    assert [each.read_bytes() for each in whole if each.is_file()] == [
        each.read_bytes() for each in broken if each.is_file()
    ]


def test_feed_outlives_releases_and_needs_none_of_them(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        publish(tmp_path, {"de-a": str(number)}, instant=DAY.format(number))
    before = read_feed(tmp_path)
    prune_releases(tmp_path, keep=1)
    assert read_feed(tmp_path) == before
    publish(tmp_path, {"de-b": "B"}, instant=DAY.format(4))
    assert_in_step(tmp_path)
    assert read_feed(tmp_path)[: len(before)] == before


def test_release_that_cannot_be_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, {"de-a": "A"}, instant=DAY.format(1))
    with monkeypatch.context() as patch:
        interrupt(patch, "kg.commit.take_in")
        with pytest.raises(KeyboardInterrupt):
            publish(tmp_path, {"de-a": "B"}, instant=DAY.format(2))
    (Releases(tmp_path).find("2").path / ENTITIES_NAME).unlink()
    publish(tmp_path, {"de-a": "B", "de-c": "C"}, instant=DAY.format(3))
    assert_in_step(tmp_path)
    assert [json.loads(line)["passed"] for line in load_feed(tmp_path).log_path.read_text().splitlines()] == [
        False,
        True,
        False,
    ]


def test_feed_that_was_moved_away_begins_anew(tmp_path: Path) -> None:
    publish(tmp_path, {"de-a": "A"}, instant=DAY.format(1))
    publish(tmp_path, {"de-a": "B"}, instant=DAY.format(2))
    (tmp_path / "feed").rename(tmp_path / "old")
    Releases(tmp_path).use("1")
    assert_in_step(tmp_path)
    assert [each.kind for each in read_feed(tmp_path)] == ["Create", "Update", "Update"]


def test_feed_that_knows_more_than_the_journal_stops_changes(tmp_path: Path) -> None:
    publish(tmp_path, {"de-a": "A"}, instant=DAY.format(1))
    publish(tmp_path, {"de-a": "B"}, instant=DAY.format(2))
    Releases(tmp_path).use("1")
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(ReleaseDamaged, match="newest journal"):
        publish(tmp_path, {"de-a": "C"}, instant=DAY.format(3))


@pytest.mark.parametrize("line", [b"x\n", b"[]\n", b'{"sequence": 1}\n'])
def test_log_that_is_no_log_stops_changes(tmp_path: Path, line: bytes) -> None:
    publish(tmp_path, {"de-a": "A"}, instant=DAY.format(1))
    load_feed(tmp_path).log_path.write_bytes(line)
    with pytest.raises(ReleaseDamaged, match=r"log\.jsonl"):
        publish(tmp_path, {"de-a": "B"}, instant=DAY.format(2))


def test_lost_state_of_the_feed_is_said_and_not_passed_over(tmp_path: Path) -> None:
    publish(tmp_path, {"de-a": "A"}, instant=DAY.format(1))
    load_feed(tmp_path).entities_path(1).unlink()
    with pytest.raises(ReleaseError, match="begins anew"):
        publish(tmp_path, {"de-a": "B"}, instant=DAY.format(2))
    assert load_feed(tmp_path).steps == 1


def test_page_is_finished_when_it_is_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg.feed.steps.PAGE_BYTES", 4_000)
    publish(tmp_path, {"de-a": "A" * 3_000, "de-b": "B" * 3_000, "de-c": "C"}, instant=DAY.format(1))
    publish(tmp_path, {"de-a": "A", "de-b": "B", "de-c": "D"}, instant=DAY.format(2))
    assert [each.length.members for each in load_feed(tmp_path).pages.values()] == [1, 1, 3, 1]
    assert_in_step(tmp_path)


@pytest.mark.parametrize("damage", ["gone", "cut", "garbled"])
def test_parent_whose_things_cannot_be_read_counts_as_none(tmp_path: Path, damage: str) -> None:
    path = publish(tmp_path, {"de-a": "A", "de-b": "B"}, instant=DAY.format(1)).path / ENTITIES_NAME
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[:-20] if damage == "cut" else b"x" * 100)
    second = publish(tmp_path, {"de-a": "A", "de-b": "C"}, instant=DAY.format(2))
    things = {each.iri: each for each in iter_entities(second.path / ENTITIES_NAME)}
    assert all(each.instant >= "2026-03-01T12:00:00.000Z" for each in things.values())
    # The feed has its own list, and tells what changed.
    assert [each.kind for each in read_feed(tmp_path)] == ["Create", "Create", "Update"]
    assert_in_step(tmp_path)
