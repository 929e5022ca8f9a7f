"""The examples of SPARQL 1.1 Update (https://www.w3.org/TR/sparql11-update/, section 3): request, before and after.

Two of them contradict themselves as printed: in the sixth the text speaks of dates before and the data of dates after,
and in the tenth the data says with rdf:type what the request looks for with dc:type. Here the data after holds.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EXAMPLES", "Example"]

_PREFIXES = """
PREFIX dc: <http://purl.org/dc/elements/1.1/>
PREFIX dcmitype: <http://purl.org/dc/dcmitype/>
PREFIX foaf: <http://xmlns.com/foaf/0.1/>
PREFIX ns: <http://example.org/ns#>
PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
"""
_WILLIAM = """
<http://example/william> a foaf:Person ; foaf:givenName "William" ; foaf:mbox <mailto:bill@example> .
"""
_FRED = """
<http://example/fred> a foaf:Person ; foaf:givenName "Fred" ; foaf:mbox <mailto:fred@example> .
"""
_BOOK1 = """
<http://example/book1> dc:title "Fundamentals of Compiler Design" ; dc:date "1977-01-01T00:00:00-02:00"^^xsd:dateTime .
"""
_BOOK2 = """
<http://example/book2> ns:price 42 ; dc:title "David Copperfield" ; dc:creator "Edmund Wells" ;
  dc:date "1948-01-01T00:00:00-02:00"^^xsd:dateTime .
"""
_BOOK3 = '<http://example/book3> dc:title "SPARQL 1.1 Tutorial" .'
_BOOK4 = '<http://example/book4> dc:title "SPARQL 1.0 Tutorial" .'
_OBJECT = """
<http://example/book1> dc:title "Fundamentals of Compiler Design" ; dc:date "1996-01-01T00:00:00-02:00"^^xsd:dateTime ;
  dc:type dcmitype:PhysicalObject .
