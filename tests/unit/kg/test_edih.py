"""Addresses as the catalogue writes them in its countries, and lists of labels with levels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.edih.known import Known, load_known
from kg.edih.records import Location, parse_levels, parse_location
from kg.settings import KgSettings


@pytest.fixture(scope="module")
def known() -> Known:
    settings = KgSettings()
    return load_known(settings.data_dir, settings.ontology_dir)


@pytest.mark.parametrize(
    ("country", "text", "expected"),
    [
        ("Germany", "Mornewegstr. 30, 64293 Darmstadt, Germany", ("Mornewegstr. 30", "64293", "Darmstadt")),
        ("Germany", "Steinplatz 1, Berlin, Germany", ("Steinplatz 1", "", "Berlin")),
        ("Spain", "Plaza s/n, 49071 Zamora Zamora, Spain", ("Plaza s/n", "49071", "Zamora Zamora")),
        ("Hungary", "Budapest, Váci út 35, 1134, Hungary", ("Váci út 35", "1134", "Budapest")),
        ("Hungary", "Budapest, Záhony utca 7., Hungary", ("Záhony utca 7.", "", "Budapest")),
        ("Ireland", "Block 9, Dublin, Co. Dublin, D04 V2N9, Ireland", ("Block 9", "D04 V2N9", "Dublin")),
        ("Ireland", "Dyke Parade, Cork, Co. Cork, Ireland", ("Dyke Parade", "", "Cork")),
        ("Latvia", "Skolas iela 11, Riga, LV-1010, Latvia", ("Skolas iela 11", "LV-1010", "Riga")),
        ("Malta", "Msida Road, Gzira GZR1401, Malta", ("Msida Road", "GZR1401", "Gzira")),
        ("Netherlands", "Vasteland 100, 3011 bp Rotterdam, Netherlands", ("Vasteland 100", "3011 BP", "Rotterdam")),
        ("Albania", "Godina Qendrore, 1010, Tirana, Albania", ("Godina Qendrore", "1010", "Tirana")),
        ("Ukraine", "blvd. 7, Zhytomyr, Zhytomyrs'ka oblast, 10008, Ukraine", ("blvd. 7", "10008", "Zhytomyr")),
        ("Portugal", "Rua 69, 1300-342 Lisboa, Portugal", ("Rua 69", "1300-342", "Lisboa")),
        ("Spain", "Spain", ("", "", "")),
        ("Spain", "", ("", "", "")),
    ],
)
def test_address_is_split_as_its_country_writes_it(
    known: Known, country: str, text: str, expected: tuple[str, str, str]
) -> None:
    assert parse_location(text, known.countries[country.casefold()]) == Location(*expected)


def test_every_label_of_the_lists_is_known(known: Known) -> None:
    counts = {
        field: sum(1 for each, _ in known.labels if each == field) for field in ("technologies", "sectors", "services")
    }
    assert counts == {"technologies": 34, "sectors": 42, "services": 15}


@given(text=st.text(max_size=200))
def test_no_address_loses_its_words(known: Known, text: str) -> None:
    location = parse_location(text, known.countries["spain"])
    told = f"{location.street} {location.postcode} {location.town}".casefold()
    words = (word for part in text.split(",") if part.strip().casefold() != "spain" for word in part.split())
    assert all(word.casefold() in told for word in words)


@given(
    st.lists(st.tuples(st.from_regex(r"[A-Z][a-z]{1,9}(, [a-z]{1,9})?", fullmatch=True), st.integers(1, 5)), max_size=6)
)
def test_levels_survive_writing_and_reading(entries: list[tuple[str, int]]) -> None:
    assert list(parse_levels(", ".join(f"{label} - {level}" for label, level in entries))) == entries
