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
            document = json.loads(body)
            return len(document["results"]["bindings"]) if "results" in document else None
        case "application/sparql-results+xml":
            # Text is escaped, so the tag is one.
            return body.count(b"<result>") if b"<results>" in body or b"<results/>" in body else None
        case "text/tab-separated-values":
            # Line ends inside values are escaped; a boolean is a line without a header.
            return body.count(b"\n") - 1 if body.startswith((b"?", b"\n")) else None
        case "text/csv":
            rows = sum(1 for _ in csv.reader(io.StringIO(body.decode(), newline="")))
            return rows - 1 if body not in (b"true", b"false", b"true\r\n", b"false\r\n") else None
        case _:
            return None
