"""What may become a link: our own paths, and addresses of the web and of mail; anything else is shown as text.

Data come from outside, and from whoever holds a token: an IRI may be ``javascript:`` or ``data:``.
"""

from __future__ import annotations

import re
from typing import Final

from jinja2 import Environment
from jinja2.ext import Extension

from kg.terms import BASE, THING

__all__ = ["CheckedLinks", "find_href", "is_web_address", "to_path"]

_WEB: Final = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x20\x7f-\x9f]+", re.IGNORECASE)
# Two slashes begin the address of another host; browsers read a backslash as one.
_LOCAL: Final = re.compile(r"(?:/(?![/\\])|[?#])[^\s\x00-\x20\x7f-\x9f]*")
_ATTRIBUTE: Final = re.compile(r'\b(href|src|action)="\{\{\s*(.+?)\s*\}\}')


def is_web_address(text: str) -> bool:
    """Whether a text is an address by HTTP, HTTPS or mail, and nothing but that.

    >>> is_web_address("https://example.org/a"), is_web_address("JavaScript:alert(1)")
    (True, False)
    """
    return _WEB.fullmatch(text) is not None


def to_path(iri: str) -> str:
    """The local path of the document of one of our IRIs, with the place in it; empty for any other IRI.

    >>> to_path("https://w3id.org/chap/id/organisation/de-holm"), to_path("https://w3id.org/chap/def#Hub")
    ('/doc/organisation/de-holm', '/def#Hub')
    """
    if iri.startswith(THING):
        return "/doc/" + iri.removeprefix(THING).partition("#")[0]
    path = "/" + iri.removeprefix(BASE)
    return path if iri.startswith(BASE) and _LOCAL.fullmatch(path) else ""


def find_href(iri: str) -> str:
    """Where an IRI leads from a page: to a path of ours or to its own address; empty where it must not be a link."""
    return to_path(iri) or (iri if is_web_address(iri) else "")


class CheckedLinks(Extension):
    """The last net: what a template writes at the beginning of an address leads to what is allowed, or nowhere."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters["checked_address"] = _check_address
        environment.tests["web_address"] = is_web_address

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 - Jinja's
        """The template with a check in every address that begins with a value (jinja2.ext.Extension)."""
        return _ATTRIBUTE.sub(r'\1="{{ (\2) | checked_address }}', source)


def _check_address(address: object) -> str:
    text = str(address)
    return text if _LOCAL.fullmatch(text) or _WEB.fullmatch(text) else ""
