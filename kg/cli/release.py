"""``kg release``: list, show, cite, diff, use, keep, prune, export and import releases."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kg.changes import Change, iter_changes, iter_dump_lines, summarise_changes, write_patch
from kg.cite import CITATION_FORMATS, load_citation
from kg.cli.options import Commands, add_command, add_releases, make_settings
from kg.errors import ReleaseError
from kg.release import Release, Releases
from kg.retention import Reason, keep_release, let_go, load_kept, prune_releases

if TYPE_CHECKING:
    from kg.journal import Journal

__all__ = ["add_commands"]

_SIGNS: Final = {"A": "+", "D": "-"}
_LINES_SHOWN: Final = 100


def add_commands(commands: Commands) -> None:
    """Declare the command and those below it."""
    parser = commands.add_parser(
        "release",
        help="list, compare, publish and remove releases",
        description="List, compare, publish and remove releases.",
        epilog="example: kg release list",
    )
    below = parser.add_subparsers(metavar="COMMAND", required=True)
    reference = "an id, its beginning, a number, or 'current'"

    listing = add_command(below, "list", _list, summary="all releases, oldest first", example="kg release list")
    listing.add_argument("--format", choices=("text", "json"), default="text")

    show = add_command(below, "show", _show, summary="what a release holds", example="kg release show current")
    show.add_argument("release", metavar="ID", help=reference)
    show.add_argument("--format", choices=("text", "json"), default="text")

    cite = add_command(
        below,
        "cite",
        _cite,
        summary="how to cite a release: persistent address, date and digest; a cited one is never pruned",
        example="kg release cite current --format bibtex",
    )
    cite.add_argument("release", metavar="ID", nargs="?", default="current", help=f"{reference} (default: current)")
    cite.add_argument("--format", choices=tuple(CITATION_FORMATS), default="text")
    cite.add_argument("--language", choices=("de", "en"), default="en", help="language of the title")

    cite.add_argument("--no-keep", action="store_true", help="do not spare it from pruning")

    diff = add_command(
        below, "diff", _diff, summary="what leads from one release to another", example="kg release diff 1 current"
    )
    diff.add_argument("before", metavar="A", help=reference)
    diff.add_argument("after", metavar="B", help=reference)
    diff.add_argument(
        "--format", choices=("text", "json", "patch"), default="text", help="json: counts; patch: every quad, RDF Patch"
    )
    diff.add_argument("--lines", type=_parse_count, default=_LINES_SHOWN, metavar="N", help="quads in text; 0: all")

    use = add_command(
        below, "use", _use, summary="publish a release again, such as an older one", example="kg release use 3"
    )
    use.add_argument("release", metavar="ID", help=reference)

    keep = add_command(below, "keep", _keep, summary="spare a release from pruning", example="kg release keep current")
    keep.add_argument("release", metavar="ID", help=reference)
    keep.add_argument("--undo", action="store_true", help="no longer spare it, kept or cited")

    prune = add_command(
        below,
        "prune",
        _prune,
        summary="remove old releases; never the current, a kept or a cited one",
        example="kg release prune --keep 5 --older-than 90",
    )
    prune.add_argument("--keep", type=_parse_least_one, required=True, metavar="N", help="how many of the newest stay")
    prune.add_argument(
        "--older-than",
        type=_parse_days,
        metavar="DAYS",
        help="and of the others, remove only what was last current more than so many days ago",
    )

    export = add_command(
        below,
        "export",
        _export,
        summary="write a release, with the history that led to it, into one file",
        example="kg release export current chap.tar.zst",
    )
    export.add_argument("release", metavar="ID", help=reference)
    export.add_argument("file", type=Path, metavar="FILE", help="the archive: a tar in zstd, with checksums")

    importing = add_command(
        below,
        "import",
        _import,
        summary="check an archive and put its release into a releases directory, such as an empty one",
        example="kg release import chap.tar.zst --releases replica",
    )
    importing.add_argument("file", type=Path, metavar="FILE", help="what 'kg release export' wrote")
    importing.add_argument("--use", action="store_true", help="publish it here, also when a later release is current")
    for each in (listing, show, cite, diff, use, keep, prune, export, importing):
        add_releases(each)


def _list(options: argparse.Namespace) -> int:
    releases = _releases(options)
    current, kept = releases.current_id(), load_kept(releases.root)
    journal = releases.journal()
    records = [_record(each, journal, current=current, kept=kept) for each in releases.list()]
    if options.format == "json":
        _print_json(records)
        return 0
    if not records:
        print(f"no release in {releases.root} yet: run 'kg build' first")
    for record in records:
        marks = " ".join(mark for mark in ("current", "kept", "cited") if record[mark])
        size = "damaged".rjust(17) if record["damage"] else f"{record['quads']:>11,} quads"
        print(f"{record['id']}  {record['published']}  {size}  {marks}".rstrip())
    for record in records:
        if record["damage"]:
            print(f"damaged: {record['damage']}", file=sys.stderr)
    return 0


def _show(options: argparse.Namespace) -> int:
    releases = _releases(options)
    release = releases.get(options.release)
    manifest = release.manifest
    journal = releases.journal().find_entries(release.id)
    if options.format == "json":
        _print_json(asdict(manifest) | {"journal": [asdict(each) for each in journal], "path": str(release.path)})
        return 0
    counts = manifest.counts
    print(f"release   {release.id}")
    print(f"digest    {release.digest}")
    print(f"parent    {release.parent or '-'}")
    print(f"path      {release.path}")
    print(f"made by   {', '.join(f'{name} {number}' for name, number in sorted(manifest.versions.items()))}")
    print(
        f"holds     {counts.quads:,} quads in {counts.graphs:,} graphs; {counts.triples:,} triples in the default graph"
    )
    for entry in journal:
        print(f"journal   {entry.instant}  {entry.action}")
    for name, value in sorted(manifest.extra.items()):
        print(f"{name:<9} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)}")
    for name, number in sorted(counts.classes.items(), key=lambda each: (-each[1], each[0])):
        print(f"{number:>9,} {name}")
    return 0


def _cite(options: argparse.Namespace) -> int:
    releases = _releases(options)
    # Whoever follows the citation must find the release, so it is pinned before anybody sees one.
    release = releases.get(options.release)
    if release.manifest.is_plain:
        raise ReleaseError(f"{release.id} is a state of a plain dataset, which has no persistent address to cite")
    if not options.no_keep:
        keep_release(releases.root, release.id, reason="cited")
    citation = load_citation(releases, release, language=options.language)
    print(CITATION_FORMATS[options.format](citation), end="")
    return 0


def _diff(options: argparse.Namespace) -> int:
    releases = _releases(options)
    before, after = releases.get(options.before), releases.get(options.after)
    if options.format == "patch":
        write_patch(_iter_changes(before, after), sys.stdout.buffer, release=after.id, parent=before.id)
        return 0
    graphs = summarise_changes(_iter_changes(before, after))
    added, removed = sum(each.added for each in graphs), sum(each.removed for each in graphs)
    licences = _compare_licences(before, after)
    if options.format == "json":
        record = {"from": before.id, "to": after.id, "added": added, "removed": removed, "open_licences": licences}
        _print_json(record | {"graphs": [asdict(each) for each in graphs]})
        return 0
    print(f"{before.id} -> {after.id}: {added:,} quads added, {removed:,} removed")
    for licence in licences["added"]:
        print(f"  licence now open: {licence}; its graphs are in the default graph now")
    for licence in licences["removed"]:
        print(f"  licence no longer open: {licence}; its graphs are not in the default graph any more")
    for graph in graphs:
        print(f"  {graph.graph or 'default graph'}: +{graph.added:,} -{graph.removed:,}")
    shown = options.lines or added + removed
    for change in islice(_iter_changes(before, after), shown):
        print(_SIGNS[change.mark], change.line.decode().rstrip("\n"))
    if (rest := added + removed - shown) > 0:
        print(f"... and {rest:,} more; --lines 0 shows all, --format patch gives them to programs")
    return 0


def _use(options: argparse.Namespace) -> int:
    release = _releases(options).use(options.release)
    print(f"{release.id} is current")
    return 0


def _keep(options: argparse.Namespace) -> int:
    root = _releases(options).root
    if options.undo:
        print(f"{let_go(root, options.release)} may be pruned again")
    else:
        print(f"{keep_release(root, options.release).id} is kept")
    return 0


def _prune(options: argparse.Namespace) -> int:
    removed = prune_releases(_releases(options).root, keep=options.keep, older_than=options.older_than)
    for release in removed:
        print(f"removed {release.id}")
    if not removed:
        print("nothing to remove")
    return 0


def _export(options: argparse.Namespace) -> int:
    from kg.replica import export_release  # noqa: PLC0415 - it loads the engine

    digest = export_release(_releases(options), options.release, options.file)
    print(f"{digest}  {options.file}")
    return 0


def _import(options: argparse.Namespace) -> int:
    from kg.replica import import_release  # noqa: PLC0415 - as above

    releases = _releases(options)
    imported = import_release(releases.root, options.file)
    release_id = imported.release.id
    print(f"{release_id} {'is imported' if imported.is_new else 'is here already'}")
    if options.use:
        releases.use(release_id)
        print(f"{release_id} is current")
    elif imported.is_current:
        print(f"{release_id} is current")
    else:
        print(f"{releases.current_id()} stays current; to publish it here: kg release use {release_id}")
    return 0


def _record(
    release: Release, journal: Journal, *, current: str | None, kept: Mapping[Reason, frozenset[str]]
) -> dict[str, str | int | bool | None]:
    damage = release.find_damage()
    manifest = None if damage else release.manifest
    return {
        "id": release.id,
        "parent": manifest.parent if manifest else None,
        "published": journal[journal.find_places(release.id)[-1]].instant,
        "quads": manifest.counts.quads if manifest else None,
        "triples": manifest.counts.triples if manifest else None,
        "current": release.id == current,
        "kept": release.id in kept["kept"],
        "cited": release.id in kept["cited"],
        "damage": damage,
    }


def _releases(options: argparse.Namespace) -> Releases:
    return Releases(make_settings(options).releases_dir)


def _iter_changes(before: Release, after: Release) -> Iterator[Change]:
    return iter_changes(iter_dump_lines(before.content_path), iter_dump_lines(after.content_path))


def _compare_licences(before: Release, after: Release) -> dict[str, list[str]]:
    """The licences that decide what the default graph holds: a change of them is in no quad."""
    old, new = (set(each.manifest.open_licences or ()) for each in (before, after))
    return {"added": sorted(new - old), "removed": sorted(old - new)}


def _print_json(record: object) -> None:
    print(json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False))


def _parse_count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"use a whole number, 0 or more, not {text!r}")
    return int(text)


def _parse_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"use a whole number, 1 or more, not {text!r}: at least one release stays")
    return int(text)


def _parse_days(text: str) -> timedelta:
    if not text.isdecimal() or len(text) > 5:
        raise argparse.ArgumentTypeError(f"use a whole number of days, not {text!r}")
    return timedelta(days=int(text))
