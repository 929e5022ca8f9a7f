"""The report of a validation: what is wrong, in which record, by which rule, and what cures it; in four formats.

Texts come in German and English. The Turtle form is a ``sh:ValidationReport`` (SHACL, section 3.6) without blank nodes
and in a fixed order, so that equal reports are equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final, Literal

import pyoxigraph as ox

from kg.rdfio import GENID, write_turtle
from kg.tables import RecordRef
from kg.terms import BASE, CHAP, SHAPES

__all__ = ["Language", "Report", "Result", "Severity", "Trace"]

Severity = Literal["Violation", "Warning", "Info"]
Language = Literal["de", "en"]
Trace = Mapping[str, tuple[RecordRef, ...]]

_SEVERITIES: Final[tuple[Severity, ...]] = ("Violation", "Warning", "Info")
_MOST_RECORDS: Final = 4
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
_SH: Final = "http://www.w3.org/ns/shacl#"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_TEMPLATE: Final = Path(__file__).with_name("report.html.jinja")

# What a failed constraint component means for the one who reads the report; the message of the shape says the cure.
_PROBLEMS: Final[Mapping[str, tuple[str, str]]] = {
    "ClassConstraintComponent": (
        "ist nicht als das beschrieben, was hier stehen muss",
        "is not described as what is needed here",
    ),
    "DatatypeConstraintComponent": ("hat den falschen Datentyp", "has the wrong datatype"),
    "DisjointConstraintComponent": (
        "steht auch an einer Stelle, die etwas anderes nennen muss",
        "also stands where something else must",
    ),
    "EqualsConstraintComponent": (
        "stimmt nicht mit dem überein, was gleich sein muss",
        "differs from what must be equal",
    ),
    "HasValueConstraintComponent": ("der verlangte Wert fehlt", "the value demanded is missing"),
    "InConstraintComponent": ("steht nicht auf der Liste", "is not on the list"),
    "LanguageInConstraintComponent": ("ist in einer anderen Sprache", "is in another language"),
    "LessThanOrEqualsConstraintComponent": ("ist größer als erlaubt", "is greater than allowed"),
    "MaxCountConstraintComponent": ("zu viele Werte", "too many values"),
    "MaxInclusiveConstraintComponent": ("ist zu groß", "is too large"),
    "MinCountConstraintComponent": ("ein Wert fehlt", "a value is missing"),
    "MinInclusiveConstraintComponent": ("ist zu klein", "is too small"),
    "MinLengthConstraintComponent": ("ist leer", "is empty"),
    "NodeConstraintComponent": (
        "ist nicht von der Art, die hier stehen muss",
        "is not of the sort that is needed here",
    ),
    "NodeKindConstraintComponent": (
        "ist kein Knoten der richtigen Sorte (IRI oder Text)",
        "is the wrong sort of node (IRI or text)",
    ),
    "NotConstraintComponent": ("ist etwas, was es nicht sein darf", "is something that it must not be"),
    "OrConstraintComponent": ("erfüllt keine der erlaubten Möglichkeiten", "fits none of the alternatives allowed"),
    "PatternConstraintComponent": ("hat die falsche Form", "has the wrong form"),
    "QualifiedMinCountConstraintComponent": (
        "ein Wert der verlangten Art fehlt",
        "a value of the kind demanded is missing",
    ),
    "UniqueLangConstraintComponent": ("zwei Werte in einer Sprache", "two values in one language"),
}
_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "de": {
        "Violation": "Verstoß",
        "Warning": "Warnung",
        "Info": "Hinweis",
        "Violations": "Verstöße",
        "Warnings": "Warnungen",
        "Infos": "Hinweise",
        "row": "Zeile",
        "cure": "Abhilfe",
        "not listed": "Nicht einzeln aufgeführt",
        "title": "Prüfbericht",
        "record": "Datensatz",
        "rule": "Regel",
        "problem": "Befund",
    },
    "en": {
        "Violation": "Violation",
        "Warning": "Warning",
        "Info": "Info",
        "Violations": "violations",
        "Warnings": "warnings",
        "Infos": "infos",
        "row": "row",
        "cure": "Cure",
        "not listed": "Not listed one by one",
        "title": "Validation report",
        "record": "Record",
        "rule": "Rule",
        "problem": "Problem",
    },
}


@dataclass(frozen=True, slots=True)
class Result:
    """One finding: what does not fit which rule, and the rows that the focus node came from, the likeliest first."""

    focus: str
    path: str | None
    value: ox.NamedNode | ox.Literal | ox.BlankNode | None
    component: str
    severity: Severity
    shape: str
    messages: Mapping[str, str] = field(hash=False)
    records: tuple[RecordRef, ...] = ()

    @property
    def record(self) -> RecordRef | None:
        """The row that the focus node most likely came from, if it came from a table."""
        return self.records[0] if self.records else None

    @property
    def shape_name(self) -> str:
        """The local name of the rule, such as ``ActorShape-kind``."""
        return self.shape.removeprefix(SHAPES)

    @property
    def component_name(self) -> str:
        """The local name of the constraint component, such as ``MinCountConstraintComponent``."""
        return self.component.removeprefix(_SH)

    def message(self, language: Language) -> str:
        """What to do, in that language or in any there is."""
        return self.messages.get(language) or next(iter(self.messages.values()), "")

    def problem(self, language: Language) -> str:
        """What is wrong, with property and value, in one line."""
        german, english = _PROBLEMS.get(self.component_name, (self.component_name, self.component_name))
        property_text = self.path and _shorten(self.path)
        value_text = "" if self.value is None or str(self.value) == f"<{self.focus}>" else _shorten_term(self.value)
        subject = " ".join(each for each in (property_text, value_text) if each) or _shorten(self.focus)
        return f"{subject}: {german if language == 'de' else english}"


@dataclass(frozen=True)
class Report:
    """All findings of a validation, the hardest first, then by record; and the shapes that had nothing to look at."""

    results: tuple[Result, ...]
    idle_shapes: tuple[str, ...] = ()

    @classmethod
    def of(cls, results: Iterable[Result], *, idle_shapes: Iterable[str] = ()) -> Report:
        """The report of these findings, in order."""
        return cls(tuple(sorted(set(results), key=_order)), tuple(sorted(idle_shapes)))

    @property
    def violations(self) -> tuple[Result, ...]:
        """What blocks a release."""
        return tuple(each for each in self.results if each.severity == "Violation")

    @property
    def warnings(self) -> tuple[Result, ...]:
        """What is reported and counted."""
        return tuple(each for each in self.results if each.severity == "Warning")

    @property
    def infos(self) -> tuple[Result, ...]:
        """Hints for curators."""
        return tuple(each for each in self.results if each.severity == "Info")

    @property
    def conforms(self) -> bool:
        """Whether nothing blocks a release."""
        return not self.violations

    def summary(self) -> dict[str, int]:
        """How many findings of each severity.

        >>> Report(()).summary()
        {'violations': 0, 'warnings': 0, 'infos': 0}
        """
        return {"violations": len(self.violations), "warnings": len(self.warnings), "infos": len(self.infos)}

    def to_text(self, language: Language = "en", *, least: Severity | None = None) -> str:
        """For people: record, rule, what is wrong, cure.

        Args:
            language: ``de`` or ``en``.
            least: findings milder than this are only counted; left out, violations alone are listed while there are
                any, else violations and warnings.
        """
        words = _WORDS[language]
        least = least or ("Violation" if self.violations else "Warning")
        listed, counted = _split(self.results, least)
        lines = [", ".join(f"{len(_of(self.results, each))} {words[each + 's']}" for each in _SEVERITIES) + "."]
        for header, group in groupby(listed, key=lambda each: _header(each, words)):
            lines += ["", header]
            for result in group:
                lines += [
                    f"  {words[result.severity]}  {result.shape_name}",
                    f"    {result.problem(language)}",
                    f"    {words['cure']}: {result.message(language)}",
                ]
        if counted:
            lines += ["", f"{words['not listed']}:"]
            for (severity, name), number in _count_rules(counted):
                lines.append(f"  {number:5d}  {words[severity]}  {name}")
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """For programs: an object with ``conforms``, ``counts`` and ``results``."""
        document = {
            "conforms": self.conforms,
            "counts": self.summary(),
            "results": [
                {
                    "focus": each.focus,
                    "path": each.path,
                    "value": None if each.value is None else str(each.value),
                    "severity": each.severity,
                    "shape": each.shape,
                    "component": each.component,
                    "messages": dict(sorted(each.messages.items())),
                    "records": [
                        {"file": record.file, "row": record.line, "key": record.key} for record in each.records
                    ],
                }
                for each in self.results
            ],
        }
        return json.dumps(document, ensure_ascii=False, indent=2) + "\n"

    def to_turtle(self) -> bytes:
        """For linked data: a ``sh:ValidationReport``; the rows that a finding is about stand in ``rdfs:comment``."""
        output = io.BytesIO()
        prefixes = {"rdfs": _RDFS, "sh": _SH, "shapes": SHAPES, "xsd": _XSD, "chap": CHAP}
        write_turtle(self._iter_triples(), output, prefixes=prefixes)
        return output.getvalue()

    def to_html(self, language: Language = "en") -> str:
        """For a browser: one page that needs nothing else."""
        from jinja2 import Environment  # noqa: PLC0415 - only this format needs it

        template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
            _TEMPLATE.read_text(encoding="utf-8")
        )
        words = _WORDS[language]
        groups = [
            (header, list(group)) for header, group in groupby(self.results, key=lambda each: _header(each, words))
        ]
        return template.render(report=self, groups=groups, words=words, language=language)

    def _iter_triples(self) -> Iterator[ox.Triple]:
        def triple(subject: ox.NamedNode, name: str, value: ox.NamedNode | ox.Literal | ox.BlankNode) -> ox.Triple:
            return ox.Triple(subject, ox.NamedNode(name), value)

        blocks: list[ox.Triple] = []
        nodes: list[ox.NamedNode] = []
        for result in self.results:
            node = ox.NamedNode(GENID + "result-" + _digest(repr(_order(result))))
            nodes.append(node)
            blocks += [
                triple(node, _RDF + "type", ox.NamedNode(_SH + "ValidationResult")),
                triple(node, _SH + "resultSeverity", ox.NamedNode(_SH + result.severity)),
                triple(node, _SH + "focusNode", ox.NamedNode(result.focus)),
                triple(node, _SH + "sourceShape", ox.NamedNode(result.shape)),
                triple(node, _SH + "sourceConstraintComponent", ox.NamedNode(result.component)),
            ]
            if result.path:
                blocks.append(triple(node, _SH + "resultPath", ox.NamedNode(result.path)))
            if result.value is not None:
                blocks.append(triple(node, _SH + "value", result.value))
            for language, message in sorted(result.messages.items()):
                literal = ox.Literal(message, language=language) if language else ox.Literal(message)
                blocks.append(triple(node, _SH + "resultMessage", literal))
            if result.records:
                header = _header(result, _WORDS["en"])
                blocks.append(triple(node, _RDFS + "comment", ox.Literal(header, language="en")))
        report = ox.NamedNode(GENID + "report-" + _digest("".join(node.value for node in nodes)))
        # SHACL 3.6.1.1 counts findings of every severity; our gate (``conforms`` here) looks at violations alone.
        yield triple(report, _RDF + "type", ox.NamedNode(_SH + "ValidationReport"))
        yield triple(report, _SH + "conforms", ox.Literal(not self.results))
        for node in nodes:
            yield triple(report, _SH + "result", node)
        yield from blocks


def _order(result: Result) -> tuple[object, ...]:
    records = [(record.table, record.line) for record in result.records[:1]]
    return (
        _SEVERITIES.index(result.severity),
        not records,
        records,
        result.focus,
        result.shape,
        result.path or "",
        result.component,
        str(result.value),
    )


def _of(results: Iterable[Result], severity: Severity) -> list[Result]:
    return [each for each in results if each.severity == severity]


def _split(results: Sequence[Result], least: Severity) -> tuple[list[Result], list[Result]]:
    bound = _SEVERITIES.index(least)
    listed = [each for each in results if _SEVERITIES.index(each.severity) <= bound]
    return listed, [each for each in results if _SEVERITIES.index(each.severity) > bound]


def _count_rules(results: Iterable[Result]) -> list[tuple[tuple[Severity, str], int]]:
    counts = Counter((each.severity, each.shape_name) for each in results)
    return sorted(counts.items(), key=lambda item: (_SEVERITIES.index(item[0][0]), -item[1], item[0][1]))


def _header(result: Result, words: Mapping[str, str]) -> str:
    """Where to look: the rows, or the node itself when it came from no table.

    Of several rows with the key of the first (an entity and its line in the register of IRIs) that one will do, unless
    the finding is about the node itself.
    """
    first = result.records[:1]
    others = [each for each in result.records[1:] if result.path is None or each.key != first[0].key]
    records = [*first, *others]
    shown = [
        f"{each.file} {words['row']} {each.line} ({' '.join(each.key.split())})" for each in records[:_MOST_RECORDS]
    ]
    more = len(records) - len(shown)
    return "; ".join([*shown, f"+{more}"] if more else shown) or _shorten(result.focus)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shorten(iri: str) -> str:
    """A short form that a reader recognises; the full IRI is in the other formats.

    >>> _shorten("https://w3id.org/chap/id/organisation/de-holm"), _shorten("http://www.w3.org/ns/org#member")
    ('id/organisation/de-holm', 'member')
    """
    if iri.startswith(BASE) and not iri.startswith((CHAP, SHAPES)):
        return iri.removeprefix(BASE)
    return iri.replace("#", "/").rsplit("/", 1)[-1] or iri


def _shorten_term(term: ox.NamedNode | ox.Literal | ox.BlankNode) -> str:
    if isinstance(term, ox.NamedNode):
        return _shorten(term.value) if term.value.startswith(BASE) else term.value
    return str(term).replace(f"^^<{_XSD}", " (xsd:").replace(">", ")") if _XSD in str(term) else str(term)
