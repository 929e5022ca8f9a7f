r"""IRIs as they stand in a text: escapes undone, relative ones resolved, odd ones told.

Absolute IRIs stay as they are written (SPARQL 1.1, section 4.1.1: no normalisation).
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["IriRefused", "is_absolute", "resolve", "unescape"]

_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))")
_SURROGATES: Final = range(0xD800, 0xE000)
_LAST: Final = 0x10FFFF
# RFC 3987, section 2.2: what is neither of ASCII's characters for IRIs, nor ucschar, nor iprivate.
_FORBIDDEN: Final = (
    r"\x00-\x20<>\"{}|\\^`%\x7F-\x9F\uD800-\uDFFF\uFDD0-\uFDEF\uFFF0-\uFFFF\U000E0000-\U000E0FFF"
    + "".join(rf"\U{plane:04X}FFFE-\U{plane:04X}FFFF" for plane in range(1, 17))
)
_PRIVATE: Final = r"\uE000-\uF8FF\U000F0000-\U0010FFFF"
_ESCAPED: Final = r"%[0-9A-Fa-f]{2}"
# RFC 3987, section 2.2; private characters stand in a query only.
_ABSOLUTE: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]*+:"
    rf"(?://(?:(?:[^{_FORBIDDEN}{_PRIVATE}/?#@\[\]]|{_ESCAPED})*@)?"
    rf"(?:\[[0-9A-Fa-f:.v]+\]|(?:[^{_FORBIDDEN}{_PRIVATE}/?#@:\[\]]|{_ESCAPED})*)(?::[0-9]*)?(?=[/?#]|\Z)|(?!//))"
    rf"(?:[^{_FORBIDDEN}{_PRIVATE}?#\[\]]|{_ESCAPED})*+"
    rf"(?:\?(?:[^{_FORBIDDEN}#\[\]]|{_ESCAPED})*+)?"
    rf"(?:#(?:[^{_FORBIDDEN}{_PRIVATE}#\[\]]|{_ESCAPED})*+)?"
)
# RFC 3986, appendix B.
_PARTS: Final = re.compile(
    r"(?:(?P<scheme>[^:/?#]+):)?(?://(?P<authority>[^/?#]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.DOTALL,
)


class IriRefused(ValueError):
    """No IRI can be made of what is written; the message says why."""


def is_absolute(text: str) -> bool:
    """Whether a text is an IRI with a scheme.

    >>> is_absolute("http://example.org/a(b)"), is_absolute("a"), is_absolute("a:b#c#d")
    (True, False, False)
    """
    return _ABSOLUTE.fullmatch(text) is not None


def unescape(text: str) -> str:
    r"""The characters that the escapes of code points stand for (SPARQL 1.1, section 19.2).

    Raises:
        IriRefused: one stands for no character.

    >>> unescape(r"caf\u00E9")
    'café'
    """
    return _ESCAPE.sub(_find_character, text) if "\\" in text else text


def resolve(written: str, base: str) -> str:
    """The absolute IRI that stands between angle brackets (RFC 3986, section 5.2).

    Args:
        written: what stands there, escapes included.
        base: an absolute IRI.

    Raises:
        IriRefused: it is none.

    >>> resolve("../c?d", "http://example.org/a/b/")
    'http://example.org/a/c?d'
    """
    if _ABSOLUTE.fullmatch(written):
        return written
    found = unescape(written)
    reference = _PARTS.fullmatch(found)
    assert reference is not None
    iri = found if reference["scheme"] is not None else _join(reference, base)
    if not _ABSOLUTE.fullmatch(iri):
        raise IriRefused(f"<{written}> is no IRI")
    return iri


def _join(reference: re.Match[str], base: str) -> str:
    start = _PARTS.fullmatch(base)
    assert start is not None
    authority, path, query = start["authority"], start["path"], reference["query"]
    if reference["authority"] is not None:
        authority, path = reference["authority"], _remove_dots(reference["path"])
    elif reference["path"].startswith("/"):
        path = _remove_dots(reference["path"])
    elif reference["path"]:
        before = "/" if authority is not None and not path else path[: path.rfind("/") + 1]
        path = _remove_dots(before + reference["path"])
    elif query is None:
        query = start["query"]
    return "".join(
        [
            f"{start['scheme']}:",
            "" if authority is None else f"//{authority}",
            path,
            "" if query is None else f"?{query}",
            "" if reference["fragment"] is None else f"#{reference['fragment']}",
        ]
    )


def _remove_dots(path: str) -> str:
    """RFC 3986, section 5.2.4."""
    segments: list[str] = []
    parts = path.split("/")
    for part in parts:
        if part == ".." and segments and segments != [""]:
            segments.pop()
        elif part not in (".", ".."):
            segments.append(part)
    if parts[-1] in (".", ".."):
        segments.append("")
    return "/".join(segments)


def _find_character(escape: re.Match[str]) -> str:
    code_point = int(escape[1] or escape[2], 16)
    if code_point > _LAST or code_point in _SURROGATES:
        raise IriRefused(f"{escape[0]} stands for no character")
    return chr(code_point)
