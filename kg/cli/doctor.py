"""``kg doctor``: verify releases, say what to do."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from kg.checksums import Digests
from kg.cli.options import Commands, add_command, add_releases, make_settings
from kg.commit import recover
from kg.errors import ReleaseDamaged, ReleaseNotFound
from kg.lock import lock_releases, look_at_releases
from kg.release import Release
from kg.scratch import clear_scratch
from kg.settings import KgSettings

if TYPE_CHECKING:
    from kg.doctor import Problem

__all__ = ["add_commands"]

_PROBLEMS = 1


def add_commands(commands: Commands) -> None:
    """Declare the command."""
    doctor = add_command(
        commands,
        "doctor",
        _doctor,
        summary="verify all releases, journal, feed and links; say what to do; exit code 1 when something is wrong",
        example="kg doctor --quick",
    )
    doctor.add_argument("--quick", action="store_true", help="counts, sizes, lists and small files only")
    doctor.add_argument(
        "--repair",
        action="store_true",
        help="first clear up what a broken-off change left behind, as the next change would, and make dumps, "
        "descriptions and feed that are still to come, as 'kg serve' does; without --quick, also give sound "
        "releases of earlier versions the checksums that they lack",
    )
    doctor.add_argument(
        "--patience",
        type=_parse_seconds,
        default=600.0,
        metavar="SECONDS",
        help="how long dumps and descriptions of the last write may be still to come (default: 600)",
    )
    doctor.add_argument("--format", choices=("text", "json"), default="text")
    doctor.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    add_releases(doctor)


def _doctor(options: argparse.Namespace) -> int:
    from kg.doctor import list_releases  # noqa: PLC0415 - it loads the engine

    root = make_settings(options).releases_dir
    if not root.is_dir():
        raise ReleaseNotFound(f"there is no directory {root}: run 'kg build' first, or say where with --releases DIR")
    if options.repair:
        _repair(make_settings(options))
    releases = list_releases(root)
    problems: list[Problem] = []
    for each in _iter_problems(root, releases, options):
        problems.append(each)
        if options.format == "text":
            print(f"{each.where}: {each.what}\n    do: {each.cure}")
    notes = [each for each in problems if each.is_note]
    problems = [each for each in problems if not each.is_note]
    if options.format == "json":
        record = {
            "releases": [each.id for each in releases],
            "problems": [asdict(each) for each in problems],
            "notes": [asdict(each) for each in notes],
        }
        print(json.dumps(record, indent=2, ensure_ascii=False))
    else:
        depth = "counts, sizes and lists" if options.quick else "every digest"
        print(f"{len(releases)} releases examined ({depth}): {len(problems) or 'no'} problems")
    return _PROBLEMS if problems else 0


def _repair(settings: KgSettings) -> None:
    from kg.complete import complete_current  # noqa: PLC0415 - as above

    root = settings.releases_dir
    try:
        with lock_releases(root):
            recover(root)
        clear_scratch()
        complete_current(settings)
    except ReleaseDamaged as error:
        # It changes nothing then; what follows finds the same, with the cure.
        print(f"not repaired: {error}", file=sys.stderr)


def _iter_problems(root: Path, releases: Sequence[Release], options: argparse.Namespace) -> Iterator[Problem]:
    from kg.doctor import examine_directory, examine_one, repair_one  # noqa: PLC0415 - as above

    with look_at_releases(root) as is_still:
        beside = list(examine_directory(root, patience_s=options.patience)) if is_still else []
    if not is_still:
        print("a build or a write is going on: journal, links and strays were not examined", file=sys.stderr)
    yield from beside
    digests = Digests()
    for release in releases:
        if sys.stderr.isatty():
            print(f"examining {release.id}", end="\r", file=sys.stderr)
        found = list(examine_one(release, quick=options.quick, digests=digests))
        if options.repair and not options.quick and found and all(each.is_note for each in found):
            with lock_releases(root):
                repair_one(release)
            found = list(examine_one(release, quick=True))
        # It may have been pruned in the meantime.
        if release.path.is_dir():
            yield from found


def _parse_seconds(text: str) -> float:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"use a whole number of seconds, not {text!r}")
    return float(text)
