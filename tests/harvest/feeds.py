"""Small releases for the tests of the feed, and a reader of what the feed says, as a client of it would be one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import pyoxigraph as ox

from kg.release import Release, Releases
from kg.terms import CHAP, GRAPH, PROVENANCE_GRAPH, THING

OPEN = "http://creativecommons.org/licenses/by/4.0/"
CLOSED = "http://example.com/licences/restricted"
SOURCE = f"{THING}source/register"
N_QUADS = "application/n-quads"
AS = "https://www.w3.org/ns/activitystreams#"
TREE = "https://w3id.org/tree#"
LDES = "https://w3id.org/ldes#"
PROV = "http://www.w3.org/ns/prov#"
RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
POSITION = "https://schema.org/position"

Statements = frozenset[ox.Triple]


def make_quads(things: Mapping[str, str], *, stated_by: Iterable[str] = ("source-a",)) -> list[ox.Quad]:
    """A cluster for each name, with its label stated by open graphs, and a secret of it by a restricted one."""
    label = ox.NamedNode("http://www.w3.org/2004/02/skos/core#prefLabel")
    open_graphs = [ox.NamedNode(GRAPH + each) for each in stated_by]
    restricted, provenance = ox.NamedNode(GRAPH + "source-closed"), ox.NamedNode(PROVENANCE_GRAPH)
    quads = []
    for graph in (*open_graphs, restricted, provenance):
        licence = ox.NamedNode(CLOSED if graph == restricted else OPEN)
        quads.append(ox.Quad(graph, ox.NamedNode("http://purl.org/dc/terms/license"), licence, provenance))
        quads.append(ox.Quad(graph, ox.NamedNode(f"{PROV}wasDerivedFrom"), ox.NamedNode(SOURCE), provenance))
    for name, text in things.items():
        cluster = ox.NamedNode(f"{THING}organisation/{name}")
        for graph in open_graphs:
            quads.append(ox.Quad(cluster, ox.NamedNode(RDF_TYPE), ox.NamedNode(CHAP + "Cluster"), graph))
            quads.append(ox.Quad(cluster, label, ox.Literal(text, language="de"), graph))
        quads.append(ox.Quad(cluster, ox.NamedNode(CHAP + "note"), ox.Literal("secret 64283"), restricted))
    return quads


def publish(
    root: Path, things: Mapping[str, str], *, instant: str, stated_by: Iterable[str] = ("source-a",)
) -> Release:
    published = Releases(root).publish(
        quads=make_quads(things, stated_by=stated_by),
        open_licences=[OPEN],
        manifest_extra={},
        report_turtle=b"",
        instant=datetime.fromisoformat(instant),
    )
    assert published.is_new
    return published.release


@dataclass(frozen=True, kw_only=True)
class ReadMember:
    """A member as a client reads it."""

    iri: str
    kind: str
    thing: str
    published: str
    position: int
    derived_from: frozenset[str]
    payload: Statements


def read_members(quads: Iterable[ox.Quad]) -> list[ReadMember]:
    """The members in some quads, in the order of the feed."""
    own: dict[str, dict[str, set[str]]] = {}
    payloads: dict[str, set[ox.Triple]] = {}
    for quad in quads:
        if isinstance(quad.graph_name, ox.NamedNode):
            payloads.setdefault(quad.graph_name.value, set()).add(quad.triple)
        elif isinstance(quad.subject, ox.NamedNode) and isinstance(quad.object, ox.NamedNode | ox.Literal):
            properties = own.setdefault(quad.subject.value, {})
            properties.setdefault(quad.predicate.value, set()).add(quad.object.value)
    found = []
    for iri, properties in own.items():
        if f"{AS}object" in properties:
            (kind,), (thing,) = properties[RDF_TYPE], properties[f"{AS}object"]
            (published,), (position,) = properties[f"{AS}published"], properties[POSITION]
            found.append(
                ReadMember(
                    iri=iri,
                    kind=kind.removeprefix(AS),
                    thing=thing,
                    published=published,
                    position=int(position),
                    derived_from=frozenset(properties.get(f"{PROV}wasDerivedFrom", ())),
                    payload=frozenset(payloads.get(iri, ())),
                )
            )
    return sorted(found, key=lambda each: each.position)


def fold_members(members: Iterable[ReadMember]) -> dict[str, Statements]:
    """The state that members lead to: what was last said of each thing that was not deleted since."""
    state: dict[str, Statements] = {}
    for member in members:
        if member.kind == "Delete":
            del state[member.thing]
        else:
            state[member.thing] = member.payload
    return state


def read_state(release: Release) -> dict[str, Statements]:
    """What the default graph of a release says of each thing."""
    state: dict[str, set[ox.Triple]] = {}
    for quad in ox.Store.read_only(str(release.store_path)).quads_for_pattern(None, None, None, ox.DefaultGraph()):
        if isinstance(quad.subject, ox.NamedNode) and quad.subject.value.startswith(THING):
            state.setdefault(quad.subject.value, set()).add(quad.triple)
    return {thing: frozenset(triples) for thing, triples in state.items()}


def fetch_quads(client: httpx.Client, url: str, media_type: str = N_QUADS) -> list[ox.Quad]:
    response = client.get(url, headers={"Accept": media_type})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == media_type
    rdf_format = ox.RdfFormat.from_media_type(media_type)
    assert rdf_format is not None
    return list(ox.parse(response.content, format=rdf_format))


def find_objects(quads: Iterable[ox.Quad], predicate: str, subject: str | None = None) -> list[str]:
    return [
        quad.object.value
        for quad in quads
        if quad.predicate.value == predicate
        and isinstance(quad.object, ox.NamedNode | ox.Literal)
        and (subject is None or quad.subject == ox.NamedNode(subject))
    ]


def fetch_feed(client: httpx.Client) -> list[ReadMember]:
    """Every member of a feed, from the pages that the root leads to."""
    pages = sorted(set(find_objects(fetch_quads(client, "/ldes"), f"{TREE}node")))
    return read_members(quad for page in pages for quad in fetch_quads(client, page))
