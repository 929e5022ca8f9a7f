"""Members of the feed: an activity about one thing, with what the default graph said of it then.

A member is as:Create, as:Update or as:Delete (Activity Vocabulary), as DCAT-AP Feeds has it; its own statements are in
the default graph of a page, what is said of the thing in the graph that is named like the member. It is written as
N-Quads lines that follow each other, the first being the one with ``tree:member`` (TREE profile). Addresses begin with
the placeholder for the public address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from kg.entities import Description
from kg.errors import ReleaseDamaged
from kg.terms import BASE, PUBLIC_PLACEHOLDER, THING

__all__ = [
    "FEED_IRI",
    "MEMBER_PREDICATE",
    "STREAM_IRI",
    "Kind",
    "Member",
    "WrittenMember",
    "iter_members",
    "name_page",
    "write_member",
]

Kind: TypeAlias = Literal["Create", "Update", "Delete"]

FEED_IRI: Final = PUBLIC_PLACEHOLDER + "/ldes"
STREAM_IRI: Final = FEED_IRI + "#stream"
MEMBER_PREDICATE: Final = "https://w3id.org/tree#member"
_BEGINS: Final = f"<{STREAM_IRI}> <{MEMBER_PREDICATE}> ".encode()
_AS: Final = "https://www.w3.org/ns/activitystreams#"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_POSITION: Final = "https://schema.org/position"
_DERIVED: Final = "http://www.w3.org/ns/prov#wasDerivedFrom"


def name_page(number: int) -> str:
    """The address of a page, below the placeholder.

    >>> name_page(7)
    'http://public.invalid/ldes/7'
    """
    return f"{FEED_IRI}/{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A change of one thing: its place in the feed, and where it comes from; what was deleted has no description."""

    kind: Kind
    entity_iri: str
    page: int
    position: int
    sequence: int
    instant: str
    release: str
    description: Description | None

    @property
    def iri(self) -> str:
        """The address of its page, with the thing and the entry of the journal behind the ``#``.

        So it leads to where the member is, and is never given twice.
        """
        path = self.entity_iri.removeprefix(THING).replace("#", "%23")
        return f"{name_page(self.page)}#{path}/{self.sequence}"


def write_member(member: Member) -> bytes:
    r"""The N-Quads lines of a member.

    >>> member = Member(kind="Delete", entity_iri="https://w3id.org/chap/id/organisation/de-x", page=7, position=6001,
    ...     sequence=3, instant="2026-01-02T00:00:00.000Z", release="0003-0123abcd", description=None)
    >>> write_member(member).split(b"\n")[0].split()[2]
    b'<http://public.invalid/ldes/7#organisation/de-x/3>'
    """
    name = f"<{member.iri}>"
    lines = [
        f"<{STREAM_IRI}> <{MEMBER_PREDICATE}> {name} .\n",
        f"{name} <{_TYPE}> <{_AS}{member.kind}> .\n",
        f"{name} <{_AS}object> <{member.entity_iri}> .\n",
        f'{name} <{_AS}published> "{member.instant}"^^<{_XSD}dateTime> .\n',
        f'{name} <{_POSITION}> "{member.position}"^^<{_XSD}integer> .\n',
    ]
    if member.description is None:
        return "".join(lines).encode()
    origins = (*member.description.sources, f"{BASE}release/{member.release}")
    lines += [f"{name} <{_DERIVED}> <{each}> .\n" for each in origins]
    graph = name.encode() + b" .\n"
    return "".join(lines).encode() + b"".join(line[:-2] + graph for line in member.description.triples)


@dataclass(frozen=True, slots=True)
class WrittenMember:
    """A member as it stands on a page: its IRI in brackets, its own statements, and what it says of the thing.

    ``statements`` are N-Triples lines, the one with ``tree:member`` first; ``payload`` are N-Triples lines too, which
    belong into the graph that is named like the member.
    """

    name: bytes
    statements: list[bytes]
    payload: list[bytes] = field(default_factory=list)


def iter_members(lines: Iterable[bytes]) -> Iterator[WrittenMember]:
    """The members in the N-Quads lines of :func:`write_member`, one after another."""
    member: WrittenMember | None = None
    for line in lines:
        if line.startswith(_BEGINS):
            if member is not None:
                yield member
            member = WrittenMember(line[len(_BEGINS) : -3], [line])
        elif member is None:
            raise ReleaseDamaged("a page of the feed does not begin with a member; restore the feed from a backup")
        elif line.startswith(member.name):
            member.statements.append(line)
        else:
            member.payload.append(line[: -len(member.name) - 3] + b".\n")
    if member is not None:
        yield member
