"""Entities one after another from sorted lines, as tables need them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

import pyoxigraph as ox

__all__ = ["RDF_TYPE", "ColumnKey", "Entity", "Value", "iter_entities", "iter_subjects"]

RDF_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


class ColumnKey(NamedTuple):
    """What a column of a table holds: the values of one property, of texts those in one language (else "")."""

    property_iri: str
    language: str


class Value(NamedTuple):
    """A value as text; of a literal also the IRI of its datatype, of an IRI None."""

    text: str
    datatype: str | None


@dataclass(frozen=True, slots=True)
class Entity:
    """One subject with its values by column, in the order of the lines."""

    iri: str
    values: dict[ColumnKey, list[Value]]

    @property
    def classes(self) -> list[str]:
        """The IRIs of its classes."""
        return [each.text for each in self.values.get(ColumnKey(RDF_TYPE, ""), ())]


def iter_entities(path: Path) -> Iterator[Entity]:
    """Each subject of sorted N-Triples once, with all its values."""
    for subject, quads in iter_subjects(path, ox.RdfFormat.N_TRIPLES):
        values: dict[ColumnKey, list[Value]] = {}
        for quad in quads:
            language, value = _read(quad.object)
            values.setdefault(ColumnKey(quad.predicate.value, language), []).append(value)
        yield Entity(subject, values)


def iter_subjects(path: Path, rdf_format: ox.RdfFormat) -> Iterator[tuple[str, Iterator[ox.Quad]]]:
    """Each subject of sorted lines with its quads, to be read before the next."""
    for subject, quads in groupby(ox.parse(path=str(path), format=rdf_format), key=_get_subject):
        yield subject.value, quads


def _get_subject(quad: ox.Quad) -> ox.NamedNode:
    # A release has no blank nodes (kg.rdfio).
    assert isinstance(quad.subject, ox.NamedNode)
    return quad.subject


def _read(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> tuple[str, Value]:
    if isinstance(term, ox.Literal):
        return term.language or "", Value(term.value, term.datatype.value)
    # What is neither is a triple term, which has no form but its own.
    return "", Value(term.value if isinstance(term, ox.NamedNode) else str(term), None)
