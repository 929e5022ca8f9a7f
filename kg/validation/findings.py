"""What an engine finds, in the same terms whichever engine it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import pyoxigraph as ox

__all__ = ["Finding", "Key", "Term"]

Term: TypeAlias = ox.NamedNode | ox.Literal | ox.BlankNode | ox.Triple
Key: TypeAlias = tuple[str, str | None, str, Term | None, str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a SHACL validation (SHACL 3.6.2).

    Focus and shape are IRIs, or ``_:`` and a label for a blank node; a path that is more than one property is in the
    engine's own writing. The severity is the local name of any IRI, since shapes may make up their own. The text is
    what the engine itself says, for shapes without a message.
    """

    focus: str
    path: str | None
    component: str
    value: Term | None
    severity: str
    shape: str
    text: str

    @property
    def key(self) -> Key:
        """What two engines must agree on."""
        return self.focus, self.path, self.component, self.value, self.severity, self.shape
