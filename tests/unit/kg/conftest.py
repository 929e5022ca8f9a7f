"""A small graph under two licences, as quads: what stores and releases are made of in these tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Quad

from kg.release import Release, Releases
from kg.terms import CHAP, GRAPH, PROVENANCE_GRAPH

OPEN = "http://creativecommons.org/licenses/by/4.0/"
CLOSED = "http://example.com/licences/restricted"


def make_quads(*names: str) -> list[Quad]:
    """A cluster for each name, stated by two open graphs and, with its postcode, by a restricted one."""
    kind = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
    label = NamedNode("http://www.w3.org/2004/02/skos/core#prefLabel")
    licence = NamedNode("http://purl.org/dc/terms/license")
    first, second, restricted = (NamedNode(GRAPH + each) for each in ("source-a", "source-b", "source-closed"))
    provenance = NamedNode(PROVENANCE_GRAPH)
    quads = [
        Quad(graph, licence, NamedNode(CLOSED if graph == restricted else OPEN), provenance)
        for graph in (first, second, restricted, provenance)
    ]
    for name in names:
        cluster = NamedNode(f"https://w3id.org/chap/id/organisation/de-{name}")
        for graph in (first, second):
            quads.append(Quad(cluster, kind, NamedNode(CHAP + "Cluster"), graph))
        quads.append(Quad(cluster, label, Literal(f"Cluster „{name}“", language="de"), first))
        quads.append(Quad(cluster, NamedNode(CHAP + "note"), Literal('64283\n"D"'), restricted))
    return quads


def publish(root: Path, *names: str, licences: tuple[str, ...] = (OPEN,)) -> Release:
    """A release of such clusters."""
    return (
        Releases(root)
        .publish(
            quads=iter(make_quads(*names)),
            open_licences=licences,
            manifest_extra={"report": {"violations": 0}},
            report_turtle=b"# conforms\n",
            prefixes={"chap": "https://w3id.org/chap/def#"},
        )
        .release
    )


def names_in(root: Path) -> set[str]:
    """What is in a directory."""
    return {path.name for path in root.iterdir()}


@pytest.fixture
def quads() -> list[Quad]:
    return make_quads("alpha", "beta")
