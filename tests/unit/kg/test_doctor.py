"""``kg doctor``: what is wrong in a releases directory is named, with a cure; what is sound is not."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kg.checksums import Digests
from kg.cli import main
from kg.doctor import Problem, examine_directory, examine_one, list_releases
from kg.errors import ReleaseDamaged
from kg.lock import lock_releases
from kg.probe import count_store
from kg.release import Releases
from kg.retention import keep_release
from tests.unit.kg.conftest import OPEN, make_quads

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound") / "releases"
    for name in ("alpha", "beta"):
        Releases(root).publish(quads=make_quads(name), open_licences=[OPEN], manifest_extra={}, report_turtle=b"")
    return root


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sound, tmp_path / "releases", symlinks=True)


def examine(root: Path, *, quick: bool = False) -> list[Problem]:
    found = list(examine_directory(root))
    return found + [problem for each in list_releases(root) for problem in examine_one(each, quick=quick)]


def second(root: Path) -> Path:
    return next(root.glob("0002-*"))


def first(root: Path) -> Path:
    return next(root.glob("0001-*"))


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"sequence":3')


def drop_last_line(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def point(root: Path, target: str) -> None:
    (root / "current").unlink()
    (root / "current").symlink_to(target)


def change_manifest(path: Path, **changes: object) -> None:
    record = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    (path / "manifest.json").write_text(json.dumps(record | changes), encoding="utf-8")


def change_counts(path: Path, **changes: object) -> None:
    counts = json.loads((path / "manifest.json").read_text(encoding="utf-8"))["counts"]
    change_manifest(path, counts=counts | changes)


def exchange_stores(root: Path) -> None:
    shutil.rmtree(second(root) / "store")
    shutil.copytree(first(root) / "store", second(root) / "store")


def spoil(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def make_older(root: Path) -> None:
    """As an earlier version made them: without lists of checksums."""
    for path in (first(root), second(root)):
        (path / "checksums.json").unlink()
        record = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        del record["has_checksums"]
        (path / "manifest.json").write_text(json.dumps(record), encoding="utf-8")


def leave_uncommitted(root: Path) -> None:
    (root / "0003-00000000").mkdir()
    (root / "0003-00000000" / ".uncommitted").touch()


def make_current_a_directory(root: Path) -> None:
    (root / "current").unlink()
    (root / "current").mkdir()


def lose_kept(root: Path) -> None:
    keep_release(root, "1")
    shutil.rmtree(first(root))


def test_sound_directory_has_no_problems(sound: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sound.rglob("*")}
    assert examine(sound) == examine(sound, quick=True) == []
    assert {path: path.stat().st_mtime_ns for path in sound.rglob("*")} == before


LEFT_BEHIND: dict[str, Damage] = {
    "a workspace": lambda root: (root / ".building-x" / "release").mkdir(parents=True),
    "a link not swapped": lambda root: (root / ".current.part").symlink_to("0001-00000000"),
    "a list not swapped": lambda root: (root / ".kept.json.part").write_text("{"),
    "an uncommitted release": leave_uncommitted,
    "a mark": lambda root: (second(root) / ".uncommitted").touch(),
    "a torn journal": lambda root: tear(root / "journal.jsonl"),
    "a torn feed": lambda root: tear(root / "feed" / "log.jsonl"),
    "no link": lambda root: (root / "current").unlink(),
    "a link to the release before": lambda root: point(root, first(root).name),
    "a link by way of elsewhere": lambda root: point(root, f"../releases/{second(root).name}"),
}


@pytest.mark.parametrize("damage", LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_what_a_crash_leaves_is_cleared_by_repair(
    root: Path, damage: Damage, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(root)
    before = Releases(root).journal()
    (problem,) = examine(root, quick=True)
    assert problem.is_safe
    assert not problem.is_note
    assert "kg doctor --repair" in problem.cure
    assert main(["doctor", "--quick", "--releases", str(root)]) == 1
    assert main(["doctor", "--quick", "--repair", "--releases", str(root)]) == 0
    assert capsys.readouterr().out.endswith("2 releases examined (counts, sizes and lists): no problems\n")
    assert Releases(root).journal() == before
    assert Releases(root).current_id() == second(root).name


BROKEN: dict[str, tuple[str, str, Damage]] = {
    "journal gone": ("journal", "backup", lambda root: (root / "journal.jsonl").unlink()),
    "journal cut": ("journal", "backup", lambda root: drop_last_line(root / "journal.jsonl")),
    "journal garbled": ("journal", "kg release import", lambda root: (root / "journal.jsonl").write_text("x\n")),
    "current a directory": (
        "current",
        "kg doctor --repair",
        make_current_a_directory,
    ),
    "current gone": ("current", "kg release use", lambda root: shutil.rmtree(second(root))),
    "kept garbled": ("kept", "kg release keep", lambda root: (root / "kept.json").write_text("x")),
    "kept gone": ("kept", "kg release keep --undo", lose_kept),
    "feed cut": ("feed", "move it away", lambda root: (root / "feed" / "pages" / "000001.nq.gz").write_bytes(b"x")),
    "feed garbled": ("feed", "move it away", lambda root: (root / "feed" / "log.jsonl").write_text("x\n")),
    "feed state gone": ("feed", "move it away", lambda root: next((root / "feed").glob("entities-*")).unlink()),
    "manifest gone": ("0002-", "kg release import", lambda root: (second(root) / "manifest.json").unlink()),
    "another number": ("0002-", "kg build", lambda root: change_manifest(second(root), sequence=9)),
    "store gone": ("0002-", "kg release import", lambda root: shutil.rmtree(second(root) / "store")),
    "store unreadable": ("0002-", "kg build", lambda root: (second(root) / "store" / "CURRENT").write_bytes(b"x")),
    "counts": ("0002-", "kg release import", lambda root: change_counts(second(root), quads=999)),
    "report gone": ("0002-", "kg release import", lambda root: (second(root) / "report.ttl").unlink()),
    "changes cut": ("0002-", "kg release import", lambda root: (second(root) / "changes.rdfp.gz").write_bytes(b"x")),
    "things gone": ("0002-", "kg release import", lambda root: (second(root) / "entities.tsv.gz").unlink()),
    "dump cut": ("0002-", "import", lambda root: (second(root) / "dumps/chap/chap.nt.gz").write_bytes(b"x")),
    "dump gone": ("0002-", "import", lambda root: (second(root) / "dumps/chap/chap.nt.gz").unlink()),
    "catalogue garbled": ("0002-", "import", lambda root: (second(root) / "catalog/index.json").write_bytes(b"x")),
}


@pytest.mark.parametrize(("where", "cure", "damage"), BROKEN.values(), ids=BROKEN)
def test_damage_is_named_with_a_cure(root: Path, where: str, cure: str, damage: Damage) -> None:
    damage(root)
    problems = examine(root, quick=True)
    assert [each for each in problems if each.where.startswith(where) and cure in each.cure]
    assert not [each for each in problems if each.is_safe and each.where == where]


DEEP: dict[str, Damage] = {
    "content of another release": lambda root: shutil.copy(first(root) / "content.nq.gz", second(root)),
    "content cut": lambda root: (second(root) / "content.nq.gz").write_bytes(
        gzip.compress(gzip.decompress((second(root) / "content.nq.gz").read_bytes())[:-200])
    ),
    "store of another release": exchange_stores,
    "a byte of a dump": lambda root: spoil(second(root) / "dumps" / "chap" / "chap.ttl.gz"),
    "number of graphs": lambda root: change_counts(second(root), graphs=1),
}


@pytest.mark.parametrize("damage", DEEP.values(), ids=DEEP)
def test_damage_of_the_same_size_is_found_by_digest(root: Path, damage: Damage) -> None:
    damage(root)
    assert {each.where for each in examine(root)} == {second(root).name}
    # And where there is no list of checksums, by what the release says of itself.
    make_older(root)
    assert [each for each in examine(root, quick=True) if not each.is_note] == []
    (problem,) = [each for each in examine(root) if not each.is_note]
    assert problem.where == second(root).name


def test_release_of_an_earlier_version_gets_its_checksums_by_repair(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_older(root)
    notes = examine(root)
    assert [each.where for each in notes] == [first(root).name, second(root).name]
    assert all(each.is_note and "kg doctor --repair" in each.cure for each in notes)
    spoil(first(root) / "dumps" / "chap" / "chap.ttl.gz")
    command = ["doctor", "--releases", str(root)]
    assert main([*command, "--quick", "--repair"]) == 0
    assert "has no checksums" in capsys.readouterr().out
    # What is damaged gets none: they would say that it is sound.
    assert main([*command, "--repair"]) == 1
    assert not (first(root) / "checksums.json").exists()
    assert examine(root, quick=True) == notes[:1]
    spoil(second(root) / "store" / "IDENTITY")
    assert [each.where for each in examine(root, quick=True) if not each.is_note] == [second(root).name]


def test_lost_list_of_checksums_is_damage(root: Path) -> None:
    (second(root) / "checksums.json").unlink()
    (problem,) = examine(root, quick=True)
    assert "list of checksums is gone" in problem.what


def test_what_no_list_names_is_damage(root: Path) -> None:
    # The engine would take in what it finds in such a file.
    (second(root) / "store" / "000099.log").touch()
    (problem,) = examine(root, quick=True)
    assert "is not in the list" in problem.what


def test_broken_tables_of_the_engine_are_problems_and_no_end_of_the_doctor(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_older(root)
    for path in (second(root) / "store").glob("*.sst"):
        content = path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    for quick in ([], ["--quick"]):
        assert main(["doctor", *quick, "--json", "--releases", str(root)]) == 1
        (problem,) = json.loads(capsys.readouterr().out)["problems"]
        assert "Corruption" in problem["what"]
        assert problem["where"] == second(root).name


def test_store_that_brings_the_engine_down_is_a_problem(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # None is known that does, so the process is given what makes it end without an answer.
    probe = count_store(second(root) / "store")
    assert probe > 0
    with monkeypatch.context() as patched:
        patched.setattr("kg.probe.json.dumps", lambda _: "no question")
        with pytest.raises(ReleaseDamaged, match=r"the engine ended while it read the store \(status 1\)"):
            count_store(second(root) / "store")
    assert count_store(second(root) / "store") == probe


def test_files_that_releases_share_are_read_once(root: Path) -> None:
    path = first(root) / "dumps" / "chap" / "chap.ttl.gz"
    twin = first(root) / "twin"
    twin.hardlink_to(path)
    digests = Digests()
    measured = digests.measure(path)
    # Bytes that change without a trace show that they were not read again.
    status = path.stat()
    spoil(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digests.measure(twin) == measured != Digests().measure(twin)


def test_pruned_release_is_no_problem(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "prune", "--keep", "1", "--releases", str(root)]) == 0
    assert main(["doctor", "--json", "--releases", str(root)]) == 0
    record = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert record == {"releases": [second(root).name], "problems": [], "notes": []}


def test_change_that_is_going_on_is_not_judged(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / ".building-x").mkdir()
    with lock_releases(root):
        assert main(["doctor", "--quick", "--releases", str(root)]) == 0
    assert "going on" in capsys.readouterr().err


def test_repair_that_is_refused_leaves_all_and_says_why(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drop_last_line(root / "journal.jsonl")
    before = sorted(root.rglob("*"))
    assert main(["doctor", "--quick", "--repair", "--json", "--releases", str(root)]) == 1
    captured = capsys.readouterr()
    assert "not repaired" in captured.err
    problems = json.loads(captured.out)["problems"]
    assert {each["where"] for each in problems} == {"journal", "current", "feed"}
    assert sorted(root.rglob("*")) == before


def test_directory_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--releases", str(tmp_path / "nowhere")]) == 2
    assert "kg build" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_first_line_that_was_torn_leaves_an_empty_journal(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(b'{"sequence":1')
    assert main(["doctor", "--releases", str(tmp_path)]) == 1
    assert main(["doctor", "--repair", "--releases", str(tmp_path)]) == 0
    assert journal.read_bytes() == b""


def test_directory_without_releases_has_no_problems(tmp_path: Path) -> None:
    assert main(["doctor", "--releases", str(tmp_path)]) == 0
    assert list(tmp_path.iterdir()) == []
