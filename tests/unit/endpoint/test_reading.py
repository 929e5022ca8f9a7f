"""What the reader makes of a text, where the longest token and the engine would differ, and of what is no SPARQL."""

from __future__ import annotations

import pytest

from endpoint.reader.grammar import load_grammar
from endpoint.reader.parser import Unit, read
from endpoint.reader.reading import Place, Unreadable

BASE = "http://base.example/sparql"
QUERIES = {
    "PREFIX SERVICEo: <a:> ASK { SERVICEo:x ?p ?o }": "ASK { <a:x> ?p ?o }",
    "PREFIX graphg: <a:> ask{graphg:x?p?o}": "ASK { <a:x> ?p ?o }",
    "ASK { FILTER(1<?b)SERVICE<x:#>{} }": "ASK { FILTER ( 1 < ?b ) SERVICE <x:#> { } }",
    "ASK{?s ?p ?b FILTER(1<?b&&?b>2)}": "ASK { ?s ?p ?b FILTER ( 1 < ?b && ?b > 2 ) }",
    "ASK{FILTER(1<2&&RAND()>0.5)}": "ASK { FILTER ( 1 < 2 && RAND() > 0.5 ) }",
    "ASK{FILTER(?a<<http://x>)}": "ASK { FILTER ( ?a < <http://x> ) }",
    "ASK{FILTER(?a<=?b)}": "ASK { FILTER ( ?a <= ?b ) }",
    "ASK { ?s <p>+1 }": 'ASK { ?s <http://base.example/p> "+1"^^<http://www.w3.org/2001/XMLSchema#integer> }',
    "ASK { ?s <p>+ 1 }": "ASK { ?s <http://base.example/p> + 1 }",
    "ASK { ?s a:p ?o }": None,
    "PREFIX a: <x/> BASE <http://c/d/> PREFIX a: <y/> ASK { a:%41\\~b <e> _:a.b }": (
        "ASK { <http://c/d/y/%41~b> <http://c/d/e> _:a.b }"
    ),
    "ASK { # SERVICE\r?s ?p 'a#b'@en--ltr . }": "ASK { ?s ?p 'a#b'@en--ltr . }",
    "SELECT $x(COALESCE( #c\n)AS?y){?x a true,TRUE,.5,1.e3,1.}": (
        "SELECT ?x ( COALESCE() AS ?y ) { ?x a true , true , .5 , 1.e3 , 1 . }"
    ),
    "ASK{?s ?p '''a\n'b''', \"\\u00E9\\n\"}": "ASK { ?s ?p '''a\n'b''' , \"\\u00E9\\n\" }",
    "ASK { <\\u0061:b> ?p ?o }": "ASK { <a:b> ?p ?o }",
    'VERSION "1.2" ASK { << <a:a> a 1 ~ _:r >> ?p <<( <a:a> a 1 )>> {| a 1 |} }': (
        "ASK { << <a:a> a 1 ~ _:r >> ?p <<( <a:a> a 1 )>> {| a 1 |} }"
    ),
    "\ufeffASK {}": "ASK { }",
    # Resolved when it is evaluated.
    "BASE <http://c/d/> SELECT (IRI('e') AS ?x) {}": "BASE <http://c/d/> SELECT ( IRI( 'e' ) AS ?x ) { }",
    "ASK { FILTER(uri('e') = <a:b>) }": f"BASE <{BASE}> ASK {{ FILTER ( URI( 'e' ) = <a:b> ) }}",
}


@pytest.mark.parametrize("text", [text for text, ours in QUERIES.items() if ours is not None])
def test_text_is_written_anew(text: str) -> None:
    ours = QUERIES[text]
    assert ours is not None
    assert read(text, "QueryUnit", base=BASE).text == ours
    # What is written anew is read as itself.
    assert read(ours, "QueryUnit", base=BASE).text == ours


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("ASK {\n ?s a:p ?o }", Place(2, 5), "the prefix 'a:' is not declared"),
        ("ASK { ?s ?p 'open }", Place(1, 13), "has no end"),
        ("ASK { <a b> ?p ?o }", Place(1, 7), "no IRI may hold"),
        ("ASK { <a:b#c#d> ?p ?o }", Place(1, 7), "is no IRI"),
        ("ASK { <a:\\uD800> ?p ?o }", Place(1, 7), "stands for no character"),
        ("ASK { ?s ?p '\\q' }", Place(1, 13), "escape"),
        ("\\u0041SK {}", Place(1, 1), "only strings and IRIs"),
        ("SELECTDISTINCT * {}", Place(1, 1), "no word of SPARQL"),
        ("ASK { ?s ?p 1 FITLER(?s) }", Place(1, 15), "did you mean FILTER?"),
        ("ASK { ?s ?p", Place(1, 12), "the text ends"),
        ("ASK { FILTER(1=2=3) }", Place(1, 17), "expected"),
        ("ASK {\u00a0}", Place(1, 6), "means nothing here"),
        ("PREFIX a:b <c:> ASK {}", Place(1, 8), "ends with its colon"),
        ("CLEAR ALL", Place(1, 1), "expected: ASK"),
        ("PREFIX a: <b:> ASK { a:c#d ?p }", Place(1, 32), "the text ends"),
        ("PREFIX a: <b:#> ASK { a:c\\#d ?p ?o }", Place(1, 23), "stands for what is no IRI"),
    ],
)
def test_what_is_no_query_is_told_with_its_place(text: str, place: Place, words: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(text, "QueryUnit", base=BASE)
    assert caught.value.place == place
    assert words in str(caught.value)


@pytest.mark.parametrize("unit", ["QueryUnit", "UpdateUnit"])
def test_grammar_has_one_way_for_each_token(unit: Unit) -> None:
    # Making the table fails where there are two.
    assert load_grammar().table[unit]


def test_no_text_is_too_deep() -> None:
    depth = 30_000
    text = f"ASK {{ FILTER({'(' * depth}1{')' * depth}) }}"
    assert len(read(text, "QueryUnit", base=BASE).tokens) == 2 * depth + 7


@pytest.mark.parametrize(
    "text",
    [
        f"PREFIX a: <urn:{'x' * 20_000}> ASK {{ {'a: a: a: .' * 9_000} }}",
        f"BASE <urn:{'x' * 20_000}> {' '.join(f'PREFIX a{n}: <#>' for n in range(9_000))} ASK {{}}",
        f"BASE <urn:{'x' * 20_000}> ASK {{ {'<#><#><#>.' * 9_000} }}",
    ],
)
def test_a_text_that_would_become_a_thousand_times_as_long_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="written out"):
        read(text, "QueryUnit", base=BASE)


def test_a_place_in_our_text_is_found_in_the_text_as_it_came() -> None:
    reading = read("PREFIX a: <b:>\nASK{?s a:x '''y\nz''' . ?q ?r 1}", "QueryUnit", base=BASE)
    assert reading.text == "ASK { ?s <b:x> '''y\nz''' . ?q ?r 1 }"
    assert reading.locate(reading.find_token(1, 10)) == Place(2, 8)
    assert reading.locate(reading.find_token(2, 8)) == Place(3, 8)
