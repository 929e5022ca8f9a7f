"""What is known of a written catalogue without reading it, ``catalog/index.json``; needs no engine, for the server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from kg.errors import ReleaseDamaged

__all__ = [
    "CATALOG_NAME",
    "EXAMPLES_NAME",
    "PAGE_SIZE",
    "SUFFIXES",
    "VOID_NAME",
    "CatalogIndex",
    "load_catalog_index",
    "name_page",
    "write_catalog_index",
]

CATALOG_NAME: Final = "catalog"
VOID_NAME: Final = "void"
EXAMPLES_NAME: Final = "examples"
# Below this all is on one page; harvesters take pages of 100 (CKAN's own size).
PAGE_SIZE: Final = 100
# The syntaxes that each description is stored in.
SUFFIXES: Final = ("ttl", "jsonld", "rdf", "nt")
_INDEX_NAME: Final = "index.json"


@dataclass(frozen=True, kw_only=True)
class CatalogIndex:
    """The datasets of a catalogue, sorted, each with the instant when the first of its versions was published."""

    issued: Mapping[str, str]

    @property
    def pages(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-len(self.issued) // PAGE_SIZE))

    @property
    def members(self) -> str:
        """A digest of which datasets there are: pages of catalogues that differ in it do not fit together."""
        return hashlib.sha256("\n".join(sorted(self.issued)).encode()).hexdigest()[:8]

    def list_page(self, number: int) -> Iterable[str]:
        """The datasets of a page, counted from 1."""
        return sorted(self.issued)[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]


def name_page(number: int, suffix: str) -> str:
    """The name of the file of a page, below the directory of the release."""
    return f"{CATALOG_NAME}/{number}.{suffix}"


def load_catalog_index(release_path: Path) -> CatalogIndex | None:
    """The index of the catalogue of a release; None where the release has none, being older than catalogues.

    Raises:
        ReleaseDamaged: it is malformed.
    """
    path = release_path / CATALOG_NAME / _INDEX_NAME
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return CatalogIndex(issued={str(name): str(instant) for name, instant in record["issued"].items()})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseDamaged(f"{path}: no usable index ({error!r}); make a new release with 'kg build'") from error


def write_catalog_index(index: CatalogIndex, directory: Path) -> None:
    """Write the index into the directory of the catalogue."""
    text = json.dumps(asdict(index), indent=1, sort_keys=True) + "\n"
    (directory / _INDEX_NAME).write_text(text, encoding="utf-8")
