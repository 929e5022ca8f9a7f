"""The dataset that a request of the protocol gives to an update (SPARQL 1.1 Protocol, section 2.2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from endpoint.reader.operations import Modification, Operation
from kg.errors import KgError

__all__ = ["TwoDatasets", "give_dataset"]


class TwoDatasets(KgError):
    """Request and update both say what patterns look at, which the protocol forbids."""

    code = "bad-parameter"


def give_dataset(
    operations: Sequence[Operation], *, using: Sequence[str], using_named: Sequence[str]
) -> tuple[Operation, ...]:
    """The operations, with USING and USING NAMED for each pattern that chooses what to change.

    Args:
        operations: those of an update.
        using: absolute IRIs from ``using-graph-uri``.
        using_named: absolute IRIs from ``using-named-graph-uri``.

    Raises:
        TwoDatasets: one has USING, USING NAMED or WITH of its own.
    """
    if not using and not using_named:
        return tuple(operations)
    return tuple(
        _give(each, tuple(using), tuple(using_named)) if isinstance(each, Modification) else each for each in operations
    )


def _give(operation: Modification, using: tuple[str, ...], using_named: tuple[str, ...]) -> Modification:
    own = "WITH" if operation.with_graph else "USING" if operation.using or operation.using_named else ""
    if own:
        raise TwoDatasets(
            f"the update names its dataset itself, with {own}: leave out using-graph-uri and using-named-graph-uri, "
            f"or {own}"
        )
    return replace(operation, using=using, using_named=using_named)
