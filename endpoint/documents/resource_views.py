"""What a page about any other resource shows: a node, a source, a place, a concept, a scheme, a dataset, a named graph.

The page is made from the triples of the document itself, so it says what the data says, and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from endpoint.documents.mapping_views import ANNOTATING, find_mapped, make_mappings
from endpoint.documents.naming import Naming
from endpoint.documents.triples import Description, Triple, describe
from endpoint.pages.links import find_href
from endpoint.pages.views import Row, View, pick
from endpoint.sparql.ask import Term
from kg.terms import CHAP, THING

__all__ = ["make_resource_view", "make_statements"]

_DCTERMS: Final = "http://purl.org/dc/terms/"
_FOAF: Final = "http://xmlns.com/foaf/0.1/"
_RDF_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
_SKOS: Final = "http://www.w3.org/2004/02/skos/core#"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_NAMES: Final = (f"{_SKOS}prefLabel", f"{_DCTERMS}title", f"{_FOAF}name", f"{_RDFS}label")
_LEADS: Final = (f"{_SKOS}definition", f"{_DCTERMS}description", f"{_RDFS}comment")
# A node is best known by what it joins; these say how.
_KINDS: Final = tuple(CHAP + name for name in ("role", "indicator", "kind"))
# Statements that only repeat another in the words of another vocabulary.
_REPEATING: Final = frozenset(
    [_RDF_TYPE, f"{_DCTERMS}type", f"{_DCTERMS}subject", f"{_SKOS}note", f"{_SKOS}topConceptOf", *_NAMES]
    + [f"https://schema.org/{name}" for name in ("funder", "provider")]
    + [f"http://www.w3.org/ns/org#{name}" for name in ("member", "organization", "role")]
)


def make_resource_view(triples: Sequence[Triple], uses: Sequence[Row], *, iri: str, naming: Naming) -> View:
    """The view of a document about an IRI.

    Args:
        triples: those of the document.
        uses: rows of the query ``uses``.
        iri: what the document is about.
        naming: the language, and names that the document does not hold: those of terms.
    """
    description = describe(triples)
    naming = replace(naming, names={**_find_names(description), **naming.names})
    own = description.get(iri, {})
    document = next(
        (each for each in description.values() if Term("uri", iri) in each.get(f"{_FOAF}primaryTopic", ())), {}
    )
    lead_property = next((each for each in _LEADS if own.get(each)), "")
    lead = naming.in_language(own.get(lead_property, ()))
    shown_apart = {lead_property, *_KINDS, *find_mapped(description, iri=iri)}
    parts = _make_parts(description, naming, iri=iri)
    return {
        **_make_title(own, naming, iri=iri),
        "kinds": [naming.name(each.value) for each in own.get(_RDF_TYPE, ()) if naming.is_known(each.value)],
        "tags": [naming.write(each) for name in _KINDS for each in own.get(name, ())],
        "lead": lead[0].value if lead else "",
        "rows": [row for row in _make_rows(own, naming) if row["property"] not in shown_apart],
        "mappings": make_mappings(description, naming, iri=iri),
        "below": [
            {"title": naming.name(each), "rows": _make_rows(description[each], naming)}
            for each in description
            if each.startswith(f"{iri}#") and not description[each].keys() & ANNOTATING
        ],
        "parts": parts,
        "uses": _make_uses(uses, naming, shown=_find_shown(own, parts)),
        "sources": [naming.write(each) for each in document.get(f"{_DCTERMS}source", ())],
        "notice": next((each.value for each in naming.in_language(document.get(f"{_RDFS}comment", ()))), ""),
        "notice_href": next((find_href(each.value) for each in document.get(f"{_RDFS}seeAlso", ())), ""),
    }


def make_statements(triples: Iterable[Triple], naming: Naming) -> list[View]:
    """All statements of a graph, by subject."""
    return [
        {
            "name": _make_title(properties, naming, iri=subject)["title"],
            "iri": naming.shorten(subject),
            "path": find_href(subject),
            "rows": _make_rows(properties, naming, hidden=frozenset()),
        }
        for subject, properties in describe(triples).items()
    ]


def _find_names(description: Description) -> dict[str, Row]:
    names: dict[str, Row] = {}
    for subject, properties in description.items():
        found = next((properties[each] for each in _NAMES if properties.get(each)), ())
        if found:
            names[subject] = {f"name_{each.language or 'en'}": each.value for each in reversed(found)}
    return names


def _make_title(own: Mapping[str, list[Term]], naming: Naming, *, iri: str) -> View:
    """The name in the language of the page and, beside it, in the other; a node is called after what it joins."""
    found = {each.language: each.value for name in reversed(_NAMES) for each in own.get(name, ())}
    other = "en" if naming.language == "de" else "de"
    title = found.get(naming.language) or found.get(None) or found.get(other)
    if title:
        second = found.get(other, "")
        return {"title": title, "second_title": second if second != title else "", "second_language": other}
    joined = [
        naming.name(each.value)
        for name in sorted(own)
        for each in own[name]
        if each.kind == "uri"
        and each.value in naming.names
        and each.value.startswith(THING)
        and "/source/" not in each.value
    ]
    return {
        "title": " · ".join(dict.fromkeys(joined)) or naming.shorten(iri),
        "second_title": "",
        "second_language": other,
    }


def _make_rows(own: Mapping[str, list[Term]], naming: Naming, hidden: frozenset[str] = _REPEATING) -> list[View]:
    """The statements of one subject, a row a property: our own terms first."""
    rows = [
        {
            "property": name,
            "label": naming.name(name),
            "values": [naming.write(each) for each in naming.in_language(values)],
        }
        for name, values in own.items()
        if name not in hidden
    ]
    return sorted(rows, key=lambda row: (not str(row["property"]).startswith(CHAP), row["property"]))


def _make_parts(description: Description, naming: Naming, *, iri: str) -> list[View]:
    """The nodes of the document that point at its subject, by how they do: the concepts of a scheme, say."""
    groups: dict[str, list[View]] = {}
    for subject, properties in description.items():
        links = sorted(name for name, values in properties.items() if Term("uri", iri) in values)
        if not links or f"{_FOAF}primaryTopic" in links or subject.startswith(f"{iri}#"):
            continue
        note = next((naming.in_language(properties[each]) for each in _LEADS if properties.get(each)), ())
        code = next((each.value for each in properties.get(f"{_SKOS}notation", ())), "")
        entry = {**naming.write(Term("uri", subject)), "note": note[0].value if note else "", "code": code}
        groups.setdefault(links[0], []).append(entry)
    inverse = naming.texts["inverse"]
    return [
        {
            "property": name,
            "label": inverse.get(naming.shorten(name), naming.name(name)),
            "entries": sorted(entries, key=lambda entry: str(entry["text"]).casefold()),
        }
        for name, entries in sorted(groups.items())
    ]


def _find_shown(own: Mapping[str, list[Term]], parts: Iterable[View]) -> set[str]:
    """The properties by which others name the subject, and which the page shows already from this side."""
    inverse = {f"{_DCTERMS}isPartOf"} if own.get(f"{_DCTERMS}hasPart") else set()
    return {*_REPEATING, *ANNOTATING, *inverse, *(str(part["property"]) for part in parts)}


def _make_uses(rows: Sequence[Row], naming: Naming, *, shown: set[str]) -> list[View]:
    """What names the subject elsewhere in the graph, by property, with the query for all of it."""
    named: dict[str, list[View]] = {}
    for row in rows:
        if row.get("node"):
            name = pick(row, "name", naming.language)
            href = find_href(row["node"])
            entry = {"text": name, "href": href, "is_outside": href[:1] != "/", "language": ""}
            named.setdefault(row["property"], []).append(entry)
    return [
        {
            "label": str(naming.texts["document"]["named_as"]).format(property=naming.name(row["property"])),
            "count": row["count"],
            "entries": sorted(named.get(row["property"], ()), key=lambda entry: str(entry["text"]).casefold()),
            "href": "/sparql?" + urlencode({"query": row["all"]}),
        }
        for row in rows
        if row.get("count") and row["property"] not in shown
    ]
