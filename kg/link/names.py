"""Names of organisations made comparable: folded, without legal form, words of one meaning written as one.

What legal forms there are, which words mean the same and which tell one kind of body from another, stands in
``data/links/words.csv``.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kg.errors import SourceError

__all__ = ["Name", "Words", "fold", "load_words", "parse_name"]

_COLUMNS: Final = ("word", "kind", "becomes")
_KINDS: Final = frozenset(["legal-form", "filler", "same", "body"])
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "ł": "l", "đ": "d"})
_BRACKETS: Final = re.compile(r"\([^()]*\)")
_ACRONYM: Final = re.compile(r"\b(?=(?:[^\WA-Z]*[A-Z]){2})[A-Za-z][A-Za-z0-9]{1,7}\b")


@dataclass(frozen=True)
class Name:
    """A name to compare: the words that tell, and apart from them its acronyms, legal forms and kinds of body."""

    words: tuple[str, ...]
    acronyms: frozenset[str]
    legal_forms: frozenset[str]
    bodies: frozenset[str]

    @property
    def text(self) -> str:
        """The words in their order of sorting, so that the order of writing does not count."""
        return " ".join(sorted(self.words))

    def expand(self, other: Name) -> Name | None:
        """This name with an acronym written out as the first words of the other, if it is their initials.

        So JLU Gießen becomes Justus Liebig Universität Gießen, when it is compared with that.
        """
        for acronym in self.acronyms & frozenset(self.words):
            first = other.words[: len(acronym)]
            if len(first) > 2 and "".join(word[0] for word in first) == acronym:
                rest = tuple(word for word in self.words if word != acronym)
                return replace(self, words=first + rest, acronyms=self.acronyms - {acronym})
        return None


@dataclass(frozen=True)
class Words:
    """What is known of folded words and phrases: what each becomes (nothing, or another), and its kind."""

    becomes: Mapping[str, str]
    legal_forms: frozenset[str]
    bodies: frozenset[str]
    pattern: re.Pattern[str]

    def replace(self, folded: str) -> str:
        """The text after each known phrase, the longest first, became what it means."""
        return " ".join(self.pattern.sub(lambda match: self.becomes[match[0]], folded).split())


def load_words(path: Path) -> Words:
    """The words of a table with the columns word, kind (legal-form, filler, same, body) and becomes.

    Raises:
        SourceError: the table cannot be read, or a row is not as it should be.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error
    kinds: dict[str, set[str]] = {kind: set() for kind in _KINDS}
    becomes: dict[str, str] = {}
    for line, row in enumerate(rows, start=1):
        word, kind, other = (row.get(column) or "" for column in _COLUMNS)
        if not word or fold(word) != word or kind not in _KINDS or (kind == "same") != bool(other):
            raise SourceError(
                f"{path} row {line}: {word!r}, {kind!r}, {other!r} is no rule.\n"
                "  Cure: write the word in lower case without umlauts, its kind (legal-form, filler, same or body), "
                "and, only where it is the same as another, that other."
            )
        kinds[kind].add(word)
        if kind != "body":
            becomes[word] = other
    longest_first = sorted(becomes, key=lambda word: (-len(word), word))
    return Words(
        becomes,
        frozenset(kinds["legal-form"]),
        frozenset(kinds["body"]),
        re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first)) or '(?!)'})\b"),
    )


def fold(text: str) -> str:
    """The text in lower-case words of ASCII letters and digits, with one blank between them.

    >>> fold("Justus-Liebig-Universität Gießen")
    'justus liebig universitaet giessen'
    """
    plain = unicodedata.normalize("NFKD", text.lower().translate(_UMLAUTS)).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z0-9]+", plain))


def parse_name(text: str, words: Words) -> Name:
    """The name in a text as people write it.

    What stands in brackets is an acronym, a country or a part, and does not count among the words.
    """
    outside = fold(_BRACKETS.sub(" ", text))
    # Twice, since what a word became may be a word of a phrase: a Technical University of Applied Sciences.
    known = tuple(words.replace(words.replace(outside)).split() or fold(text).split())
    return Name(
        words=known,
        acronyms=frozenset(map(str.lower, _ACRONYM.findall(text))).difference(words.becomes),
        legal_forms=frozenset(match for match in words.pattern.findall(outside) if match in words.legal_forms),
        bodies=words.bodies & frozenset(known),
    )
