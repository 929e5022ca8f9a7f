"""An update as it was read."""

from __future__ import annotations

from endpoint.reader.operations import Operation

__all__ = ["read_update"]


def read_update(text: str, *, base: str) -> tuple[Operation, ...]:
    """The operations of an update, in turn.

    Args:
        text: what a client sent.
        base: an absolute IRI, for the relative IRIs of a text without BASE.

    Raises:
        Unreadable: it is no update.
    """
    raise NotImplementedError
