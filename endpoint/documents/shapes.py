"""The shapes that a release was judged by, as RDF: they are no part of its graph, but of its dumps."""

from __future__ import annotations

import asyncio
import gzip
from typing import Final

from endpoint.http.problems import Problem
from kg.dumps.index import DUMPS_NAME, load_dumps
from kg.release import Release

__all__ = ["fetch_shapes"]

_DATASET: Final = "shapes"


async def fetch_shapes(release: Release, media_type: str) -> bytes:
    """The shapes in an RDF media type.

    Raises:
        ReleaseDamaged: the release has no list of dumps.
        Problem: 404, the release was made without its shapes.
    """
    return await asyncio.to_thread(_read, release, media_type)


def _read(release: Release, media_type: str) -> bytes:
    dump = load_dumps(release.path).get(_DATASET)
    files = {each.media_type: each for each in dump.files if each.compression == "gzip"} if dump else {}
    if media_type not in files:
        raise Problem("resource-not-found", 404, f"Release {release.id} holds no shapes as {media_type}.")
    with gzip.open(release.path / DUMPS_NAME / _DATASET / files[media_type].name) as content:
        return content.read()
