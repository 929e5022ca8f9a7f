"""The operations of an update, as the reader hands them to whoever carries them out (SPARQL 1.1 Update, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Data", "GraphKind", "GraphOperation", "Modification", "Operation", "PatternTerm", "QuadPattern"]

GraphKind: TypeAlias = Literal["create", "clear", "drop", "add", "move", "copy"]


@dataclass(frozen=True, slots=True)
class PatternTerm:
    """A term of a template: its kind, its value, and for a literal its datatype (an IRI) or its language tag.

    The value of an IRI is absolute, that of a variable and of a blank node its name without ``?`` and ``_:``, that of a
    literal its characters without escapes. A blank node that has no name in the text (``[]``, a collection) gets one
    that no other has.
    """

    kind: Literal["iri", "blank", "literal", "variable"]
    value: str
    datatype: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class QuadPattern:
    """One quad of a template; ``graph`` is None where the template names none (the default graph, or that of WITH)."""

    subject: PatternTerm
    predicate: PatternTerm
    object: PatternTerm
    graph: PatternTerm | None = None


@dataclass(frozen=True, slots=True)
class Data:
    """INSERT DATA or DELETE DATA: ``text`` is an update of its own that inserts the data, whichever it is."""

    is_insertion: bool
    text: str


@dataclass(frozen=True, slots=True)
class Modification:
    """DELETE, INSERT or both, for each solution of a pattern (section 3.1.3); DELETE WHERE is one, too.

    ``where`` is the pattern with its braces, as canonical text: all IRIs absolute, no prefixes. ``variables`` are those
    of the templates, sorted. ``with_graph`` is the graph of WITH; ``using`` and ``using_named`` are those of USING.
    ``prologue`` stands before a query for the pattern: a BASE, where it makes IRIs of strings.
    """

    deletes: tuple[QuadPattern, ...]
    inserts: tuple[QuadPattern, ...]
    where: str
    variables: tuple[str, ...]
    with_graph: str | None = None
    using: tuple[str, ...] = ()
    using_named: tuple[str, ...] = ()
    prologue: str = ""


@dataclass(frozen=True, slots=True)
class GraphOperation:
    """An operation on whole graphs (section 3.2).

    ``source`` and ``target`` are IRIs, or DEFAULT; the target of CLEAR and DROP may be NAMED or ALL, too. CREATE, CLEAR
    and DROP have no source.
    """

    kind: GraphKind
    target: str
    source: str | None = None
    is_silent: bool = False


Operation: TypeAlias = Data | Modification | GraphOperation
