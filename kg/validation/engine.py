"""The engine of the gate: the fast one wherever it runs, else the slow one; both answer alike."""

from __future__ import annotations

from pathlib import Path

from kg.validation import native
from kg.validation.findings import Finding

__all__ = ["find"]


def find(data: Path | bytes, shapes: str) -> tuple[Finding, ...]:
    """All results of validating a graph.

    Args:
        data: N-Quads, or the path of a file ``*.nq``; the merge of all its graphs is validated.
        shapes: the shapes graph, as N-Triples.

    Raises:
        RdfError: the engine cannot read the shapes.
        EngineFailed: the engine gave up on the data.
    """
    if native.is_installed():
        return native.find(data, shapes)
    from kg.validation import second  # noqa: PLC0415 - slow to load, and mostly not needed

    return second.find(data, shapes)
