"""``statements.csv``: every statement of a dataset with the graph it stands in, the sources behind it and its dates."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyoxigraph as ox

from kg.dumps.entities import iter_subjects
from kg.terms import CHAP

__all__ = ["STATEMENTS_NAME", "describe_statements", "write_statements"]

STATEMENTS_NAME: Final = "statements.csv"
_SEPARATOR: Final = "|"
_START: Final = CHAP + "earliestStart"
_END: Final = CHAP + "latestEnd"
_AS_OF: Final = CHAP + "asOf"
_DATES: Final = frozenset({_START, _END, _AS_OF})
_COLUMNS: Final[tuple[dict[str, Any], ...]] = (
    {"name": "subject", "datatype": "anyURI", "required": True},
    {"name": "property", "datatype": "anyURI", "required": True},
    {"name": "value", "datatype": "string"},
    {"name": "datatype", "datatype": "anyURI"},
    {"name": "language", "datatype": "language"},
    {"name": "graph", "datatype": "anyURI", "required": True},
    {"name": "source", "datatype": "anyURI", "separator": _SEPARATOR},
    {"name": "from", "datatype": "date"},
    {"name": "to", "datatype": "date"},
    {"name": "as_of", "datatype": {"base": "string", "format": r"-?[0-9]{4,}(-[0-9]{2}(-[0-9]{2})?)?"}},
)


def describe_statements() -> dict[str, Any]:
    """The table in CSVW."""
    key = ["subject", "property", "value", "datatype", "language", "graph"]
    return {"url": STATEMENTS_NAME, "tableSchema": {"primaryKey": key, "columns": list(_COLUMNS)}}


def write_statements(path: Path, *, nquads_path: Path, sources: Mapping[str, Sequence[str]]) -> None:
    """Write the table from sorted N-Quads, one subject at a time.

    ``from`` is the first day that the period of the subject can begin on, ``to`` the last day that it can end on,
    ``as_of`` the newest date as of which a source reports it: what the graph of the statement says of them, else what
    any graph says.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column["name"] for column in _COLUMNS])
        for subject, found in iter_subjects(nquads_path, ox.RdfFormat.N_QUADS):
            quads = list(found)
            dates = _Dates(quads)
            for quad in quads:
                graph = _text(quad.graph_name)
                value, datatype, language = _read(quad.object)
                cited = _SEPARATOR.join(sources.get(graph, ()))
                start, end, as_of = dates.find(graph)
                writer.writerow(
                    [subject, quad.predicate.value, value, datatype, language, graph, cited, start, end, as_of]
                )


class _Dates:
    """The dates of one subject, by property and graph."""

    def __init__(self, quads: Sequence[ox.Quad]) -> None:
        self._found: dict[str, dict[str, list[str]]] = {}
        for quad in quads:
            if quad.predicate.value in _DATES:
                by_graph = self._found.setdefault(quad.predicate.value, {})
                by_graph.setdefault(_text(quad.graph_name), []).append(_text(quad.object))

    def find(self, graph: str) -> tuple[str, str, str]:
        """Start, end and as-of of a statement in a graph; empty where nothing is known."""
        if not self._found:
            return "", "", ""
        starts, ends, dates = (self._list(each, graph) for each in (_START, _END, _AS_OF))
        return min(starts, default=""), max(ends, default=""), max(dates, default="")

    def _list(self, property_iri: str, graph: str) -> list[str]:
        by_graph = self._found.get(property_iri, {})
        return by_graph.get(graph) or [date for each in by_graph.values() for date in each]


def _text(term: object) -> str:
    return str(getattr(term, "value", term))


def _read(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> tuple[str, str, str]:
    """Value, datatype and language; an IRI has neither of the last two."""
    if isinstance(term, ox.Literal):
        return term.value, term.datatype.value, term.language or ""
    return _text(term), "", ""
