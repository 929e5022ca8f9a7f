"""Candidates: who is compared with whom, in which order, and what is settled and so not proposed again."""

from __future__ import annotations

import pytest

from kg.link.candidates import THRESHOLD, Matcher
from kg.link.names import Words, load_words
from kg.link.parties import Party
from kg.link.proposals import propose
from kg.rdfio import load_prefixes
from kg.settings import KgSettings
from kg.terms import THING

SETTINGS = KgSettings()
PREFIXES = load_prefixes(SETTINGS.ontology_dir / "prefixes.ttl")


def _party(id_: str, *names: str, country: str = "DE", town: str = "", elsewhere: str = "") -> Party:
    return Party(
        id=id_,
        label=names[0],
        names=names,
        country=country,
        towns=(town,) if town else (),
        elsewhere=(elsewhere,) if elsewhere else (),
    )


DARMSTADT = _party("organisation:de-tu-darmstadt", "Technische Universität Darmstadt", town="Darmstadt")
DORTMUND = _party("organisation:de-tu-dortmund", "Technische Universität Dortmund", town="Dortmund")
KASSEL = _party("organisation:de-uni-kassel", "Universität Kassel", town="Kassel")
CITY = _party("organisation:de-stadt-kassel", "Stadt Kassel", town="Kassel")
ENERGY = _party("organisation:de-house-of-energy", "House of Energy e. V.")
JLU = _party("organisation:de-uni-giessen", "Justus-Liebig-Universität Gießen")
CIH = _party("organisation:cz-cih", "Cybersecurity Innovation Hub", country="CZ")
OURS = (DARMSTADT, DORTMUND, KASSEL, CITY, ENERGY, JLU, CIH)


@pytest.fixture(scope="module")
def words() -> Words:
    return load_words(SETTINGS.data_dir / "links" / "words.csv")


@pytest.fixture(scope="module")
def matcher(words: Words) -> Matcher:
    return Matcher(OURS, words)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (_party("ror:1", "Technical University of Darmstadt", town="Darmstadt"), [DARMSTADT]),
        (_party("ror:1", "Technical University of Darmstadt", country=""), [DARMSTADT]),
        (_party("ror:2", "University of Kassel"), [KASSEL]),
        (_party("ror:3", "JLU Gießen"), [JLU]),
        (_party("ror:5", "Cybersecurity Innovation Hub", country="ES"), []),
        (_party("ror:6", "Städtische Werke Kassel"), []),
        (_party("ror:7", "&"), []),
        (_party("ror:8", "Ωμέγα"), []),
    ],
    ids=lambda value: value.label if isinstance(value, Party) else "",
)
def test_other_is_proposed_as_the_one_that_it_is(matcher: Matcher, other: Party, found: list[Party]) -> None:
    assert [each.party for each in matcher.find(other)] == found


def test_best_candidate_comes_first_with_what_made_its_score(matcher: Matcher) -> None:
    first, *_ = matcher.find(_party("ror:1", "TU Darmstadt", town="Darmstadt"), threshold=0)
    assert first.party is DARMSTADT
    assert THRESHOLD <= first.score <= 1
    assert first.features == "words 1.00; contained 1.00; looks 1.00; common towns"


@pytest.mark.parametrize(
    ("same", "different"),
    [
        (_party("ror:1", "TU Darmstadt", town="Darmstadt"), _party("ror:1", "TU Darmstadt", town="Dresden")),
        (_party("ror:4", "House of Energy e. V."), _party("ror:4", "House of Energy GmbH")),
        (_party("ror:2", "Universität Kassel"), _party("ror:2", "Landkreis Kassel")),
    ],
    ids=("town", "legal form", "kind of body"),
)
def test_what_differs_speaks_against_a_pair(matcher: Matcher, same: Party, different: Party) -> None:
    best, *_ = matcher.find(same, threshold=0)
    other = next(each for each in matcher.find(different, threshold=0) if each.party is best.party)
    assert other.score < best.score
    assert "different" in other.features


def test_order_of_parties_does_not_change_what_is_found(words: Words) -> None:
    other = _party("ror:1", "University of Kassel")
    found = [Matcher(order, words).find(other, threshold=0) for order in (OURS, tuple(reversed(OURS)))]
    assert found[0] == found[1]


def _propose(words: Words, ours: tuple[Party, ...], refused: set[tuple[str, str]] | None = None) -> list[str]:
    reference = [_party("ror:05n911h24", "Technical University of Darmstadt")]
    found = propose(ours, reference, words=words, refused=refused or set(), prefixes=PREFIXES)
    return [each.party.id for each in found]


def test_pair_is_proposed_until_it_is_settled(words: Words) -> None:
    ours = THING + "organisation/de-tu-darmstadt"
    assert _propose(words, OURS) == [DARMSTADT.id]
    assert _propose(words, OURS, {(ours, "https://ror.org/05n911h24")}) == []


@pytest.mark.parametrize("elsewhere", ["https://ror.org/05n911h24", "https://ror.org/04cvxnb49"])
def test_one_with_an_identifier_of_the_register_is_settled(words: Words, elsewhere: str) -> None:
    known = _party(DARMSTADT.id, *DARMSTADT.names, elsewhere=elsewhere)
    assert _propose(words, (known, *OURS[1:])) == []


def test_ours_are_compared_with_each_other_once(words: Words) -> None:
    twin = _party("organisation:de-kassel-uni", "University of Kassel")
    found = propose((*OURS, twin), None, words=words, refused=set(), prefixes=PREFIXES)
    assert [(each.party.id, each.other.id) for each in found] == [(twin.id, KASSEL.id)]
    refused = {(THING + "organisation/de-uni-kassel", THING + "organisation/de-kassel-uni")}
    assert propose((*OURS, twin), None, words=words, refused=refused, prefixes=PREFIXES) == []
