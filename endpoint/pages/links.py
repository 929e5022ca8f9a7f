"""Where an IRI leads from a page: to the document that we have of it, to its own address, or nowhere."""

from __future__ import annotations

from kg.terms import BASE, THING
from kg.weblinks import is_local_address, is_web_address

__all__ = ["find_href", "to_path"]


def to_path(iri: str) -> str:
    """The local path of the document of one of our IRIs, with the place in it; empty for any other IRI.

    >>> to_path("https://w3id.org/chap/id/organisation/de-holm"), to_path("https://w3id.org/chap/def#Hub")
    ('/doc/organisation/de-holm', '/def#Hub')
    """
    if iri.startswith(THING):
        return "/doc/" + iri.removeprefix(THING).partition("#")[0]
    path = "/" + iri.removeprefix(BASE)
    return path if iri.startswith(BASE) and is_local_address(path) else ""


def find_href(iri: str) -> str:
    """Where an IRI leads from a page: to a path of ours or to its own address; empty where it must not be a link."""
    return to_path(iri) or (iri if is_web_address(iri) else "")
