"""The competency questions: standard SPARQL, each with the rows that it gives on the release of the shipped data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from pyoxigraph import NamedNode, Quad, QueryResultsFormat, QuerySolutions, Store
from rdflib.plugins.sparql import prepareQuery

from kg.lift import Lifted
from kg.queries import Query, load_directory
from kg.release import Release
from kg.settings import KgSettings

DIRECTORY = KgSettings().ontology_dir / "questions"
QUESTIONS = tuple(load_directory(DIRECTORY))
GRAPH = "https://w3id.org/chap/graph/"


@pytest.fixture(scope="module")
def store(release: Release) -> Store:
    return Store.read_only(str(release.store_path))


def _expected_path(question: Query) -> Path:
    return question.path.with_suffix(".expected.tsv")


def _answer(store: Store, question: Query) -> list[str]:
    """The header and the rows as SPARQL TSV, which keeps datatypes and languages."""
    answer = store.query(question.text)
    assert isinstance(answer, QuerySolutions)
    text = answer.serialize(format=QueryResultsFormat.TSV)
    assert text is not None
    return text.decode().splitlines()


def test_the_first_fourteen_questions_are_there() -> None:
    assert [question.id for question in QUESTIONS][:14] == [f"cq-{number:03d}" for number in range(1, 15)]


def test_every_file_of_expected_rows_belongs_to_a_question() -> None:
    assert sorted(DIRECTORY.glob("*.tsv")) == sorted(_expected_path(question) for question in QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda each: each.id)
def test_question_says_what_it_asks_and_expects(question: Query) -> None:
    assert question.kind == "competency"
    assert question.path.stem.startswith(f"{question.id}-")
    assert question.expect in {"rows", "no-rows"}
    assert question.summary.endswith("?")
    assert (question.find_note("question_de") or "").endswith("?")
    assert "ORDER BY" in question.text
    assert question.expect == "rows" or question.find_note("note"), "say why no rows are expected"


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda each: each.id)
def test_question_is_standard_sparql(question: Query) -> None:
    # Another parser than the one that the store uses; it raises when it does not understand.
    assert prepareQuery(question.text).algebra is not None


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda each: each.id)
def test_question_gives_the_expected_rows(store: Store, question: Query) -> None:
    answer = _answer(store, question)
    assert answer == _expected_path(question).read_text(encoding="utf-8").splitlines()
    assert (len(answer) > 1) == (question.expect == "rows")


def test_changes_between_two_releases_are_found(
    lifted: Lifted, lift_without: Callable[[Iterable[str]], Lifted]
) -> None:
    before = set(lift_without(["facts:land-hessen-cluster-members-2024"]).store)
    after = set(lifted.store)
    changes = Store()
    for name, quads in (("added", after - before), ("removed", before - after)):
        changes.extend(Quad(quad.subject, quad.predicate, quad.object, NamedNode(GRAPH + name)) for quad in quads)
    question = next(each for each in QUESTIONS if each.id == "cq-013")
    rows = _answer(changes, question)[1:]
    figure = "<https://w3id.org/chap/id/figure/land-hessen-cluster-members-2024>"
    assert any(row.startswith(f'"added"\t{figure}\t') and "3800" in row for row in rows)
    assert not any(row.startswith(f'"removed"\t{figure}\t') for row in rows)
