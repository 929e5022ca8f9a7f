"""Solutions of outside endpoints, read and checked, and written as one document of SPARQL JSON for the engine.

In a worker only: what comes from outside is never parsed in the process that accepts connections.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pyoxigraph as ox

__all__ = ["MEDIA_TYPE", "NotSolutions", "Solutions"]

MEDIA_TYPE: Final = "application/sparql-results+json"
_XSD_STRING: Final = "http://www.w3.org/2001/XMLSchema#string"
_SHOWN: Final = 100


class NotSolutions(Exception):
    """Bytes are no table of solutions; the message says what is wrong with them."""


class Solutions:
    """The solutions of several answers, one after the other.

    Blank nodes of different answers are different nodes, and the engine keeps the labels that it reads, so each gets a
    label of its own here (SPARQL 1.1 Query Results JSON Format, section 3.2.2). That of an endpoint may be anything:
    Virtuoso writes ``nodeID://b10``.
    """

    def __init__(self, *, label: str) -> None:
        self._label = label
        self._nodes = 0
        self._variables: dict[str, None] = {}
        self._rows: list[dict[str, Any]] = []
        # What was found to be well-formed once: IRIs and language tags come again and again.
        self._iris: set[str] = set()
        self._languages: set[str] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, body: bytes, media_type: str) -> None:
        """Take one answer.

        Raises:
            NotSolutions: it is broken, a truth value, or in a format that is not read.
        """
        try:
            document = json.loads(body) if media_type == MEDIA_TYPE else _read_xml(body, media_type)
            names, rows = document["head"]["vars"], document["results"]["bindings"]
            labels: dict[str, str] = {}
            found = [{name: self._check(term, labels) for name, term in row.items()} for row in rows]
            self._variables.update((ox.Variable(name).value, None) for name in names)
        except (ValueError, RecursionError) as error:
            raise NotSolutions(f"{error}" or "it is no JSON") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise NotSolutions(f"it is no table of solutions ({type(error).__name__}: {error})") from error
        self._rows += found

    def write(self) -> bytes:
        """All of them as SPARQL JSON."""
        return json.dumps({"head": {"vars": list(self._variables)}, "results": {"bindings": self._rows}}).encode()

    def _check(self, term: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
        """A term as the engine is to read it.

        Raises:
            ValueError: an IRI or a language tag in it is none.
            KeyError, TypeError: something is missing, or no text.
        """
        kind, value = term["type"], term["value"]
        if kind == "triple":
            return {"type": kind, "value": {name: self._check(part, labels) for name, part in value.items()}}
        if not isinstance(value, str):
            raise TypeError(f"the value {value!r:.{_SHOWN}} is no text")
        if kind == "uri":
            return {"type": kind, "value": self._check_iri(value)}
        if kind == "bnode":
            if value not in labels:
                self._nodes += 1
                labels[value] = f"{self._label}n{self._nodes}"
            return {"type": kind, "value": labels[value]}
        checked = {"type": "literal", "value": value}
        if (language := term.get("xml:lang")) is not None:
            if language not in self._languages:
                ox.Literal("", language=language)
                self._languages.add(language)
            checked["xml:lang"] = language
        elif (datatype := term.get("datatype")) is not None and datatype != _XSD_STRING:
            checked["datatype"] = self._check_iri(datatype)
        return checked

    def _check_iri(self, value: str) -> str:
        if value not in self._iris:
            try:
                ox.NamedNode(value)
            except ValueError as error:
                raise ValueError(f"<{value[:_SHOWN]}> in it is no IRI, leave it out with FILTER ({error})") from error
            self._iris.add(value)
        return value


def _read_xml(body: bytes, media_type: str) -> dict[str, Any]:
    """The solutions of another format, by the engine's own parser, as those of SPARQL JSON are read.

    Raises:
        ValueError: it is none of its formats, or broken.
    """
    form = ox.QueryResultsFormat.from_media_type(media_type)
    if form is None:
        raise ValueError(f"{media_type or 'an answer without a media type'} is no format of SPARQL results")
    try:
        answer = ox.parse_query_results(body, format=form)
        if not isinstance(answer, ox.QuerySolutions):
            raise ValueError("it is a truth value")
        document = answer.serialize(format=ox.QueryResultsFormat.JSON)
    except (SyntaxError, OSError) as error:
        raise ValueError(str(error)) from error
    assert document is not None
    read: dict[str, Any] = json.loads(document)
    return read
