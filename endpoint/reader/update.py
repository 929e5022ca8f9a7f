"""An update as it was read: its operations, in turn."""

from __future__ import annotations

from typing import Final, cast

from endpoint.reader.operations import Data, GraphKind, GraphOperation, Modification, Operation, QuadPattern
from endpoint.reader.parser import read
from endpoint.reader.reading import Node, Reading, Unreadable
from endpoint.reader.templates import read_quads
from endpoint.reader.terminals import Kind

__all__ = ["find_operations", "read_update"]

_ALL: Final = ("DEFAULT", "NAMED", "ALL")


def read_update(text: str, *, base: str) -> tuple[Operation, ...]:
    """The operations of an update, in turn.

    Args:
        text: what a client sent.
        base: an absolute IRI, for the relative IRIs of a text without BASE.

    Raises:
        Unreadable: it is no update, or one that a server with a single store cannot carry out (LOAD).
    """
    return find_operations(read(text, "UpdateUnit", base=base))


def find_operations(reading: Reading) -> tuple[Operation, ...]:
    """The operations of an update that was read.

    Raises:
        Unreadable: it says what no update may: LOAD, a variable in data, a blank node in what is deleted, a statement
            about a statement in a template.
    """
    return tuple(_find_operation(reading, each) for each in reading.root.children)


def _find_operation(reading: Reading, node: Node) -> Operation:
    if node.rule in ("Insert", "Delete", "With"):
        if node.children[0].rule == "QuadData":
            return _find_data(reading, node)
        return _find_modification(reading, node)
    if node.rule == "Load":
        raise _refuse(reading, node.start, "LOAD is not carried out: fetch the document and send it")
    graphs = [_find_graph(reading, each) for each in node.children]
    return GraphOperation(
        kind=cast("GraphKind", node.rule.lower()),
        target=graphs[-1],
        source=graphs[0] if len(graphs) > 1 else None,
        is_silent=reading.tokens[node.start + 1].text == "SILENT",
    )


def _find_data(reading: Reading, node: Node) -> Data:
    data = node.children[0]
    _refuse_kind(reading, data, Kind.VARIABLE, "data holds no variables")
    is_insertion = node.rule == "Insert"
    if not is_insertion:
        _refuse_blank(reading, data)
    return Data(is_insertion=is_insertion, text=f"INSERT DATA {reading.write(data.start, data.end)}")


def _find_modification(reading: Reading, node: Node) -> Modification:
    deletes: tuple[QuadPattern, ...] = ()
    inserts: tuple[QuadPattern, ...] = ()
    using: list[str] = []
    using_named: list[str] = []
    where = ""
    for part in node.children:
        match part.rule:
            case "DeleteTemplate" | "DeletePattern":
                _refuse_blank(reading, part)
                deletes = read_quads(reading, part)
                where = reading.write(part.start, part.end)
            case "InsertTemplate":
                inserts = read_quads(reading, part)
            case "UsingClause":
                is_named = reading.tokens[part.start + 1].text == "NAMED"
                (using_named if is_named else using).append(reading.tokens[part.end - 1].text[1:-1])
            case "GroupGraphPattern":
                where = reading.write(part.start, part.end)
    variables = {
        term.value
        for quad in (*deletes, *inserts)
        for term in (quad.subject, quad.predicate, quad.object, quad.graph)
        if term is not None and term.kind == "variable"
    }
    return Modification(
        deletes=deletes,
        inserts=inserts,
        where=where,
        variables=tuple(sorted(variables)),
        with_graph=reading.tokens[node.start + 1].text[1:-1] if node.rule == "With" else None,
        using=tuple(using),
        using_named=tuple(using_named),
        prologue=reading.write_prologue(node.start, node.end),
    )


def _find_graph(reading: Reading, node: Node) -> str:
    last = reading.tokens[node.end - 1]
    return last.text if last.text in _ALL else last.text[1:-1]


def _refuse_blank(reading: Reading, template: Node) -> None:
    message = "what is deleted is named: use a variable in place of a blank node, with DELETE ... WHERE"
    _refuse_kind(reading, template, Kind.BLANK, message)
    tokens = reading.tokens
    for at in range(template.start, template.end - 1):
        opened = tokens[at].text
        if opened == "[" or (opened == "(" and tokens[at + 1].text != ")"):
            raise _refuse(reading, at, message)


def _refuse_kind(reading: Reading, node: Node, kind: Kind, message: str) -> None:
    for at in range(node.start, node.end):
        if reading.tokens[at].kind is kind:
            raise _refuse(reading, at, message)


def _refuse(reading: Reading, at: int, message: str) -> Unreadable:
    return Unreadable(message, reading.locate(at), reading.tokens[at].text)
