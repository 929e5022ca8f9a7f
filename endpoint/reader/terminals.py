"""The tokens of a text by their characters alone (SPARQL 1.1, section 19.8, terminals).

The longest one counts, but for ``<?b&&?c>`` and the like after an operand, which the reader takes for less-than.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

__all__ = [
    "CONTENT",
    "ECHAR",
    "RUN",
    "SKIPPED",
    "TOKEN",
    "TOKEN_IN_RUN",
    "VOLATILE",
    "XSD",
    "Kind",
    "find_datatype",
    "find_kind",
]


XSD: Final = "http://www.w3.org/2001/XMLSchema#"
# Functions that give another value each time.
VOLATILE: Final = frozenset(["NOW", "RAND", "UUID", "STRUUID", "BNODE"])


class Kind(Enum):
    """What a token is, once read: prefixed names are IRIs then."""

    IRI = auto()
    STRING = auto()
    BLANK = auto()  # the name of a blank node
    VARIABLE = auto()
    NUMBER = auto()
    LANGUAGE = auto()
    WORD = auto()  # keyword, function name, true, false, a
    OPEN = auto()
    CLOSE = auto()
    OPERATOR = auto()
    SEPARATOR = auto()


_ESCAPE = r"\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}"
_BASE = (
    r"A-Za-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02FF\u0370-\u037D\u037F-\u1FFF\u200C-\u200D\u2070-\u218F"
    r"\u2C00-\u2FEF\u3001-\uD7FF\uF900-\uFDCF\uFDF0-\uFFFD\U00010000-\U000EFFFF"
)
_START = _BASE + r"_"
_CHAR = _START + r"0-9\u00B7\u0300-\u036F\u203F-\u2040\-"
# A local name: letters, digits, colons, %-escapes and backslash escapes; dots not at its end.
_PLX = r"%[0-9A-Fa-f]{2}|\\[_~.\-!$&'()*+,;=/?#@%]"
_LOCAL = rf"(?:[{_START}:0-9]|{_PLX})(?:(?:[{_CHAR}:]|{_PLX})|\.+(?=[{_CHAR}:%\\]))*"
_PREFIX = rf"[{_BASE}](?:[{_CHAR}]|\.+(?=[{_CHAR}]))*+"
_LABEL = rf"[{_START}0-9](?:[{_CHAR}]|\.+(?=[{_CHAR}]))*"

_IRIREF = rf"<(?:[^<>\"{{}}|^`\\\x00-\x20]|{_ESCAPE})*>"
_STRING = (
    r"\"\"\"(?:\"{0,2}(?:[^\"\\]|\\.))*+\"\"\"|'''(?:'{0,2}(?:[^'\\]|\\.))*+'''"
    r"|\"(?!\"\")(?:[^\"\\\r\n]|\\.)*+\"|'(?!'')(?:[^'\\\r\n]|\\.)*+'"
)
_COMMENT = r"#[^\r\n]*+"
_SPACE = rf"(?:[ \t\r\n]++|{_COMMENT})*+"
SKIPPED: Final = re.compile(_SPACE)
# IRIs, strings and comments; what they hold is not looked at to tell one token from another.
CONTENT: Final = re.compile(rf"({_IRIREF}|{_STRING}|{_COMMENT})", re.DOTALL)
ECHAR: Final = re.compile(r"\\(?:[tbnrf\\\"']|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|(?P<wrong>.|\Z))", re.DOTALL)

# The names of the groups are the tokens of the grammar; those of OTHER are the characters themselves.
_GROUPS: Final = [
    rf"(?P<IRIREF>{_IRIREF})",
    rf"(?P<STRING>{_STRING})",
    rf"(?P<NAME>(?:{_PREFIX})?:(?:{_LOCAL})?)",
    r"(?P<WORD>[A-Za-z][A-Za-z0-9_]*)",
    rf"(?P<VAR>[?$][{_START}0-9][{_START}0-9\u00B7\u0300-\u036F\u203F-\u2040]*)",
    rf"(?P<BLANK>_:{_LABEL})",
    r"(?P<NUMBER>(?:[0-9]+\.[0-9]*|\.?[0-9]+)[eE][+-]?[0-9]+|[0-9]*\.[0-9]+)",
    r"(?P<INTEGER>[0-9]+)",
    r"(?P<SIGNED>[+-](?:(?:[0-9]+\.[0-9]*|\.?[0-9]+)[eE][+-]?[0-9]+|[0-9]*\.[0-9]+|[0-9]+))",
    r"(?P<LANGUAGE>@[A-Za-z]+(?:-[A-Za-z0-9]+)*(?:--[A-Za-z]+)?)",
    rf"(?P<NIL>\({_SPACE}\))",
    rf"(?P<ANON>\[{_SPACE}\])",
    r"(?P<OTHER><<\(|\)>>|<<|>>|\{\||\|\}|&&|\|\||\^\^|!=|<=|>=|[=<>+\-*/|^!?~.,;()\[\]{}])",
]
TOKEN: Final = re.compile("|".join(_GROUPS), re.DOTALL)
# Characters that a prefix may be of. Where no prefix begins with the first of them, none begins further on in the run,
# and nobody needs to look for its colon again: there may be a word every second character ("true-true-true").
RUN: Final = re.compile(rf"[{_CHAR}.]++")
TOKEN_IN_RUN: Final = re.compile("|".join(each for each in _GROUPS if "(?P<NAME>" not in each), re.DOTALL)
_KINDS: Final = {
    "IRIREF": Kind.IRI,
    "NAME": Kind.IRI,
    "STRING": Kind.STRING,
    "VAR": Kind.VARIABLE,
    "BLANK": Kind.BLANK,
    "NUMBER": Kind.NUMBER,
    "INTEGER": Kind.NUMBER,
    "SIGNED": Kind.NUMBER,
    "LANGUAGE": Kind.LANGUAGE,
    "WORD": Kind.WORD,
    **dict.fromkeys(["<<(", "<<", "{|", "(", "[", "{"], Kind.OPEN),
    **dict.fromkeys([")>>", ">>", "|}", ")", "]", "}"], Kind.CLOSE),
    **dict.fromkeys([".", ",", ";", "~"], Kind.SEPARATOR),
}


def find_kind(group: str, text: str) -> Kind:
    """The kind of a token that was found by a group of :data:`TOKEN`."""
    return _KINDS.get(group) or _KINDS.get(text, Kind.OPERATOR)


def find_datatype(number: str) -> str:
    """The datatype of a number, by how it is written (section 4.1.2).

    >>> find_datatype("-1.5")
    'http://www.w3.org/2001/XMLSchema#decimal'
    """
    if "e" in number or "E" in number:
        return XSD + "double"
    return XSD + ("decimal" if "." in number else "integer")
