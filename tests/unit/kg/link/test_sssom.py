"""Mapping sets: what is read of them, and what is refused, with file, row, column and cure."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from kg.errors import LinkSetError
from kg.link.sssom import LinkSet, load_link_sets, parse_link_set
from kg.rdfio import load_prefixes
from kg.settings import KgSettings

PREFIXES = load_prefixes(KgSettings().ontology_dir / "prefixes.ttl")
NAME = "organisations_ror.sssom.tsv"
METADATA = {
    "mapping_set_id": "https://w3id.org/chap/graph/links-organisations-ror",
    "mapping_set_title": "Organisations in ROR",
    "license": "http://creativecommons.org/licenses/by/4.0/",
    "subject_source": "dataset:chap",
    "object_source": "identifier-scheme:ror",
    "mapping_date": "2026-11-27",
}
USED = (
    "dataset",
    "field",
    "identifier-scheme",
    "lei",
    "nace21",
    "organisation",
    "owl",
    "ror",
    "semapv",
    "skos",
    "source",
    "wikidata",
)
THING = {
    "subject_id": "organisation:de-tu-darmstadt",
    "predicate_modifier": "",
    "predicate_id": "owl:sameAs",
    "object_id": "ror:05n911h24",
    "object_label": "Technical University of Darmstadt",
    "mapping_justification": "semapv:LexicalMatching",
    "confidence": "0.99",
    "reviewer_label": "CHAP curators",
    "mapping_source": "source:ror-records",
}
CONCEPT = THING | {
    "subject_id": "field:finance",
    "predicate_id": "skos:closeMatch",
    "object_id": "nace21:64",
    "object_label": "Financial service activities",
    "mapping_source": "",
}


def _write(*rows: dict[str, str], curie_map: dict[str, str] | None = None, **metadata: str) -> str:
    prefixes = curie_map or {prefix: PREFIXES[prefix] for prefix in USED}
    lines = ["#curie_map:", *(f"#  {prefix}: {space}" for prefix, space in prefixes.items())]
    lines += [f"#{key}: {value}" for key, value in (METADATA | metadata).items() if value]
    lines += ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    return "\n".join(lines) + "\n"


def _parse(text: str) -> LinkSet:
    return parse_link_set(text, Path(NAME), PREFIXES)


def test_row_of_a_thing_is_read_with_what_is_known_about_it() -> None:
    found = _parse(_write(THING))
    (link,) = found.links
    assert found.name == "organisations-ror"
    assert link.subject == "https://w3id.org/chap/id/organisation/de-tu-darmstadt"
    assert link.object_id == "https://ror.org/05n911h24"
    assert link.predicate == "http://www.w3.org/2002/07/owl#sameAs"
    assert (link.confidence, link.date.isoformat(), link.is_negated) == (Decimal("0.99"), "2026-11-27", False)
    assert link.source == "https://w3id.org/chap/id/source/ror-records"


def test_refused_pair_needs_no_source_and_is_marked() -> None:
    (link,) = _parse(_write(THING | {"predicate_modifier": "Not", "mapping_source": ""})).links
    assert link.is_negated


def test_byte_order_mark_and_other_line_ends_do_no_harm() -> None:
    assert len(_parse("\ufeff" + _write(THING).replace("\n", "\r\n")).links) == 1


BROKEN_ROWS = {
    "unreviewed": (THING | {"reviewer_label": ""}, "reviewer_label", "unreviewed link"),
    "unknown prefix of ours": (THING | {"subject_id": "organization:de-tu"}, "subject_id", "no known prefix"),
    "unknown prefix of theirs": (THING | {"object_id": "rorr:05n911h24"}, "object_id", "no known prefix"),
    "no prefix": (THING | {"object_id": "05n911h24"}, "object_id", "no known prefix"),
    "prefix not declared": (THING | {"object_id": "euroscivoc:1"}, "object_id", "curie_map"),
    "empty number": (THING | {"object_id": "ror:"}, "object_id", "no IRI"),
    "blank in the number": (CONCEPT | {"object_id": "nace21:6 4"}, "object_id", "no IRI"),
    "markup in the number": (CONCEPT | {"object_id": "nace21:<script>"}, "object_id", "no IRI"),
    "subject of theirs": (THING | {"subject_id": "ror:05n911h24"}, "subject_id", "neither a thing nor a concept"),
    "match on an organisation": (THING | {"predicate_id": "skos:exactMatch"}, "predicate_id", "for concepts"),
    "identity of a concept": (CONCEPT | {"predicate_id": "owl:sameAs"}, "predicate_id", "for things"),
    "other relation": (THING | {"predicate_id": "skos:broader"}, "predicate_id", "no relation"),
    "two of ours": (THING | {"object_id": "organisation:de-h-da"}, "predicate_id", "two IRIs of ours"),
    "no justification": (THING | {"mapping_justification": ""}, "mapping_justification", "the cell is empty"),
    "unknown justification": (THING | {"mapping_justification": "semapv:Guess"}, "mapping_justification", "semapv:"),
    "confidence above 1": (THING | {"confidence": "1.2"}, "confidence", "from 0 to 1"),
    "confidence below 0": (THING | {"confidence": "-0.1"}, "confidence", "from 0 to 1"),
    "confidence in words": (THING | {"confidence": "high"}, "confidence", "from 0 to 1"),
    "confidence that is none": (THING | {"confidence": "NaN"}, "confidence", "from 0 to 1"),
    "confidence with an exponent": (THING | {"confidence": "1e-1"}, "confidence", "from 0 to 1"),
    "confidence in digits of another width": (THING | {"confidence": "０.９"}, "confidence", "from 0 to 1"),
    "no confidence": (THING | {"confidence": ""}, "confidence", "from 0 to 1"),
    "modifier": (THING | {"predicate_modifier": "not"}, "predicate_modifier", "Not"),
    "no name there": (THING | {"object_label": " "}, "object_label", "the cell is empty"),
    "no source of an identifier": (THING | {"mapping_source": ""}, "mapping_source", "source that asserts it"),
    "source that is none": (THING | {"mapping_source": "field:finance"}, "mapping_source", "data/sources.csv"),
    "form of ROR": (THING | {"object_id": "ror:5n911h24"}, "object_id", "form of its register"),
    "check digits of ROR": (THING | {"object_id": "ror:05n911h25"}, "object_id", "check digits"),
    "form of Wikidata": (THING | {"object_id": "wikidata:310695"}, "object_id", "form of its register"),
    "check digits of LEI": (THING | {"object_id": "lei:3912001DICGNODILE081"}, "object_id", "check digits"),
}


@pytest.mark.parametrize(("row", "column", "says"), BROKEN_ROWS.values(), ids=BROKEN_ROWS.keys())
def test_broken_row_is_refused_with_row_column_and_cure(row: dict[str, str], column: str, says: str) -> None:
    with pytest.raises(LinkSetError) as refusal:
        _parse(_write(CONCEPT | {"object_id": "nace21:65"}, row))
    (problem,) = refusal.value.problems
    assert problem.startswith(f"data/links/{NAME} row 2, column {column}: ")
    assert says in problem
    assert "\n  Cure: " in problem


def test_pair_that_stands_twice_is_refused_even_with_another_relation() -> None:
    with pytest.raises(LinkSetError, match=r"row 2, column object_id: this pair stands already in row 1"):
        _parse(_write(CONCEPT, CONCEPT | {"predicate_id": "skos:broadMatch"}))


def test_all_problems_of_a_file_come_at_once() -> None:
    with pytest.raises(LinkSetError) as refusal:
        _parse(_write(THING | {"confidence": "2", "reviewer_label": ""}, CONCEPT | {"object_label": ""}))
    assert [problem.partition(":")[0].rpartition("column ")[2] for problem in refusal.value.problems] == [
        "confidence",
        "reviewer_label",
        "object_label",
    ]


BROKEN_FILES = {
    "no licence": (_write(THING, license=""), "lack license"),
    "no title": (_write(THING, mapping_set_title=""), "lack mapping_set_title"),
    "id of another file": (_write(THING, mapping_set_id="https://w3id.org/chap/graph/links-x"), "mapping_set_id"),
    "day that is none": (_write(THING, mapping_date="yesterday"), "column mapping_date"),
    "prefix of another space": (
        _write(THING, curie_map={prefix: PREFIXES[prefix] for prefix in USED} | {"ror": "https://ror.example/"}),
        "curie_map gives ror",
    ),
    "metadata that are no YAML": ("#a: [\n" + _write(THING), "no YAML"),
    "nothing": ("", "lack mapping_set_id"),
    "no reviewer column": (_write(THING).replace("\treviewer_label", "\treviewer"), "unknown column(s) reviewer"),
    "no confidence column": (_write(THING).replace("\tconfidence", "\tsurety"), "missing column(s) confidence"),
    "cell too many": (_write(THING).rstrip("\n") + "\tx\n", "10 cells where the header has 9"),
}


@pytest.mark.parametrize(("text", "says"), BROKEN_FILES.values(), ids=BROKEN_FILES.keys())
def test_broken_file_is_refused_with_a_cure(text: str, says: str) -> None:
    with pytest.raises(LinkSetError) as refusal:
        _parse(text)
    assert any(says in problem and "\n  Cure: " in problem for problem in refusal.value.problems)
    assert all(problem.startswith(f"data/links/{NAME}") for problem in refusal.value.problems)


def _write_sets(directory: Path, *rows: dict[str, str]) -> None:
    for number, row in enumerate(rows):
        name = f"set-{number}"
        text = _write(row, mapping_set_id=f"https://w3id.org/chap/graph/links-{name}")
        (directory / f"{name}.sssom.tsv").write_text(text, encoding="utf-8")


def test_one_thing_elsewhere_is_not_two_of_ours(tmp_path: Path) -> None:
    _write_sets(tmp_path, THING, THING | {"subject_id": "organisation:de-h-da"})
    with pytest.raises(LinkSetError, match=r"set-1\.sssom\.tsv row 1, column object_id: ror:05n911h24 is already"):
        load_link_sets(tmp_path, PREFIXES)


def test_one_of_ours_is_not_two_of_one_register(tmp_path: Path) -> None:
    _write_sets(tmp_path, THING, THING | {"object_id": "ror:04cvxnb49"})
    with pytest.raises(LinkSetError, match=r"has already https://ror.org/05n911h24 in ror"):
        load_link_sets(tmp_path, PREFIXES)


def test_refused_pair_clashes_with_nothing(tmp_path: Path) -> None:
    _write_sets(tmp_path, THING, THING | {"object_id": "ror:04cvxnb49", "predicate_modifier": "Not"})
    assert [link_set.name for link_set in load_link_sets(tmp_path, PREFIXES)] == ["set-0", "set-1"]


def test_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\xff\xfe")
    with pytest.raises(LinkSetError, match="UTF-8"):
        load_link_sets(tmp_path, PREFIXES)


def test_name_of_a_file_that_can_be_no_address_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Unsere ROR.sssom.tsv").write_text(_write(THING, mapping_set_id=""), encoding="utf-8")
    with pytest.raises(LinkSetError, match=r"Unsere ROR\.sssom\.tsv: .*(\n|.)*Cure: rename the file"):
        load_link_sets(tmp_path, PREFIXES)


def test_directory_that_is_not_there_has_no_links(tmp_path: Path) -> None:
    assert load_link_sets(tmp_path / "links", PREFIXES) == ()
