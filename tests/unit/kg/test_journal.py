from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from kg.durable import drop_torn_line
from kg.errors import ReleaseDamaged, SettingsError
from kg.journal import JournalEntry, _follow, append_entry, load_journal, parse_instant

NOON = datetime(2026, 3, 1, 13, 0, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.jsonl"
    append_entry(path, release="0001-aaaaaaaa", action="build", instant=NOON)
    append_entry(path, release="0002-bbbbbbbb", action="write", instant=NOON)
    return path


def test_entries_are_numbered_and_in_utc(path: Path) -> None:
    entry = JournalEntry(sequence=2, release="0002-bbbbbbbb", action="write", instant="2026-03-01T12:00:00.000Z")
    assert load_journal(path)[1] == entry


def test_appending_leaves_what_is_there(path: Path) -> None:
    before = path.read_bytes()
    append_entry(path, release="0001-aaaaaaaa", action="use", instant=NOON)
    assert path.read_bytes().startswith(before)
    assert [each.action for each in load_journal(path)] == ["build", "write", "use"]


def test_no_journal_has_no_entries(tmp_path: Path) -> None:
    assert len(load_journal(tmp_path / "journal.jsonl")) == 0
    drop_torn_line(tmp_path / "journal.jsonl")


def test_torn_last_line_was_never_committed(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[0])
    assert len(load_journal(path)) == 2
    append_entry(path, release="0003-cccccccc", action="build", instant=NOON)
    assert [each.release[:4] for each in load_journal(path)] == ["0001", "0002", "0003"]


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[]",
        b'{"sequence":3,"release":"0003-cccccccc","action":"burn","instant":""}',
        b'{"sequence":"3","release":"0003-cccccccc","action":"use","instant":""}',
        b'{"sequence":9,"release":"0003-cccccccc","action":"use","instant":""}',
    ],
)
def test_damaged_committed_line_is_named(path: Path, line: bytes) -> None:
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(ReleaseDamaged, match="line 3"):
        load_journal(path)


def test_instant_follows_source_date_epoch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert parse_instant({"SOURCE_DATE_EPOCH": "86400"}) == datetime(1970, 1, 2, tzinfo=UTC)
    assert parse_instant({}) > NOON - timedelta(days=3650)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    entry = append_entry(tmp_path / "journal.jsonl", release="0001-aaaaaaaa", action="build")
    assert entry.instant == "1970-01-02T00:00:00.000Z"


@pytest.mark.parametrize("epoch", ["yesterday", "1.5", "9" * 40])
def test_instant_that_is_no_whole_number_is_refused(epoch: str) -> None:
    with pytest.raises(SettingsError, match="SOURCE_DATE_EPOCH"):
        parse_instant({"SOURCE_DATE_EPOCH": epoch})


def count_reading(path: Path) -> int:
    """How many bytes of a journal this process has read so far."""
    return _follow(path.absolute()).reader.read_bytes


def test_journal_that_was_read_is_followed_and_not_read_again(path: Path) -> None:
    before = load_journal(path)
    read_bytes, size = count_reading(path), path.stat().st_size
    append_entry(path, release="0003-cccccccc", action="write", instant=NOON)
    after = load_journal(path)
    assert [each.sequence for each in after] == [1, 2, 3]
    assert count_reading(path) - read_bytes == path.stat().st_size - size
    # Who holds what was read before sees what was there then.
    assert len(before) == 2
    assert list(before) == list(after)[:2]
    assert after.goes_on_from(before)
    assert not before.goes_on_from(after)


def test_what_is_asked_of_a_journal_is_as_it_was_when_it_was_read(path: Path) -> None:
    before = load_journal(path)
    append_entry(path, release="0003-cccccccc", action="write", instant=NOON)
    append_entry(path, release="0001-aaaaaaaa", action="use", instant=NOON)
    after = load_journal(path)
    assert [list(each.find_places("0001-aaaaaaaa")) for each in (before, after)] == [[0], [0, 3]]
    assert [list(each.find_places("0003-cccccccc")) for each in (before, after)] == [[], [2]]
    assert [each.find_number(3) for each in (before, after)] == [None, "0003-cccccccc"]
    assert before.releases == ("0002-bbbbbbbb", "0001-aaaaaaaa")
    assert after.releases == ("0001-aaaaaaaa", "0003-cccccccc", "0002-bbbbbbbb")
    assert [each.action for each in after.find_entries("0001-aaaaaaaa")] == ["build", "use"]
    assert after.find_number(9) is None
    assert after.next_number == 4


def test_journal_that_was_put_back_is_read_anew(path: Path) -> None:
    older = path.read_bytes()
    append_entry(path, release="0003-cccccccc", action="write", instant=NOON)
    assert load_journal(path).next_number == 4
    path.write_bytes(older)
    assert load_journal(path).next_number == 3


def test_line_that_others_wrote_is_read_as_well(path: Path) -> None:
    line = '{"action": "use", "instant": "2026-03-02", "release": "0001-aaaaaaaa", "sequence": 3, "note": "ü"}\n'
    with path.open("a", encoding="utf-8") as file:
        file.write(line)
    entry = JournalEntry(sequence=3, release="0001-aaaaaaaa", action="use", instant="2026-03-02")
    assert load_journal(path)[-1] == entry
    append_entry(path, release="0002-bbbbbbbb", action="use", instant=NOON)
    assert load_journal(path)[-1].sequence == 4


def test_damage_is_told_until_it_is_gone(path: Path) -> None:
    whole = path.read_bytes()
    load_journal(path)
    path.write_bytes(whole + b"x\n")
    for _ in range(2):
        with pytest.raises(ReleaseDamaged, match="line 3"):
            load_journal(path)
    path.write_bytes(whole)
    assert len(load_journal(path)) == 2
