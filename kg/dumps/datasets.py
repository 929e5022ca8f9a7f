"""Which datasets a release has, and which named graphs each consists of.

``chap`` is everything under an open licence. Its parts are declared in data/dataset.ttl by a pattern of graph names
(``chap:graphPattern``). What is not open belongs to no part, but to a dataset of its own for each licence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pyoxigraph as ox

from kg.errors import RdfError
from kg.queries import QUERIES, load_query
from kg.store import evaluate_query
from kg.terms import BASE

__all__ = ["MAIN_DATASET", "SHAPES_GRAPH", "Dataset", "find_datasets", "iter_rows"]

MAIN_DATASET: Final = "chap"
# The shapes are files; as statements they are a graph of this name.
SHAPES_GRAPH: Final = BASE + "shapes"
_DATASET: Final = BASE + "dataset/"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A set of named graphs under one name; ``licence`` is None where they have several and nothing says more."""

    name: str
    licence: str | None
    graphs: tuple[str, ...]

    @property
    def iri(self) -> str:
        """The IRI of the dataset."""
        return _DATASET + self.name


def find_datasets(store: ox.Store, *, open_graphs: Collection[str]) -> tuple[Dataset, ...]:
    """The datasets that have at least one graph: first that of everything open, then its parts, then what is not open.

    What is not open is a dataset for each licence, named as one that is described with that licence and no pattern.
    The graph of the shapes is in no dataset but those whose pattern fits it.

    Raises:
        RdfError: a pattern of data/dataset.ttl is no regular expression.
    """
    present = {each.value for each in store.named_graphs() if isinstance(each, ox.NamedNode)}
    licences = {graph: each for graph, each in _collect_licences(store).items() if graph in present}
    declared = _collect_declared(store)
    opened = {graph: licences[graph] for graph in sorted(open_graphs)}
    candidates = opened | {SHAPES_GRAPH: ()}
    found = [Dataset(name=MAIN_DATASET, licence=_choose(declared.get(MAIN_DATASET), opened), graphs=tuple(opened))]
    for name, part in declared.items():
        if part.pattern is not None and name != MAIN_DATASET:
            members = {graph: each for graph, each in candidates.items() if part.covers(graph)}
            found.append(Dataset(name=name, licence=_choose(part, members), graphs=tuple(members)))
    open_licences = {licence for each in opened.values() for licence in each}
    closed: dict[str, list[str]] = {}
    for graph, own in licences.items():
        if graph not in opened:
            # A graph that an open licence covers as well is as closed as its other licence.
            (first, *_) = [each for each in own if each not in open_licences] or own
            closed.setdefault(first, []).append(graph)
    described = {part.licence: name for name, part in declared.items() if part.pattern is None}
    for licence, graphs in closed.items():
        name = described.get(licence) or _name_restricted(licence, closed)
        found.append(Dataset(name=name, licence=licence, graphs=tuple(graphs)))
    return tuple(each for each in found if each.graphs)


def iter_rows(store: ox.Store, query: str) -> Iterator[Mapping[str, str]]:
    """The rows of a stored query of ``queries/dumps`` as text; of a literal with a language also ``<name>_lang``."""
    solutions = evaluate_query(store, load_query(QUERIES / "dumps" / f"{query}.rq").text)
    assert isinstance(solutions, ox.QuerySolutions)
    names = [variable.value for variable in solutions.variables]
    for solution in solutions:
        row: dict[str, str] = {}
        for name in names:
            term = solution[name]
            if isinstance(term, ox.NamedNode | ox.Literal):
                row[name] = term.value
            if isinstance(term, ox.Literal) and term.language:
                row[f"{name}_lang"] = term.language
        yield row


@dataclass(frozen=True)
class _Declared:
    """What data/dataset.ttl says of a dataset."""

    licence: str | None
    pattern: re.Pattern[str] | None

    def covers(self, graph: str) -> bool:
        return self.pattern is not None and self.pattern.search(graph) is not None


def _collect_licences(store: ox.Store) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in iter_rows(store, "licences"):
        found[row["graph"]] = (*found.get(row["graph"], ()), row["licence"])
    return found


def _collect_declared(store: ox.Store) -> dict[str, _Declared]:
    declared: dict[str, _Declared] = {}
    for row in iter_rows(store, "datasets"):
        name = row["dataset"].removeprefix(_DATASET)
        text = row.get("pattern")
        try:
            pattern = None if text is None else re.compile(text)
        except re.error as error:
            raise RdfError(f"{row['dataset']}: chap:graphPattern {text!r} is no regular expression: {error}") from error
        declared.setdefault(name, _Declared(row.get("licence"), pattern))
    return declared


def _choose(declared: _Declared | None, graphs: Mapping[str, Collection[str]]) -> str | None:
    if declared is not None and declared.licence is not None:
        return declared.licence
    licences = {licence for each in graphs.values() for licence in each}
    return licences.pop() if len(licences) == 1 else None


def _name_restricted(licence: str, others: Collection[str]) -> str:
    """The name of the dataset of what has a licence that is not open; a digest tells licences of one slug apart."""
    slug = _slugify(licence)
    if any(_slugify(other) == slug for other in others if other != licence):
        slug += "-" + hashlib.sha256(licence.encode()).hexdigest()[:8]
    return f"restricted-{slug}"


def _slugify(licence: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", licence.lower().partition("://")[2] or licence.lower()).strip("-")
