"""``kg link``: propose links for people to look at; it writes none."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kg.cli.options import Commands, add_command, make_settings, parse_directory
from kg.errors import SourceError

if TYPE_CHECKING:
    from kg.link.names import Words
    from kg.link.parties import Party

__all__ = ["add_commands"]


def add_commands(commands: Commands) -> None:
    """Declare the command."""
    link = add_command(
        commands,
        "link",
        _link,
        summary="propose pairs of one thing for review, among our organisations or with a reference table",
        example="kg link --reference ror.csv --out proposals.tsv",
    )
    link.add_argument("--data", type=parse_directory, metavar="DIR", help="the curated tables (default: those of CHAP)")
    link.add_argument(
        "--reference",
        type=Path,
        metavar="FILE.csv",
        help="others to compare with: id, label, alternative_labels, country, town (default: ours with each other)",
    )
    link.add_argument("--out", type=Path, metavar="FILE.tsv", help="where to write (default: standard output)")
    link.add_argument(
        "--evaluate", action="store_true", help="say how good proposals are, on the labelled pairs; proposes none"
    )


def _link(options: argparse.Namespace) -> int:
    from kg.build import lift_all  # noqa: PLC0415 - the stages load slowly, and other commands do without them
    from kg.link.names import load_words  # noqa: PLC0415
    from kg.link.parties import load_parties, read_reference  # noqa: PLC0415
    from kg.link.proposals import propose, write_proposals  # noqa: PLC0415
    from kg.link.sssom import load_link_sets  # noqa: PLC0415
    from kg.rdfio import load_prefixes  # noqa: PLC0415

    settings = make_settings(options)
    links_dir = settings.data_dir / "links"
    if options.out and options.out.resolve().is_relative_to(links_dir.resolve()):
        raise SourceError(
            f"{options.out} lies among the reviewed links.\n"
            "  Cure: write elsewhere, look at each row, and move what is right into a file there."
        )
    if options.out and not options.out.parent.is_dir():
        raise SourceError(f"{options.out.parent} is no directory to write into")
    prefixes = load_prefixes(settings.ontology_dir / "prefixes.ttl")
    reference = read_reference(options.reference, prefixes) if options.reference else None
    parties = load_parties(lift_all(settings).store)
    words = load_words(links_dir / "words.csv")
    if options.evaluate:
        return _evaluate(links_dir / "sample" / "organisations.tsv", parties, words)
    refused = {
        (each.subject, each.object_id)
        for link_set in load_link_sets(links_dir, prefixes)
        for each in link_set.links
        if each.is_negated
    }
    candidates = propose(parties, reference, words=words, refused=refused, prefixes=prefixes)
    text = write_proposals(candidates, day=datetime.now(UTC).date(), prefixes=prefixes)
    if options.out:
        try:
            options.out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SourceError(f"{options.out}: cannot be written: {error}") from error
    else:
        sys.stdout.write(text)
    print(f"{len(candidates)} pairs proposed; none is a link before somebody has reviewed it", file=sys.stderr)
    return 0


def _evaluate(sample: Path, parties: tuple[Party, ...], words: Words) -> int:
    from kg.link.candidates import THRESHOLD, Matcher  # noqa: PLC0415 - as above
    from kg.link.evaluation import measure, read_sample  # noqa: PLC0415

    matcher = Matcher(parties, words)
    pairs = read_sample(sample)
    print(f"threshold {THRESHOLD}")
    for part, chosen in (
        ("tune", [each for each in pairs if each.part == "tune"]),
        ("test", [each for each in pairs if each.part == "test"]),
        ("all", pairs),
    ):
        found = measure(matcher, chosen)
        print(
            f"{part}: {found.pairs} pairs, {found.proposed_rightly + found.missed} the same; "
            f"precision {found.precision:.3f}, recall {found.recall:.3f} "
            f"({found.proposed_wrongly} proposed wrongly, {found.missed} missed)"
        )
    return 0
