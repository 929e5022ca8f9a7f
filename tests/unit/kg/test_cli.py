from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyoxigraph import RdfFormat, parse

from kg.cli import main, make_parser
from kg.release import Release, Releases
from tests.unit.kg.conftest import CLOSED, OPEN, make_quads

EPOCH = 1_767_225_600
CLUSTERS = (
    "PREFIX skos: <http://www.w3.org/2004/02/skos/core#> "
    "SELECT ?cluster ?label { ?cluster skos:prefLabel ?label } ORDER BY ?cluster"
)


_KG = "import sys; from kg.cli import main; sys.exit(main())"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith(("KG_", "ENDPOINT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "releases"
    monkeypatch.setenv("KG_RELEASES_DIR", str(root))
    return root


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published") / "releases"
    for names in (("alpha", "beta"), ("beta", "gamma")):
        Releases(root).publish(
            quads=make_quads(*names),
            open_licences=[OPEN],
            manifest_extra={"report": {"Warning": 2}},
            report_turtle=b"",
            prefixes={},
            instant=datetime.fromtimestamp(EPOCH, UTC),
        )
    return root


@pytest.fixture
def two(root: Path, published: Path) -> tuple[Release, ...]:
    shutil.copytree(published, root, symlinks=True)
    return Releases(root).list()


def run(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    output, errors = capfdbinary.readouterr()
    return code, output.decode(), errors.decode()


def _iter_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _iter_parsers(below)


@pytest.mark.parametrize("parser", list(_iter_parsers(make_parser())), ids=lambda each: each.prog.replace(" ", "-"))
def test_help_of_every_command_ends_with_an_example(parser: argparse.ArgumentParser) -> None:
    text = " ".join(parser.format_help().split())
    assert f"example: {parser.prog}" in text


def test_examples_in_the_help_are_commands() -> None:
    for parser in _iter_parsers(make_parser()):
        for command in (parser.epilog or "").removeprefix("example: ").split("&&"):
            make_parser().parse_args(shlex.split(command)[1:])


def test_unknown_command_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["explode"])
    assert stopped.value.code == 2


def test_no_release_yet_is_said_with_its_code(root: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, output, errors = run(capfdbinary, "query", "ASK {}")
    assert (code, output) == (2, "")
    assert errors == f"error [release-not-found]: no release in {root} yet: run 'kg build' first\n"


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("arguments", "code", "start"),
    [
        (("query", "SELECT * {"), 2, "error [query-syntax]: "),
        (("query",), 2, "error [usage]: give the query either"),
        (("query", "ASK {}", "-f", "x.rq"), 2, "error [usage]: give the query either"),
        (("query", "-f", "nothing.rq"), 2, "error [usage]: nothing.rq"),
        (("query", "ASK {}", "--format", "turtle"), 2, "error [not-acceptable]: --format turtle cannot hold a table"),
        (
            ("query", "CONSTRUCT WHERE { ?s ?p ?o }", "--format", "csv"),
            2,
            "error [not-acceptable]: --format csv cannot hold triples",
        ),
        (("query", "ASK { SERVICE <http://127.0.0.1:9/> {} }"), 2, "error [query-refused]: SERVICE"),
        (("query", "ASK " + "{" * 20_000 + "}" * 20_000), 2, "error [query-refused]: The query is more than 200"),
        (("query", "CLEAR ALL"), 2, "error [query-refused]: CLEAR is an update"),
        (("build", "--data", "/nothing/here"), 3, "error [source]: /nothing/here is no directory"),
        (("validate", "--data", "/nothing/here"), 3, "error [source]: /nothing/here is no directory"),
        (("query", "ASK {}", "--release", "77"), 2, "error [release-not-found]: '77'"),
        (("release", "show", "77"), 2, "error [release-not-found]: '77'"),
    ],
)
def test_errors_have_a_code_and_an_exit_code(
    capfdbinary: pytest.CaptureFixture[bytes], arguments: tuple[str, ...], code: int, start: str
) -> None:
    found, output, errors = run(capfdbinary, *arguments)
    assert (found, output) == (code, "")
    assert errors.startswith(start)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("release", "prune", "--keep", "0"), "use a whole number, 1 or more, not '0': at least one release stays"),
        (("release", "prune", "--keep", "-1"), "use a whole number, 1 or more, not '-1'"),
        (("release", "prune", "--keep", "x"), "use a whole number, 1 or more, not 'x'"),
        (("release", "prune", "--keep", "1", "--older-than", "x"), "use a whole number of days, not 'x'"),
        (("release", "prune", "--keep", "1", "--older-than", "-1"), "use a whole number of days, not '-1'"),
        (("release", "diff", "1", "2", "--lines", "x"), "use a whole number, 0 or more, not 'x'"),
        (("release", "list", "--releases", ""), "give the path of a directory"),
    ],
)
def test_wrong_values_are_refused_in_plain_words(
    capfdbinary: pytest.CaptureFixture[bytes], arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert words in capfdbinary.readouterr().err.decode()


@pytest.mark.parametrize("name", ["KG_OPEN_LICENCES", "KG_DATA_DIR", "KG_RELEASES_DIR"])
def test_empty_setting_stops_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], name: str
) -> None:
    monkeypatch.setenv(name, " ")
    assert run(capfdbinary, "release", "list") == (
        2,
        "",
        f"error [settings]: {name} is empty: unset it for the default, or give it a value\n",
    )


