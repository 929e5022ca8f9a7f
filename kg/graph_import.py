"""A document brought in from the command line: the same change, with the same guards and the same gate, as a PUT."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyoxigraph as ox

from kg.draft import Draft
from kg.errors import InvalidIri, RdfError
from kg.rdfio import make_graph, name_graph
from kg.settings import KgSettings
from kg.terms import WRITTEN, parse_written
from kg.transaction import Outcome, Write, Writer, write
from kg.untrusted import Document, parse_document

__all__ = ["import_graph"]

# Named as who wrote it, where a token's name would stand.
_WRITER: Final = "kg-import"
_DEFAULT: Final = "default"


def import_graph(settings: KgSettings, path: Path, *, name: str, max_depth: int, is_dry_run: bool = False) -> Outcome:
    """What came of replacing a graph by the statements of a document; nothing where the report has violations.

    Args:
        settings: where ontology, shapes and releases are.
        path: the document; its suffix tells the syntax.
        name: the last part of the name of a written graph; in plain mode an IRI, or ``default``.
        max_depth: brackets or elements that may stand inside each other.
        is_dry_run: whether it is only tried.

    Raises:
        RdfError: the file cannot be read, or its syntax is not known.
        RdfSyntaxError, WriteTooLarge, WriteInvalid: as of kg.untrusted.parse_document.
        InvalidIri: the name is none.
        ReleaseError: as of kg.transaction.write.
    """
    graph = _find_graph(name, is_plain=settings.is_plain)
    rdf_format = ox.RdfFormat.from_extension(path.suffix.removeprefix("."))
    if rdf_format is None:
        raise RdfError(f"{path}: no RDF syntax is known for the suffix {path.suffix!r}; use .ttl, .nt, .rdf or .jsonld")
    if not path.is_file():
        raise RdfError(f"{path}: there is no such file")
    base_iri = name_graph(graph) or path.resolve().as_uri()
    document = Document(path=path, media_type=rdf_format.media_type, base_iri=base_iri)
    quads = parse_document(document, graph=graph, max_depth=max_depth)

    def replace(draft: Draft) -> None:
        draft.replace(graph, quads)

    work = Write(apply=replace, writer=Writer(name=_WRITER, graphs=("",)), is_dry_run=is_dry_run)
    return write(settings, work, on_commit=lambda: None)


def _find_graph(name: str, *, is_plain: bool) -> ox.NamedNode | ox.DefaultGraph:
    if not is_plain:
        return ox.NamedNode(parse_written(WRITTEN + name))
    try:
        return make_graph("" if name == _DEFAULT else name)
    except ValueError as error:
        raise InvalidIri(f"{name!r} is no IRI: name a graph such as http://example.org/g, or 'default'") from error
