"""The table by which a text is read: for each rule of the grammar and each token, how the rule goes on.

It is made from ``sparql.ebnf`` (notation: https://www.w3.org/TR/xml/#sec-notation). The grammar is LL(1), so the table
has one way for each pair (Aho, Lam, Sethi, Ullman: Compilers, section 4.4.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

__all__ = ["END", "Grammar", "GrammarAmbiguous", "load_grammar"]

END: Final = "the end"
_PATH: Final = Path(__file__).with_name("sparql.ebnf")
_RULE: Final = re.compile(r"(?P<name>\w+) ::= (?P<body>.+)")
_PIECE: Final = re.compile(r"'(?P<quoted>[^']+)'|(?P<name>\w+)|(?P<mark>[()|?*+])")
_EMPTY: Final = ""


class GrammarAmbiguous(Exception):
    """For some token, a rule can go on in two ways."""


@dataclass(frozen=True)
class Grammar:
    """The grammar in the form in which texts are read.

    Attributes:
        rules: for each rule the ways in which it can go on; parts in brackets are rules of their own.
        table: for each rule and token the way that it takes, as symbols in reverse order.
        keywords: the token for each keyword, in capitals: itself, or the class that it is in.
        classes: the classes of keywords and of operators, by their names.
    """

    rules: Mapping[str, tuple[tuple[str, ...], ...]]
    table: Mapping[str, Mapping[str, tuple[str, ...]]]
    keywords: Mapping[str, str]
    classes: Mapping[str, tuple[str, ...]]


@cache
def load_grammar() -> Grammar:
    """The grammar of SPARQL.

    Raises:
        GrammarAmbiguous: it is not LL(1).
    """
    found = [_RULE.fullmatch(line) for line in _PATH.read_text(encoding="utf-8").splitlines()]
    bodies = {each["name"]: each["body"] for each in found if each}
    classes = {
        name: tuple(each["quoted"] for each in _PIECE.finditer(body) if each["quoted"])
        for name, body in bodies.items()
        if name.isupper()
    }
    writer = _Writer()
    for name, body in bodies.items():
        if name not in classes:
            writer.write(name, body)
    rules = writer.rules
    symbols = {symbol for ways in rules.values() for way in ways for symbol in way}
    keywords = {each: each for each in symbols - rules.keys() - classes.keys() if each in writer.quoted}
    keywords |= {each: name for name, members in classes.items() for each in members}
    return Grammar(
        rules=rules,
        table=_make_table(rules),
        keywords={each: token for each, token in keywords.items() if each[0].isalpha()},
        classes=classes,
    )


class _Writer:
    """Takes rules apart until each is a choice between sequences."""

    def __init__(self) -> None:
        self.rules: dict[str, tuple[tuple[str, ...], ...]] = {}
        self.quoted: set[str] = set()

    def write(self, name: str, body: str) -> None:
        self._numbers = count(1)
        self._name = name
        self._pieces = list(_PIECE.finditer(body))
        self._at = 0
        self.rules[name] = self._read_choice()

    def _read_choice(self) -> tuple[tuple[str, ...], ...]:
        ways: list[list[str]] = [[]]
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            if piece["mark"] == ")":
                break
            self._at += 1
            if piece["mark"] == "|":
                ways.append([])
                continue
            if piece["mark"] == "(":
                symbol = self._add(self._read_choice())
                self._at += 1
            else:
                symbol = piece["name"] or piece["quoted"]
                if piece["quoted"]:
                    self.quoted.add(symbol)
            ways[-1].append(self._repeat(symbol))
        return tuple(tuple(way) for way in ways)

    def _repeat(self, symbol: str) -> str:
        mark = self._pieces[self._at]["mark"] if self._at < len(self._pieces) else None
        if mark not in ("?", "*", "+"):
            return symbol
        self._at += 1
        if mark == "?":
            return self._add(((symbol,), ()))
        more = self._add(())
        self.rules[more] = ((symbol, more), ())
        return more if mark == "*" else self._add(((symbol, more),))

    def _add(self, ways: tuple[tuple[str, ...], ...]) -> str:
        name = f"{self._name}.{next(self._numbers)}"
        self.rules[name] = ways
        return name


def _make_table(rules: Mapping[str, tuple[tuple[str, ...], ...]]) -> dict[str, dict[str, tuple[str, ...]]]:
    first: dict[str, set[str]] = {name: set() for name in rules}
    follow: dict[str, set[str]] = {name: set() for name in rules}
    for unit in ("QueryUnit", "UpdateUnit"):
        follow[unit].add(END)

    def find_first(way: tuple[str, ...]) -> set[str]:
        found: set[str] = set()
        for symbol in way:
            own = first.get(symbol, {symbol})
            found |= own - {_EMPTY}
            if _EMPTY not in own:
                return found
        return found | {_EMPTY}

    def grow() -> Iterator[bool]:
        for name, ways in rules.items():
            for way in ways:
                yield _extend(first[name], find_first(way))
                for at, symbol in enumerate(way):
                    if symbol in rules:
                        rest = find_first(way[at + 1 :])
                        after = rest - {_EMPTY} | (follow[name] if _EMPTY in rest else set())
                        yield _extend(follow[symbol], after)

    while any([*grow()]):
        pass
    table: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in rules}
    for name, ways in rules.items():
        for way in ways:
            found = find_first(way)
            for token in found - {_EMPTY} | (follow[name] if _EMPTY in found else set()):
                if token in table[name]:
                    raise GrammarAmbiguous(f"{name} can go on in two ways at {token}")
                table[name][token] = way[::-1]
    return table


def _extend(known: set[str], found: set[str]) -> bool:
    before = len(known)
    known |= found
    return len(known) > before
