"""Solutions of outside endpoints: read by the engine's own parsers, written as one document of SPARQL JSON.

In a worker only: what comes from outside is never parsed in the process that accepts connections.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pyoxigraph as ox

__all__ = ["MEDIA_TYPE", "NotSolutions", "Solutions"]

MEDIA_TYPE: Final = "application/sparql-results+json"
_XSD_STRING: Final = "http://www.w3.org/2001/XMLSchema#string"


class NotSolutions(Exception):
    """Bytes are no table of solutions; the message says what is wrong with them."""


class Solutions:
    """The solutions of several answers, one after the other.

    Blank nodes of different answers are different nodes, and the engine keeps the labels that it reads, so each answer
    gets labels of its own (SPARQL 1.1 Query Results JSON Format, section 3.2.2).
    """

    def __init__(self, *, label: str) -> None:
        self._label = label
        self._answers = 0
        self._variables: dict[str, None] = {}
        self._rows: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, body: bytes, media_type: str) -> None:
        """Take one answer.

        Raises:
            NotSolutions: it is broken, a truth value, or in a format that is not read.
        """
        form = ox.QueryResultsFormat.from_media_type(media_type)
        if form is None:
            raise NotSolutions(f"{media_type or 'an answer without a media type'} is no format of SPARQL results")
        self._answers += 1
        prefix = f"{self._label}a{self._answers}b"
        try:
            answer = ox.parse_query_results(body, format=form)
            if not isinstance(answer, ox.QuerySolutions):
                raise NotSolutions("it is a truth value")
            names = [variable.value for variable in answer.variables]
            self._variables.update(dict.fromkeys(names))
            for solution in answer:
                terms = zip(names, solution, strict=True)
                self._rows.append({name: _encode(term, prefix) for name, term in terms if term is not None})
        except (SyntaxError, ValueError, OSError) as error:
            raise NotSolutions(str(error)) from error

    def write(self) -> bytes:
        """All of them as SPARQL JSON."""
        return json.dumps({"head": {"vars": list(self._variables)}, "results": {"bindings": self._rows}}).encode()


def _encode(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple, prefix: str) -> dict[str, Any]:
    match term:
        case ox.NamedNode():
            return {"type": "uri", "value": term.value}
        case ox.BlankNode():
            return {"type": "bnode", "value": prefix + term.value}
        case ox.Literal():
            if term.language is not None:
                return {"type": "literal", "value": term.value, "xml:lang": term.language}
            if term.datatype.value == _XSD_STRING:
                return {"type": "literal", "value": term.value}
            return {"type": "literal", "value": term.value, "datatype": term.datatype.value}
        case ox.Triple():
            parts = {"subject": term.subject, "predicate": term.predicate, "object": term.object}
            return {"type": "triple", "value": {name: _encode(part, prefix) for name, part in parts.items()}}
