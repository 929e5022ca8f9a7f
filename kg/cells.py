"""One cell of a table: its type as CSVW says it, and its parsing into RDF terms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pyoxigraph import Literal, NamedNode

from kg.errors import InvalidIri, UnknownPrefix
from kg.rdfio import load_graph, load_prefixes
from kg.terms import SCHEME, THING, expand_curie, mint_concept, mint_graph, mint_source

__all__ = ["BadCell", "Column", "References", "parse_cell", "parse_column", "parse_partial_date"]

Term = NamedNode | Literal

_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_NOTATION: Final = NamedNode("http://www.w3.org/2004/02/skos/core#notation")
_PARTIAL_DATE: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_ENTITY_IRI: Final = re.compile(re.escape(THING) + r"[a-z]+/[a-z0-9-]+(/[a-z0-9-]+)?")
_URL: Final = re.compile(r"https?://[^\s<>\"{}|\\^`]+")
# Control characters (C0, delete, C1) and code points that Unicode reserves as no characters.
_NO_CHARACTERS: Final = "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
_UNPRINTABLE: Final = re.compile(rf"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef{_NO_CHARACTERS}]")


class BadCell(Exception):
    """A cell that cannot be used; says what is wrong and what would cure it, found only when somebody asks."""

    def __init__(self, what: str, cure: str | Callable[[], str]) -> None:
        super().__init__(what)
        self.what = what
        self._cure = cure

    @property
    def cure(self) -> str:
        """What to do about it."""
        return self._cure if isinstance(self._cure, str) else self._cure()


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds; the default is one plain text."""

    name: str
    datatype: str = "string"
    required: bool = False
    separator: str | None = None
    lang: str | None = None
    refers: str | None = None
    pattern: str | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None


@dataclass(frozen=True, slots=True)
class References:
    """What the cells of a table may refer to."""

    entities: Mapping[str, str]
    kinds: Mapping[str, str]
    sources: frozenset[str]
    concepts: Mapping[str, frozenset[str]]
    prefixes: Mapping[str, str]
    rows: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        ontology_dir: Path,
        *,
        identities: Iterable[Mapping[str, str]],
        sources: Iterable[Mapping[str, str]],
        rows: Mapping[str, frozenset[str]],
    ) -> References:
        """From raw rows of ``iris.csv`` and ``sources.csv``, the keys of all rows, and the schemes of the ontology."""
        identities = list(identities)
        concepts: dict[str, set[str]] = {}
        for path in sorted((ontology_dir / "schemes").glob("*.ttl")):
            for quad in load_graph(path, graph_iri=mint_graph(f"scheme-{path.stem}")):
                if quad.predicate == _NOTATION and isinstance(quad.subject, NamedNode):
                    scheme, _, notation = quad.subject.value.removeprefix(SCHEME).partition("/")
                    concepts.setdefault(scheme, set()).add(notation)
        return cls(
            entities={row["id"]: row["iri"] for row in identities},
            kinds={row["id"]: row["kind"] for row in identities},
            sources=frozenset(row["id"] for row in sources),
            concepts={scheme: frozenset(notations) for scheme, notations in concepts.items()},
            prefixes=load_prefixes(ontology_dir / "prefixes.ttl"),
            rows=rows,
        )


def parse_column(description: Mapping[str, Any]) -> Column:
    """A column from its CSVW description (Metadata Vocabulary for Tabular Data, sections 5.6 and 5.11)."""
    given = description.get("datatype", "string")
    derived = given if isinstance(given, dict) else {"base": given}
    datatype, pattern = derived.get("base", "string"), derived.get("format")
    if pattern:
        re.compile(pattern)
    return Column(
        name=description["name"],
        datatype=description.get("chap:type", datatype),
        required=bool(description.get("required", False)),
        separator=description.get("separator"),
        lang=description.get("lang"),
        refers=description.get("chap:refers"),
        pattern=pattern,
        minimum=_parse_bound(derived.get("minimum")),
        maximum=_parse_bound(derived.get("maximum")),
    )


