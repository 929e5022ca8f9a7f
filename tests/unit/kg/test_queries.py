from __future__ import annotations

from pathlib import Path

import pytest

from kg.errors import QueryError, UnknownQuery
from kg.queries import load_directory, load_query, parse_query

TEXT = """#+ id: cq-004
#+ summary: Which services: and where?
#+ kind: competency
#+ params: organisation region
#+ expect: rows
#+ source: src-a
ASK {}
"""


def test_header_becomes_fields() -> None:
    query = parse_query(TEXT, Path("cq-004.rq"))
    assert (query.id, query.kind, query.expect) == ("cq-004", "competency", "rows")
    assert query.summary == "Which services: and where?"
    assert query.params == ("organisation", "region")
    assert query.find_note("source") == "src-a"
    assert query.find_note("problem") is None
    assert query.text == TEXT


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ASK {}", "lacks id, summary, kind"),
        (TEXT.replace("competency", "poem"), "unknown kind 'poem'"),
        (TEXT.replace("#+ expect: rows", "#+ id: cq-005"), "line 5: 'id' is given twice"),
        (TEXT.replace("#+ expect: rows", "#+ expect rows"), "line 5: a header line reads"),
    ],
)
def test_incomplete_header_is_refused(text: str, problem: str) -> None:
    with pytest.raises(QueryError, match=problem):
        parse_query(text, Path("cq.rq"))


def test_directory_holds_queries_and_updates_by_id(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "z.rq").write_text(TEXT, encoding="utf-8")
    (tmp_path / "below" / "a.ru").write_text(TEXT.replace("cq-004", "a-first"), encoding="utf-8")
    (tmp_path / "notes.md").write_text("no query", encoding="utf-8")
    queries = load_directory(tmp_path)
    assert queries.ids() == ("a-first", "cq-004")
    assert queries.get("cq-004").path == tmp_path / "z.rq"
    with pytest.raises(UnknownQuery, match="did you mean cq-004"):
        queries.get("cq-04")
    with pytest.raises(UnknownQuery, match="known are a-first, cq-004"):
        queries.get("???")


def test_two_files_with_one_id_are_refused(tmp_path: Path) -> None:
    for name in ("a.rq", "b.rq"):
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    with pytest.raises(QueryError, match=r"b\.rq: the id 'cq-004' is taken by .*a\.rq"):
        load_directory(tmp_path)


def test_missing_file_is_a_query_error(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"none\.rq"):
        load_query(tmp_path / "none.rq")
