"""Results of different engines compared by value: 1 is "1"^^xsd:int, and a language tag is written in any case."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import pyoxigraph as ox

__all__ = ["Value", "read_graph", "read_order", "read_rows"]

Value: TypeAlias = tuple[object, ...] | None

_XSD = "http://www.w3.org/2001/XMLSchema#"
_NUMBERS = frozenset(_XSD + each for each in ("integer", "decimal", "double", "float", "int", "nonNegativeInteger"))
_DIGITS = 9


def read_rows(document: dict[str, Any]) -> list[tuple[Value, ...]]:
    """The rows of a result in SPARQL JSON, in their order."""
    names = document["head"]["vars"]
    return [tuple(_read_term(row.get(name)) for name in names) for row in document["results"]["bindings"]]


def read_graph(body: bytes, media_type: str) -> Counter[tuple[Value, ...]]:
    """The triples of a document, whatever its syntax."""
    rdf_format = ox.RdfFormat.from_media_type(media_type)
    assert rdf_format is not None, media_type
    quads = set(ox.parse(body, format=rdf_format))
    return Counter((_read_node(each.subject), _read_node(each.predicate), _read_node(each.object)) for each in quads)


def read_order(query: str, document: dict[str, Any]) -> list[tuple[Value, ...]]:
    """What ORDER BY sorts the rows by, as far as SPARQL says how (SPARQL 1.1, section 15.1).

    That ends with the first column that holds literals with language tags, or of more than one kind.
    """
    names: Sequence[str] = document["head"]["vars"]
    rows = read_rows(document)
    columns: list[int] = []
    for name in re.findall(r"\?(\w+)", query.rpartition("ORDER BY")[2]):
        if name not in names:
            break
        column = names.index(name)
        kinds = {each[0] if each[0] != "other" else each[2] for row in rows if (each := row[column]) is not None}
        if "tagged" in kinds or len(kinds - {"iri"}) > 1:
            break
        columns.append(column)
    return [tuple(row[column] for column in columns) for row in rows]


def _read_term(term: dict[str, str] | None) -> Value:
    if term is None:
        return None
    if term["type"] == "uri":
        return ("iri", term["value"])
    assert term["type"] != "bnode", term
    return _read_literal(term["value"], term.get("datatype", _XSD + "string"), term.get("xml:lang"))


def _read_node(node: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> Value:
    if isinstance(node, ox.NamedNode):
        return ("iri", node.value)
    assert isinstance(node, ox.Literal), node
    return _read_literal(node.value, node.datatype.value, node.language)


def _read_literal(text: str, datatype: str, language: str | None) -> Value:
    if language:
        return ("tagged", text, language.lower())
    if datatype in _NUMBERS:
        return ("number", round(Decimal(text), _DIGITS))
    if datatype == _XSD + "boolean":
        return ("boolean", text in ("1", "true"))
    return ("other", text, datatype)