def parse_cell(text: str, column: Column, references: References) -> tuple[Term, ...]:
    """The RDF terms of a cell; none for an empty one.

    Raises:
        BadCell: the cell is not of the column's type, refers to nothing, or is missing.
    """
    if unprintable := _UNPRINTABLE.search(text):
        raise BadCell(
            f"{text!r} holds the control character or non-character U+{ord(unprintable[0]):04X}",
            "remove it; a cell is one line of visible text",
        )
    if text != text.strip():
        raise BadCell(f"{text!r} has blanks around it", "remove them")
    if not text:
        if column.required:
            raise BadCell("the cell is empty", "every row needs a value here" + _hint_for(column))
        return ()
    parts = text.split(column.separator) if column.separator else [text]
    if not all(parts):
        raise BadCell(f"{text!r} has an empty part", f"remove the surplus {column.separator!r}")
    if len(set(parts)) != len(parts):
        raise BadCell(f"{text!r} names one thing twice", "name it once")
    return tuple(_parse_value(part, column, references) for part in parts)


def parse_partial_date(text: str) -> Literal:
    """A year, a month or a day as typed literal.

    Raises:
        BadCell: the text is no such date.

    >>> parse_partial_date("2023-02").datatype.value
    'http://www.w3.org/2001/XMLSchema#gYearMonth'
    """
    match = _PARTIAL_DATE.fullmatch(text)
    cure = "write a year, a month or a day: 2023, 2023-06 or 2023-06-30"
    if not match:
        raise BadCell(f"{text!r} is no date", cure)
    year, month, day = match.groups()
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError as error:
        raise BadCell(f"{text!r} is no date of the calendar ({error})", cure) from error
    kind = "date" if day else "gYearMonth" if month else "gYear"
    return Literal(text, datatype=NamedNode(_XSD + kind))


def _parse_value(text: str, column: Column, references: References) -> Term:
    if column.refers and column.refers.startswith("row"):
        return Literal(_resolve(text, column.refers, references))
    if column.refers:
        return NamedNode(_resolve(text, column.refers, references))
    parser = _PARSERS.get(column.datatype)
    term = parser(text) if parser else None
    if column.pattern and not re.fullmatch(column.pattern, text, re.ASCII):
        raise BadCell(f"{text!r} has the wrong form", f"write it as {column.pattern}")
    _demand_bounds(text, column)
    if term:
        return term
    return Literal(text, language=column.lang) if column.lang else Literal(text)


def _demand_bounds(text: str, column: Column) -> None:
    if column.minimum is not None and Decimal(text) < column.minimum:
        raise BadCell(f"{text} is too small", f"write a number from {column.minimum}")
    if column.maximum is not None and Decimal(text) > column.maximum:
        raise BadCell(f"{text} is too large", f"write a number up to {column.maximum}")


def _parse_bound(bound: object) -> Decimal | None:
    return None if bound is None else Decimal(str(bound))


def _resolve(text: str, refers: str, references: References) -> str:
    """The IRI, or of a row the key, that a reference stands for; ``refers`` lists alternatives, joined by blanks."""
    failures = []
    for target in refers.split():
        try:
            return _resolve_one(text, target, references)
        except BadCell as bad:
            failures.append(bad)
    raise failures[0]


def _resolve_one(text: str, target: str, references: References) -> str:
    what, _, which = target.partition(":")
    if resolver := _RESOLVERS.get(what):
        return resolver(text, which, references)
    raise BadCell(f"the column refers to {target!r}, which is nothing known", "mend data/csv-metadata.json")


def _resolve_entity(text: str, which: str, references: References) -> str:
    if text not in references.entities:
        raise _unknown(text, references.entities, "an id of data/iris.csv")
    if which and references.kinds[text] != which:
        raise BadCell(f"{text!r} is of the kind {references.kinds[text]}", f"name a {which} here")
    if not _ENTITY_IRI.fullmatch(references.entities[text]):
        raise BadCell(f"{text!r} has no usable IRI", f"mend the cell iri of the row {text} of data/iris.csv")
    return references.entities[text]


