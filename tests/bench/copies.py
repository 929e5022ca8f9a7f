"""The shipped data again and again, about other things each time: as large as one likes, and fit for the shapes."""

from __future__ import annotations

import re
from pathlib import Path

import pyoxigraph as ox

from kg.build import lift_all
from kg.release import Release, Releases
from kg.settings import KgSettings
from kg.validate import digest_shapes

__all__ = ["publish_copies", "write_copies", "write_shipped"]

_THING = re.compile(rb"<https://w3id\.org/chap/id/[^>#]*")


def write_shipped(path: Path) -> int:
    """How many statements of the shipped data were written as N-Quads."""
    store = lift_all(KgSettings()).store
    store.dump(str(path), format=ox.RdfFormat.N_QUADS)
    return len(store)


def write_copies(source: Path, target: Path, size: int) -> int:
    """How many statements were written: all of the source, as often as it takes to come to a size."""
    lines, number = source.read_bytes(), 0
    with target.open("wb") as output:
        while number < size:
            output.write(_THING.sub(rb"\g<0>-copy%d" % number, lines) if number else lines)
            number += lines.count(b"\n")
    return number


def publish_copies(directory: Path, *, size: int) -> Release:
    """A release of so many statements, in a directory of releases that is not there yet."""
    shipped, copied = directory / "shipped.nq", directory / "copied.nq"
    write_shipped(shipped)
    write_copies(shipped, copied, size)
    settings = KgSettings(releases_dir=directory / "releases")
    settings.releases_dir.mkdir()
    with copied.open("rb") as lines:
        published = Releases(settings.releases_dir).publish(
            quads=ox.parse(lines, format=ox.RdfFormat.N_QUADS),
            open_licences=settings.open_licences,
            # They are as fit as the data they are copies of.
            manifest_extra={"shapes": digest_shapes(settings.shapes_dir)},
            report_turtle=b"",
            settings=settings,
        )
    return published.release
