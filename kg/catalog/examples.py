"""What editors and agents configure themselves by: the prefix map, and the competency questions as example queries.

The terms are those of SHACL (``sh:declare``, ``sh:SPARQLExecutable``), as query editors look for them in an endpoint's
own description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from kg.catalog.facts import construct
from kg.queries import Query, load_directory
from kg.rdfio import load_graph
from kg.tables import ROW, XYZ
from kg.terms import BASE, PUBLIC_PLACEHOLDER

__all__ = ["iter_examples"]

_FORM: Final = re.compile(r"^\s*(SELECT|ASK|CONSTRUCT)\b", re.MULTILINE)


def iter_examples(ontology_dir: Path) -> Iterator[ox.Triple]:
    """The prefix declarations and the example queries.

    Raises:
        RdfSyntaxError: the prefix map is malformed.
        QueryError: the header of a question is incomplete.
    """
    for quad in load_graph(ontology_dir / "prefixes.ttl", graph_iri=BASE):
        yield quad.triple
    rows = ox.Store()
    rows.add(_cell("settings", "base", PUBLIC_PLACEHOLDER))
    for query in load_directory(ontology_dir / "questions"):
        rows.extend(_describe(query))
    yield from construct(rows, "void/examples")


def _describe(query: Query) -> Iterator[ox.Quad]:
    text = "".join(line for line in query.text.splitlines(keepends=True) if not line.startswith("#+"))
    form = _FORM.search(text)
    yield _cell(query.id, "id", query.id)
    yield _cell(query.id, "text", text)
    yield _cell(query.id, "form", form[1] if form else "")
    yield _cell(query.id, "question", query.summary, language="en")
    german = query.find_note("question_de")
    if german is not None:
        yield _cell(query.id, "question", german, language="de")


def _cell(row: str, column: str, value: str, *, language: str | None = None) -> ox.Quad:
    return ox.Quad(ox.NamedNode(ROW + row), ox.NamedNode(XYZ + column), ox.Literal(value, language=language))
