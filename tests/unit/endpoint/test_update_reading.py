"""Updates before they are carried out: what is none, is too deep, or would send requests, is told with its place."""

from __future__ import annotations

import pytest

from endpoint.writes.reading import UpdateLimits, UpdateRefused, read_operations

LIMITS = UpdateLimits(depth=20, operators=50)
REQUESTS = "INSERT { ?s ?p ?o } WHERE { %s { ?s ?p ?o } }"


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("SELECT * { ?s ?p ?o }", "query-syntax", (1, 1)),
        ("INSERT DATA { <urn:x:s> <urn:x:p> ?o }", "query-syntax", (1, 35)),
        ("CLEAR ALL ;\nDELETE DATA { _:b <urn:x:p> 1 }", "query-syntax", (2, 15)),
        ("CLEAR ALL ;\n LOAD <urn:x:y>", "query-refused", (2, 2)),
        ("LOAD SILENT <urn:x:y> INTO GRAPH <urn:x:g>", "query-refused", (1, 1)),
        (REQUESTS % "SERVICE <urn:x:y>", "query-refused", (1, 29)),
        (REQUESTS % "service silent ?s", "query-refused", (1, 29)),
        # However it is spaced: none of these is what the engine would read without a boundary after a keyword.
        ("PREFIX o: <urn:x:> LOADo:z", "query-syntax", (1, 20)),
        ("PREFIX o: <urn:x:> " + REQUESTS % "SERVICEo:x", "query-syntax", (1, 48)),
        ("INSERT DATA { " + "[ <urn:x:p> " * 30 + "1" + " ]" * 30 + " }", "query-too-deep", (1, 243)),
        ("DELETE { ?s ?p ?o } WHERE { ?s ?p ?o FILTER(1" + " + 1" * 60 + ") }", "query-too-deep", (1, 247)),
    ],
)
def test_update_that_may_not_be_carried_out_is_told(text: str, problem: str, place: tuple[int, int]) -> None:
    with pytest.raises(UpdateRefused) as caught:
        read_operations(text, base="http://example.org/", limits=LIMITS)
    assert (caught.value.problem, caught.value.place) == (problem, place)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT DATA { <urn:x:s> <urn:x:LOAD> 'SERVICE <urn:x:y> { }' } # LOAD <urn:x:y>",
        "INSERT DATA { " + "<urn:x:s> <urn:x:p> -1 . " * 200 + " }",
        "PREFIX SERVICE: <urn:x:> INSERT { SERVICE:s SERVICE:p ?LOAD } WHERE { ?LOAD SERVICE:p 1 }",
    ],
)
def test_update_that_only_looks_like_that_is_read(text: str) -> None:
    assert len(read_operations(text, base="http://example.org/", limits=LIMITS)) == 1
