"""The directory of a release: the names of its files, and its manifest.

The manifest says what the release is, where it came from, how large it is and what made it. No time is in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from kg.errors import ReleaseDamaged, ReleaseError

__all__ = [
    "CHANGES_NAME",
    "CONTENT_NAME",
    "DAMAGE_CURE",
    "MANIFEST_NAME",
    "PENDING_NAME",
    "REPORT_NAME",
    "STORE_NAME",
    "UNCOMMITTED_NAME",
    "Counts",
    "Manifest",
    "load_manifest",
    "write_manifest",
]

STORE_NAME: Final = "store"
REPORT_NAME: Final = "report.ttl"
CHANGES_NAME: Final = "changes.rdfp.gz"
MANIFEST_NAME: Final = "manifest.json"
# All that is stated, in restricted graphs too: differences need it. What readers may fetch is in the dumps (kg.dumps).
CONTENT_NAME: Final = "content.nq.gz"
# In a directory from before it gets its name until after its line is in the journal (kg.commit).
UNCOMMITTED_NAME: Final = ".uncommitted"
# In a release without dumps, descriptions and list of things: until kg.complete makes them, in a plain one for good.
PENDING_NAME: Final = ".pending"
DAMAGE_CURE: Final = (
    "restore it from a backup, publish another release with 'kg release use', or make a new one with 'kg build'"
)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The size of a release: quads and graphs are those of named graphs, the rest is of the default graph.

    ``classes`` says how many instances each class has, ``properties`` how many triples each property.
    """

    quads: int
    graphs: int
    triples: int
    classes: Mapping[str, int]
    properties: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What manifest.json holds.

    ``open_licences`` are those whose graphs make up the default graph, or None in a plain dataset, whose default graph
    is its own; ``has_changes`` is false when the dump of the parent could not be read, so that nothing says what
    differs from it; ``has_checksums`` is false in a release from before there were lists of them (kg.checksums);
    ``extra`` is what the build adds, such as the summary of the shape report.
    """

    id: str
    sequence: int
    parent: str | None
    digest: str
    counts: Counts
    open_licences: tuple[str, ...] | None
    versions: Mapping[str, str]
    has_changes: bool = True
    has_checksums: bool = True
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether the release is a state of a plain dataset (decision 0032)."""
        return self.open_licences is None

    @property
    def statements(self) -> int:
        """How many lines the content has: a default graph stands there where it is not made from the others."""
        return self.counts.quads + (self.counts.triples if self.is_plain else 0)


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest as JSON with sorted keys, the extra entries beside the fixed ones.

    Raises:
        ReleaseError: an extra entry has the name of a fixed one.
    """
    record = asdict(manifest)
    extra = record.pop("extra")
    if clash := sorted(record.keys() & extra.keys()):
        raise ReleaseError(f"these manifest entries are made by the release itself: {', '.join(clash)}")
    path.write_text(json.dumps(record | extra, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def load_manifest(path: Path) -> Manifest:
    """The manifest in a file.

    Raises:
        ReleaseDamaged: there is none, or an entry is missing or of the wrong type.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        counts = record.pop("counts")
        return Manifest(
            id=str(record.pop("id")),
            sequence=int(record.pop("sequence")),
            parent=None if (parent := record.pop("parent")) is None else str(parent),
            digest=str(record.pop("digest")),
            counts=Counts(
                quads=int(counts["quads"]),
                graphs=int(counts["graphs"]),
                triples=int(counts["triples"]),
                classes={str(name): int(number) for name, number in counts["classes"].items()},
                properties={str(name): int(number) for name, number in counts["properties"].items()},
            ),
            open_licences=None
            if (licences := record.pop("open_licences")) is None
            else tuple(str(each) for each in licences),
            versions={str(name): str(version) for name, version in record.pop("versions").items()},
            has_changes=bool(record.pop("has_changes", True)),
            has_checksums=bool(record.pop("has_checksums", False)),
            extra=record,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseDamaged(f"{path}: no usable manifest ({error!r}); {DAMAGE_CURE}") from error
