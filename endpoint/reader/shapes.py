"""Texts that differ in their IRIs and strings only are read once: programs ask the same again and again.

What is known of a text holds for another with the same characters outside of IRIs and strings, since the reader looks
into neither to tell what a token is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from endpoint.reader.iris import is_absolute
from endpoint.reader.reading import Reading
from endpoint.reader.terminals import CONTENT

__all__ = ["Shape", "Stencil", "cut_stencil", "find_shape"]


class Shape(NamedTuple):
    """A text taken apart: what stands outside of IRIs and strings, and these in turn."""

    skeleton: str
    contents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stencil:
    """How texts of one shape are written anew: what stands around their IRIs and strings.

    ``declared`` are the IRIs of the prologue, for which alone it holds; ``pieces`` stand around those after it.
    """

    declared: tuple[str, ...]
    pieces: tuple[str, ...]

    def fill(self, contents: tuple[str, ...]) -> str | None:
        """The text of ours for these contents; None where they have to be read."""
        declared = len(self.declared)
        if contents[:declared] != self.declared:
            return None
        own = contents[declared:]
        for each in own:
            if each[0] == "<" and not is_absolute(each[1:-1]):
                return None
        return "".join(chain.from_iterable(zip(self.pieces, own, strict=False))) + self.pieces[-1]


def find_shape(text: str) -> Shape | None:
    r"""A text taken apart; None where that is not sure: an escaped quote may be part of a name.

    >>> find_shape("ASK { <urn:a> ?p 'b' }")
    Shape(skeleton="<'\x00ASK { \x00 ?p \x00 }", contents=('<urn:a>', "'b'"))
    """
    if "\\" in text or "\x00" in text or '"""' in text or "'''" in text:
        return None
    parts = CONTENT.split(text)
    contents = parts[1::2]
    marks = "".join([each[0] for each in contents])
    if "#" in marks:
        contents = [each for each in contents if each[0] != "#"]
    return Shape("\x00".join([marks, *parts[::2]]), tuple(contents))


def cut_stencil(reading: Reading, shape: Shape) -> Stencil | None:
    """The stencil for texts of a shape, from one that was read; None where the shape does not tell its tokens."""
    if len(reading.contents) != len(shape.contents):
        return None
    if not all(reading.written.startswith(each, at) for at, each in zip(reading.contents, shape.contents, strict=True)):
        return None
    places = set(reading.contents)
    prologue = reading.write_prologue(0, len(reading.tokens))
    pieces: list[list[str]] = [[prologue]]
    end = len(prologue)
    for token in reading.tokens:
        pieces[-1].append(" " * (token.position > end))
        end = token.position + len(token.text)
        if token.origin in places:
            pieces.append([])
        else:
            pieces[-1].append(token.text)
    declared = len(shape.contents) - len(pieces) + 1
    stencil = Stencil(shape.contents[:declared], tuple("".join(each) for each in pieces))
    return stencil if stencil.fill(shape.contents) == reading.text else None
