"""Mapping sets in SSSOM/TSV: read and checked.

SSSOM (Simple Standard for Sharing Ontological Mappings) is a table whose rows each map a subject to an object, under a
block of metadata in YAML behind ``#``. Read here is what CHAP uses of it, and every row is held to what data/README.md
says of links: problems come all at once, each with file, row, column and cure.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeVar

import yaml

from kg.errors import InvalidIri, LinkSetError, UnknownPrefix
from kg.link.registers import REGISTERS
from kg.terms import BASE, SCHEME, THING, expand_curie, parse_slug

__all__ = ["SUFFIX", "Link", "LinkSet", "load_link_sets", "parse_link_set"]

SUFFIX: Final = ".sssom.tsv"
_SOURCE: Final = THING + "source/"
# The matching processes that SSSOM 1.1 lets a row name (slot mapping_justification).
_JUSTIFICATIONS: Final = frozenset(
    "semapv:" + name
    for name in (
        "BackgroundKnowledgeBasedMatching",
        "CompositeMatching",
        "InstanceBasedMatching",
        "LexicalMatching",
        "LexicalSimilarityThresholdMatching",
        "LogicalReasoning",
        "ManualMappingCuration",
        "MappingChaining",
        "MappingInversion",
        "MappingReview",
        "SemanticSimilarityThresholdMatching",
        "StructuralMatching",
        "UnspecifiedMatching",
    )
)
_MATCHES: Final = frozenset("skos:" + name + "Match" for name in ("exact", "close", "broad", "narrow", "related"))
_IDENTITIES: Final = frozenset(["owl:sameAs", "schema:sameAs"])
_REQUIRED: Final = ("subject_id", "predicate_id", "object_id", "object_label", "mapping_justification", "confidence")
_OPTIONAL: Final = (
    "subject_label",
    "predicate_modifier",
    "author_label",
    "reviewer_label",
    "mapping_date",
    "mapping_source",
    "comment",
)
_METADATA: Final = ("mapping_set_id", "mapping_set_title", "license", "subject_source", "object_source", "curie_map")
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Link:
    """One row: a subject of ours and what it is, or is not, elsewhere.

    ``line`` counts rows below the header, from 1. ``is_negated`` marks a pair that was looked at and refused: it makes
    no statement and is never proposed again. ``source`` is the IRI of the source that asserts the link, if it is one's.
    """

    line: int
    subject: str
    predicate: str
    object_id: str
    object_curie: str
    object_label: str
    justification: str
    confidence: Decimal
    is_negated: bool
    author: str
    reviewer: str
    date: date
    source: str | None
    comment: str


@dataclass(frozen=True, kw_only=True)
class LinkSet:
    """One file: the end of the IRI of its graph, what it is called, its licence, the sources it rests on, its rows."""

    file: str
    name: str
    title: str
    licence: str
    sources: tuple[str, ...]
    links: tuple[Link, ...]


def load_link_sets(directory: Path, prefixes: Mapping[str, str]) -> tuple[LinkSet, ...]:
    """All mapping sets of a directory, by name; none where there is no such directory.

    Raises:
        LinkSetError: files are broken; the message has a paragraph for each problem.
    """
    sets: list[LinkSet] = []
    problems: list[str] = []
    for path in sorted(directory.glob("*" + SUFFIX)):
        try:
            sets.append(parse_link_set(path.read_text(encoding="utf-8"), path, prefixes))
        except LinkSetError as error:
            problems.extend(error.problems)
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"data/links/{path.name}: cannot be read as UTF-8: {error}.")
    problems += _find_clashes(sets)
    if problems:
        raise LinkSetError(problems)
    return tuple(sets)


def parse_link_set(text: str, path: Path, prefixes: Mapping[str, str]) -> LinkSet:
    """The mapping set in the text of a file; the path gives its name and serves messages.

    Raises:
        LinkSetError: the metadata or rows are broken; ``problems`` has a paragraph for each.
    """
    return _Reader(path, prefixes).read(text)


@dataclass
class _Reader:
    """Reads one file and keeps what is wrong with it."""

    path: Path
    prefixes: Mapping[str, str]
    problems: list[str] = field(default_factory=list)

    def read(self, text: str) -> LinkSet:
        lines = text.removeprefix("\ufeff").splitlines(keepends=True)
        start = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
        metadata = self._parse_metadata("".join(line[1:] for line in lines[:start]))
        links = self._parse_rows("".join(lines[start:]), metadata)
        try:
            name = parse_slug(self.path.name.removesuffix(SUFFIX).replace("_", "-"))
        except InvalidIri as error:
            self._report_file(str(error), "rename the file, such as edih-sector_nace21.sssom.tsv")
        if self.problems:
            raise LinkSetError(self.problems)
        sources = {self._find_source(metadata[slot]) for slot in ("subject_source", "object_source")}
        return LinkSet(
            file=self.path.name,
            name=name,
            title=metadata["mapping_set_title"],
            licence=metadata["license"],
            sources=tuple(sorted(filter(None, sources))),
            links=tuple(links),
        )

    def _parse_metadata(self, text: str) -> dict[str, str]:
        try:
            document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - this loader makes nothing but text
        except yaml.YAMLError as error:
            self._report_file(f"the block of metadata is no YAML ({error})", "write 'key: value' behind each '#'")
            document = None
        if not isinstance(document, dict):
            document = {}
        for slot in _METADATA:
            if not document.get(slot):
                self._report_file(f"the metadata lack {slot}", f"add a line '#{slot}: ...' above the table")
        curie_map = document.get("curie_map")
        for prefix, namespace in curie_map.items() if isinstance(curie_map, dict) else ():
            if self.prefixes.get(prefix) != namespace:
                known = self.prefixes.get(prefix, "no such prefix")
                self._report_file(
                    f"curie_map gives {prefix} as {namespace}; ontology/prefixes.ttl has {known}",
                    "use the prefix and namespace that stand there, or add them there first",
                )
        expected = f"{BASE}graph/links-{self.path.name.removesuffix(SUFFIX).replace('_', '-')}"
        if document.get("mapping_set_id") not in (None, "", expected):
            self._report_file("mapping_set_id does not fit the name of the file", f"write {expected}")
        metadata = {key: value for key, value in document.items() if isinstance(value, str)}
        return metadata | {"prefixes": " ".join(curie_map) if isinstance(curie_map, dict) else ""}

    def _find_source(self, curie: str) -> str | None:
        """The source of the register that a slot names; vocabularies of ours are named as schemes and are none."""
        found = expand_curie(curie, self.prefixes)
        return found if found.startswith(_SOURCE) else None

    def _parse_rows(self, text: str, metadata: Mapping[str, str]) -> list[Link]:
        try:
            table = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True))
        except csv.Error as error:
            self._report_file(f"the table is broken: {error}", "separate cells by tabs")
            return []
        header = table[0] if table else []
        if missing := [column for column in _REQUIRED if column not in header]:
            self._report_file(f"missing column(s) {', '.join(missing)}", "add them; data/README.md lists the columns")
            return []
        if strange := [column for column in header if column not in (*_REQUIRED, *_OPTIONAL)]:
            self._report_file(f"unknown column(s) {', '.join(strange)}", "remove them, nothing would read them")
            return []
        links: list[Link] = []
        seen: dict[tuple[str, str], int] = {}
        for line, cells in enumerate(table[1:], start=1):
            if len(cells) != len(header):
                self._report(line, "", f"{len(cells)} cells where the header has {len(header)}", "mend the tabs")
                continue
            row = {"mapping_date": metadata.get("mapping_date", "")} | dict(zip(header, cells, strict=True))
            pair = row["subject_id"], row["object_id"]
            if pair in seen:
                self._report(line, "object_id", f"this pair stands already in row {seen[pair]}", "remove one of them")
            seen[pair] = line
            if link := self._parse_row(line, row, set(metadata["prefixes"].split())):
                links.append(link)
        return links

    def _parse_row(self, line: int, row: Mapping[str, str], declared: set[str]) -> Link | None:
        """The link of a row, or none after its problems were kept."""
        before = len(self.problems)

        def take(column: str, parse: Callable[[str], _T]) -> _T | None:
            try:
                return parse(row.get(column, ""))
            except _BadValue as bad:
                self._report(line, column, bad.what, bad.cure)
                return None

        def expand(curie: str) -> str:
            return self._expand(curie, declared)

        subject = take("subject_id", lambda text: _check_subject(text, expand(text)))
        object_id = take("object_id", lambda text: _check_object(text, expand(text)))
        take("predicate_id", lambda text: _check_predicate(text, subject=subject, object_id=object_id, row=row))
        take("mapping_justification", _check_justification)
        confidence = take("confidence", _parse_confidence)
        day = take("mapping_date", _parse_day)
        is_negated = take("predicate_modifier", _parse_modifier)
        take("reviewer_label", _check_reviewer)
        take("object_label", _check_filled)
        source = take("mapping_source", lambda text: _check_source(expand(text)) if text else None)
        if subject and subject.startswith(THING) and not is_negated and not row.get("mapping_source"):
            self._report(line, "mapping_source", "an identifier needs a source that asserts it", "name one as source:…")
        if len(self.problems) > before:
            return None
        # What could not be read was reported, and there is nothing else that take() gives nothing for.
        assert subject is not None
        assert object_id is not None
        assert confidence is not None
        assert day is not None
        assert is_negated is not None
        return Link(
            line=line,
            subject=subject,
            predicate=expand(row["predicate_id"]),
            object_id=object_id,
            object_curie=row["object_id"],
            object_label=row["object_label"],
            justification=expand(row["mapping_justification"]),
            confidence=confidence,
            is_negated=is_negated,
            author=row.get("author_label", ""),
            reviewer=row["reviewer_label"],
            date=day,
            source=source,
            comment=row.get("comment", ""),
        )

    def _expand(self, curie: str, declared: set[str]) -> str:
        prefix = curie.partition(":")[0]
        try:
            found = expand_curie(curie, self.prefixes)
        except (UnknownPrefix, InvalidIri):
            raise _BadValue(f"{curie!r} has no known prefix", "use a prefix of ontology/prefixes.ttl") from None
        if prefix not in declared:
            raise _BadValue(f"the prefix {prefix} is not in curie_map", f"add '#  {prefix}: {self.prefixes[prefix]}'")
        if re.search(r"[\s<>\"{}|\\^`\x00-\x20]", found) or found == self.prefixes[prefix]:
            raise _BadValue(f"{curie!r} is no IRI", "write prefix:name without blanks")
        return found

    def _report(self, line: int, column: str, what: str, cure: str) -> None:
        where = f" row {line}" + (f", column {column}" if column else "") if line else ""
        self.problems.append(f"data/links/{self.path.name}{where}: {what}.\n  Cure: {cure}.")

    def _report_file(self, what: str, cure: str) -> None:
        self._report(0, "", what, cure)


class _BadValue(Exception):
    """A cell that cannot be used."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure


