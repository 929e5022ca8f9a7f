"""What a release holds besides its store: files that readers fetch whole, each made from the same sorted lines.

Nothing here is part of the content digest. Every file is a function of the lines, the parent's files and the instant
of publication, so two builds of the same inputs at the same instant give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kg.catalog.write import write_descriptions
from kg.checksums import Checksum
from kg.dumps.index import DUMPS_NAME, load_dumps
from kg.dumps.write import write_dumps
from kg.entities import write_entities
from kg.settings import KgSettings

__all__ = ["Sources", "derive_files", "list_dump_checksums"]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What derived files are made from.

    ``nquads_path`` holds the quads of all named graphs as sorted canonical N-Quads, ``merged_path`` the default graph
    as sorted N-Triples, ``store_path`` both, ready for queries; ``parent`` is the directory of the release before.
    ``settings`` say where ontology and shapes are, and who publishes.
    """

    release_id: str
    digest: str
    nquads_path: Path
    merged_path: Path
    store_path: Path
    open_graphs: frozenset[str]
    prefixes: Mapping[str, str]
    parent: Path | None
    instant: str
    settings: KgSettings


def derive_files(directory: Path, sources: Sources) -> None:
    """Make every derived file of a release in its directory.

    Raises:
        ReleaseError: a file cannot be written.
    """
    write_dumps(directory, sources)
    write_descriptions(directory, sources)
    write_entities(directory, sources)


def list_dump_checksums(directory: Path) -> Mapping[str, Checksum]:
    """The checksums of the dumps in a directory, as they were taken when the files were made; none without dumps."""
    if not (directory / DUMPS_NAME).exists():
        return {}
    return {
        f"{DUMPS_NAME}/{dump.dataset}/{file.name}": Checksum(size=file.size, sha256=file.sha256)
        for dump in load_dumps(directory).values()
        for file in dump.files
    }
