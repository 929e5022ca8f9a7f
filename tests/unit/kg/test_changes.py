from __future__ import annotations

import io
import random
from itertools import product
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.changes import (
    Change,
    ChangeCounts,
    GraphChange,
    iter_changes,
    iter_dump_lines,
    parse_graph,
    split_line,
    summarise_changes,
    write_patch,
)
from kg.errors import ReleaseDamaged
from kg.rdfio import iter_sorted_lines, make_graph
from tests.unit.kg.conftest import make_quads


def test_changes_are_the_set_differences_in_order() -> None:
    chance = random.Random(5)
    for _ in range(50):
        before, after = ({b"%d\n" % chance.randrange(30) for _ in range(chance.randrange(25))} for _ in range(2))
        changes = list(iter_changes(sorted(before), sorted(after)))
        assert {each.line for each in changes if each.mark == "D"} == before - after
        assert {each.line for each in changes if each.mark == "A"} == after - before
        assert [each.line for each in changes] == sorted(each.line for each in changes)


def test_patch_is_one_transaction_with_its_parent() -> None:
    output = io.BytesIO()
    changes = [Change("D", b"<a:s> <a:p> <a:o> <a:g> .\n"), Change("A", b"<a:s> <a:p> <a:q> <a:g> .\n")]
    counts = write_patch(changes, output, release="0002-bbbbbbbb", parent="0001-aaaaaaaa")
    assert counts == ChangeCounts(added=1, removed=1)
    assert output.getvalue().decode().splitlines() == [
        'H id "0002-bbbbbbbb" .',
        'H prev "0001-aaaaaaaa" .',
        "TX .",
        "D <a:s> <a:p> <a:o> <a:g> .",
        "A <a:s> <a:p> <a:q> <a:g> .",
        "TC .",
    ]


def test_summary_counts_by_graph() -> None:
    before, after = (list(iter_sorted_lines(make_quads(*names))) for names in (("alpha",), ("alpha", "beta")))
    graph = "https://w3id.org/chap/graph/source-"
    assert summarise_changes(iter_changes(before, after)) == (
        GraphChange(graph=graph + "a", added=2, removed=0),
        GraphChange(graph=graph + "b", added=1, removed=0),
        GraphChange(graph=graph + "closed", added=1, removed=0),
    )


def test_graph_of_a_line_is_its_last_term() -> None:
    assert parse_graph(b'<a:s> <a:p> "x <b:c> ." <a:g> .\n') == "a:g"


@pytest.mark.parametrize("content", [None, b"not compressed"])
def test_unreadable_dump_is_a_damaged_release(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "chap.nq.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReleaseDamaged, match=r"chap\.nq\.gz"):
        list(iter_dump_lines(path))


def test_line_is_split_whatever_its_terms() -> None:
    subjects: list[ox.NamedNode | ox.BlankNode] = [ox.NamedNode("urn:x:s"), ox.BlankNode("s")]
    texts = ["", "a <urn:x:b> .", 'c" <d', "> <e>", "\n <f> .\n", "\\"]
    objects: list[ox.NamedNode | ox.BlankNode | ox.Literal] = [
        *subjects,
        *(ox.Literal(text) for text in texts),
        *(ox.Literal(text, language="de") for text in texts),
        *(ox.Literal(text, datatype=ox.NamedNode("urn:x:d")) for text in texts),
    ]
    for subject, value in product(subjects, objects):
        for graph in ("", "urn:x:g"):
            quad = ox.Quad(subject, ox.NamedNode("urn:x:p"), value, make_graph(graph))
            (line,) = iter_sorted_lines([quad], is_plain=True)
            assert split_line(line) == (str(quad.triple).encode(), graph.encode())
