"""Cells: what each type takes, and that a broken cell says what is wrong and what cures it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pyoxigraph import Literal, NamedNode

from kg.cells import BadCell, Column, References, parse_cell, parse_partial_date

XSD = "http://www.w3.org/2001/XMLSchema#"
REFERENCES = References(
    entities={
        "holm": "https://w3id.org/chap/id/organisation/de-holm",
        "place-kassel": "https://w3id.org/chap/id/place/de-kassel",
        "broken": "de-broken",
    },
    kinds={"holm": "organisation", "place-kassel": "place", "broken": "place"},
    sources=frozenset({"src-a", "src-Ü"}),
    concepts={"field": frozenset({"ict"}), "topic": frozenset({"ai"})},
    prefixes={"org": "http://www.w3.org/ns/org#"},
    rows={"facts": frozenset({"holm-members"}), "": frozenset({"facts/holm-members"})},
)


@pytest.mark.parametrize(("text", "kind"), [("2023", "gYear"), ("2023-06", "gYearMonth"), ("2023-06-30", "date")])
def test_date_keeps_its_precision(text: str, kind: str) -> None:
    assert parse_partial_date(text) == Literal(text, datatype=NamedNode(XSD + kind))


@pytest.mark.parametrize(
    "text", ["2023-13", "２０２３", "2023-02-30", "23", "ca. 2024", "2023-6", "2023-06-30T00:00", "0000"]
)
def test_date_that_is_none_is_refused_with_a_cure(text: str) -> None:
    with pytest.raises(BadCell) as caught:
        parse_partial_date(text)
    assert "2023-06-30" in caught.value.cure


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("holm", Column("x", refers="entity"), ["https://w3id.org/chap/id/organisation/de-holm"]),
        ("topic-ai", Column("x", refers="entity concept"), ["https://w3id.org/chap/scheme/topic/ai"]),
        ("ict", Column("x", refers="scheme:field"), ["https://w3id.org/chap/scheme/field/ict"]),
        ("org:memberOf", Column("x", refers="term"), ["http://www.w3.org/ns/org#memberOf"]),
        ("a|b", Column("x", separator="|"), ["a", "b"]),
        ("1.50", Column("x", datatype="decimal"), ["1.50"]),
        ("https://a.example/b?c=d", Column("x", datatype="anyURI"), ["https://a.example/b?c=d"]),
        ("holm-members", Column("x", refers="row:facts"), ["holm-members"]),
        ("facts/holm-members", Column("x", refers="row"), ["facts/holm-members"]),
        ("0", Column("x", datatype="decimal", minimum=Decimal(0)), ["0"]),
        ("", Column("x"), []),
    ],
)
def test_cell_of_its_type_becomes_terms(text: str, column: Column, expected: list[str]) -> None:
    assert [term.value for term in parse_cell(text, column, REFERENCES)] == expected


def test_text_with_a_language_column_is_tagged() -> None:
    assert parse_cell("Netz", Column("x", lang="de"), REFERENCES) == (Literal("Netz", language="de"),)


@pytest.mark.parametrize(
    ("text", "column", "what", "cure"),
    [
        ("hollm", Column("x", refers="entity"), "unknown", "near: holm"),
        ("place-kassel", Column("x", refers="entity:organisation"), "kind place", "organisation"),
        ("ai", Column("x", refers="scheme:field"), "unknown", "scheme field"),
        ("src-b", Column("x", refers="source"), "unknown", "sources.csv"),
        ("", Column("x", refers="source", required=True), "empty", "without a source"),
        ("a||b", Column("x", separator="|"), "empty part", "remove"),
        ("a|a", Column("x", separator="|"), "twice", "once"),
        (" a", Column("x"), "blanks", "remove"),
        ("1,5", Column("x", datatype="decimal"), "no decimal", "point"),
        ("holm.de", Column("x", datatype="anyURI"), "no web address", "https://"),
        ("javascript:alert(1)", Column("x", datatype="anyURI"), "no web address", "https://"),
        ("ja", Column("x", datatype="boolean"), "neither", "true or false"),
        ("4", Column("x", pattern="[0-9]{5}"), "wrong form", "[0-9]{5}"),
        ("nope:x", Column("x", refers="term"), "prefix", "prefixes.ttl"),
        ("٣", Column("x", datatype="integer"), "no integer", "digits only"),
        ("about 5", Column("x", datatype="decimal"), "no decimal", "column qualifier"),
        ("-5", Column("x", datatype="decimal", minimum=Decimal(0)), "too small", "from 0"),
        ("91", Column("x", datatype="decimal", maximum=Decimal(90)), "too large", "up to 90"),
        ("a\x00b", Column("x"), "U+0000", "remove"),
        ("a\nb", Column("x"), "U+000A", "one line"),
        ("a\ufffe", Column("x"), "U+FFFE", "remove"),
        ("a\U0010ffff", Column("x"), "U+10FFFF", "remove"),
        ("holm-membres", Column("x", refers="row:facts"), "unknown", "near: holm-members"),
        ("broken", Column("x", refers="entity"), "no usable IRI", "data/iris.csv"),
        ("src-Ü", Column("x", refers="source"), "no id of a source", "slug"),
    ],
)
def test_broken_cell_says_what_and_how_to_mend(text: str, column: Column, what: str, cure: str) -> None:
    with pytest.raises(BadCell) as caught:
        parse_cell(text, column, REFERENCES)
    assert what in caught.value.what
    assert cure in caught.value.cure
