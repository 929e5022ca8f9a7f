from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kg.errors import ReleaseDamaged, ReleaseError, ReleaseNotFound
from kg.release import Release, Releases
from kg.retention import keep_release, let_go, load_kept, prune_releases
from tests.unit.kg.conftest import OPEN, make_quads

NOTHING = {"kept": frozenset[str](), "cited": frozenset[str]()}


@pytest.fixture
def four(tmp_path: Path) -> tuple[Release, ...]:
    for name in ("alpha", "beta", "gamma", "delta"):
        Releases(tmp_path).publish(
            quads=make_quads(name), open_licences=[OPEN], manifest_extra={}, report_turtle=b"", prefixes={}
        )
    return Releases(tmp_path).list()


def test_prune_leaves_the_newest(tmp_path: Path, four: tuple[Release, ...]) -> None:
    assert prune_releases(tmp_path, keep=2) == four[:2]
    assert Releases(tmp_path).list() == four[2:]
    assert not four[0].path.exists()
    assert prune_releases(tmp_path, keep=2) == ()


def test_prune_spares_the_current_and_the_kept(tmp_path: Path, four: tuple[Release, ...]) -> None:
    Releases(tmp_path).use("1")
    keep_release(tmp_path, "2")
    assert prune_releases(tmp_path, keep=1) == (four[2],)
    assert Releases(tmp_path).current() == four[0]
    let_go(tmp_path, "2")
    assert prune_releases(tmp_path, keep=1) == (four[1],)
    assert load_kept(tmp_path) == NOTHING


def test_prune_spares_the_cited(tmp_path: Path, four: tuple[Release, ...]) -> None:
    keep_release(tmp_path, "1", reason="cited")
    keep_release(tmp_path, "1")
    assert prune_releases(tmp_path, keep=1) == four[1:3]
    assert let_go(tmp_path, "1") == four[0].id
    assert prune_releases(tmp_path, keep=1) == four[:1]


def test_prune_spares_what_was_current_lately(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def publish(name: str, day: int) -> Release:
        published = Releases(tmp_path).publish(
            quads=make_quads(name),
            open_licences=[OPEN],
            manifest_extra={},
            report_turtle=b"",
            instant=datetime(2026, 1, day, tzinfo=UTC),
        )
        return published.release

    # The second was current from the 2nd to the 20th.
    releases = [publish(name, day) for name, day in (("alpha", 1), ("beta", 2), ("gamma", 20), ("delta", 21))]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(datetime(2026, 1, 30, tzinfo=UTC).timestamp())))
    assert prune_releases(tmp_path, keep=4, older_than=timedelta(days=1)) == ()
    assert prune_releases(tmp_path, keep=1, older_than=timedelta(days=10)) == (releases[0],)
    assert prune_releases(tmp_path, keep=1, older_than=timedelta(days=9)) == (releases[1],)
    assert prune_releases(tmp_path, keep=1, older_than=timedelta()) == (releases[2],)


def test_prune_leaves_the_journal_and_the_numbers(tmp_path: Path, four: tuple[Release, ...]) -> None:
    journal = Releases(tmp_path).journal()
    prune_releases(tmp_path, keep=1)
    assert Releases(tmp_path).journal() == journal
    with pytest.raises(ReleaseNotFound):
        Releases(tmp_path).get(four[0].id)
    release = (
        Releases(tmp_path)
        .publish(quads=make_quads("alpha"), open_licences=[OPEN], manifest_extra={}, report_turtle=b"")
        .release
    )
    assert (release.sequence, release.parent) == (5, four[3].id)


def test_prune_with_an_older_journal_removes_nothing(tmp_path: Path, four: tuple[Release, ...]) -> None:
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(ReleaseDamaged, match=four[3].id):
        prune_releases(tmp_path, keep=5)
    assert all(each.path.is_dir() for each in four)


def test_keep_without_journal_and_current_removes_nothing(tmp_path: Path, four: tuple[Release, ...]) -> None:
    (tmp_path / "journal.jsonl").unlink()
    (tmp_path / "current").unlink()
    with pytest.raises(ReleaseDamaged, match="backup"):
        keep_release(tmp_path, "current")
    assert all(each.path.is_dir() for each in four)


def test_damaged_release_can_be_let_go(tmp_path: Path, four: tuple[Release, ...]) -> None:
    keep_release(tmp_path, "1")
    (four[0].path / "manifest.json").write_text("x", encoding="utf-8")
    assert prune_releases(tmp_path, keep=3) == ()
    let_go(tmp_path, "1")
    assert prune_releases(tmp_path, keep=3) == four[:1]


def test_prune_to_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="--keep 1"):
        prune_releases(tmp_path, keep=0)


def test_keeping_what_is_not_there_is_refused(tmp_path: Path, four: tuple[Release, ...]) -> None:
    with pytest.raises(ReleaseNotFound, match=four[0].id):
        keep_release(tmp_path, "0009")
    assert load_kept(tmp_path) == NOTHING


@pytest.mark.parametrize("text", ["", "[]", '{"kept": 1}', '{"kept": [1]}', '{"kept": [], "cited": 1}'])
def test_damaged_list_of_kept_releases_stops_pruning(tmp_path: Path, four: tuple[Release, ...], text: str) -> None:
    (tmp_path / "kept.json").write_text(text, encoding="utf-8")
    with pytest.raises(ReleaseDamaged, match=r"kept\.json"):
        prune_releases(tmp_path, keep=1)
    assert Releases(tmp_path).list() == four
