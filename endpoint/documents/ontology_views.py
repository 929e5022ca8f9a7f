"""What the pages of the ontology and of the shapes show: each term with its definition and its place among others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from endpoint.documents.naming import Naming
from endpoint.documents.triples import Description, Triple, describe
from endpoint.pages.views import View
from endpoint.sparql.ask import Term
from kg.terms import CHAP, SHAPES

__all__ = ["make_ontology_view", "make_shapes_view"]

_DCTERMS: Final = "http://purl.org/dc/terms/"
_OWL: Final = "http://www.w3.org/2002/07/owl#"
_RDF_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
_SH: Final = "http://www.w3.org/ns/shacl#"
_VANN: Final = "http://purl.org/vocab/vann/"
# key of the heading, the class of its terms
_GROUPS: Final = (
    ("classes", f"{_OWL}Class"),
    ("object_properties", f"{_OWL}ObjectProperty"),
    ("datatype_properties", f"{_OWL}DatatypeProperty"),
)
_RELATIONS: Final = (
    f"{_RDFS}subClassOf",
    f"{_RDFS}subPropertyOf",
    f"{_OWL}inverseOf",
    f"{_OWL}disjointWith",
    f"{_RDFS}seeAlso",
)


def make_ontology_view(triples: Sequence[Triple], naming: Naming, *, iri: str) -> View:
    """The view of the ontology: its header and its terms, by kind and name."""
    description = describe(triples)
    header = description.get(iri, {})
    return {
        "title": _text(header, f"{_DCTERMS}title", naming),
        "lead": _text(header, f"{_DCTERMS}description", naming),
        "version": _text(header, f"{_OWL}versionInfo", naming),
        "groups": [
            {
                "heading": naming.texts["document"][key],
                "id": key,
                "terms": sorted(
                    (
                        _make_term(term, description, naming)
                        for term, properties in description.items()
                        if term.startswith(CHAP) and Term("uri", class_iri) in properties.get(_RDF_TYPE, ())
                    ),
                    key=lambda term: str(term["name"]),
                ),
            }
            for key, class_iri in _GROUPS
        ],
    }


def make_shapes_view(triples: Sequence[Triple], naming: Naming, *, iri: str) -> View:
    """The view of the shapes: each node shape with what it demands, property by property."""
    description = describe(triples)
    header = description.get(iri, {})
    shapes = [
        _make_shape(shape, description, naming)
        for shape, properties in sorted(description.items())
        if shape.startswith(SHAPES) and Term("uri", f"{_SH}NodeShape") in properties.get(_RDF_TYPE, ())
    ]
    return {
        "title": _text(header, f"{_DCTERMS}title", naming),
        "lead": _text(header, f"{_DCTERMS}description", naming),
        "version": _text(header, f"{_OWL}versionInfo", naming),
        # What other shapes are made of comes last.
        "shapes": sorted(shapes, key=lambda shape: (not shape["targets"], str(shape["name"]))),
    }


def _make_term(term: str, description: Description, naming: Naming) -> View:
    own = description[term]
    return {
        "iri": term,
        "name": term.removeprefix(CHAP),
        "label": _text(own, f"{_RDFS}label", naming),
        "definition": _text(own, f"{_RDFS}comment", naming),
        "note": _text(own, f"{_VANN}usageNote", naming),
        "relations": [
            {"label": naming.name(relation), "values": [_write_term(each, naming) for each in own[relation]]}
            for relation in _RELATIONS
            if own.get(relation)
        ],
    }


def _make_shape(shape: str, description: Description, naming: Naming) -> View:
    own = description[shape]
    constraints = sorted(
        (each.value for each in own.get(f"{_SH}property", ())), key=lambda each: each.rpartition("-")[2]
    )
    return {
        "iri": shape,
        "name": shape.removeprefix(SHAPES),
        "targets": [_write_term(each, naming) for each in own.get(f"{_SH}targetClass", ())],
        "message": _text(own, f"{_SH}message", naming),
        "constraints": [
            {
                "id": each.removeprefix(SHAPES),
                "name": _text(description[each], f"{_SH}name", naming) or each.removeprefix(SHAPES),
                "paths": [_write_term(path, naming) for path in description[each].get(f"{_SH}path", ())],
                "message": _text(description[each], f"{_SH}message", naming),
                "severity": next(
                    (value.value.removeprefix(_SH) for value in description[each].get(f"{_SH}severity", ())),
                    "Violation",
                ),
            }
            for each in constraints
            if each in description
        ],
    }


def _write_term(value: Term, naming: Naming) -> View:
    """A term by the short form of its IRI, since a name alone does not say whose it is."""
    return {**naming.write(value), "text": naming.shorten(value.value)}


def _text(own: Mapping[str, list[Term]], name: str, naming: Naming) -> str:
    return next((each.value for each in naming.in_language(own.get(name, ()))), "")