def _resolve_source(text: str, _which: str, references: References) -> str:
    if text not in references.sources:
        raise _unknown(text, references.sources, "an id of data/sources.csv")
    try:
        return mint_source(text)
    except InvalidIri as error:
        raise BadCell(f"{text!r} is no id of a source", str(error)) from error


def _resolve_row(text: str, which: str, references: References) -> str:
    if text not in references.rows.get(which, ()):
        where = f"a key of data/{which}.csv" if which else "table/key, the parts of the key joined by /"
        raise _unknown(text, references.rows.get(which, ()), where)
    return text


def _resolve_notation(text: str, which: str, references: References) -> str:
    if text not in references.concepts.get(which, ()):
        raise _unknown(text, references.concepts.get(which, ()), f"a notation of the scheme {which}")
    return mint_concept(which, text)


def _resolve_term(text: str, _which: str, references: References) -> str:
    try:
        return expand_curie(text, references.prefixes)
    except (UnknownPrefix, InvalidIri) as error:
        raise BadCell(str(error), "use a prefix of ontology/prefixes.ttl") from error


def _resolve_concept(text: str, _which: str, references: References) -> str:
    """The IRI of a concept written ``scheme/notation``, or as the id of a field or topic (``topic-ai``)."""
    scheme, slash, notation = text.partition("/")
    if not slash:
        scheme, _, notation = text.partition("-")
    if notation not in references.concepts.get(scheme, ()):
        known = [f"{name}/{each}" for name, notations in references.concepts.items() for each in notations]
        raise _unknown(text, known, "a concept, written scheme/notation")
    return mint_concept(scheme, notation)


_RESOLVERS: Final[Mapping[str, Callable[[str, str, References], str]]] = {
    "entity": _resolve_entity,
    "source": _resolve_source,
    "row": _resolve_row,
    "scheme": _resolve_notation,
    "concept": _resolve_concept,
    "term": _resolve_term,
}


def _unknown(text: str, known: Iterable[str], where: str) -> BadCell:
    def find_cure() -> str:
        near = get_close_matches(text, list(known), n=3)
        hint = f"; near: {', '.join(near)}" if near else ""
        return f"use {where}, or add it there first{hint}"

    # Another table that the column may refer to may know it, and to look for what is near takes long.
    return BadCell(f"{text!r} is unknown", find_cure)


def _hint_for(column: Column) -> str:
    return (
        " (an id of data/sources.csv; a statement without a source is not published)"
        if column.refers == "source"
        else ""
    )


def _parse_number(text: str, datatype: str, pattern: str) -> Literal:
    if not re.fullmatch(pattern, text):
        raise BadCell(
            f"{text!r} is no {datatype}",
            "write digits only, with a point before decimals: 1250000 or 12.5; "
            "words such as about belong in the column qualifier",
        )
    return Literal(text, datatype=NamedNode(_XSD + datatype))


def _parse_boolean(text: str) -> Literal:
    if text not in ("true", "false"):
        raise BadCell(f"{text!r} is neither true nor false", "write true or false")
    return Literal(text, datatype=NamedNode(_XSD + "boolean"))


def _parse_url(text: str) -> NamedNode:
    if not _URL.fullmatch(text):
        raise BadCell(f"{text!r} is no web address", "write it whole, with http:// or https://, without blanks")
    return NamedNode(text)


_PARSERS: Final[Mapping[str, Callable[[str], Term]]] = {
    "partialDate": parse_partial_date,
    "integer": lambda text: _parse_number(text, "integer", r"-?[0-9]+"),
    "decimal": lambda text: _parse_number(text, "decimal", r"-?[0-9]+(\.[0-9]+)?"),
    "boolean": _parse_boolean,
    "anyURI": _parse_url,
}
