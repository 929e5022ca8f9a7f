"""The list of the dumps of a release, ``dumps/index.json``: what there is, how large it is, its checksums.

Reading it needs no engine, so that the server's process may.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from kg.errors import ReleaseDamaged

__all__ = ["CHECKSUMS_NAME", "DUMPS_NAME", "METADATA_NAME", "Dump", "DumpFile", "load_dumps", "write_index"]

DUMPS_NAME: Final = "dumps"
CHECKSUMS_NAME: Final = "SHA256SUMS"
METADATA_NAME: Final = "csv-metadata.json"
_INDEX_NAME: Final = "index.json"


@dataclass(frozen=True, kw_only=True)
class DumpFile:
    """One file under its public name.

    ``media_type`` is that of the content, also where ``compression`` (gzip, zstd) is around it; ``size`` counts bytes,
    ``sha256`` is in hexadecimal; ``class_iri`` names the class that a table has a row for each entity of. A file
    without compression may be stored as its gzip twin only.
    """

    name: str
    media_type: str
    compression: str | None
    size: int
    sha256: str
    class_iri: str | None = None


@dataclass(frozen=True, kw_only=True)
class Dump:
    """The files of one dataset.

    ``digest`` is the SHA-256 of all that the files are made from: the sorted lines, and the labels, sources and
    prefixes that tables and syntaxes need beside them. ``first_published`` is when the first release with it was
    published, ``first_release`` which that was. ``licence`` is None where nothing says it for the dataset as a whole.
    """

    dataset: str
    digest: str
    first_published: str
    first_release: str
    quads: int
    licence: str | None
    graphs: tuple[str, ...]
    files: tuple[DumpFile, ...]

    def find_file(self, name: str) -> DumpFile | None:
        """The file of a name."""
        return next((each for each in self.files if each.name == name), None)


def load_dumps(release_path: Path) -> Mapping[str, Dump]:
    """The dumps of a release by dataset, in the order in which they were made.

    Raises:
        ReleaseDamaged: there is no list, or it is malformed.
    """
    path = release_path / DUMPS_NAME / _INDEX_NAME
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {name: _parse_dump(name, each) for name, each in record.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseDamaged(
            f"{path}: no usable list of dumps ({error!r}); make a new release with 'kg build'"
        ) from error


def write_index(dumps: Iterable[Dump], directory: Path) -> None:
    """Write the list into the directory of the dumps."""
    record = {each.dataset: _as_record(each) for each in dumps}
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (directory / _INDEX_NAME).write_text(text, encoding="utf-8")


def _as_record(dump: Dump) -> dict[str, Any]:
    record = asdict(dump)
    del record["dataset"]
    for file in record["files"]:
        file["bytes"] = file.pop("size")
        file["class"] = file.pop("class_iri")
    return record


def _parse_dump(dataset: str, record: Mapping[str, Any]) -> Dump:
    return Dump(
        dataset=dataset,
        digest=str(record["digest"]),
        first_published=str(record["first_published"]),
        first_release=str(record["first_release"]),
        quads=int(record["quads"]),
        licence=record["licence"],
        graphs=tuple(record["graphs"]),
        files=tuple(
            DumpFile(
                name=str(file["name"]),
                media_type=str(file["media_type"]),
                compression=file["compression"],
                size=int(file["bytes"]),
                sha256=str(file["sha256"]),
                class_iri=file["class"],
            )
            for file in record["files"]
        ),
    )
