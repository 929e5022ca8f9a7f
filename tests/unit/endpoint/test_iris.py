"""What is taken for an IRI is what the engine takes for one: it must not be told so where nobody can answer for it."""

from __future__ import annotations

import sys

import pyoxigraph as ox
import pytest

from endpoint.reader.iris import is_absolute
from endpoint.sparql.protocol import is_absolute_iri


def is_taken(text: str) -> bool:
    try:
        ox.NamedNode(text)
    except ValueError:
        return False
    return True


def test_characters_are_those_of_the_engine() -> None:
    edges = {plane + at for plane in range(0, sys.maxunicode, 0x1000) for at in (-3, -2, -1, 0, 1)}
    odd = {0x7F, 0xA0, 0xF8FF, 0xF900, 0xFDCF, 0xFDD0, 0xFDEF, 0xFDF0, 0xFFEF, 0xFFF0, *range(0x21, 0x100)}
    points = {each for each in edges | odd if each > 0x20} - {*range(0xD800, 0xE000)}
    texts = [f"{before}{chr(each)}" for each in points for before in ("u:", "u:?", "u:#")]
    assert [ascii(each) for each in texts if is_absolute(each) != is_taken(each)] == []


@pytest.mark.parametrize(
    "text",
    [
        "http://e.example/[",
        "http://[1]/",
        "http://[::1]/",
        "http://e.example:99999/",
        "u:\ufffe",
        "u:a\u2028",
        "//e.example/",
        "u:a#b#c",
    ],
)
def test_a_graph_is_named_by_what_the_writer_takes(text: str) -> None:
    """An address in a request goes to the writer as it is, and no writer may end for its sake."""
    assert is_taken(text) or not is_absolute_iri(text)
