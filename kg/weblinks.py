"""What may become a link in a page: addresses of the web and of mail, and our own; anything else is shown as text.

Data come from outside, and from whoever holds a token: an IRI may be ``javascript:`` or ``data:``.
"""

from __future__ import annotations

import re
from typing import Final

from jinja2 import Environment
from jinja2.ext import Extension

__all__ = ["CheckedLinks", "is_local_address", "is_web_address"]

_WEB: Final = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x20\x7f-\x9f]+", re.IGNORECASE)
# Two slashes begin the address of another host, and browsers read a backslash as one; a name beside the page has no
# colon, which would make a scheme of it.
_LOCAL: Final = re.compile(r"(?:/(?![/\\])|[?#])[^\s\x00-\x20\x7f-\x9f]*|[\w.-]+")
_ATTRIBUTE: Final = re.compile(r'\b(href|src|action)="\{\{\s*(.+?)\s*\}\}')


def is_web_address(text: str) -> bool:
    """Whether a text is an address by HTTP, HTTPS or mail, and nothing but that.

    >>> is_web_address("https://example.org/a"), is_web_address("JavaScript:alert(1)")
    (True, False)
    """
    return _WEB.fullmatch(text) is not None


def is_local_address(text: str) -> bool:
    """Whether a text is a path of the same host, a place in the same page, or the name of a file beside it.

    >>> is_local_address("/def#Hub"), is_local_address("//example.org/"), is_local_address("data:x")
    (True, False, False)
    """
    return _LOCAL.fullmatch(text) is not None


class CheckedLinks(Extension):
    """The last net: what a template writes at the beginning of an address leads to what is allowed, or nowhere.

    Templates ask ``is web_address`` before, so that what is no link is shown as text.
    """

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters["checked_address"] = _check_address
        environment.tests["web_address"] = is_web_address

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 - Jinja's
        """The template with a check in every address that begins with a value (jinja2.ext.Extension)."""
        return _ATTRIBUTE.sub(r'\1="{{ (\2) | checked_address }}', source)


def _check_address(address: object) -> str:
    text = str(address)
    return text if is_local_address(text) or is_web_address(text) else ""
