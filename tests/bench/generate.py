"""A synthetic graph in the project's vocabulary, of any size: always the same quads for the same size, streamed.

    python -m tests.bench.generate 1000000 > graph.nq

Organisations have a graph of joint evidence each; involvements sit in the graphs of the sources that state them, and
every fifth is stated by a second source too, as in real registers. So a merge has doubles to find.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from itertools import count, islice

from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, serialize

__all__ = ["OPEN_LICENCE", "iter_quads"]

OPEN_LICENCE = "http://creativecommons.org/licenses/by/4.0/"
_BASE = "https://w3id.org/chap/"
_ORG, _SKOS, _DCT, _PROV = (
    "http://www.w3.org/ns/org#",
    "http://www.w3.org/2004/02/skos/core#",
    "http://purl.org/dc/terms/",
    "http://www.w3.org/ns/prov#",
)
_TYPE = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
_PROVENANCE = NamedNode(_BASE + "graph/provenance")
_ROLES = ("member", "partner", "founding-member", "coordinator", "supporter", "operator", "shareholder")
_KINDS = ("company", "university", "research-institute", "association", "ministry", "chamber")
_INVOLVEMENTS_PER_ORGANISATION = 4
_ORGANISATIONS_PER_SOURCE = 25


def iter_quads(size: int, *, seed: int = 1) -> Iterator[Quad]:
    """The first ``size`` quads; a provenance graph that gives each graph a source and a licence is among them."""
    return islice(_iter_endless(random.Random(seed)), size)


def _iter_endless(chance: random.Random) -> Iterator[Quad]:
    yield from _iter_provenance(_PROVENANCE, source="generator")
    for source in count():
        graph = NamedNode(f"{_BASE}graph/source-s{source}")
        yield from _iter_provenance(graph, source=f"s{source}")
        first = source * _ORGANISATIONS_PER_SOURCE
        for number in range(first, first + _ORGANISATIONS_PER_SOURCE):
            yield from _iter_organisation(number, graph, chance)
            for _ in range(_INVOLVEMENTS_PER_ORGANISATION):
                yield from _iter_involvement(number, chance.randrange(number + 1), source, chance)


def _iter_provenance(graph: NamedNode, *, source: str) -> Iterator[Quad]:
    yield Quad(graph, NamedNode(_DCT + "license"), NamedNode(OPEN_LICENCE), _PROVENANCE)
    yield Quad(graph, NamedNode(_PROV + "wasDerivedFrom"), NamedNode(f"{_BASE}id/source/{source}"), _PROVENANCE)


def _iter_organisation(number: int, graph: NamedNode, chance: random.Random) -> Iterator[Quad]:
    subject = NamedNode(f"{_BASE}id/organisation/de-actor-{number}")
    for name, value in (
        (_TYPE.value, NamedNode(_BASE + "def#Actor")),
        (_SKOS + "prefLabel", Literal(f"Akteur für Innovation Nr. {number}", language="de")),
        (_SKOS + "prefLabel", Literal(f"Innovation actor no. {number}", language="en")),
        (_BASE + "def#kind", NamedNode(f"{_BASE}scheme/actor-kind/{chance.choice(_KINDS)}")),
        (_DCT + "spatial", NamedNode(f"{_BASE}id/place/de-town-{chance.randrange(400)}")),
    ):
        yield Quad(subject, NamedNode(name), value, graph)


def _iter_involvement(agent: int, body: int, source: int, chance: random.Random) -> Iterator[Quad]:
    role = chance.choice(_ROLES)
    agent_iri = NamedNode(f"{_BASE}id/organisation/de-actor-{agent}")
    body_iri = NamedNode(f"{_BASE}id/organisation/de-actor-{body}")
    node = NamedNode(f"{_BASE}id/involvement/de-actor-{agent}--{role}--de-actor-{body}")
    start = Literal(str(1990 + chance.randrange(35)), datatype=NamedNode("http://www.w3.org/2001/XMLSchema#gYear"))
    sources = (source, chance.randrange(source + 1)) if chance.random() < 0.2 else (source,)
    for each in sources:
        graph = NamedNode(f"{_BASE}graph/source-s{each}")
        yield Quad(node, _TYPE, NamedNode(_BASE + "def#Involvement"), graph)
        yield Quad(node, NamedNode(_BASE + "def#agent"), agent_iri, graph)
        yield Quad(node, NamedNode(_BASE + "def#body"), body_iri, graph)
        yield Quad(node, NamedNode(_BASE + "def#role"), NamedNode(f"{_BASE}scheme/role/{role}"), graph)
        yield Quad(node, NamedNode("https://schema.org/startDate"), start, graph)
        yield Quad(agent_iri, NamedNode(_ORG + "linkedTo"), body_iri, graph)
        yield Quad(body_iri, NamedNode(_ORG + "linkedTo"), agent_iri, graph)


if __name__ == "__main__":
    serialize(iter_quads(int(sys.argv[1])), sys.stdout.buffer, format=RdfFormat.N_QUADS)
