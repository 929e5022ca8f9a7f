"""The tokens of a SPARQL text (SPARQL 1.1, section 19.8), so that no keyword hides in a comment, string or name.

A text is only looked at here; what it means is for the engine. Where a text is broken, a token of kind ``OTHER``
stands for the character nobody knows, and the engine will say what is wrong; where a string does not end, it stands
for all the rest.

Each character is looked at a bounded number of times, whatever the text: this runs in the process of the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

__all__ = ["VOLATILE", "Kind", "Token", "find_shape", "iter_tokens"]


# Functions that give another value each time.
VOLATILE: Final = frozenset(["NOW", "RAND", "UUID", "STRUUID", "BNODE"])


class Kind(Enum):
    """What a token is."""

    IRI = auto()
    STRING = auto()
    NAME = auto()  # prefixed name, or the name of a blank node
    VARIABLE = auto()
    NUMBER = auto()
    LANGUAGE = auto()
    WORD = auto()  # keyword, function name, true, false, a
    OPEN = auto()
    CLOSE = auto()
    OPERATOR = auto()
    SEPARATOR = auto()
    OTHER = auto()


class Token(NamedTuple):
    """A token, its text as written, and where it starts."""

    kind: Kind
    text: str
    position: int


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
_PREFIX = rf"[{_BASE}](?:[{_CHAR}]|\.+(?=[{_CHAR}]))*"

_IRI = rf"<(?:[^<>\"{{}}|^`\\\x00-\x20]|{_ESCAPE})*>"
_STRING = (
    r"\"\"\"(?:\"{0,2}(?:[^\"\\]|\\.))*+\"\"\"|'''(?:'{0,2}(?:[^'\\]|\\.))*+'''"
    r"|\"(?!\"\")(?:[^\"\\\r\n]|\\.)*+\"|'(?!'')(?:[^'\\\r\n]|\\.)*+'"
)
_COMMENT = r"#[^\r\n]*+"

# White space and comments go with the token after them, or with the end of the text.
_TOKEN: Final = re.compile(
    rf"(?:[ \t\r\n]++|{_COMMENT})*+(?:"
    + "|".join(
        [
            r"\Z",
            rf"(?P<IRI>{_IRI})",
            rf"(?P<STRING>{_STRING})",
            # A prefix may hold dots; without its colon it is words between full stops, taken apart below.
            rf"(?P<NAME>(?:_|{_PREFIX})?:(?:{_LOCAL})?)|(?P<words>{_PREFIX})",
            rf"(?P<VARIABLE>[?$][{_START}0-9][{_START}0-9\u00B7\u0300-\u036F\u203F-\u2040]*)",
            r"(?P<NUMBER>(?:\d+\.\d*|\.?\d+)(?:[eE][+-]?\d+)?)",
            r"(?P<LANGUAGE>@[A-Za-z]+(?:-[A-Za-z0-9]+)*)",
            r"(?P<OPEN><<|[(\[{])",
            r"(?P<CLOSE>>>|[)\]}])",
            r"(?P<OPERATOR>&&|\|\||\^\^|!=|<=|>=|[=<>+\-*/|^!?])",
            r"(?P<SEPARATOR>[.,;~])",
            r"(?P<OTHER>[\"'].*|.)",
        ]
    )
    + ")",
    re.DOTALL,
)
_WORDS: Final = re.compile(
    rf"(?P<WORD>[{_BASE}][{_CHAR}]*)|(?P<NUMBER>(?:\d+\.\d*|\.?\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<OPERATOR>-)|(?P<SEPARATOR>\.)|(?P<OTHER>.)"
)
_KINDS: Final = {kind.name: kind for kind in Kind}
_CONTENT: Final = re.compile(f"{_IRI}|{_STRING}|{_COMMENT}", re.DOTALL)
# Texts with these are not worth the care: a quote may be part of a name, and a long string may have no end.
_SPECIAL: Final = re.compile(r"[\\\x00]|\"\"\"|'''")
# Where one of these is left over, the text is broken, or an angle bracket that seemed to begin an IRI is another token.
_LEFT_OVER: Final = re.compile(r"[\"']|<\x00")


def iter_tokens(text: str) -> Iterator[Token]:
    """The tokens of a text in turn, white space and comments left out.

    >>> [token.text for token in iter_tokens("ASK { ?s ex:SERVICE 'LOAD' } # SERVICE")]
    ['ASK', '{', '?s', 'ex:SERVICE', "'LOAD'", '}']
    """
    for match in _TOKEN.finditer(text):
        name = match.lastgroup
        if name == "words":
            for part in _WORDS.finditer(text, match.start(name), match.end()):
                yield Token(_KINDS[part.lastgroup or "OTHER"], part.group(), part.start())
        elif name is not None:
            yield Token(_KINDS[name], match[name], match.start(name))


def find_shape(text: str) -> str | None:
    r"""What texts have in common that differ only within IRIs, strings and comments; None where that is not sure.

    Such texts have the same tokens but for those of the kinds ``IRI`` and ``STRING``.

    >>> find_shape("ASK { <urn:a> ?p 'b' }") == find_shape("ASK { <urn:SERVICE> ?p 'c' }")
    True
    >>> find_shape(r"ASK { ?s ex:a\'b ?o }") is None
    True
    """
    if _SPECIAL.search(text):
        return None
    shape = "\x00".join(_CONTENT.split(text))
    return None if _LEFT_OVER.search(shape) else shape
