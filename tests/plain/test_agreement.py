"""The store of a release and its content say the same, whatever was written in whatever way."""

from __future__ import annotations

import pytest

from kg.examine import examine_release
from kg.release import Releases
from tests.plain.conftest import TURTLE, Plain

G = "urn:x:g"
BEFORE = f"""
    <urn:x:s> <urn:x:p> 1 , "one" , _:b . _:b <urn:x:q> 2 .
    GRAPH <{G}> {{ <urn:x:s> <urn:x:p> 1 , 2 . _:c <urn:x:p> 3 }}
    GRAPH <urn:x:h> {{ <urn:x:s> <urn:x:p> 3 }}
"""
# The engine keeps values: what is written in another way is what is there, or becomes it.
ODD = '<urn:x:s> <urn:x:p> 01 , 1.50 , 1e0 , "007"^^<http://www.w3.org/2001/XMLSchema#int> , "x"@EN , _:new .'
REQUESTS = [
    ("PUT", f"?graph={G}", ODD),
    ("PUT", "?default", f"{ODD} <urn:x:s> <urn:x:p> 1 ."),
    ("POST", f"?graph={G}", ODD),
    ("POST", "?default", ODD),
    ("POST", "?graph=urn:x:new", ODD),
    ("DELETE", f"?graph={G}", ""),
    ("DELETE", "?default", ""),
    ("PATCH", f"?graph={G}", "DELETE { ?s ?p ?o } INSERT { ?s ?p ?n , 007 } WHERE { ?s ?p ?o BIND(?o + 1 AS ?n) }"),
    ("PATCH", "?default", "DELETE WHERE { ?s ?p 01 } ; INSERT DATA { <urn:x:s> <urn:x:p> 02 }"),
    ("UPDATE", "", f"INSERT DATA {{ {ODD} GRAPH <{G}> {{ {ODD} }} }}"),
    ("UPDATE", "", f"DELETE DATA {{ <urn:x:s> <urn:x:p> 01 GRAPH <{G}> {{ <urn:x:s> <urn:x:p> 02 }} }}"),
    ("UPDATE", "", "DELETE { ?s ?p ?o } INSERT { GRAPH <urn:x:new> { ?s ?p ?o , 01 } } WHERE { ?s ?p ?o }"),
    ("UPDATE", "", "INSERT { ?s ?p ?v } WHERE { ?s ?p 1 BIND(STRDT('01', <urn:x:d>) AS ?v) }"),
    ("UPDATE", "", "DELETE WHERE { GRAPH ?g { ?s ?p ?o } }"),
    *(
        ("UPDATE", "", text)
        for text in (
            *("CLEAR DEFAULT", "CLEAR NAMED", "DROP ALL", f"DROP GRAPH <{G}>", f"CREATE GRAPH <{G}2>"),
            *(f"COPY <{G}> TO <urn:x:h>", f"MOVE <{G}> TO <urn:x:new>"),
            *(f"ADD <{G}> TO DEFAULT", f"MOVE DEFAULT TO <{G}>"),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "query", "body"), REQUESTS)
def test_store_and_content_agree(plain: Plain, method: str, query: str, body: str) -> None:
    plain.fill(BEFORE)
    if method == "UPDATE":
        response = plain.update(body)
    else:
        headers = {"Content-Type": "application/sparql-update"} if method == "PATCH" else TURTLE
        response = plain.client.request(method, f"/graph-store{query}", content=body, headers=headers)
    assert response.status_code in (201, 204), response.text
    current = Releases(plain.releases_dir).current()
    assert current is not None
    assert list(examine_release(current)) == []
