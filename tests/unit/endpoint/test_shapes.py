"""What is filled into a stencil is what the reader would have written."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint.reader.parser import read
from endpoint.reader.reading import Unreadable
from endpoint.reader.shapes import Stencil, cut_stencil, find_shape
from tests.reader.texts import Trap, make_text

BASE = "http://base.example/sparql"
IRIS = ["<http://e.example/a>", "<urn:SERVICE>", "<urn:a(b)>", "<rel>", "<>", "<?b&&?c>", "<a:b#c#d>", "<urn:é>"]
STRINGS = ["'a'", '"b"', "'SERVICE <urn:x> {'", "'#'", '"<urn:a>"', "''"]


def cut(text: str) -> Stencil | None:
    shape = find_shape(text)
    if shape is None:
        return None
    return cut_stencil(read(text, "QueryUnit", base=BASE), shape)


@given(st.integers(0, 1_000_000), st.lists(st.sampled_from(IRIS + STRINGS), min_size=40, max_size=40))
def test_stencil_is_filled_as_the_text_would_be_read(seed: int, others: list[str]) -> None:
    text = make_text(random.Random(seed), "QueryUnit", Trap("http://127.0.0.1:1")).odd
    shape = find_shape(text)
    try:
        stencil = cut(text)
    except Unreadable:
        return
    if shape is None or stencil is None:
        return
    assert stencil.fill(shape.contents) == read(text, "QueryUnit", base=BASE).text
    other = text
    for before, after in zip(shape.contents[len(stencil.declared) :], others, strict=False):
        if (before[0] == "<") == (after[0] == "<"):
            # The first that is alike, wherever it stands: still some text.
            other = other.replace(before, after, 1)
    alike = find_shape(other)
    if alike is None or alike.skeleton != shape.skeleton:
        return
    filled = stencil.fill(alike.contents)
    if filled is not None:
        assert filled == read(other, "QueryUnit", base=BASE).text


@pytest.mark.parametrize(
    "text",
    [
        "ASK { FILTER(?a<?b&&?c>?d) }",
        "ASK { ?s ?p '''a''' }",
        "ASK { ?s ?p 'a\\nb' }",
        "ASK { FILTER(?a<?b#>\n) }",
        "ASK { ?s ?p <relative> }",
    ],
)
def test_what_its_shape_does_not_tell_has_no_stencil(text: str) -> None:
    assert cut(text) is None


def test_comments_are_space() -> None:
    stencil, other = cut("ASK { ?s ?p 'b' } # 1"), find_shape("ASK { ?s ?p 'c' } # <urn:x> 'd'")
    assert stencil is not None
    assert other is not None
    assert stencil.fill(other.contents) == "ASK { ?s ?p 'c' }"
    assert find_shape("ASK { ?s ?p #\n'c' }") != find_shape("ASK { ?s ?p <#\n>'c' }")


def test_other_declarations_are_read_anew() -> None:
    text = "PREFIX a: <urn:a:> ASK { a:x ?p 'b' , <urn:c> }"
    stencil, other = cut(text), find_shape(text.replace("urn:a:", "urn:b:"))
    assert stencil is not None
    assert other is not None
    assert stencil.fill(other.contents) is None
    same = find_shape(text.replace("'b'", "'SERVICE'").replace("urn:c", "urn:LOAD"))
    assert same is not None
    assert stencil.fill(same.contents) == "ASK { <urn:a:x> ?p 'SERVICE' , <urn:LOAD> }"
