"""Proposed links as a mapping set that nobody has reviewed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import yaml

from kg.terms import BASE

__all__ = ["Proposal", "write_proposals"]

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


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A pair that may be the same, with the score and what made it; nobody has looked at it yet."""

    subject_curie: str
    subject_label: str
    object_id: str
    object_label: str
    score: float
    features: str


def write_proposals(proposals: Sequence[Proposal], *, day: date, prefixes: Mapping[str, str]) -> str:
    """Proposals as SSSOM/TSV, without reviewer: a build refuses the file until somebody has looked at each row."""
    used = {"chap": prefixes["chap"], "semapv": prefixes["semapv"], "schema": prefixes["schema"]}
    used |= {prefix: prefixes[prefix] for each in proposals for prefix in [each.subject_curie.partition(":")[0]]}
    used |= {prefix: prefixes[prefix] for each in proposals if (prefix := each.object_id.partition(":")[0]) in prefixes}
    metadata = {
        "curie_map": dict(sorted(used.items())),
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
    for each in proposals:
        writer.writerow(
            [
                each.subject_curie,
                each.subject_label,
                "schema:sameAs",
                each.object_id,
                each.object_label,
                "semapv:LexicalSimilarityThresholdMatching",
                f"{each.score:.2f}",
                "",
                each.features,
            ]
        )
    return output.getvalue()
