"""A history to ask about: five releases at the times of RFC 7089's own examples, and a rollback to the first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pyoxigraph as ox

from kg.release import Release, Releases

__all__ = ["LINK", "TIMES", "Link", "parse_links", "publish", "publish_history"]

# RFC 7089, section 4.2.1 and 5: mementos of http://a.example.org/ ; the days of the week are those of the calendar.
TIMES = (
    "Fri, 15 Sep 2000 11:28:26 GMT",
    "Tue, 11 Sep 2001 20:30:51 GMT",
    "Tue, 11 Sep 2001 20:36:10 GMT",
    "Tue, 11 Sep 2001 20:47:33 GMT",
    "Tue, 27 Oct 2009 20:49:54 GMT",
    "Wed, 20 Jan 2010 09:34:33 GMT",
)
LICENCE = "http://creativecommons.org/licenses/by/4.0/"
GRAPH = ox.NamedNode("https://w3id.org/chap/graph/source-test")
PROVENANCE = ox.NamedNode("https://w3id.org/chap/graph/provenance")
CHAP = "https://w3id.org/chap/def#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
THING = "https://w3id.org/chap/id/organisation/"
LINK = re.compile(r'<([^>]*)>((?:\s*;\s*\w+="[^"]*")*)')


@dataclass(frozen=True)
class Link:
    """One link of a Link header or of a document in application/link-format."""

    target: str
    parameters: Mapping[str, str]

    @property
    def relations(self) -> list[str]:
        return self.parameters["rel"].split()


def parse_links(text: str) -> list[Link]:
    return [Link(target, dict(re.findall(r'(\w+)="([^"]*)"', rest))) for target, rest in LINK.findall(text)]


def publish(root: Path, when: str, *, things: Mapping[str, str]) -> Release:
    """A release made at a time, with things and their names."""
    licence = ox.NamedNode("http://purl.org/dc/terms/license")
    quads = [ox.Quad(graph, licence, ox.NamedNode(LICENCE), PROVENANCE) for graph in (GRAPH, PROVENANCE)]
    for slug, name in things.items():
        thing = ox.NamedNode(THING + slug)
        quads.append(ox.Quad(thing, ox.NamedNode(f"{SKOS}prefLabel"), ox.Literal(name, language="en"), GRAPH))
        quads.append(ox.Quad(thing, ox.NamedNode(f"{CHAP}note"), ox.Literal(f"as of {when}", language="en"), GRAPH))
    published = Releases(root).publish(
        quads=quads, open_licences=[LICENCE], manifest_extra={}, report_turtle=b"", instant=_parse(when)
    )
    assert published.is_new
    return published.release


def publish_history(root: Path) -> list[Release]:
    """The five releases; ``de-late`` comes with the third, and the first is published again at the end."""
    releases = [
        publish(root, when, things={"de-a": f"A{number}"} | ({"de-late": "Late"} if number >= 3 else {}))
        for number, when in enumerate(TIMES[:5], start=1)
    ]
    Releases(root).use("1", instant=_parse(TIMES[5]))
    return releases


def _parse(when: str) -> datetime:
    return parsedate_to_datetime(when)
