"""The shapes, after they passed the checks that a SHACL engine does not make.

A graph in which no node is a target conforms, and engines pass over a misspelt term of SHACL without a word, so the
shapes are checked before they check anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from kg.errors import RdfError, RdfSyntaxError
from kg.terms import CHAP, SCHEME, SHAPES
from kg.validation import engine, native
from kg.validation.findings import Term

__all__ = ["NUMBERS", "RDF", "RDFS", "SH", "Shapes", "get_name", "iter_objects", "load_shapes"]

RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
SH: Final = "http://www.w3.org/ns/shacl#"
_OWL: Final = "http://www.w3.org/2002/07/owl#"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_REQUIRES: Final = "http://purl.org/dc/terms/requires"
_TYPE: Final = ox.NamedNode(RDF + "type")
_SHAPE_TYPES: Final = (ox.NamedNode(SH + "NodeShape"), ox.NamedNode(SH + "PropertyShape"))
_TERM_TYPES: Final = (
    _OWL + "Class",
    RDFS + "Class",
    _OWL + "ObjectProperty",
    _OWL + "DatatypeProperty",
    RDF + "Property",
)
# Where shapes name a class or a property; a misspelt one would make the constraint say nothing.
_NAMING: Final = (
    "targetClass",
    "class",
    "path",
    "targetSubjectsOf",
    "targetObjectsOf",
    "equals",
    "disjoint",
    "lessThan",
    "lessThanOrEquals",
)
_SEVERITIES: Final = (SH + "Violation", SH + "Warning", SH + "Info")
# Terms of SHACL beyond its Core and SPARQL constraints; what they ask for would be left undone.
_ADVANCED: Final = tuple(SH + name for name in ("expression", "js", "rule", "target"))
# SHACL 4.1.2 asks for a literal that is well-formed, but no engine knows all datatypes of XML Schema, and the gate's
# engine knows the forms of these.
NUMBERS: Final = frozenset(
    _XSD + name
    for name in (
        *("byte", "decimal", "double", "float", "int", "integer", "long", "negativeInteger", "nonNegativeInteger"),
        *("nonPositiveInteger", "positiveInteger", "short"),
        *("unsignedByte", "unsignedInt", "unsignedLong", "unsignedShort"),
    )
)
_WITH_FORM: Final = NUMBERS | {
    _XSD + name for name in ("anyURI", "boolean", "date", "dateTime", "duration", "string", "time")
}
# Texts for people. No engine needs them, and the gate's would copy them into every result.
_TEXTS: Final = tuple(ox.NamedNode(SH + name) for name in ("message", "name", "description"))
# The shapes that shapes must fit, and the list of SHACL's terms: published by W3C, shipped inside pyshacl.
_META_SHAPES: Final = "shacl-shacl.ttl"
_META_VOCABULARY: Final = "shacl.ttl"


@dataclass(frozen=True, eq=False)
class Shapes:
    """Checked shapes.

    Attributes:
        graph: all that the files say.
        constraints: what an engine needs of it, as N-Triples.
        messages: what each shape says to people, by language.
        ontology: the terms and concepts that the shapes speak about.
    """

    graph: ox.Store
    constraints: str
    messages: Mapping[str, Mapping[str, str]]
    ontology: ox.Store


def load_shapes(shapes_dir: Path, ontology_dir: Path) -> Shapes:
    """The shapes of a folder, checked.

    Every term of SHACL exists; every class, property and concept is declared in the ontology or listed by
    ``dcterms:requires`` in the shapes; every shape that is referred to is there; every shape has an IRI, a severity
    that a report knows and a path of one property, so that a finding can name them; the form of every datatype is
    checked by someone; the shapes are well-formed (the shapes of SHACL itself, SHACL appendix C); and the engine sees
    each of them.

    Raises:
        RdfSyntaxError: a file is no Turtle.
        RdfError: there are no shapes, or a check failed; the message lists every problem.
    """
    ontology = (path for pattern in ("*.ttl", "imports/*.ttl", "schemes/*.ttl") for path in ontology_dir.glob(pattern))
    paths = [*sorted(shapes_dir.glob("*.ttl")), *sorted(ontology)]
    return _load_checked(shapes_dir, tuple((path, path.stat().st_mtime_ns) for path in paths))


@lru_cache(maxsize=4)
def _load_checked(shapes_dir: Path, stamps: tuple[tuple[Path, int], ...]) -> Shapes:
    """Cached by the files' times, since a server or a test validates again and again."""
    paths = [path for path, _ in stamps]
    graph = _parse(path for path in paths if path.parent == shapes_dir)
    declared_shapes = {quad.subject for kind in _SHAPE_TYPES for quad in graph.quads_for_pattern(None, _TYPE, kind)}
    if not declared_shapes:
        raise RdfError(f"{shapes_dir}: no shapes here, so nothing would be checked")
    ontology = _parse(path for path in paths if path.parent != shapes_dir)
    problems = sorted({*_iter_misspelt(graph, ontology), *_iter_unusable(graph)})
    if not problems:
        problems = list(_iter_malformed(graph))
    if problems:
        raise RdfError(f"{shapes_dir}: {len(problems)} problem(s) in the shapes:\n  " + "\n  ".join(problems))
    constraints = _serialize(
        quad for quad in graph if not (quad.predicate in _TEXTS and quad.subject in declared_shapes)
    )
    if native.is_installed() and (seen := native.count_shapes(constraints)) != len(declared_shapes):
        raise RdfError(
            f"{shapes_dir}: the engine sees {seen} shapes where {len(declared_shapes)} are declared; "
            "give each an IRI and the type sh:NodeShape or sh:PropertyShape"
        )
    return Shapes(graph=graph, constraints=constraints, messages=_collect_messages(graph), ontology=ontology)


