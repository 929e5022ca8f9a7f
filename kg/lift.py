"""Lift: the tables' rows become the statements of the graph, by the mappings in ``queries/lift/*.ru``.

A mapping is one SPARQL Update for one table, run in the order of the file names on a scratch store whose default graph
holds the row view (kg.tables). It writes named graphs, and for each row, in the graph ``row:trace``, which node the row
became. A row that became nothing is an error: SPARQL drops a row silently when a pattern or a function fails. What the
checks in ``queries/rows/*.rq`` find is an error too: among others a filled cell that no mapping lifts.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, QuerySolutions, Store, Triple

from kg.errors import TableError
from kg.graph_files import iter_mirrored
from kg.queries import QUERIES, load_directory
from kg.rdfio import load_graph
from kg.tables import ROW, XYZ, RecordRef, Table, iter_row_quads
from kg.terms import BASE, mint_graph, mint_node

__all__ = ["Lifted", "Trace", "lift"]

Term = NamedNode | BlankNode | Literal | Triple
Trace = Mapping[str, tuple[RecordRef, ...]]

_FUNCTION: Final = BASE + "function#"
_TRACE_GRAPH: Final = NamedNode(ROW + "trace")
_XSD_DATE: Final = NamedNode("http://www.w3.org/2001/XMLSchema#date")


@dataclass(frozen=True, slots=True)
class Lifted:
    """The named graphs, in memory, and which row each node came from."""

    store: Store
    trace: Trace


def lift(tables: tuple[Table, ...], ontology_dir: Path, data_dir: Path) -> Lifted:
    """The named graphs made from the tables, with the ontology, the schemes and the mirrors in graphs of their own.

    Raises:
        SourceError: a file of a mirror is not as ``kg mirror`` writes it.
        TableError: a row made no statement or loses a cell; the message lists each with the cure.
        RdfSyntaxError: a file of the ontology is broken.
    """
    store = Store()
    load_vocabularies(store, ontology_dir)
    store.extend(load_graph(data_dir / "dataset.ttl", graph_iri=mint_graph("catalogue")))
    store.extend(iter_mirrored(data_dir))
    store.extend(iter_row_quads(tables))
    functions: dict[NamedNode, Callable[..., Term | None]] = {
        NamedNode(_FUNCTION + "mint"): _mint,
        NamedNode(_FUNCTION + "bound"): _bound,
    }
    mapped: set[str] = set()
    for mapping in load_directory(QUERIES / "lift"):
        store.update(mapping.text, custom_functions=functions)
        mapped |= set((mapping.find_note("tables") or "").split())
    trace = _take_trace(store, tables)
    traced = {record for records in trace.values() for record in records}
    lost = [row.record for table in tables if table.name in mapped for row in table.rows if row.record not in traced]
    _demand_no_problems(store, tables, lost)
    store.clear_graph(DefaultGraph())
    return Lifted(store, trace)


def load_vocabularies(store: Store, ontology_dir: Path) -> None:
    """Add the ontology, its alignment and every scheme, each in its graph."""
    for name in ("chap.ttl", "alignment.ttl"):
        store.extend(load_graph(ontology_dir / name, graph_iri=mint_graph("ontology")))
    for path in sorted((ontology_dir / "schemes").glob("*.ttl")):
        store.extend(load_graph(path, graph_iri=mint_graph(f"scheme-{path.stem}")))


def _take_trace(store: Store, tables: tuple[Table, ...]) -> Trace:
    records = {row.record.iri: row.record for table in tables for row in table.rows}
    trace: dict[str, set[RecordRef]] = {}
    for quad in store.quads_for_pattern(None, None, None, _TRACE_GRAPH):
        trace.setdefault(_value(quad.subject), set()).add(records[_value(quad.object)])
    store.remove_graph(_TRACE_GRAPH)
    return {node: tuple(sorted(found, key=lambda each: (each.table, each.line))) for node, found in trace.items()}


def _demand_no_problems(store: Store, tables: tuple[Table, ...], lost: list[RecordRef]) -> None:
    """Raise what the stored checks find in the rows, and which rows made nothing for a reason that no check knows."""
    records = {row.record.iri: row.record for table in tables for row in table.rows}
    found: set[tuple[RecordRef, str, str, str]] = set()
    for check in load_directory(QUERIES / "rows"):
        solutions = store.query(check.text)
        assert isinstance(solutions, QuerySolutions), check.id
        for solution in solutions:
            row, column, problem, cure = (_value(solution[name]) for name in ("row", "column", "problem", "cure"))
            found.add((records[row], column.removeprefix(XYZ), problem, cure))
    explained = {record for record, *_ in found}
    for record in set(lost) - explained:
        cure = f"compare it with its mapping, kg/queries/lift/*-{record.table}.ru"
        found.add((record, "?", "the row made no statement", cure))
    if not found:
        return
    paragraphs = [
        f"data/{record.table}.csv row {record.line} ({record.key}), column {column}: {problem}.\n  Cure: {cure}."
        for record, column, problem, cure in sorted(found, key=lambda each: (each[0].table, each[0].line, each[1:]))
    ]
    raise TableError(f"{len(found)} row(s) cannot be used, nothing was built:\n\n" + "\n\n".join(paragraphs))


def _value(term: Term | DefaultGraph) -> str:
    return str(getattr(term, "value", term))


def _mint(*arguments: Term) -> NamedNode:
    """SPARQL function ``fn:mint(kind, part, ...)``: the IRI of an n-ary node or graph."""
    kind, *parts = (_value(argument) for argument in arguments)
    return NamedNode(mint_node(kind, *parts))


def _bound(*arguments: Term) -> Literal:
    """SPARQL function ``fn:bound(date, "earliest"|"latest")``: the first or last day that a partial date can mean."""
    text, which = (_value(argument) for argument in arguments)
    year, month, day = (
        int(part) for part in (text + ("-0-0" if len(text) == 4 else "-0" if len(text) == 7 else "")).split("-")
    )
    if which == "latest":
        month = month or 12
        day = day or calendar.monthrange(year, month)[1]
    return Literal(f"{year:04d}-{month or 1:02d}-{day or 1:02d}", datatype=_XSD_DATE)