def _check_subject(curie: str, iri: str) -> str:
    if not iri.startswith((SCHEME, THING)) or "#" in iri:
        raise _BadValue(f"{curie!r} is neither a thing nor a concept of ours", "name ours first, theirs as object_id")
    return iri


def _check_object(curie: str, iri: str) -> str:
    for register in REGISTERS:
        if not iri.startswith(register.space):
            continue
        number = iri.removeprefix(register.space)
        if not register.form.fullmatch(number):
            raise _BadValue(f"{curie!r} has not the form of its register", f"write it as {register.example}")
        if register.is_valid and not register.is_valid(number):
            raise _BadValue(f"{curie!r} fails the check digits of its register", "copy it again from its source")
    return iri


def _check_predicate(text: str, *, subject: str | None, object_id: str | None, row: Mapping[str, str]) -> None:
    if text not in _MATCHES | _IDENTITIES:
        known = ", ".join(sorted(_MATCHES | _IDENTITIES))
        raise _BadValue(f"{text!r} is no relation that links use", f"use one of {known}")
    is_concept = subject is not None and subject.startswith(SCHEME)
    if subject and text in _MATCHES and not is_concept:
        raise _BadValue(f"{text} is for concepts, and this is a thing", "use owl:sameAs or schema:sameAs")
    if subject and text in _IDENTITIES and is_concept:
        raise _BadValue(f"{text} is for things, and this is a concept", "use skos:exactMatch or a looser match")
    if object_id and object_id.startswith(THING) and row.get("predicate_modifier") != "Not":
        raise _BadValue(
            "two IRIs of ours would be one thing", "merge them in data/iris.csv (state merged), and remove this row"
        )


