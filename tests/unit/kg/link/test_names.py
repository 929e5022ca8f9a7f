"""Names made comparable: what is one name in two spellings, and what tells like names apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from kg.errors import SourceError
from kg.link.names import Words, fold, load_words, parse_name
from kg.settings import KgSettings


@pytest.fixture(scope="module")
def words() -> Words:
    return load_words(KgSettings().data_dir / "links" / "words.csv")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Justus-Liebig-Universität Gießen", "JUSTUS LIEBIG UNIVERSITÄT GIESSEN"),
        ("Heraeus Holding GmbH", "Heraeus Holding"),
        ("Boehringer Ingelheim AG & Co. KG", "Boehringer Ingelheim"),
        ("University of Kassel", "Universität Kassel"),
        ("Fulda University of Applied Sciences", "Hochschule Fulda"),
        ("Fachhochschule Frankfurt am Main", "Frankfurt University of Applied Sciences"),
        ("TU Darmstadt", "Technische Universität Darmstadt"),
        ("Merck (Germany)", "Merck"),
        ("House of Energy e. V.", "House of Energy"),
    ],
)
def test_two_spellings_of_one_name_have_the_same_words(words: Words, one: str, other: str) -> None:
    assert parse_name(one, words).text == parse_name(other, words).text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Technische Hochschule Mittelhessen", "Technische Universität Mittelhessen"),
        ("Universität Kassel", "Stadt Kassel"),
        ("Fraunhofer-Institut für Betriebsfestigkeit", "Fraunhofer-Institut für Sichere Informationstechnologie"),
    ],
)
def test_names_that_are_alike_keep_what_tells_them_apart(words: Words, one: str, other: str) -> None:
    assert parse_name(one, words).words != parse_name(other, words).words


def test_acronyms_are_found_in_brackets_and_beside_words_but_legal_forms_are_none(words: Words) -> None:
    assert parse_name("House of Digital Transformation e.V. (HoDT)", words).acronyms == {"hodt"}
    assert parse_name("Fraunhofer-Institut IGD", words).acronyms == {"igd"}
    assert parse_name("Siemens Energy AG", words).acronyms == frozenset()
    assert parse_name("Merck KGaA", words).legal_forms == {"kgaa"}


def test_acronym_is_written_out_as_the_first_words_of_the_other(words: Words) -> None:
    short, long = (parse_name(name, words) for name in ("JLU Gießen", "Justus-Liebig-Universität Gießen"))
    expanded = short.expand(long)
    assert expanded is not None
    assert expanded.text == long.text
    assert short.expand(parse_name("Universität Kassel", words)) is None


@pytest.mark.parametrize("name", ["GmbH", "&", "(IGD)", "e. V."])
def test_name_of_nothing_but_forms_is_kept_as_it_is(words: Words, name: str) -> None:
    assert parse_name(name, words).words == tuple(fold(name).split())


@pytest.mark.parametrize(
    "row",
    [
        "Gießen,same,giessen",
        "ag,form,",
        "ag,legal-form,gmbh",
        "university,same,",
        ",filler,",
        "university",
    ],
)
def test_rule_that_is_none_is_refused_with_its_row(tmp_path: Path, row: str) -> None:
    path = tmp_path / "words.csv"
    path.write_text(f"word,kind,becomes\nof,filler,\n{row}\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"words\.csv row 2: .* is no rule"):
        load_words(path)


def test_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        load_words(tmp_path / "words.csv")
