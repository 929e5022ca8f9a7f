"""Texts made by the grammar, with odd spacing, prefixes that look like keywords, and comparisons without space.

What a text is made of is known, so what anybody reads in it can be held against that.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from hypothesis import strategies as st

from endpoint.reader.grammar import END, load_grammar
from endpoint.reader.parser import Unit

__all__ = ["PREFIXES", "Made", "Trap", "made_texts", "make_text", "way_count"]

Way = tuple[str, int]

# No keyword needs a boundary for the engine, so these begin like one.
PREFIXES: Final = (
    "o", "g", "SERVICEo", "serviceo", "GRAPHg", "LOADo", "FILTERx", "in", "as", "not", "true", "e1", "", "a", "INTOg",
    "FROMf", "UNIONu"
)  # fmt: skip
_LOCALS: Final = ("x", "y", "1", "%41", "\\~a", "a.b", "SERVICE", "", "g", "a:b")
_SPACES: Final = (" ", "\n", "\t", "\r\n", "#c\n", "#>\n", " # SERVICE <urn:x> { ' \r", "  ")
_TIGHT: Final = (0.0, 0.03, 0.1, 0.4)
# How often a part that may be missing is: texts with all of them are refused for their meaning.
_SPARSE: Final = {"SolutionModifier": 0.85, "Expression": 0.8, "ConditionalAndExpression": 0.6, "PathSequence": 0.6}
_WORDS: Final = {
    "VAR": ("?s", "?p", "?o", "?x", "$s", "?g", "?\u00e4"),
    "STRING": ("'a'", '"b"', "'''c\n'd'''", '"""e"f\\""""', "'SERVICE <urn:x>{'", "'#'", "''", "'\\u0041\\n'", "'1.2'"),
    "INTEGER": ("0", "1", "2"),
    "NUMBER": ("1.5", ".5", "0.5", "1e3", "1.e2"),
    "SIGNED": ("-1", "+2", "-.5", "+1e1"),
    "LANGUAGE": ("@en", "@de-AT"),
    "BLANK": ("_:a", "_:b.c", "_:1"),
    "ANON": ("[]", "[ ]", "[#c\n]"),
    "NIL": ("()", "( )", "(\n)"),
}
_FUNCTIONS: Final = {
    0: ("RAND", "NOW", "UUID", "STRUUID", "BNODE", "CONCAT", "COALESCE"),
    1: ("STR", "LANG", "DATATYPE", "isIRI", "isBlank", "ABS", "STRLEN", "UCASE", "BNODE", "IRI", "CONCAT", "COALESCE"),
    2: ("LANGMATCHES", "CONTAINS", "STRSTARTS", "sameTerm", "REGEX", "STRDT", "SUBSTR", "CONCAT", "COALESCE"),
    3: ("IF", "REGEX", "REPLACE", "SUBSTR", "TRIPLE", "CONCAT", "COALESCE"),
}
# Where others' mistakes lay: SERVICE and what reads as a name after a keyword, and comparisons with calls behind them.
_LIKELY: Final = {
    "UnaryExpression": (1, 0.8),
    "GraphPatternNotTriples": (5, 0.3),
    "ServiceGraphPattern.1": (1, 0.7),
    "Iri": (1, 0.6),
    "VarOrIri": (1, 0.5),
    "RelationalExpression.1": (2, 0.5),
    "RelationalExpression.2": (0, 0.3),
    "BuiltInCall": (0, 0.5),
}
# Two comparisons around a call, which look like an IRI where no space is in them.
_CHAIN: Final = ("(", "Operand", "<", "Operand", "&&", "NULLARY", "NIL", ">", "Operand", ")")
_CHAINED: Final = {"Constraint": 0.2, "Expression": 0.2}


@dataclass(frozen=True)
class Trap:
    """Addresses that nobody may ask, and code that seems to be an IRI after an operand."""

    url: str

    @property
    def iris(self) -> tuple[str, ...]:
        return (
            "<http://e.example/a>", "<urn:g>", "<urn:h>", "<rel>", "<>", "<#f>", "<?q=1>", "<\\u0061:b>",
            f"<{self.url}/s>", "<?b&&?x>", "<?x)SERVICEo:s#>", "<?x&&RAND()>", "<urn:p>", "<urn:q>",
        )  # fmt: skip

    @property
    def prefixes(self) -> dict[str, str]:
        """The namespaces of all prefixes."""
        known = {"e1": "urn:", "g": "urn:", "GRAPHg": "urn:", "a": "http://e.example/", "INTOg": "urn:", "": "urn:"}
        return {each: known.get(each, f"{self.url}/") for each in PREFIXES}

    @property
    def prologue(self) -> str:
        """Declarations of all prefixes."""
        return " ".join(f"PREFIX {prefix}: <{namespace}>" for prefix, namespace in self.prefixes.items())


@dataclass(frozen=True)
class Made:
    """A text: with the most space, and as odd as it came; whether tokens stand side by side in it; its rules."""

    plain: str
    odd: str
    is_tight: bool
    ways: frozenset[Way] = field(repr=False)


def way_count() -> int:
    """How many ways the rules of the grammar have in all."""
    return sum(len(ways) for ways in load_grammar().rules.values())


@st.composite
def made_texts(draw: st.DrawFn, unit: Unit, trap: Trap) -> Made:
    """Texts of a unit."""
    return make_text(draw(st.randoms(use_true_random=False)), unit, trap)


def make_text(source: random.Random, unit: Unit, trap: Trap) -> Made:
    """A text of a unit, by the choices of a source of chance."""
    maker = _Maker(source, trap)
    plain, odd, is_tight = trap.prologue, trap.prologue, False
    for token in maker.make(unit):
        space = maker.choose_space()
        is_tight |= not space
        plain += " " + token
        odd += space + token
    return Made(plain, odd, is_tight, frozenset(maker.ways))


class _Maker:
    """Takes a rule apart at random, the shortest way where it has become deep."""

    def __init__(self, source: random.Random, trap: Trap) -> None:
        self.ways: set[Way] = set()
        self._source = source
        self._trap = trap
        self._rules = load_grammar().rules
        self._classes = load_grammar().classes
        self._budget = source.choice((8, 20, 60, 150))
        self._tight = source.choice(_TIGHT)

    def make(self, unit: str) -> list[str]:
        tokens: list[str] = []
        # Symbols to come, each with its depth.
        waiting: list[tuple[str, int]] = [(unit, 0)]
        while waiting:
            symbol, depth = waiting.pop()
            if symbol == "Prologue":
                continue
            ways = self._rules.get(symbol)
            if ways is None:
                tokens.append(self._write(symbol))
                continue
            if symbol in ("Constraint", "Expression") and self._source.random() < _CHAINED[symbol]:
                chain = _CHAIN if symbol == "Constraint" else _CHAIN[1:-1]
                tokens.append(self._source.choice(("", " ")).join(map(self._write, chain)))
                continue
            at = self._choose(symbol, ways, depth, len(tokens) + len(waiting))
            self.ways.add((symbol, at))
            if (symbol, at) == ("BuiltInCall", 0):
                tokens += self._start_function()
                count = len(tokens[-1])
                arguments = self._arguments(int(tokens.pop())) if count else []
                waiting += [(each, depth + 1) for each in reversed(arguments)]
                continue
            waiting += [(each, depth + 1) for each in reversed(ways[at])]
        return tokens

    def choose_space(self) -> str:
        if self._source.random() < self._tight:
            return ""
        return self._source.choice(_SPACES)

    def _choose(self, symbol: str, ways: Sequence[tuple[str, ...]], depth: int, size: int) -> int:
        if len(ways) == 1:
            return 0
        if depth > 60 or size > self._budget:
            heights = _find_heights()
            return min(range(len(ways)), key=lambda at: max((heights.get(each, 0) for each in ways[at]), default=0))
        if () in ways and self._source.random() < _SPARSE.get(symbol.partition(".")[0], 0.3):
            return ways.index(())
        likely, chance = _LIKELY.get(symbol, (0, 0.0))
        return likely if self._source.random() < chance else self._source.randrange(len(ways))

    def _start_function(self) -> list[str]:
        count = self._source.choice(list(_FUNCTIONS))
        return [self._source.choice(_FUNCTIONS[count]), str(count)]

    def _arguments(self, count: int) -> list[str]:
        self.ways.add(("ExpressionList", 0 if count == 0 else 1))
        if count == 0:
            return ["NIL"]
        return ["(", *[part for at in range(count) for part in ([","] * (at > 0) + ["Expression"])], ")"]

    def _write(self, symbol: str) -> str:
        source = self._source
        if symbol == "Operand":
            symbol = source.choice(("VAR", "INTEGER", "NUMBER", "NUMBER", "NAME"))
        if symbol == "NULLARY":
            return source.choice(("RAND", *_FUNCTIONS[0]) if source.random() < 0.5 else ("RAND",))
        if symbol in _WORDS:
            return source.choice(_WORDS[symbol])
        if symbol == "IRIREF":
            return source.choice(self._trap.iris)
        if symbol == "NAME":
            return f"{source.choice(PREFIXES)}:{source.choice(_LOCALS)}"
        if symbol in self._classes:
            symbol = source.choice(self._classes[symbol])
        if symbol == "a":
            return symbol
        return symbol.lower() if source.random() < 0.5 else symbol


@cache
def _find_heights() -> dict[str, int]:
    """How many rules deep the shortest text of each rule is."""
    rules = load_grammar().rules
    heights: dict[str, int] = {}
    while len(heights) < len(rules):
        for name, ways in rules.items():
            known = [
                1 + max((heights.get(each, 0) for each in way), default=0)
                for way in ways
                if all(each not in rules or each in heights for each in way)
            ]
            if known:
                heights[name] = min(known)
    assert END not in rules
    return heights
