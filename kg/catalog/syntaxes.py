"""A graph in every syntax, each byte a function of the triples, their order and the prefixes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyoxigraph as ox

__all__ = ["sort_triples", "write_syntax"]

_FORMATS: Final[Mapping[str, ox.RdfFormat]] = {
    ".ttl": ox.RdfFormat.TURTLE,
    ".jsonld": ox.RdfFormat.JSON_LD,
    ".rdf": ox.RdfFormat.RDF_XML,
    ".nt": ox.RdfFormat.N_TRIPLES,
}
_NAME: Final = re.compile(r"[^/#]*$")


def sort_triples(triples: Iterable[ox.Triple], *, first: Sequence[str] = ()) -> list[ox.Triple]:
    """Each triple once, sorted by its canonical form, so that neighbours with one subject share a block.

    Some documents come first, in the order given: each an address with all that has it before a hash.
    """
    ranks = {address: rank for rank, address in enumerate(first)}

    def place(triple: ox.Triple) -> tuple[int, str, str]:
        subject = str(triple.subject).strip("<>")
        return ranks.get(subject.partition("#")[0], len(ranks)), subject, str(triple)

    return sorted(set(triples), key=place)


def write_syntax(triples: Collection[ox.Triple], path: Path, *, prefixes: Mapping[str, str]) -> None:
    """Write triples in the order given, in the syntax that the suffix of the path names; of the prefixes those in use.

    Raises:
        OSError: the file cannot be written.
    """
    names = {
        term.datatype.value if isinstance(term, ox.Literal) else term.value
        for triple in triples
        for term in triple
        if not isinstance(term, ox.Triple)
    }
    namespaces = {_NAME.sub("", name) for name in names}
    used = {prefix: namespace for prefix, namespace in prefixes.items() if namespace in namespaces}
    ox.serialize(triples, str(path), format=_FORMATS[path.suffix], prefixes=used)
