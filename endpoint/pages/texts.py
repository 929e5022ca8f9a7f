"""The words of the pages, in German and English, from ``texts/<language>.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

__all__ = ["LANGUAGES", "load_texts", "write_number"]

LANGUAGES: Final = ("de", "en")


@cache
def load_texts(language: str, *, is_plain: bool = False) -> Mapping[str, Any]:
    """The texts of a language by key; some keys hold a table of texts.

    That of ``plain`` holds what pages say in plain mode instead.
    """
    path = resources.files("endpoint") / "texts" / f"{language}.toml"
    texts = tomllib.loads(path.read_text(encoding="utf-8"))
    return texts | texts["plain"] if is_plain else texts


def write_number(value: str | int, language: str) -> str:
    """A number as the language writes it.

    >>> write_number("1250000.5", "de"), write_number(1250000, "en")
    ('1.250.000,5', '1,250,000')
    """
    whole, _, decimals = str(value).partition(".")
    decimals = decimals.rstrip("0")
    english = f"{int(whole):,}" + (f".{decimals}" if decimals else "")
    return english.translate(str.maketrans(",.", ".,")) if language == "de" else english
