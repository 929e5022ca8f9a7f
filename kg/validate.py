"""Validate: does what we would publish fit the shapes? A report is a value; an exception means that we could not look.

SHACL Core, no inference. The engine of the gate is fast; a second one gives its opinion on request.
"""

from __future__ import annotations

import hashlib
import mmap
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final, get_args

import pyoxigraph as ox

from kg.errors import RdfError
from kg.report import Report, Result, Severity, Trace
from kg.scratch import make_scratch
from kg.tables import RecordRef
from kg.terms import SCHEME
from kg.validation import engine
from kg.validation.findings import Finding, Term
from kg.validation.reach import Surroundings, find_layers, find_surroundings
from kg.validation.shapes import RDF, RDFS, SH, Shapes, get_name, load_shapes

__all__ = ["Report", "Result", "Trace", "digest_shapes", "extract_change", "validate", "validate_change"]

_SEVERITIES: Final[dict[str, Severity]] = {name: name for name in get_args(Severity)}
_TYPE: Final = ox.NamedNode(RDF + "type")
_SUB_CLASS: Final = ox.NamedNode(RDFS + "subClassOf")
# A concept as subject and as object of a line of N-Quads: no literal can hold such bytes there (its quotes come after).
_DESCRIBED: Final = re.compile(rb"^<(%b[^>]*)> " % re.escape(SCHEME.encode()), re.MULTILINE)
_USED: Final = re.compile(rb" <(%b[^>]*)>(?: <[^>]*>)? \.$" % re.escape(SCHEME.encode()), re.MULTILINE)


def validate(
    data: ox.Store, *, shapes_dir: Path, ontology_dir: Path, trace: Trace | None = None, cross_check: bool = False
) -> Report:
    """The findings about all graphs of a store taken together.

    What the store does not say about classes and concepts that it uses is taken from the ontology, so that a
    file of instance data can be validated alone.

    Args:
        data: the store; the merge of its default graph and all named graphs is validated.
        shapes_dir: the folder with the shapes; folders below it are not read.
        ontology_dir: the folder with ontology and schemes.
        trace: node IRI to the rows that it came from.
        cross_check: whether a second engine has to find the same.

    Raises:
        RdfError: the shapes are no good, or a finding is about a blank node, so nothing can be said about the data.
        EngineFailed: an engine gave up.
        EnginesDisagree: the engines find different things.
    """
    shapes = load_shapes(shapes_dir, ontology_dir)
    with make_scratch("validate") as directory:
        path = directory / "data.nq"
        data.dump(str(path), format=ox.RdfFormat.N_QUADS)
        context = [*shapes.ontology.quads_for_pattern(None, _SUB_CLASS, None), *_iter_concepts(path, shapes.ontology)]
        with path.open("ab") as output:
            output.write(ox.serialize(context, format=ox.RdfFormat.N_QUADS) or b"")
        if cross_check:
            from kg.validation.compare import find_twice  # noqa: PLC0415 - loads the slow engine

            findings = find_twice(path, shapes)
        else:
            findings = engine.find(path, shapes.constraints)
    return Report.of(
        (_make_result(each, shapes, trace or {}) for each in findings),
        idle_shapes=_iter_idle(data, shapes),
    )


