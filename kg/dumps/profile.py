"""The columns that the tables of a dataset need: found in a first pass, so that a second can write row by row.

Memory grows with the number of classes and properties, not with that of entities.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from kg.dumps.entities import ColumnKey, Entity, Value

__all__ = ["SEPARATORS", "ClassProfile", "ColumnProfile", "Labels", "profile_entities"]

Labels = Mapping[str, Mapping[str, str]]

# Between the values of a cell: the first that none of the column's values holds, so that no value needs escaping.
SEPARATORS: Final = ("|", "¦", "‖", "\x1f")


@dataclass
class ColumnProfile:
    """What was seen in one column.

    ``filled`` counts cells with a value; ``datatypes`` are those of literals, None stands for IRIs.
    """

    filled: int = 0
    is_multiple: bool = False
    has_labels: bool = False
    datatypes: set[str | None] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)

    @property
    def separator(self) -> str | None:
        """What stands between values; None where no cell has more than one."""
        if not self.is_multiple:
            return None
        return next((each for each in SEPARATORS if each not in self.taken), SEPARATORS[-1])

    def add(self, values: Collection[Value], labels: Labels) -> None:
        """Take a cell into account."""
        self.filled += 1
        self.is_multiple = self.is_multiple or len(values) > 1
        for value in values:
            self.datatypes.add(value.datatype)
            self._find_separators(value.text)
            if value.datatype is None and value.text in labels:
                self.has_labels = True
                for label in labels[value.text].values():
                    self._find_separators(label)

    def _find_separators(self, text: str) -> None:
        for each in SEPARATORS:
            if each in text:
                self.taken.add(each)


@dataclass
class ClassProfile:
    """What was seen of one class: how many entities, and their columns."""

    rows: int = 0
    columns: dict[ColumnKey, ColumnProfile] = field(default_factory=dict)

    def add(self, entity: Entity, labels: Labels) -> None:
        """Take an entity into account."""
        self.rows += 1
        for key, values in entity.values.items():
            self.columns.setdefault(key, ColumnProfile()).add(values, labels)


def profile_entities(
    entities: Iterable[Entity], *, classes: Collection[str], labels: Labels
) -> tuple[dict[str, ClassProfile], set[str]]:
    """The profiles of the classes that have entities, sorted by class, and which labelled concepts occur.

    Args:
        entities: those of a dataset.
        classes: the classes that get a table.
        labels: names by language of the concepts whose labels tables show beside them.
    """
    profiles: dict[str, ClassProfile] = {}
    used: set[str] = set()
    for entity in entities:
        for class_iri in entity.classes:
            if class_iri in classes:
                profiles.setdefault(class_iri, ClassProfile()).add(entity, labels)
        for values in entity.values.values():
            used.update(value.text for value in values if value.datatype is None and value.text in labels)
    return dict(sorted(profiles.items())), used