def test_wrong_setting_stops_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("KG_RELEASE_DIR", "x")
    code, _, errors = run(capfdbinary, "release", "list")
    assert code == 2
    assert errors == "error [settings]: unknown setting KG_RELEASE_DIR: did you mean KG_RELEASES_DIR?\n"


@pytest.mark.usefixtures("two")
def test_query_as_table_shortens_iris_and_counts_rows(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, output, _ = run(capfdbinary, "query", CLUSTERS)
    assert code == 0
    assert output.splitlines() == [
        "cluster                label",
        "---------------------  -------------------",
        "organisation:de-beta   Cluster „beta“ @de",
        "organisation:de-gamma  Cluster „gamma“ @de",
        "(2 rows)",
    ]


@pytest.mark.usefixtures("two")
def test_query_asks_the_release_it_is_told(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clusters.rq").write_text(CLUSTERS, encoding="utf-8")
    _, output, _ = run(capfdbinary, "query", "-f", str(tmp_path / "clusters.rq"), "--release", "1", "--format", "csv")
    assert [line.partition(",")[2] for line in output.splitlines()[1:]] == ["Cluster „alpha“", "Cluster „beta“"]
    monkeypatch.setattr("sys.stdin", io.StringIO("ASK { ?s ?p 'nothing' }"))
    assert run(capfdbinary, "query", "-")[1] == "false\n"


@pytest.mark.usefixtures("two")
def test_query_speaks_json_xml_tsv_and_turtle(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    rows = json.loads(run(capfdbinary, "query", CLUSTERS, "--format", "json")[1])
    assert len(rows["results"]["bindings"]) == 2
    assert run(capfdbinary, "query", CLUSTERS, "--format", "xml")[1].startswith("<?xml")
    assert run(capfdbinary, "query", CLUSTERS, "--format", "tsv")[1].startswith("?cluster\t?label\n")
    triples = "CONSTRUCT { ?s a ?class } WHERE { ?s a ?class }"
    turtle = run(capfdbinary, "query", triples)[1]
    assert "a chap:Cluster" in turtle
    assert len(list(parse(turtle, format=RdfFormat.TURTLE))) == 2
    assert run(capfdbinary, "query", triples, "--format", "json")[1].startswith("[")


def test_list_marks_current_and_kept(two: tuple[Release, ...], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(capfdbinary, "release", "keep", "1")[0] == 0
    lines = run(capfdbinary, "release", "list")[1].splitlines()
    quads = two[0].manifest.counts.quads
    assert lines == [
        f"{two[0].id}  2026-01-01T00:00:00.000Z  {quads:>11,} quads  kept",
        f"{two[1].id}  2026-01-01T00:00:00.000Z  {quads:>11,} quads  current",
    ]
    records = json.loads(run(capfdbinary, "release", "list", "--format", "json")[1])
    assert [(each["id"], each["current"], each["kept"]) for each in records] == [
        (two[0].id, False, True),
        (two[1].id, True, False),
    ]


def test_damaged_release_is_listed_left_and_pruned(
    two: tuple[Release, ...], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (two[1].path / "manifest.json").write_text("x", encoding="utf-8")
    code, output, errors = run(capfdbinary, "release", "list")
    assert code == 0
    assert output.splitlines()[1] == f"{two[1].id}  2026-01-01T00:00:00.000Z            damaged  current"
    assert errors.startswith(f"damaged: {two[1].path}/manifest.json: no usable manifest")
    records = json.loads(run(capfdbinary, "release", "list", "--format", "json")[1])
    assert [each["damage"] is None for each in records] == [True, False]
    code, _, errors = run(capfdbinary, "release", "show", "current")
    assert (code, errors.partition(":")[0]) == (3, "error [release-damaged]")
    assert run(capfdbinary, "release", "use", "1")[:2] == (0, f"{two[0].id} is current\n")
    assert run(capfdbinary, "release", "prune", "--keep", "1")[1] == "nothing to remove\n"


@pytest.mark.usefixtures("two")
def test_diff_names_licences_that_are_open_no_longer(root: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Releases(root).publish(
        quads=make_quads("beta", "gamma"), open_licences=[CLOSED], manifest_extra={}, report_turtle=b""
    )
    lines = run(capfdbinary, "release", "diff", "2", "3")[1].splitlines()
    assert lines[0].endswith(": 0 quads added, 0 removed")
    assert lines[1].startswith(f"  licence now open: {CLOSED}")
    assert lines[2].startswith(f"  licence no longer open: {OPEN}")
    record = json.loads(run(capfdbinary, "release", "diff", "2", "3", "--format", "json")[1])
    assert record["open_licences"] == {"added": [CLOSED], "removed": [OPEN]}


def test_list_of_nothing_says_what_to_do(root: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(capfdbinary, "release", "list") == (0, f"no release in {root} yet: run 'kg build' first\n", "")


def test_show_tells_what_a_release_holds(two: tuple[Release, ...], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    text = run(capfdbinary, "release", "show", "current")[1]
    assert f"release   {two[1].id}\n" in text
    assert f"parent    {two[0].id}\n" in text
    assert "        2 https://w3id.org/chap/def#Cluster\n" in text
    record = json.loads(run(capfdbinary, "release", "show", "2", "--format", "json")[1])
    assert (record["digest"], record["extra"]["report"]) == (two[1].digest, {"Warning": 2})


def test_diff_reads_as_text_json_and_patch(two: tuple[Release, ...], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    text = run(capfdbinary, "release", "diff", "1", "2")[1].splitlines()
    assert text[0] == f"{two[0].id} -> {two[1].id}: 4 quads added, 4 removed"
    assert text[1] == "  https://w3id.org/chap/graph/source-a: +2 -2"
    assert sum(line.startswith("+ <") for line in text) == sum(line.startswith("- <") for line in text) == 4
    cut = run(capfdbinary, "release", "diff", "1", "2", "--lines", "3")[1].splitlines()
    assert cut[-1].startswith("... and 5 more")
    record = json.loads(run(capfdbinary, "release", "diff", "1", "2", "--format", "json")[1])
    assert (record["added"], record["removed"], len(record["graphs"])) == (4, 4, 3)
    patch = run(capfdbinary, "release", "diff", "2", "1", "--format", "patch")[1].splitlines()
    assert patch[:3] == [f'H id "{two[0].id}" .', f'H prev "{two[1].id}" .', "TX ."]
    assert sum(line.startswith("A <") for line in patch) == 4


def test_use_and_prune_change_what_is_there(
    two: tuple[Release, ...], root: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(capfdbinary, "release", "use", "1")[1] == f"{two[0].id} is current\n"
    assert run(capfdbinary, "release", "prune", "--keep", "1")[1] == "nothing to remove\n"
    assert run(capfdbinary, "release", "use", "2")[0] == 0
    assert run(capfdbinary, "release", "prune", "--keep", "1")[1] == f"removed {two[0].id}\n"
    assert Releases(root).list() == two[1:]


def test_keep_can_be_undone(two: tuple[Release, ...], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(capfdbinary, "release", "keep", "1")[1] == f"{two[0].id} is kept\n"
    assert run(capfdbinary, "release", "keep", "1", "--undo")[1] == f"{two[0].id} may be pruned again\n"


@pytest.mark.usefixtures("two")
def test_reader_that_leaves_early_is_no_error(root: Path) -> None:
    everything = "SELECT ?a ?b ?c ?d ?e { ?a ?p ?x . ?b ?q ?y . ?c ?r ?z . ?d ?s ?u . ?e ?t ?v }"
    command = [sys.executable, "-c", _KG, "query", everything, "--format", "csv", "--releases", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.usefixtures("root")
def test_bug_is_reported_as_one(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    def fail(_self: Releases) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Releases, "list", fail)
    code, _, errors = run(capfdbinary, "release", "list")
    assert code == 70
    assert "ZeroDivisionError" in errors
    assert errors.splitlines()[-1].startswith("error [bug]: ")


def test_cited_release_is_spared(two: tuple[Release, ...], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, text, _ = run(capfdbinary, "release", "cite", "1", "--no-keep")
    assert (code, two[0].id in text) == (0, True)
    assert not json.loads(run(capfdbinary, "release", "list", "--format", "json")[1])[0]["cited"]
    assert run(capfdbinary, "release", "cite", "1")[1] == text
    assert run(capfdbinary, "release", "list")[1].splitlines()[0].endswith("quads  cited")
    assert run(capfdbinary, "release", "prune", "--keep", "1")[1] == "nothing to remove\n"
    assert run(capfdbinary, "release", "keep", "1", "--undo")[1] == f"{two[0].id} may be pruned again\n"
    assert run(capfdbinary, "release", "prune", "--keep", "1", "--older-than", "1")[1] == "nothing to remove\n"
    assert run(capfdbinary, "release", "prune", "--keep", "1", "--older-than", "0")[1] == "nothing to remove\n"
    assert run(capfdbinary, "release", "prune", "--keep", "1")[1] == f"removed {two[0].id}\n"


def test_release_goes_to_another_directory_and_back(
    two: tuple[Release, ...], root: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    first, second = (tmp_path / f"{each.id}.tar.zst" for each in two)
    code, text, _ = run(capfdbinary, "release", "export", "1", str(first))
    assert (code, text) == (0, f"{hashlib.sha256(first.read_bytes()).hexdigest()}  {first}\n")
    run(capfdbinary, "release", "export", "current", str(second))
    replica = ("--releases", str(tmp_path / "replica"))
    assert run(capfdbinary, "release", "import", str(second), *replica)[1] == (
        f"{two[1].id} is imported\n{two[1].id} is current\n"
    )
    assert run(capfdbinary, "release", "import", str(first), *replica)[1] == (
        f"{two[0].id} is imported\n{two[1].id} stays current; to publish it here: kg release use {two[0].id}\n"
    )
    assert run(capfdbinary, "release", "import", str(first), "--use", *replica)[1] == (
        f"{two[0].id} is here already\n{two[0].id} is current\n"
    )
    assert run(capfdbinary, "doctor", *replica)[1] == "2 releases examined (every digest): no problems\n"
    code, _, errors = run(capfdbinary, "release", "import", str(root / "journal.jsonl"), *replica)
    assert (code, "archive-refused" in errors, "kg release export" in errors) == (1, True, True)