def digest_shapes(shapes_dir: Path) -> str:
    """What the shapes are, so that a release says by which it was judged."""
    digest = hashlib.sha256()
    for path in sorted(shapes_dir.rglob("*.ttl")):
        digest.update(path.relative_to(shapes_dir).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def extract_change(
    data: ox.Store, changed: Collection[ox.Quad], *, shapes_dir: Path, ontology_dir: Path
) -> Surroundings | None:
    """What has to be validated when these statements came or went; None where that is everything.

    Args:
        data: the store, with the change made.
        changed: the statements; of which graphs does not matter.
        shapes_dir: as of :func:`validate`.
        ontology_dir: as of :func:`validate`.
    """
    layers = find_layers(load_shapes(shapes_dir, ontology_dir))
    return None if layers is None else find_surroundings(data, changed, layers=layers)


def validate_change(data: ox.Store, around: Surroundings | None, *, shapes_dir: Path, ontology_dir: Path) -> Report:
    """The findings about all that a change can have made unfit, given that nothing else is.

    Args:
        data: the store, with the change made.
        around: what :func:`extract_change` found.
        shapes_dir: as of :func:`validate`.
        ontology_dir: as of :func:`validate`.

    Raises:
        RdfError: as of :func:`validate`.
        EngineFailed: the engine gave up.
    """
    if around is None:
        return validate(data, shapes_dir=shapes_dir, ontology_dir=ontology_dir)
    report = validate(around.data, shapes_dir=shapes_dir, ontology_dir=ontology_dir)
    return Report.of(each for each in report.results if each.focus in around.focus)


def _iter_concepts(nquads_path: Path, ontology: ox.Store) -> Iterator[ox.Quad]:
    """What the schemes say of concepts that the data uses and does not describe, and of those that these refer to."""
    described, used = _find_concepts(nquads_path)
    waiting = sorted(used - described)
    while waiting:
        iri = waiting.pop()
        if iri in described:
            continue
        described.add(iri)
        for quad in ontology.quads_for_pattern(ox.NamedNode(iri), None, None):
            yield quad
            if isinstance(quad.object, ox.NamedNode) and quad.object.value.startswith(SCHEME):
                waiting.append(quad.object.value)


def _find_concepts(nquads_path: Path) -> tuple[set[str], set[str]]:
    """The concepts of ours that the data describes, and those that it uses."""
    if nquads_path.stat().st_size == 0:
        return set(), set()
    with nquads_path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as lines:
        described, used = ({iri.decode() for iri in pattern.findall(lines)} for pattern in (_DESCRIBED, _USED))
    return described, used


def _iter_idle(data: ox.Store, shapes: Shapes) -> Iterator[str]:
    """The shapes with targets of which the data has none."""

    def has_instance(class_iri: str) -> bool:
        waiting, seen = [class_iri], set[str]()
        while waiting:
            iri = waiting.pop()
            if iri not in seen:
                seen.add(iri)
                narrower = shapes.ontology.quads_for_pattern(None, _SUB_CLASS, ox.NamedNode(iri))
                waiting += [get_name(quad.subject) for quad in narrower]
        return any(_has(data, _TYPE, ox.NamedNode(iri)) for iri in seen)

    busy: dict[str, bool] = {}
    for name in ("targetClass", "targetSubjectsOf", "targetObjectsOf", "targetNode"):
        for quad in shapes.graph.quads_for_pattern(None, ox.NamedNode(SH + name), None):
            shape, target = get_name(quad.subject), quad.object
            found = name == "targetNode"
            if isinstance(target, ox.NamedNode) and not found:
                found = has_instance(target.value) if name == "targetClass" else _has(data, target, None)
            busy[shape] = busy.get(shape, False) or found
    return (shape for shape, found in busy.items() if not found)


def _has(data: ox.Store, predicate: ox.NamedNode, value: ox.NamedNode | None) -> bool:
    return any(True for _ in data.quads_for_pattern(None, predicate, value))


def _make_result(finding: Finding, shapes: Shapes, trace: Trace) -> Result:
    if finding.focus.startswith("_:") or isinstance(finding.value, ox.BlankNode | ox.Triple):
        raise RdfError(
            f"{finding.focus}: a finding about a blank node or a statement cannot be told; "
            f"give the node an IRI (rule {finding.shape}, value {finding.value})"
        )
    return Result(
        focus=finding.focus,
        path=finding.path,
        value=finding.value,
        component=finding.component,
        severity=_SEVERITIES[finding.severity],
        shape=finding.shape,
        messages=shapes.messages.get(finding.shape) or {"": finding.text},
        records=_rank(_find_records(finding.focus, trace), finding.value),
    )


def _find_records(focus: str, trace: Trace) -> tuple[RecordRef, ...]:
    """The rows of a node, or of the node that it is a part of (``...#address``)."""
    return trace.get(focus) or trace.get(focus.partition("#")[0]) or ()


def _rank(records: Iterable[RecordRef], value: Term | None) -> tuple[RecordRef, ...]:
    """The likeliest culprit first: a row that names the value, then the thing's own row, last the register of IRIs."""
    records = tuple(records)
    slug = value.value.rpartition("/")[2] if isinstance(value, ox.NamedNode) else ""
    own_keys = {each.key for each in records if each.table == "iris"}

    def rank(record: RecordRef) -> tuple[bool, bool, bool, str, int]:
        words = record.key.split()
        names_value = len(words) > 1 and any(slug == word or slug.endswith("-" + word) for word in words)
        return not names_value, record.key not in own_keys, record.table == "iris", record.table, record.line

    return tuple(sorted(records, key=rank))
