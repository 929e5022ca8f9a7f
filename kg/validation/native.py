"""The engine of the gate: ``shacl``, written in Rust; a million statements in seconds, a small graph in milliseconds.

It runs in this process. What it refuses and what it panics at is an ``EngineFailed``; a crash that no program survives
(no memory, no stack) ends the process, and with it the build or the writer, before anything was published.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyoxigraph as ox

from kg.errors import EngineFailed, RdfError
from kg.validation.findings import Finding, Term

if TYPE_CHECKING:
    import shacl

__all__ = ["NAME", "count_shapes", "find", "is_installed"]

NAME: Final = "shacl"
_SUBJECT: Final = "<urn:x> <urn:x> "


def is_installed() -> bool:
    """Whether there is such an engine for this machine; pyproject.toml names the platforms that it is made for."""
    return find_spec(NAME) is not None


def find(data: Path | bytes, shapes: str) -> tuple[Finding, ...]:
    """All results of validating a graph.

    Args:
        data: N-Quads, or the path of a file ``*.nq``; the merge of all its graphs is validated.
        shapes: the shapes graph, as N-Triples.

    Raises:
        RdfError: the engine cannot read the shapes.
        EngineFailed: the engine gave up on the data.
    """
    compiled = _compile(shapes)
    try:
        if isinstance(data, Path):
            report = compiled.validate_file(str(data))
        else:
            report = compiled.validate_text(data.decode(), "nquads")
        return tuple(_iter_findings(report.results))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of Rust is no Exception (pyo3_runtime.PanicException)
        raise EngineFailed(f"the SHACL engine {NAME} failed, so nothing is known about the data: {error}") from error


def count_shapes(shapes: str) -> int:
    """How many shapes the engine sees in a shapes graph: one that it does not see would check nothing.

    Raises:
        RdfError: the engine cannot read the shapes.
    """
    return len(_compile(shapes))


@lru_cache(maxsize=4)
def _compile(shapes: str) -> shacl.Shapes:
    import shacl  # noqa: PLC0415 - there are machines without it

    try:
        return shacl.Shapes.from_text(shapes, "ntriples")
    except ValueError as error:
        raise RdfError(f"the SHACL engine {NAME} cannot use the shapes: {error}") from error


def _iter_findings(results: Iterable[shacl.Result]) -> Iterable[Finding]:
    results = list(results)
    # The engine gives terms in N-Triples; all values are parsed at once.
    lines = "".join(f"{_SUBJECT}{each.value} .\n" for each in results if each.value is not None)
    values: Iterable[Term] = (quad.object for quad in ox.parse(lines, format=ox.RdfFormat.N_TRIPLES))
    remaining = iter(values)
    for each in results:
        yield Finding(
            focus=_strip(each.focus_node),
            path=None if each.path is None else _strip(each.path),
            component=each.component_iri,
            value=None if each.value is None else next(remaining),
            severity=each.severity,
            shape=_strip(each.source_shape or ""),
            text=each.message or "",
        )


def _strip(term: str) -> str:
    """The IRI inside a term of N-Triples; anything else, such as a blank node or a path, as it is.

    >>> _strip("<http://example.com/a>"), _strip("<http://example.com/a>/<http://example.com/b>")
    ('http://example.com/a', '<http://example.com/a>/<http://example.com/b>')
    """
    inner = term[1:-1]
    return inner if term.startswith("<") and "<" not in inner else term
