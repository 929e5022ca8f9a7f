"""The feed in the syntaxes that can hold named graphs: TriG, N-Quads, JSON-LD; one member at a time, never a page.

N-Triples lines are TriG as they are, so only the graphs of members need brackets; JSON-LD has a context of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from endpoint.documents.triples import describe, parse_ntriples
from endpoint.http.negotiation import JSON_LD, N_QUADS, Syntax
from endpoint.sparql.ask import Term
from kg.feed.members import MEMBER_PREDICATE, STREAM_IRI, WrittenMember

__all__ = ["FeedContext", "load_context", "write_feed"]

_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


class FeedContext:
    """The JSON-LD context of the feed: the terms for IRIs, and which of them say what type a value has."""

    def __init__(self, context: Mapping[str, Any]) -> None:
        self.json = json.dumps(context, separators=(",", ":"))
        self._prefixes = {name: value for name, value in context.items() if isinstance(value, str) and "//" in value}
        self._names: dict[str, str] = {}
        self._types: dict[str, str] = {}
        for name, entry in context.items():
            if isinstance(entry, dict):
                self._names[self._expand(entry["@id"])] = name
                self._types[name] = self._expand(entry["@type"])
            elif isinstance(entry, str) and name not in self._prefixes:
                self._names[self._expand(entry)] = name

    def name(self, iri: str) -> str:
        """The term that stands for an IRI, else the IRI."""
        return self._names.get(iri, iri)

    def write_node(self, iri: str, properties: Mapping[str, list[Term]]) -> dict[str, Any]:
        """A subject with its properties as a JSON-LD node object."""
        node: dict[str, Any] = {"@id": iri}
        for predicate, values in properties.items():
            if predicate == _TYPE:
                node["@type"] = [self.name(each.value) for each in values]
            else:
                name = self.name(predicate)
                written = [self._write_value(each, self._types.get(name)) for each in values]
                node[name] = written[0] if len(written) == 1 else written
        return node

    def _write_value(self, value: Term, type_: str | None) -> object:
        if value.kind == "uri":
            return value.value if type_ == "@id" else {"@id": value.value}
        if type_ is not None and value.datatype == type_:
            return value.value
        if value.language:
            return {"@value": value.value, "@language": value.language}
        if value.datatype:
            return {"@value": value.value, "@type": value.datatype}
        return value.value if type_ is None else {"@value": value.value}

    def _expand(self, name: str) -> str:
        prefix, _, local = name.partition(":")
        return name if name.startswith("@") else self._prefixes[prefix] + local


def load_context(path: Path) -> FeedContext:
    """The context in a file."""
    return FeedContext(json.loads(path.read_bytes()))


def write_feed(
    head: Iterable[bytes], members: Iterable[WrittenMember], *, syntax: Syntax, context: FeedContext
) -> Iterator[bytes]:
    """A page of the feed, piece by piece: what is said of the page and the stream, then its members.

    Args:
        head: N-Triples lines.
        members: what is on the page.
        syntax: TriG, N-Quads or JSON-LD.
        context: for JSON-LD.
    """
    if syntax == JSON_LD:
        yield from _write_jsonld(head, members, context)
        return
    yield b"".join(head)
    for member in members:
        if syntax == N_QUADS:
            graph = member.name + b" .\n"
            payload = [line[:-2] + graph for line in member.payload]
        else:
            payload = [member.name, b" {\n", *member.payload, b"}\n"] if member.payload else []
        yield b"".join((*member.statements, *payload))


def _write_jsonld(head: Iterable[bytes], members: Iterable[WrittenMember], context: FeedContext) -> Iterator[bytes]:
    nodes = [context.write_node(*each) for each in describe(parse_ntriples(b"".join(head))).items()]
    # Cut open behind its last node, so that members can be written one by one.
    yield f'{{"@context":{context.json},\n"@graph":[{_dump(nodes)[1:-1]}'.encode()
    between = f',\n{{"@id":{_dump(STREAM_IRI)},"{context.name(MEMBER_PREDICATE)}":[\n'
    for member in members:
        yield (between + _dump(_write_member(member, context))).encode()
        between = ",\n"
    yield b"\n]}]}\n" if between == ",\n" else b"]}\n"


def _write_member(member: WrittenMember, context: FeedContext) -> dict[str, Any]:
    own = describe(parse_ntriples(b"".join(member.statements[1:])))
    node = context.write_node(*next(iter(own.items())))
    if member.payload:
        said = describe(parse_ntriples(b"".join(member.payload)))
        node["@graph"] = [context.write_node(*each) for each in said.items()]
    return node


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
