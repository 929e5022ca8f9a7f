"""JSON-LD documents: compacted with the published context, and framed so that the thing stands at the top.

A small part of JSON-LD 1.1 (Compaction and Framing with ``@embed: @once``) for triples without blank nodes and lists:
what the thing names is written where it is named first, what points to the thing stands under ``@reverse``, and what
is neither under ``@included``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from endpoint.documents.triples import Description, Triple, describe
from endpoint.sparql.ask import Term
from kg.errors import SettingsError

__all__ = ["Context", "load_context", "write_jsonld"]

_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_XSD_STRING: Final = "http://www.w3.org/2001/XMLSchema#string"
_LOCAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Deeper than any document goes; it keeps a chain of a thousand nodes from being one bracket in another.
_DEPTH: Final = 8


@dataclass(frozen=True)
class Context:
    """The published context: its bytes, prefixes by namespace, and of properties the type or container of values.

    A coercion is ``@id``, ``@language`` or the IRI of a datatype.
    """

    body: bytes
    prefixes: Mapping[str, str]
    coercions: Mapping[str, str]

    def compact(self, iri: str) -> str:
        """The compact IRI, where there is a prefix; our namespaces all end in a slash or a hash."""
        at = max(iri.rfind("#"), iri.rfind("/")) + 1
        prefix = self.prefixes.get(iri[:at])
        return f"{prefix}:{iri[at:]}" if prefix and _LOCAL.fullmatch(iri, at) else iri


def load_context(path: Path) -> Context:
    """The context in ``ontology/context.jsonld``.

    Raises:
        SettingsError: the file is gone or no such context.
    """
    try:
        body = path.read_bytes()
        terms = json.loads(body)["@context"]
        namespaces = {name: value for name, value in terms.items() if isinstance(value, str) and value[-1] in "/#"}
        coercions = {
            _expand(entry["@id"], namespaces): _find_coercion(entry, namespaces)
            for entry in terms.values()
            if isinstance(entry, dict)
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path}: no usable JSON-LD context ({error!r}); is ENDPOINT_ONTOLOGY_DIR right?"
        ) from error
    return Context(body, {namespace: name for name, namespace in namespaces.items()}, coercions)


def write_jsonld(triples: Iterable[Triple], *, root: str, context: Context, context_url: str) -> bytes:
    """The triples as one JSON-LD document about ``root``, which refers to the context by its address."""
    writer = _Writer(describe(triples), context)
    first = writer.write_root(root)
    rest = writer.write_rest()
    document = {"@context": context_url, **first} | ({"@included": rest} if rest else {})
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


class _Writer:
    """Writes each subject once, where it is named first."""

    def __init__(self, description: Description, context: Context) -> None:
        self._left = {subject: description[subject] for subject in sorted(description)}
        self._context = context

    def write_root(self, root: str) -> dict[str, Any]:
        link_to_root = Term("uri", root)
        pointing = {
            subject: min(
                (name for name, values in properties.items() if link_to_root in values), key=self._context.compact
            )
            for subject, properties in self._left.items()
            if subject != root and any(link_to_root in values for values in properties.values())
        }
        # These stand under the root, wherever else they are named.
        held = {subject: self._left.pop(subject) for subject in pointing}
        node = self._write_node(root, self._left.pop(root, {}), depth=0)
        reverse: dict[str, list[dict[str, Any]]] = {}
        for subject, properties in held.items():
            link = pointing[subject]
            kept = {
                predicate: [value for value in values if predicate != link or value != link_to_root]
                for predicate, values in properties.items()
            }
            reverse.setdefault(self._context.compact(link), []).append(self._write_node(subject, kept, depth=1))
        if reverse:
            node["@reverse"] = dict(sorted(reverse.items()))
        return node

    def write_rest(self) -> list[dict[str, Any]]:
        nodes = []
        while self._left:
            subject = next(iter(self._left))
            nodes.append(self._write_node(subject, self._left.pop(subject), depth=0))
        return nodes

    def _write_node(self, iri: str, properties: Mapping[str, list[Term]], *, depth: int) -> dict[str, Any]:
        node: dict[str, Any] = {"id": iri}
        if types := sorted(self._context.compact(value.value) for value in properties.get(_TYPE, ())):
            node["type"] = types
        written: dict[str, Any] = {}
        for predicate in sorted(properties, key=self._context.compact):
            if predicate != _TYPE and properties[predicate]:
                written |= self._write_values(predicate, properties[predicate], depth=depth)
        return node | written

    def _write_values(self, predicate: str, values: list[Term], *, depth: int) -> dict[str, Any]:
        """The values that fit the coercion of the property under its name, the others under its whole IRI."""
        coercion = self._context.coercions.get(predicate, "")
        languages: dict[str, list[str]] = {}
        fitting: list[Any] = []
        others: list[Any] = []
        for value in sorted(values, key=lambda each: (each.value, each.language or "")):
            if value.kind == "uri":
                embedded = self._embed(value.value, depth=depth)
                (fitting if coercion in ("@id", "") else others).append(
                    embedded or (value.value if coercion == "@id" else {"id": value.value})
                )
            elif coercion == "@language" and not _is_typed(value):
                languages.setdefault(value.language or "@none", []).append(value.value)
            elif coercion and value.datatype == coercion:
                fitting.append(value.value)
            else:
                (others if coercion else fitting).append(_write_literal(value, self._context))
        found: dict[str, Any] = {}
        if languages:
            found[self._context.compact(predicate)] = {tag: _unwrap(texts) for tag, texts in sorted(languages.items())}
        elif fitting:
            found[self._context.compact(predicate)] = _unwrap(fitting)
        if others:
            found[predicate] = _unwrap(others)
        return found

    def _embed(self, iri: str, *, depth: int) -> dict[str, Any] | None:
        if depth >= _DEPTH or iri not in self._left:
            return None
        return self._write_node(iri, self._left.pop(iri), depth=depth + 1)


def _write_literal(value: Term, context: Context) -> Any:
    if value.language:
        return {"@value": value.value, "@language": value.language}
    if _is_typed(value):
        return {"@value": value.value, "@type": context.compact(value.datatype or "")}
    return value.value


def _is_typed(value: Term) -> bool:
    return value.datatype is not None and value.datatype != _XSD_STRING


def _unwrap(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _expand(name: str, namespaces: Mapping[str, str]) -> str:
    prefix, _, local = name.partition(":")
    return namespaces[prefix] + local


def _find_coercion(entry: Mapping[str, str], namespaces: Mapping[str, str]) -> str:
    if "@container" in entry:
        return entry["@container"]
    return entry["@type"] if entry["@type"] == "@id" else _expand(entry["@type"], namespaces)
