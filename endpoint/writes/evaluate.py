"""The operations of an update, carried out one after another (SPARQL 1.1 Update, section 3).

The engine evaluates patterns and reads data; what is changed is changed here, quad by quad, so that all of it is known
whatever the text looks like (kg.draft). A release holds no empty graphs, so a graph that is not there is an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pyoxigraph as ox

from endpoint.reader.operations import Data, GraphOperation, Modification, Operation
from endpoint.writes.templates import Template, Term
from kg.draft import Draft, Graph
from kg.errors import QueryError, QuerySyntaxError, WriteInvalid

__all__ = ["carry_out"]

_DEFAULT: Final = ox.DefaultGraph()


def carry_out(operations: Iterable[Operation], draft: Draft, *, alone: Graph | None = None) -> None:
    """Carry out the operations of an update.

    Args:
        operations: in their order.
        draft: what they change.
        alone: the graph that they see as their default graph, and nothing else; without it they see all.

    Raises:
        QueryError: an operation failed, or could not be read by the engine.
        WriteInvalid: one names a graph, and there is only that one.
    """
    evaluation = _Evaluation(draft, alone)
    for operation in operations:
        match operation:
            case Data():
                evaluation.put_data(operation)
            case Modification():
                evaluation.modify(operation)
            case GraphOperation():
                evaluation.change_graphs(operation)


class _Evaluation:
    """One request: what it sees as the default graph, and the empty graphs that it created."""

    def __init__(self, draft: Draft, alone: Graph | None) -> None:
        self._draft = draft
        self._is_alone = alone is not None
        self._default = alone or _DEFAULT
        self._created: set[Graph] = set()

    def put_data(self, operation: Data) -> None:
        """INSERT DATA and DELETE DATA (sections 3.1.1 and 3.1.2)."""
        read = ox.Store()
        with _translated():
            read.update(operation.text)
        quads: Iterable[ox.Quad] = read
        if self._is_alone:
            if list(read.named_graphs()):
                raise _leaves_graph()
            quads = [_move(quad, self._default) for quad in read]
        if operation.is_insertion:
            self._draft.add(quads)
        else:
            self._draft.remove(quads)

    def modify(self, operation: Modification) -> None:
        """DELETE and INSERT (section 3.1.3): both by the state before, and what is deleted goes first."""
        if self._is_alone and any(each.graph for each in (*operation.deletes, *operation.inserts)):
            raise _leaves_graph()
        graph = self._default if operation.with_graph is None else self._find_graph(operation.with_graph)
        with _translated():
            deletes, inserts = (
                Template(patterns, operation.variables, graph=graph)
                for patterns in (operation.deletes, operation.inserts)
            )
        removed: set[ox.Quad] = set()
        added: set[ox.Quad] = set()
        for solution in self._solve(operation, is_counted=inserts.has_blanks):
            removed.update(deletes.fill(solution))
            added.update(inserts.fill(solution))
        self._draft.remove(removed - added)
        self._draft.add(added)

    def change_graphs(self, operation: GraphOperation) -> None:
        """What is done to graphs as a whole (section 3.2)."""
        if operation.source is not None:
            self._transfer(operation, self._find_graph(operation.source))
        elif operation.kind == "create":
            created = self._name_graph(operation.target)
            if self._exists(created) and not operation.is_silent:
                raise QueryError(f"the graph {created} already exists; say CREATE SILENT if that does not matter")
            self._created.add(created)
        else:
            for graph in self._find_graphs(operation.target):
                self._draft.replace(graph, ())
                if operation.kind == "drop":
                    self._created.discard(graph)

    def _transfer(self, operation: GraphOperation, source: Graph) -> None:
        target = self._find_graph(operation.target)
        if source == target:
            return
        if operation.kind == "move" and not operation.is_silent and not self._exists(source):
            raise QueryError(f"the graph {source} does not exist; say MOVE SILENT if {target} is to be emptied")
        quads = [_move(quad, target) for quad in self._draft.iter_graph(source)]
        if operation.kind == "add":
            self._draft.add(quads)
            return
        self._draft.replace(target, quads)
        if operation.kind == "move":
            self._draft.replace(source, ())
            self._created.discard(source)

    def _solve(self, operation: Modification, *, is_counted: bool) -> Iterator[Sequence[Term | None]]:
        """The values of the variables for each solution of the pattern, the same ones again only where that counts."""
        names = [f"?{name}" for name in operation.variables]
        if names or is_counted:
            words = ["SELECT", *([] if is_counted else ["DISTINCT"]), *(names or ["?none"]), "WHERE", operation.where]
        else:
            words = ["ASK", operation.where]
        default_graphs, named_graphs = self._find_dataset(operation)
        with _translated():
            result = self._draft.query(
                operation.prologue + " ".join(words), default_graphs=default_graphs, named_graphs=named_graphs
            )
            if isinstance(result, ox.QuerySolutions):
                yield from (tuple(solution) for solution in result)
            elif result:
                yield ()

    def _find_dataset(self, operation: Modification) -> tuple[list[Graph], list[ox.NamedNode | ox.BlankNode] | None]:
        """What the pattern of a modification looks at; None for all named graphs."""
        if operation.using or operation.using_named:
            return (
                [self._find_graph(each) for each in operation.using],
                [self._name_graph(each) for each in operation.using_named],
            )
        graph = self._default if operation.with_graph is None else self._find_graph(operation.with_graph)
        return [graph], [] if self._is_alone else None

    def _find_graph(self, name: str) -> Graph:
        return self._default if name == "DEFAULT" else self._name_graph(name)

    def _name_graph(self, iri: str) -> ox.NamedNode:
        if self._is_alone:
            raise _leaves_graph()
        with _translated():
            return ox.NamedNode(iri)

    def _find_graphs(self, name: str) -> list[Graph]:
        """The graphs that CLEAR and DROP mean."""
        if name not in ("ALL", "NAMED"):
            return [self._find_graph(name)]
        named = [] if self._is_alone else [*self._draft.list_graphs(), *self._created]
        return named if name == "NAMED" else [self._default, *named]

    def _exists(self, graph: Graph) -> bool:
        return graph in self._created or graph == self._default or self._draft.holds(graph)


def _move(quad: ox.Quad, graph: Graph) -> ox.Quad:
    return ox.Quad(quad.subject, quad.predicate, quad.object, graph)


@contextmanager
def _translated() -> Iterator[None]:
    """What the engine says of data, a pattern or a term, as errors of ours; what the disk says is not theirs."""
    try:
        yield
    except SyntaxError as error:
        raise QuerySyntaxError(f"the update is no SPARQL: {error.msg or error}") from error
    except (RuntimeError, ValueError) as error:
        # Not OSError, by which the engine tells of a disk.
        raise QueryError(str(error)) from error


def _leaves_graph() -> WriteInvalid:
    return WriteInvalid(
        "a PATCH changes its graph only: leave GRAPH, WITH and USING out, or send the update to /sparql"
    )