def iter_objects(graph: ox.Store, subject: str | None, predicate: str) -> Iterator[Term]:
    """The objects of all statements with this predicate, and with this subject where one is given."""
    node = None if subject is None else ox.NamedNode(subject)
    return (quad.object for quad in graph.quads_for_pattern(node, ox.NamedNode(predicate), None))


def get_name(term: Term) -> str:
    """The IRI, label or text of a term; a statement about which there are statements stands for itself."""
    return str(term) if isinstance(term, ox.Triple) else term.value


def _iter_subjects(graph: ox.Store, predicate: str, value: Term | None) -> Iterator[str]:
    return (get_name(quad.subject) for quad in graph.quads_for_pattern(None, ox.NamedNode(predicate), value))


def _parse(paths: Iterable[Path]) -> ox.Store:
    graph = ox.Store()
    for path in paths:
        try:
            # Blank nodes of two files are two, whatever their labels.
            graph.extend(ox.parse(path=str(path), format=ox.RdfFormat.TURTLE, rename_blank_nodes=True))
        except SyntaxError as error:
            raise RdfSyntaxError(f"{path}, line {error.lineno or '?'}: {error.msg}") from error
        except OSError as error:
            raise RdfError(f"{path}: {error}") from error
    return graph


def _serialize(quads: Iterable[ox.Quad]) -> str:
    return (ox.serialize([quad.triple for quad in quads], format=ox.RdfFormat.N_TRIPLES) or b"").decode()


def _collect_messages(graph: ox.Store) -> dict[str, dict[str, str]]:
    messages: dict[str, dict[str, str]] = defaultdict(dict)
    for quad in graph.quads_for_pattern(None, ox.NamedNode(SH + "message"), None):
        if isinstance(quad.object, ox.Literal):
            messages[get_name(quad.subject)][quad.object.language or ""] = quad.object.value
    return dict(messages)


def _iter_misspelt(graph: ox.Store, ontology: ox.Store) -> Iterator[str]:
    terms = {each for kind in _TERM_TYPES for each in _iter_subjects(ontology, _TYPE.value, ox.NamedNode(kind))}
    terms |= {get_name(each) for each in iter_objects(graph, None, _REQUIRES)}
    known = {get_name(quad.subject) for quad in _parse([_find_published(_META_VOCABULARY)])}
    for term in {part.value for quad in graph for part in quad.triple if isinstance(part, ox.NamedNode)}:
        if term.startswith(SH) and term not in known and term != SH:
            yield f"{term} is no term of SHACL"
        elif term.startswith(CHAP) and term not in terms:
            yield f"{term} is not declared in the ontology"
        elif term.startswith(SCHEME) and not any(_iter_about(ontology, term)):
            yield f"{term} is in no scheme of the ontology"
        elif term.startswith(SHAPES) and term != SHAPES and not any(_iter_about(graph, term)):
            yield f"{term} is referred to and does not exist"
    for naming in _NAMING:
        for named in iter_objects(graph, None, SH + naming):
            if isinstance(named, ox.NamedNode) and named.value not in terms:
                yield f"{named.value} is neither declared in the ontology nor required by the shapes"


def _iter_about(graph: ox.Store, iri: str) -> Iterator[ox.Quad]:
    return graph.quads_for_pattern(ox.NamedNode(iri), None, None)


def _iter_unusable(graph: ox.Store) -> Iterator[str]:
    """What is SHACL and of no use here: a finding could not be named, or a demand would not be looked at."""
    for kind in _SHAPE_TYPES:
        for quad in graph.quads_for_pattern(None, _TYPE, kind):
            if isinstance(quad.subject, ox.BlankNode):
                paths = " ".join(str(each.object) for each in graph.quads_for_pattern(quad.subject, None, None))
                yield f"a shape has no IRI, so no finding could name it: {paths}"
    for quad in graph.quads_for_pattern(None, ox.NamedNode(SH + "path"), None):
        if not isinstance(quad.object, ox.NamedNode):
            yield f"{get_name(quad.subject)}: sh:path must be one property, so that a finding can name it"
    for quad in graph.quads_for_pattern(None, ox.NamedNode(SH + "severity"), None):
        if get_name(quad.object) not in _SEVERITIES:
            yield f"{get_name(quad.subject)}: sh:severity must be sh:Violation, sh:Warning or sh:Info"
    for name in _ADVANCED:
        for subject in _iter_subjects(graph, name, None):
            yield f"{subject}: {name} is not evaluated; use SHACL Core or a SPARQL constraint"
    for quad in graph.quads_for_pattern(None, ox.NamedNode(SH + "datatype"), None):
        datatype = get_name(quad.object)
        has_pattern = any(graph.quads_for_pattern(quad.subject, ox.NamedNode(SH + "pattern"), None))
        if datatype.startswith(_XSD) and datatype not in _WITH_FORM and not has_pattern:
            yield f"{get_name(quad.subject)}: the engine does not know the form of {datatype}; add a sh:pattern"


def _iter_malformed(graph: ox.Store) -> Iterator[str]:
    """What the shapes of SHACL itself say about these."""
    meta = _serialize(_parse([_find_published(_META_SHAPES)]))
    for finding in engine.find(_serialize(graph).encode(), meta):
        yield f"{finding.focus} {finding.path or ''}: {finding.text or finding.component}"


def _find_published(name: str) -> Path:
    """A file of W3C inside pyshacl, found without loading pyshacl."""
    found = find_spec("pyshacl")
    for place in (found and found.submodule_search_locations) or ():
        path = Path(place) / "assets" / name
        if path.is_file():
            return path
    raise RdfError(f"pyshacl holds no {name} any more, so the shapes cannot be checked; install pyshacl 0.40 again")