"""
_ALICE_AND_BOB = """
_:a a foaf:Person ; foaf:name "Alice" ; foaf:mbox <mailto:alice@example.com> . _:b a foaf:Person ; foaf:name "Bob" .
"""


@dataclass(frozen=True)
class Example:
    """A request, and the dataset before and after it, in TriG."""

    name: str
    request: str
    before: str
    after: str


def _graph(name: str, turtle: str) -> str:
    return f"GRAPH <http://{name}> {{ {turtle} }}\n"


def _example(name: str, *, request: str, before: str, after: str) -> Example:
    return Example(name, _PREFIXES + request, _PREFIXES + before, _PREFIXES + after)


EXAMPLES = (
    _example(
        "3.1.1 INSERT DATA, example 1",
        request='INSERT DATA { <http://example/book1> dc:title "A new book" ; dc:creator "A.N.Other" . }',
        before="<http://example/book1> ns:price 42 .",
        after='<http://example/book1> ns:price 42 ; dc:title "A new book" ; dc:creator "A.N.Other" .',
    ),
    _example(
        "3.1.1 INSERT DATA, example 2",
        request="INSERT DATA { GRAPH <http://example/bookStore> { <http://example/book1> ns:price 42 } }",
        before=_graph("example/bookStore", '<http://example/book1> dc:title "Fundamentals of Compiler Design" .'),
        after=_graph(
            "example/bookStore", '<http://example/book1> dc:title "Fundamentals of Compiler Design" ; ns:price 42 .'
        ),
    ),
    _example(
        "3.1.2 DELETE DATA, example 3",
        request='DELETE DATA { <http://example/book2> dc:title "David Copperfield" ; dc:creator "Edmund Wells" . }',
        before='<http://example/book2> ns:price 42 ; dc:title "David Copperfield" ; dc:creator "Edmund Wells" .',
        after="<http://example/book2> ns:price 42 .",
    ),
    _example(
        "3.1.2 DELETE DATA, example 4",
        request="""
        DELETE DATA
        { GRAPH <http://example/bookStore> { <http://example/book1> dc:title "Fundamentals of Compiler Desing" } } ;

        PREFIX dc: <http://purl.org/dc/elements/1.1/>
        INSERT DATA
        { GRAPH <http://example/bookStore> { <http://example/book1> dc:title "Fundamentals of Compiler Design" } }
        """,
        before=_graph("example/bookStore", '<http://example/book1> dc:title "Fundamentals of Compiler Desing" .'),
        after=_graph("example/bookStore", '<http://example/book1> dc:title "Fundamentals of Compiler Design" .'),
    ),
    _example(
        "3.1.3 DELETE/INSERT, example 5",
        request="""
        WITH <http://example/addresses>
        DELETE { ?person foaf:givenName 'Bill' }
        INSERT { ?person foaf:givenName 'William' }
        WHERE { ?person foaf:givenName 'Bill' }
        """,
        before=_graph(
            "example/addresses",
            """
            <http://example/president25> foaf:givenName "Bill" ; foaf:familyName "McKinley" .
            <http://example/president27> foaf:givenName "Bill" ; foaf:familyName "Taft" .
            <http://example/president42> foaf:givenName "Bill" ; foaf:familyName "Clinton" .
            """,
        ),
        after=_graph(
            "example/addresses",
            """
            <http://example/president25> foaf:givenName "William" ; foaf:familyName "McKinley" .
            <http://example/president27> foaf:givenName "William" ; foaf:familyName "Taft" .
            <http://example/president42> foaf:givenName "William" ; foaf:familyName "Clinton" .
            """,
        ),
    ),
    _example(
        "3.1.3.1 DELETE, example 6",
        request="""
        DELETE { ?book ?p ?v }
        WHERE {
          ?book dc:date ?date .
          FILTER ( ?date > "1970-01-01T00:00:00-02:00"^^xsd:dateTime )
          ?book ?p ?v
        }
        """,
        before=_BOOK1 + _BOOK2 + _BOOK3,
        after=_BOOK2 + _BOOK3,
    ),
    _example(
        "3.1.3.1 DELETE, example 7",
        request="""
        WITH <http://example/addresses>
        DELETE { ?person ?property ?value }
        WHERE { ?person ?property ?value ; foaf:givenName 'Fred' }
        """,
        before=_graph("example/addresses", _WILLIAM + _FRED),
        after=_graph("example/addresses", _WILLIAM),
    ),
    _example(
        "3.1.3.2 INSERT, example 8",
        request="""
        INSERT { GRAPH <http://example/bookStore2> { ?book ?p ?v } }
        WHERE {
          GRAPH <http://example/bookStore> {
            ?book dc:date ?date .
            FILTER ( ?date > "1970-01-01T00:00:00-02:00"^^xsd:dateTime )
            ?book ?p ?v
          }
        }
        """,
        before=_graph("example/bookStore", _BOOK1 + _BOOK2 + _BOOK3) + _graph("example/bookStore2", _BOOK4),
        after=_graph("example/bookStore", _BOOK1 + _BOOK2 + _BOOK3) + _graph("example/bookStore2", _BOOK1 + _BOOK4),
    ),
    _example(
        "3.1.3.2 INSERT, example 9",
        request="""
        INSERT { GRAPH <http://example/addresses> { ?person foaf:name ?name . ?person foaf:mbox ?email } }
        WHERE {
          GRAPH <http://example/people> { ?person foaf:name ?name . OPTIONAL { ?person foaf:mbox ?email } }
        }
        """,
        before=_graph("example/people", _ALICE_AND_BOB),
        after=_graph("example/people", _ALICE_AND_BOB)
        + _graph(
            "example/addresses", '_:a foaf:name "Alice" ; foaf:mbox <mailto:alice@example.com> . _:b foaf:name "Bob" .'
        ),
    ),
    _example(
        "3.1.3.2 INSERT, example 10",
        request="""
        INSERT { GRAPH <http://example/bookStore2> { ?book ?p ?v } }
        WHERE {
          GRAPH <http://example/bookStore> {
            ?book dc:date ?date .
            FILTER ( ?date < "2000-01-01T00:00:00-02:00"^^xsd:dateTime )
            ?book ?p ?v
          }
        } ;

        WITH <http://example/bookStore>
        DELETE { ?book ?p ?v }
        WHERE {
          ?book dc:date ?date ; dc:type dcmitype:PhysicalObject .
          FILTER ( ?date < "2000-01-01T00:00:00-02:00"^^xsd:dateTime )
          ?book ?p ?v
        }
        """,
        before=_graph("example/bookStore", _OBJECT + _BOOK3) + _graph("example/bookStore2", _BOOK4),
        after=_graph("example/bookStore", _BOOK3) + _graph("example/bookStore2", _OBJECT + _BOOK4),
    ),
    _example(
        "3.1.3.3 DELETE WHERE, example 11",
        request="DELETE WHERE { ?person foaf:givenName 'Fred' ; ?property ?value }",
        before=_WILLIAM + _FRED,
        after=_WILLIAM,
    ),
    _example(
        "3.1.3.3 DELETE WHERE, example 12",
        request="""
        DELETE WHERE {
          GRAPH <http://example.com/names> { ?person foaf:givenName 'Fred' ; ?property1 ?value1 }
          GRAPH <http://example.com/addresses> { ?person ?property2 ?value2 }
        }
        """,
        before=_graph(
            "example.com/names",
            """
            <http://example/william> a foaf:Person ; foaf:givenName "William" .
            <http://example/fred> a foaf:Person ; foaf:givenName "Fred" .
            """,
        )
        + _graph(
            "example.com/addresses",
            """
            <http://example/william> foaf:mbox <mailto:bill@example> .
            <http://example/fred> foaf:mbox <mailto:fred@example> .
            """,
        ),
        after=_graph("example.com/names", '<http://example/william> a foaf:Person ; foaf:givenName "William" .')
        + _graph("example.com/addresses", "<http://example/william> foaf:mbox <mailto:bill@example> ."),
    ),
    _example(
        "3.2.3 COPY, example 13",
        request="COPY DEFAULT TO <http://example.org/named>",
        before=_WILLIAM + _graph("example.org/named", _FRED),
        after=_WILLIAM + _graph("example.org/named", _WILLIAM),
    ),
    _example(
        "3.2.4 MOVE, example 14",
        request="MOVE DEFAULT TO <http://example.org/named>",
        before=_WILLIAM + _graph("example.org/named", _FRED),
        after=_graph("example.org/named", _WILLIAM),
    ),
    _example(
        "3.2.5 ADD, example 15",
        request="ADD DEFAULT TO <http://example.org/named>",
        before=_WILLIAM + _graph("example.org/named", _FRED),
        after=_WILLIAM + _graph("example.org/named", _WILLIAM + _FRED),
    ),
)
