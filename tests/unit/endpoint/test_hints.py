"""Hints for terms that a release does not have: of patterns only, near in name, few, and as the query writes them."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz

from endpoint.sparql import hints
from endpoint.sparql.frames import Written
from endpoint.sparql.hints import Vocabulary
from kg.errors import QuerySyntaxError

DEF = "https://w3id.org/chap/def#"
NEAR = Vocabulary(
    [f"{DEF}Cluster", f"{DEF}Hub", f"{DEF}partnerOf", f"{DEF}partOf", f"{DEF}offers", "http://schema.org/name"]
)
PREFIXES = f"PREFIX chap: <{DEF}> PREFIX schema: <https://schema.org/> PREFIX e: <http://e/>\n"


def find_hints(text: str, vocabulary: Vocabulary) -> list[str]:
    return hints.find_hints(Written(text, base="http://chap.example/sparql"), vocabulary)


def hint(pattern: str) -> list[str]:
    return find_hints(f"{PREFIXES} SELECT * WHERE {{ {pattern} }}", NEAR)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("?s chap:partnerOff ?o", "chap:partnerOff is no class or property of this release; near: chap:partnerOf"),
        ("?s a chap:cluster", "chap:cluster is no class or property of this release; near: chap:Cluster"),
        ("?s a chap:Clusters", "chap:Clusters is no class or property of this release; near: chap:Cluster"),
        (f"?s <{DEF}offer> ?o", "chap:offer is no class or property of this release; near: chap:offers"),
        ("?s schema:name ?o", "schema:name is no class or property of this release; near: <http://schema.org/name>"),
        ("?s chap:zzzzzzzz ?o", "chap:zzzzzzzz is no class or property of this release"),
        ("?s ^chap:ofers+ / chap:Hub ?o", "chap:ofers is no class or property of this release; near: chap:offers"),
        ("GRAPH ?g { ?s chap:ofers ?o }", "chap:ofers is no class or property of this release; near: chap:offers"),
        (
            f"?s <{DEF}\\u006Fffers>/<{DEF}\\u006Fffer> ?o",
            "chap:offer is no class or property of this release; near: chap:offers",
        ),
    ],
)
def test_unknown_term_gets_its_hint(pattern: str, expected: str) -> None:
    found = hint(pattern)
    assert len(found) == 1
    assert found[0].startswith(expected)


@pytest.mark.parametrize(
    "pattern",
    [
        "?s chap:partnerOf ?o ; a chap:Hub",
        "?s a ?class",
        "?s <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> ?class",
        "?s ?p e:anything, <urn:any:thing>, <http://other/offered>",
        '?s ?p \'chap:ofers\', """chap:ofers"""@en # chap:ofers\n',
        "GRAPH chap:ofers { ?s ?p ?o }",
        "?chap ?ofers 1",
        "<chap/relative> ?p ?o",
    ],
)
def test_what_is_known_or_no_term_of_ours_gets_none(pattern: str) -> None:
    assert hint(pattern) == []


def test_prologue_and_dataset_get_none() -> None:
    text = f"BASE <{DEF}ofers> PREFIX x: <{DEF}ofers> SELECT * FROM <{DEF}ofers> FROM NAMED <{DEF}ofers> {{ ?s ?p ?o }}"
    assert find_hints(text, NEAR) == []


def test_term_is_named_once_and_hints_are_few() -> None:
    assert len(hint("?s chap:ofers ?o . ?o chap:ofers ?s")) == 1
    many = " . ".join(f"?s chap:ofers{number} ?o" for number in range(50))
    assert 1 < len(hint(many)) < 10


def test_few_near_names_are_told() -> None:
    crowd = Vocabulary(f"{DEF}offers{number}" for number in range(50))
    (found,) = find_hints(f"PREFIX chap: <{DEF}> ASK {{ ?s chap:offers ?o }}", crowd)
    assert found.count("chap:offers") <= 4


def test_empty_vocabulary_gives_none() -> None:
    assert find_hints(f"ASK {{ ?s <{DEF}offers> ?o }}", Vocabulary([])) == []


@settings(deadline=None)
@given(st.from_regex(r"[a-z0-9_%#/:~.-]{0,40}", fullmatch=True))
def test_any_iri_may_be_looked_at(text: str) -> None:
    with suppress(QuerySyntaxError):
        find_hints(f"{PREFIXES}ASK {{ ?s <{text}> ?o ; chap:{text} e:{text} }}", NEAR)


@settings(deadline=None)
@given(st.sampled_from(sorted(NEAR.terms)))
def test_every_known_term_is_silent_in_full_and_short(term: str) -> None:
    assert find_hints(f"ASK {{ ?s <{term}> ?o }}", NEAR) == []
    namespace = term[: max(term.rfind("#"), term.rfind("/")) + 1]
    assert find_hints(f"PREFIX : <{namespace}> ASK {{ ?s :{term.removeprefix(namespace)} ?o }}", NEAR) == []


class CountingMeasure:
    """The measure, and how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, *names: str, **_: object) -> float:
        self.calls += 1
        return fuzz.ratio(*names)


@pytest.mark.parametrize("length", [1_000, 8_000, 240_000])
def test_comparisons_are_bounded_whatever_the_text(length: int) -> None:
    measure = CountingMeasure()
    crowd = Vocabulary((f"{DEF}partnerof{number}" for number in range(3_000)), measure=measure)
    values = " ".join(f"<{DEF}{''.join(letters)}>" for letters in islice(permutations("partnerof"), length // 45))
    find_hints(f"SELECT * {{ VALUES ?p {{ {values} }} }}", crowd)
    # Five hints at most, each after one look at all names.
    assert measure.calls <= 5 * 3_000
    assert (measure.calls > 0) is (length <= 8_000)


def test_names_are_not_compared_where_they_are_too_many() -> None:
    measure = CountingMeasure()
    crowd = Vocabulary((f"{DEF}partnerof{number}" for number in range(20_000)), measure=measure)
    (found,) = find_hints(f"ASK {{ ?s <{DEF}partnerof> ?o }}", crowd)
    assert "near" not in found
    assert find_hints(f"ASK {{ ?s <{DEF}PARTNEROF7> ?o }}", crowd)[0].endswith(f"near: <{DEF}partnerof7>")
    assert measure.calls == 0


def test_misspelt_term_is_found_behind_many_names_of_things() -> None:
    things = " ".join(f"<https://w3id.org/chap/id/organisation/de-{number}>" for number in range(120))
    (found,) = find_hints(f"SELECT * {{ VALUES ?s {{ {things} }} ?s <{DEF}partnrOf> ?o }}", NEAR)
    assert f"near: <{DEF}partnerOf>" in found


def test_hints_are_short_whatever_the_term() -> None:
    assert len("; ".join(find_hints(f"ASK {{ ?s <{DEF}{'x' * 50_000}> ?o }}", NEAR))) < 2_000
