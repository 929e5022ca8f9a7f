"""The links of a concept or thing to what it is elsewhere, each with what is known about it (data/links)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from endpoint.documents.naming import Naming
from endpoint.documents.triples import Description
from endpoint.pages.views import View
from endpoint.sparql.ask import Term

__all__ = ["ANNOTATING", "find_mapped", "make_mappings"]

_OWL: Final = "http://www.w3.org/2002/07/owl#"
_RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
_SSSOM: Final = "https://w3id.org/sssom/"
_SOURCE: Final = f"{_OWL}annotatedSource"
_PROPERTY: Final = f"{_OWL}annotatedProperty"
_TARGET: Final = f"{_OWL}annotatedTarget"
_CONFIDENCE: Final = f"{_SSSOM}confidence"
# How a node about a link names its two sides; the link itself says that already.
ANNOTATING: Final = frozenset([_SOURCE, _TARGET])
_CLOSEST_FIRST: Final = ("sameAs", "exactMatch", "closeMatch", "broadMatch", "narrowMatch", "relatedMatch")


def make_mappings(description: Description, naming: Naming, *, iri: str) -> list[View]:
    """The links of the subject of a document: the closest relations and the surest links first."""
    surest_first = sorted(_iter_links(description, iri), key=lambda node: _first(node, _CONFIDENCE), reverse=True)
    return [_make_mapping(node, naming) for node in sorted(surest_first, key=_rank)]


def find_mapped(description: Description, *, iri: str) -> frozenset[str]:
    """The relations of the subject that its mappings show whole."""
    told = {(_first(node, _PROPERTY), target) for node in _iter_links(description, iri) for target in node[_TARGET]}
    own = description.get(iri, {})
    return frozenset(name for name, values in own.items() if all((name, each) in told for each in values))


def _iter_links(description: Description, iri: str) -> Iterator[Mapping[str, list[Term]]]:
    return (node for node in description.values() if Term("uri", iri) in node.get(_SOURCE, ()) and _TARGET in node)


def _rank(node: Mapping[str, list[Term]]) -> int:
    name = _first(node, _PROPERTY).rpartition("/")[2].rpartition("#")[2]
    return _CLOSEST_FIRST.index(name) if name in _CLOSEST_FIRST else len(_CLOSEST_FIRST)


def _make_mapping(node: Mapping[str, list[Term]], naming: Naming) -> View:
    return {
        "relation": naming.name(_first(node, _PROPERTY)),
        "targets": [{**naming.write(each), "code": naming.shorten(each.value)} for each in node.get(_TARGET, ())],
        "confidence": " ".join(naming.write(each)["text"] for each in node.get(_CONFIDENCE, ())),
        "justifications": [naming.write(each) for each in node.get(f"{_SSSOM}mapping_justification", ())],
        "reviewers": ", ".join(each.value for each in node.get(f"{_SSSOM}reviewer_label", ())),
        "date": " ".join(naming.write(each)["text"] for each in node.get(f"{_SSSOM}mapping_date", ())),
        "comments": [naming.write(each) for each in node.get(f"{_RDFS}comment", ())],
    }


def _first(node: Mapping[str, list[Term]], name: str) -> str:
    return next((each.value for each in node.get(name, ())), "")
