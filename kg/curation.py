"""Curation: what a write has to keep to, and what follows from it; nothing but the rights of its writer in plain mode.

The curated graph takes writes into graphs of their own, says where these come from, infers, merges and judges. A plain
dataset (decision 0032) does none of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kg.candidate import Candidate
from kg.errors import GraphReadOnly, InvalidIri, WriteForbidden
from kg.infer import find_inferred
from kg.manifest import Manifest
from kg.settings import KgSettings
from kg.terms import WRITTEN, parse_written
from kg.validate import Report, digest_shapes, extract_change, validate, validate_change
from kg.written import describe_written

__all__ = ["Curation", "Writer", "find_curation"]


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Who changes something: the name of the token, and the beginnings of the names of graphs that it may change.

    An empty beginning is that of all names, and of the empty one of the default graph.
    """

    name: str
    graphs: tuple[str, ...]

    def demand_right(self, graph: str) -> None:
        """Make sure that the writer may change a graph.

        Raises:
            WriteForbidden: it may not.
        """
        if not graph.startswith(self.graphs):
            name = f"<{graph}>" if graph else "the default graph"
            raise WriteForbidden(
                f"{self.name} may not write {name}, but graphs that begin with {', '.join(self.graphs)}"
            )


class Curation(Protocol):
    """What is done about a change before it is published; what was changed counts, whatever the request said."""

    def check_rights(self, candidate: Candidate, writer: Writer) -> None:
        """Make sure that only graphs were changed that the writer may change.

        Raises:
            GraphReadOnly: a graph that nobody may write was changed.
            WriteForbidden: a graph that is not for this writer was changed.
        """

    def settle(self, candidate: Candidate, writer: Writer) -> None:
        """Bring in order what follows from a change."""

    def judge(self, candidate: Candidate, base: Manifest, *, end_lap: Callable[[str], None]) -> Report:
        """The findings about what a change concerns; ``end_lap`` is told the name of each step that is done."""

    def describe(self) -> Mapping[str, object]:
        """What the manifest says of how it was judged."""


class _Plain:
    """An ordinary dataset."""

    def check_rights(self, candidate: Candidate, writer: Writer) -> None:
        for graph in sorted(candidate.delta.graphs):
            writer.demand_right(graph)

    def settle(self, candidate: Candidate, writer: Writer) -> None:
        """Nothing follows from what is stated."""

    def judge(self, candidate: Candidate, base: Manifest, *, end_lap: Callable[[str], None]) -> Report:  # noqa: ARG002
        """There are no rules to be broken."""
        return Report(())

    def describe(self) -> Mapping[str, object]:
        return {}


class _Curated:
    """The graph that is built from tables, with its shapes."""

    def __init__(self, settings: KgSettings) -> None:
        self._settings = settings

    def check_rights(self, candidate: Candidate, writer: Writer) -> None:
        graphs = candidate.delta.graphs
        if "" in graphs:
            raise GraphReadOnly(
                "the default graph is derived, the merge of the open named graphs: "
                f"name a graph whose IRI begins with {WRITTEN}"
            )
        for graph in sorted(graphs):
            try:
                parse_written(graph)
            except InvalidIri as error:
                raise GraphReadOnly(
                    f"{error} and a slug; other graphs are changed in the tables and files that they are made from"
                ) from error
            writer.demand_right(graph)

    def settle(self, candidate: Candidate, writer: Writer) -> None:
        """Provenance, inferred statements, the default graph."""
        present, wanted = describe_written(
            candidate.store, candidate.delta.graphs, writer=writer.name, licence=self._settings.written_licence
        )
        candidate.settle(present, wanted)
        candidate.settle(*find_inferred(candidate.store, list(candidate.delta)))
        candidate.merge_default()

    def judge(self, candidate: Candidate, base: Manifest, *, end_lap: Callable[[str], None]) -> Report:
        if not candidate.delta:
            return Report(())
        shapes_dir, ontology_dir = self._settings.shapes_dir, self._settings.ontology_dir
        if base.extra.get("shapes") != digest_shapes(shapes_dir):
            # Nobody has judged the rest by these shapes.
            return validate(candidate.store, shapes_dir=shapes_dir, ontology_dir=ontology_dir)
        around = extract_change(candidate.store, [*candidate.delta], shapes_dir=shapes_dir, ontology_dir=ontology_dir)
        end_lap("extract")
        report = validate_change(candidate.store, around, shapes_dir=shapes_dir, ontology_dir=ontology_dir)
        end_lap("engine")
        return report

    def describe(self) -> Mapping[str, object]:
        return {"shapes": digest_shapes(self._settings.shapes_dir)}


def find_curation(settings: KgSettings) -> Curation:
    """What the settings ask for."""
    return _Plain() if settings.is_plain else _Curated(settings)
