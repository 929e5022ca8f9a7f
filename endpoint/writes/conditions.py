"""Conditions of a request on the state of a graph: ``If-Match`` and ``If-None-Match`` (RFC 9110, section 13.1).

The tag of a graph is its digest; a representation adds its syntax, and its coding (``"<digest>.turtle-gzip"``), since
these are different bytes. A condition is about the state, so it looks at the digest alone.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers

from endpoint.http.problems import Problem
from endpoint.writes.messages import Expectation

__all__ = ["make_tag", "read_expectations"]

_TAG: Final = re.compile(r'\s*(W/)?"([^"]*)"\s*(?:,|$)')
_DIGEST_LENGTH: Final = 64


def make_tag(digest: str, suffix: str = "") -> str:
    """The tag of a graph, or of its representation in the syntax of a suffix.

    >>> make_tag("ab", "ttl")
    '"ab.ttl"'
    """
    return f'"{digest}.{suffix}"' if suffix else f'"{digest}"'


def read_expectations(headers: Headers, graph: str) -> tuple[Expectation, ...]:
    """What a request expects of a graph.

    Raises:
        Problem: 400, a header is malformed.
    """
    found = []
    for name, negated in (("if-match", False), ("if-none-match", True)):
        text = ", ".join(headers.getlist(name)).strip()
        if not text:
            continue
        digests: list[str] = []
        if text != "*":
            position = 0
            while position < len(text):
                match = _TAG.match(text, position)
                if match is None:
                    raise Problem("bad-condition", 400, f'{name}: {text!r} is no list of tags such as "abc".')
                # A weak tag never fits If-Match (strong comparison).
                if negated or not match[1]:
                    digests.append(match[2][:_DIGEST_LENGTH])
                position = match.end()
        found.append(Expectation(graph=graph, digests=tuple(digests), any=text == "*", negated=negated))
    return tuple(found)
