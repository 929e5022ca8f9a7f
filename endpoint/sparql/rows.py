"""How many rows a small result has, from its bytes: the engine writes results without counting."""

from __future__ import annotations

import csv
import io
import json

__all__ = ["count_rows"]


def count_rows(body: bytes, media_type: str) -> int | None:
    r"""The solutions of a complete result; None for a boolean and for a graph.

    >>> count_rows(b"?x\n1\n2\n", "text/tab-separated-values")
    2
    """
    match media_type:
        case "application/sparql-results+json":
            return _count_json(body)
        case "application/sparql-results+xml":
            # Text is escaped, so the tag is one.
            return body.count(b"<result>") if b"<results>" in body or b"<results/>" in body else None
        case "text/tab-separated-values":
            # Line ends inside values are escaped; a boolean is a line without a header.
            return body.count(b"\n") - 1 if body.startswith((b"?", b"\n")) else None
        case "text/csv" if body not in (b"true", b"false", b"true\r\n", b"false\r\n"):
            lines = csv.reader(io.StringIO(body.decode(), newline="")) if b'"' in body else body.splitlines()
            return sum(1 for _ in lines) - 1
        case _:
            return None


def _count_json(body: bytes) -> int | None:
    if b"{}" in body:
        document = json.loads(body)
        return len(document["results"]["bindings"]) if "results" in document else None
    if b'"results":{"bindings":[' not in body:
        return None
    # No row is empty, so each begins with a quote, which inside a text would be escaped.
    return body.count(b'},{"') + (b'"bindings":[{"' in body)
