"""RDF from outside: looked through before it is parsed, since parsers recurse and expand as deep as they are told to.

A JSON-LD document of 10,000 nested objects ends the process, and entities of XML multiply (ARCHITECTURE, "Depth
kills"). Nothing is fetched: a remote context is refused, ``owl:imports`` is a statement like any other.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from xml.parsers import expat

import pyoxigraph as ox

from kg.errors import RdfSyntaxError, WriteInvalid, WriteTooLarge

__all__ = ["Document", "parse_document"]

_XML: Final = ox.RdfFormat.RDF_XML
_JSON: Final = ox.RdfFormat.JSON_LD
# What begins a string is one token with all that can be in it, whether or not it ends: so nothing is read twice, and a
# document takes as long as it is. A parser reads no further than to a string without an end.
_JSON_TOKEN: Final = re.compile(rb"\"(?:[^\"\\]|\\.)*+\"?|(?P<open>[\[{])|(?P<close>[\]}])", re.DOTALL)
# Strings, IRIs and comments may hold brackets that open nothing; what is escaped in a name begins none of these.
_TURTLE_TOKEN: Final = re.compile(
    rb"\\."
    rb"|\"\"\"(?:\"{0,2}(?:[^\"\\]|\\.))*+(?:\"\"\")?|'''(?:'{0,2}(?:[^'\\]|\\.))*+(?:''')?"
    rb"|\"(?:[^\"\\\r\n]|\\.)*+\"?|'(?:[^'\\\r\n]|\\.)*+'?"
    rb"|<[^<>\"{}|^`\x00-\x20]*+>|#[^\r\n]*+|(?P<open><<|[\[({])|(?P<close>>>|[\])}])",
    re.DOTALL,
)
_NO_LOADER: Final = "LoadDocumentCallback"


@dataclass(frozen=True, kw_only=True)
class Document:
    """An RDF document as it came: where it is, what it says it is, and what its relative IRIs are relative to."""

    path: Path
    media_type: str
    base_iri: str


def parse_document(document: Document, *, graph: ox.NamedNode | ox.DefaultGraph, max_depth: int) -> list[ox.Quad]:
    """The statements of a document as quads of a graph; its blank nodes are like those of no other.

    Raises:
        RdfSyntaxError: it is malformed; the message holds the line.
        WriteTooLarge: its brackets or elements stand deeper inside each other than that.
        WriteInvalid: it has a DTD, a remote context or named graphs.
    """
    rdf_format = ox.RdfFormat.from_media_type(document.media_type)
    if rdf_format is None:
        raise WriteInvalid(f"no RDF syntax is known as {document.media_type}")
    if document.path.stat().st_size == 0 and rdf_format in (_XML, _JSON):
        raise RdfSyntaxError("the document is empty")
    _check_depth(document.path, rdf_format, max_depth)
    try:
        parsed = ox.parse(
            path=str(document.path),
            format=rdf_format,
            base_iri=document.base_iri,
            without_named_graphs=True,
            rename_blank_nodes=True,
        )
        return [ox.Quad(each.subject, each.predicate, each.object, graph) for each in parsed]
    except SyntaxError as error:
        message = error.msg or str(error)
        if _NO_LOADER in message:
            raise WriteInvalid(
                "the document names a JSON-LD context on another server, and nothing is fetched here: "
                "put the context itself into the document"
            ) from error
        if "amed graph" in message:
            raise WriteInvalid(
                "the document has named graphs; send the statements of one graph, or several requests"
            ) from error
        line = f"line {error.lineno}: " if error.lineno and "line" not in message else ""
        raise RdfSyntaxError(f"the document is no {rdf_format.name}: {line}{message}") from error
    except (ValueError, OSError) as error:
        raise RdfSyntaxError(f"the document is no {rdf_format.name}: {error}") from error


def _check_depth(path: Path, rdf_format: ox.RdfFormat, limit: int) -> None:
    if rdf_format == _XML:
        _check_xml(path, limit)
        return
    if path.stat().st_size == 0:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        token = _JSON_TOKEN if rdf_format == _JSON else _TURTLE_TOKEN
        depth = 0
        for match in token.finditer(content):
            if match.lastgroup == "open":
                depth += 1
                if depth > limit:
                    raise _too_deep(limit)
            elif match.lastgroup == "close":
                depth = max(0, depth - 1)


def _check_xml(path: Path, limit: int) -> None:
    """Look through XML with a parser that expands and fetches nothing.

    Raises:
        RdfSyntaxError: it is not well-formed.
        WriteInvalid: it has a DTD.
        WriteTooLarge: it is too deep.
    """
    parser = expat.ParserCreate()
    depth = 0

    def refuse(*_: object) -> None:
        raise WriteInvalid("the document has a DTD, which could make it grow or reach out; write entities out")

    def begin(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > limit:
            raise _too_deep(limit)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    try:
        with path.open("rb") as file:
            for block in _iter_blocks(file):
                parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise RdfSyntaxError(f"the document is no XML: line {error.lineno}: {reason}") from error


def _iter_blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(1 << 20):
        yield block


def _too_deep(limit: int) -> WriteTooLarge:
    return WriteTooLarge(f"the document is more than {limit} brackets or elements deep; name the inner nodes with IRIs")
