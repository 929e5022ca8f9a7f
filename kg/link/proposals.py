"""Proposals: the candidates that nobody has settled yet, as a mapping set that nobody has reviewed."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Final

import yaml

from kg.link.candidates import Candidate, Matcher
from kg.link.names import Words
from kg.link.parties import Party
from kg.terms import BASE, expand_curie

__all__ = ["propose", "write_proposals"]

_COLUMNS: Final = (
    "subject_id",
    "subject_label",
    "predicate_id",
    "object_id",
    "object_label",
    "mapping_justification",
    "confidence",
    "reviewer_label",
    "comment",
)


def propose(
    parties: Sequence[Party],
    reference: Iterable[Party] | None,
    *,
    words: Words,
    refused: Collection[tuple[str, str]],
    prefixes: Mapping[str, str],
) -> list[Candidate]:
    """The candidates of ours in a reference, or among ours themselves without one; the highest score first.

    Left out is what is settled: pairs that were refused (two IRIs each), others that one of ours is known to be, and
    ours that have another identifier in that register.
    """
    matcher = Matcher(parties, words)
    settled = {frozenset(pair) for pair in refused}
    linked = {iri for party in parties for iri in party.elsewhere}
    found = []
    for other in parties if reference is None else reference:
        iri = expand_curie(other.id, prefixes)
        space = prefixes[other.id.partition(":")[0]]
        if iri in linked:
            continue
        found += [
            each
            for each in matcher.find(other)
            if (reference is not None or each.party.id < other.id)
            and frozenset([expand_curie(each.party.id, prefixes), iri]) not in settled
            and not any(known.startswith(space) for known in each.party.elsewhere)
        ]
    return sorted(found, key=lambda each: (-each.score, each.party.id, each.other.id))


def write_proposals(candidates: Sequence[Candidate], *, day: date, prefixes: Mapping[str, str]) -> str:
    """Candidates as SSSOM/TSV, without reviewer: a build refuses the file until somebody has looked at each row."""
    curies = ("schema:sameAs", "semapv:", *(id_ for each in candidates for id_ in (each.party.id, each.other.id)))
    used = sorted({curie.partition(":")[0] for curie in curies})
    metadata = {
        "curie_map": {prefix: prefixes[prefix] for prefix in used},
        "mapping_set_id": BASE + "graph/links-proposals",
        "mapping_set_title": "Proposed links, not reviewed",
        "license": "http://creativecommons.org/licenses/by/4.0/",
        "mapping_date": day.isoformat(),
    }
    block = yaml.safe_dump(metadata, allow_unicode=True, sort_keys=False)
    output = io.StringIO()
    output.writelines(f"#{line}\n" for line in block.splitlines())
    writer = csv.writer(output, delimiter="\t", lineterminator="\n")
    writer.writerow(_COLUMNS)
    for each in candidates:
        writer.writerow(
            [
                each.party.id,
                each.party.label,
                "schema:sameAs",
                each.other.id,
                each.other.label,
                "semapv:LexicalSimilarityThresholdMatching",
                f"{each.score:.2f}",
                "",
                each.features,
            ]
        )
    return output.getvalue()
