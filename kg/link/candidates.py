"""Candidates: pairs of names that may be one organisation, by blocking and similarity; a proposal, never a link.

Only pairs of one country that share a word or an acronym are compared (blocking). A pair is scored by the words that
its names share, weighed by how rare they are, and by how the names look as a whole; then what tells like names apart
speaks for or against it. How well that works is measured on labelled pairs (``kg link --evaluate``).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz import fuzz

from kg.link.names import Name, Words, fold, parse_name
from kg.link.parties import Party

__all__ = ["THRESHOLD", "Candidate", "Matcher"]

# From this score on, a pair is proposed. It was chosen on the part "tune" of the labelled pairs (decision 0023).
THRESHOLD: Final = 0.7
# Words are taken for one that is spelt in two ways when they are at least so alike (0 to 100).
_LIKE: Final = 84.0
_KEY_LENGTH: Final = 5
_MOST_PER_KEY: Final = 0.1
# What both sides having one in common adds to a score, and what having none in common leaves of it.
_SIGNS: Final = (("acronyms", 0.15, 0.6), ("legal_forms", 0.0, 0.7), ("towns", 0.05, 0.7))
_OTHER_BODY: Final = 0.7
_BY_INITIALS: Final = 0.9


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A pair with its score from 0 to 1, and in words what made the score."""

    party: Party
    other: Party
    score: float
    features: str


@dataclass(frozen=True)
class _Prepared:
    party: Party
    names: tuple[Name, ...]
    signs: Mapping[str, frozenset[str]]


class Matcher:
    """Compares others with the parties that it was made of."""

    def __init__(self, parties: Iterable[Party], words: Words) -> None:
        self._words = words
        self._known = [self._prepare(party) for party in parties]
        self._count = Counter(word for known in self._known for word in {w for name in known.names for w in name.words})
        self._blocks: dict[str, set[int]] = defaultdict(set)
        for number, known in enumerate(self._known):
            for key in _iter_keys(known):
                self._blocks[key].add(number)

    def find(self, other: Party, *, threshold: float = THRESHOLD) -> list[Candidate]:
        """The parties that another may be, with at least that score, the likeliest first."""
        prepared = self._prepare(other)
        found = [self._compare(known, prepared) for known in self._iter_block(prepared)]
        return sorted(
            (each for each in found if each.score >= threshold), key=lambda each: (-each.score, each.party.id)
        )

    def _prepare(self, party: Party) -> _Prepared:
        names = tuple(dict.fromkeys(parse_name(name, self._words) for name in party.names if fold(name)))
        signs = {
            "acronyms": frozenset(each for name in names for each in name.acronyms),
            "legal_forms": frozenset(each for name in names for each in name.legal_forms),
            "towns": frozenset(map(fold, party.towns)),
        }
        return _Prepared(party, names, signs)

    def _iter_block(self, other: _Prepared) -> Iterator[_Prepared]:
        """Who of the known may be the other: by its rare words, or by its common ones if it has no others."""
        most = max(3.0, _MOST_PER_KEY * len(self._known))
        shared = [self._blocks[key] for key in _iter_keys(other) if key in self._blocks]
        rare = [numbers for numbers in shared if len(numbers) <= most]
        for number in sorted(set().union(*(rare or shared))):
            known = self._known[number]
            countries = {known.party.country, other.party.country} - {""}
            if known.party.id != other.party.id and len(countries) < 2:
                yield known

    def _compare(self, known: _Prepared, other: _Prepared) -> Candidate:
        scored = [self._compare_names(one, two) for one in known.names for two in other.names]
        score, features = max(scored, key=lambda each: each[0])
        for sign, common, different in _SIGNS:
            one, two = known.signs[sign], other.signs[sign]
            if one & two:
                score = min(1.0, score + common)
                features = [*features, f"common {sign}"]
            elif one and two:
                score *= different
                features = [*features, f"different {sign}"]
        readable = "; ".join(features).replace("_", " ")
        return Candidate(party=known.party, other=other.party, score=round(score, 2), features=readable)

    def _compare_names(self, one: Name, two: Name) -> tuple[float, list[str]]:
        for whole, short in ((one, two.expand(one)), (two, one.expand(two))):
            if short:
                score, features = self._compare_names(whole, short)
                return _BY_INITIALS * score, [*features, "initials"]
        ours, theirs = self._weigh(one.words), self._weigh(two.words)
        shared = sum(weight * _find_likeness(word, theirs) for word, weight in ours.items())
        total, total_other = sum(ours.values()), sum(theirs.values())
        overlap = shared / (total + total_other - shared)
        contained = min(1.0, shared / min(total, total_other))
        looks = fuzz.ratio(one.text, two.text) / 100
        score = 0.5 * overlap + 0.25 * contained + 0.25 * looks
        features = [f"words {overlap:.2f}", f"contained {contained:.2f}", f"looks {looks:.2f}"]
        if one.bodies and two.bodies and not one.bodies & two.bodies:
            return _OTHER_BODY * score, [*features, "different bodies"]
        return score, features

    def _weigh(self, words: Sequence[str]) -> Mapping[str, float]:
        """Each word with its weight: the more of the known have it, the less it tells."""
        return {word: math.log(1 + (len(self._known) + 1) / (1 + self._count[word])) for word in words}


def _find_likeness(word: str, others: Iterable[str]) -> float:
    """How much of the word another side has: 1 for the same, less for one spelt likewise, else 0."""
    best = max((fuzz.ratio(word, other) for other in others), default=0.0)
    return best / 100 if best >= _LIKE else 0.0


def _iter_keys(prepared: _Prepared) -> Iterator[str]:
    for name in prepared.names:
        yield from (word[:_KEY_LENGTH] for word in name.words)
        yield from name.acronyms
