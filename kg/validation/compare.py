"""The cross-check: two engines look at the same data, and have to find the same.

They share no code: ``shacl`` is Rust on Oxigraph's parsers, ``pyshacl`` is Python on rdflib. Where they are known to
differ, the reason stands here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from kg.errors import EngineFailed, EnginesDisagree
from kg.validation import native, second
from kg.validation.findings import Finding, Key
from kg.validation.shapes import NUMBERS, SH, Shapes, get_name, iter_objects

__all__ = ["find_twice"]

_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_MOST_LISTED: Final = 20
# Constraints that order two values: against another property of the node, or against the shape's own bound.
_PAIRS: Final = {
    SH + "LessThanConstraintComponent": SH + "lessThan",
    SH + "LessThanOrEqualsConstraintComponent": SH + "lessThanOrEquals",
}
_BOUNDS: Final = {
    SH + "MinExclusiveConstraintComponent": SH + "minExclusive",
    SH + "MinInclusiveConstraintComponent": SH + "minInclusive",
    SH + "MaxExclusiveConstraintComponent": SH + "maxExclusive",
    SH + "MaxInclusiveConstraintComponent": SH + "maxInclusive",
}
_ORDERED: Final = frozenset(_XSD + name for name in ("boolean", "date", "dateTime", "string", "time"))


def find_twice(data: Path | bytes, shapes: Shapes) -> tuple[Finding, ...]:
    """What the engine of the gate finds, after the second engine found the same.

    Args:
        data: N-Quads, or the path of a file ``*.nq``.
        shapes: the checked shapes.

    Raises:
        EngineFailed: one of the engines is missing or gave up.
        EnginesDisagree: focus, path, component, value, severity and shape of the findings are not the same.
    """
    if not native.is_installed():
        raise EngineFailed(
            f"the SHACL engine {native.NAME} is not made for this machine, so there is nothing to compare with; "
            "cross-check on another (pyproject.toml names the platforms)"
        )
    findings, opinion = native.find(data, shapes.constraints), second.find(data, shapes.constraints)
    only_first = {each.key for each in findings} - {each.key for each in opinion}
    only_second = {each.key for each in opinion} - {each.key for each in findings}
    if only_first:
        only_first -= set(_iter_unordered(data, [each for each in findings if each.key in only_first], shapes))
    if only_first or only_second:
        lines = sorted([*_iter_lines(native.NAME, only_first), *_iter_lines(second.NAME, only_second)])
        more = [f"and {len(lines) - _MOST_LISTED} more"] if len(lines) > _MOST_LISTED else []
        raise EnginesDisagree(
            f"the SHACL engines {native.NAME} and {second.NAME} differ in {len(lines)} finding(s) about the same data; "
            "nothing is published. Make the shape say it in a way that both understand, or report the bug:\n  "
            + "\n  ".join([*lines[:_MOST_LISTED], *more])
        )
    return findings


def _iter_lines(name: str, keys: Iterable[Key]) -> Iterator[str]:
    for key in keys:
        focus, path, component, value, severity, shape = key
        parts = [path and f"<{path}>", None if value is None else str(value)]
        about = " ".join(part for part in parts if part)
        yield f"{name} alone: {severity} {component.removeprefix(SH)} of <{shape}> at <{focus}> {about}".rstrip()


def _iter_unordered(data: Path | bytes, findings: Iterable[Finding], shapes: Shapes) -> Iterator[Key]:
    """Findings that pyshacl lacks since it orders values that have no order.

    SHACL 4.3 and 4.5 count two values that SPARQL cannot compare (a year and a text) as a result; pyshacl asks rdflib,
    which sorts any two literals.
    """
    suspects = [each for each in findings if each.component in _PAIRS or each.component in _BOUNDS]
    store = ox.Store()
    if any(each.component in _PAIRS for each in suspects):
        store.extend(second.parse_data(data))
    for finding in suspects:
        if finding.component in _BOUNDS:
            others = iter_objects(shapes.graph, finding.shape, _BOUNDS[finding.component])
        else:
            paths = iter_objects(shapes.graph, finding.shape, _PAIRS[finding.component])
            others = (value for path in paths for value in iter_objects(store, finding.focus, get_name(path)))
        order = _order_of(finding.value)
        if any(order is None or _order_of(other) != order for other in others):
            yield finding.key


def _order_of(term: object) -> str | None:
    """The name of the order that SPARQL (17.3) and both engines have for a term, if there is one."""
    if not isinstance(term, ox.Literal):
        return None
    datatype = term.datatype.value
    if datatype in NUMBERS:
        return "number"
    return datatype if datatype in _ORDERED else None