def _check_justification(text: str) -> None:
    if text not in _JUSTIFICATIONS:
        raise _BadValue(
            f"{text!r} is no justification of SSSOM" if text else "the cell is empty",
            "say how the link was found, such as semapv:ManualMappingCuration or semapv:LexicalMatching",
        )


def _parse_confidence(text: str) -> Decimal:
    if not re.fullmatch(r"0(\.[0-9]+)?|1(\.0+)?", text):
        raise _BadValue(f"{text!r} is no confidence", "write a number from 0 to 1, with a point")
    return Decimal(text)


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _BadValue(f"{text!r} is no day", "write 2026-11-27, here or once in the metadata") from None


def _parse_modifier(text: str) -> bool:
    if text not in ("", "Not"):
        raise _BadValue(f"{text!r} is no modifier", "leave the cell empty, or write Not for a refused pair")
    return text == "Not"


def _check_reviewer(text: str) -> None:
    if not text.strip():
        raise _BadValue(
            "unreviewed link",
            "look at the pair, then name in reviewer_label who did; refuse it with Not as predicate_modifier",
        )


def _check_filled(text: str) -> None:
    if not text.strip():
        raise _BadValue("the cell is empty", "write what the other side calls it, so that people can check the pair")


def _check_source(iri: str) -> str:
    if not iri.startswith(_SOURCE):
        raise _BadValue(f"{iri} is no source", "name a row of data/sources.csv as source:<id without src->")
    return iri


def _find_clashes(sets: Iterable[LinkSet]) -> list[str]:
    """One thing elsewhere cannot be two of ours, nor one of ours two things of one register."""
    problems = []
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for link_set in sets:
        for link in link_set.links:
            if link.is_negated or not link.subject.startswith(THING):
                continue
            where = f"data/links/{link_set.file} row {link.line}"
            register = link.object_curie.partition(":")[0]
            for key, other, what in (
                (("object", link.object_id), link.subject, f"{link.object_curie} is already {{}}"),
                ((link.subject, register), link.object_id, f"{link.subject} has already {{}} in {register}"),
            ):
                first_where, first = seen.setdefault(key, (where, other))
                if first != other:
                    problems.append(
                        f"{where}, column object_id: {what.format(first)} ({first_where}).\n"
                        "  Cure: keep the link that is right; two of ours that are one are merged in data/iris.csv."
                    )
    return problems
