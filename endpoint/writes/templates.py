"""The templates of an update, filled (SPARQL 1.1 Update, section 3.1.3).

What a solution makes no quad of is left out: a variable without a value, a literal or a statement as subject, anything
but an IRI as predicate, a literal as graph. Blank nodes of a template are others for each solution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import pyoxigraph as ox

from endpoint.reader.operations import PatternTerm, QuadPattern
from kg.draft import Graph

__all__ = ["Template", "Term", "make_term"]

Term: TypeAlias = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple
# A term of a template for a solution and its blank nodes; None where there is none, or one that may not stand there.
_Slot: TypeAlias = Callable[[Sequence[Term | None], dict[str, ox.BlankNode]], Term | None]


class Template:
    """Quads with variables in them.

    Args:
        patterns: the quads.
        variables: the names of the variables, in the order in which solutions have their values.
        graph: that of patterns which name none.
    """

    def __init__(self, patterns: Sequence[QuadPattern], variables: Sequence[str], *, graph: Graph) -> None:
        places = {name: place for place, name in enumerate(variables)}
        self._graph = graph
        self._quads = [
            (
                _make_slot(each.subject, places),
                _make_slot(each.predicate, places),
                _make_slot(each.object, places),
                None if each.graph is None else _make_slot(each.graph, places),
            )
            for each in patterns
        ]
        self.has_blanks = any(
            term is not None and term.kind == "blank"
            for each in patterns
            for term in (each.subject, each.predicate, each.object, each.graph)
        )

    def fill(self, solution: Sequence[Term | None]) -> Iterator[ox.Quad]:
        """The quads that a solution makes of it."""
        blanks: dict[str, ox.BlankNode] = {}
        for find_subject, find_predicate, find_object, find_graph in self._quads:
            subject, predicate, value = (find(solution, blanks) for find in (find_subject, find_predicate, find_object))
            graph = self._graph if find_graph is None else find_graph(solution, blanks)
            if (
                isinstance(subject, ox.NamedNode | ox.BlankNode)
                and isinstance(predicate, ox.NamedNode)
                and value is not None
                # A graph named by a blank node is told to the client, not passed over (kg.candidate).
                and isinstance(graph, ox.NamedNode | ox.BlankNode | ox.DefaultGraph)
            ):
                yield ox.Quad(subject, predicate, value, graph)


def make_term(term: PatternTerm) -> ox.NamedNode | ox.Literal:
    """The term that an IRI or a literal of a template stands for.

    Raises:
        ValueError: the engine takes no such IRI or language tag.

    >>> str(make_term(PatternTerm("literal", "Haus", language="de")))
    '"Haus"@de'
    """
    if term.kind == "iri":
        return ox.NamedNode(term.value)
    if term.language:
        language, _, direction = term.language.partition("--")
        return ox.Literal(term.value, language=language, direction=ox.BaseDirection(direction) if direction else None)
    return ox.Literal(term.value, datatype=ox.NamedNode(term.datatype)) if term.datatype else ox.Literal(term.value)


def _make_slot(term: PatternTerm, places: Mapping[str, int]) -> _Slot:
    if term.kind == "variable":
        place = places[term.value]
        return lambda solution, _: solution[place]
    if term.kind == "blank":
        name = term.value
        return lambda _, blanks: blanks.setdefault(name, ox.BlankNode())
    constant = make_term(term)
    return lambda *_: constant
