"""Registers of others whose numbers can be checked before anybody believes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["REGISTERS", "Register", "is_valid_lei", "is_valid_ror"]

_CROCKFORD: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def is_valid_ror(number: str) -> bool:
    """Whether the last two digits of a ROR identifier check the rest (ISO 7064 MOD 97-10 on Crockford's base 32).

    >>> is_valid_ror("05n911h24"), is_valid_ror("05n911h25")
    (True, False)
    """
    value = 0
    for letter in number[:7]:
        value = value * 32 + _CROCKFORD.index(letter)
    return int(number[7:]) == 98 - (value * 100) % 97


def is_valid_lei(code: str) -> bool:
    """Whether the last two digits of a Legal Entity Identifier check the rest (ISO 17442, ISO 7064 MOD 97-10).

    >>> is_valid_lei("529900M1LIO0SLOBAS50"), is_valid_lei("529900M1LIO0SLOBAS51")
    (True, False)
    """
    return int("".join(str(int(letter, 36)) for letter in code)) % 97 == 1


@dataclass(frozen=True)
class Register:
    """A register whose numbers have a form, and maybe check digits."""

    space: str
    form: re.Pattern[str]
    example: str
    is_valid: Callable[[str], bool] | None = None


REGISTERS: Final = (
    Register("https://ror.org/", re.compile(r"0[a-hj-km-np-tv-z0-9]{6}[0-9]{2}"), "ror:05n911h24", is_valid_ror),
    Register(
        "https://search.gleif.org/#/record/",
        re.compile(r"[A-Z0-9]{18}[0-9]{2}"),
        "lei:529900M1LIO0SLOBAS50",
        is_valid_lei,
    ),
    Register("http://www.wikidata.org/entity/", re.compile(r"Q[1-9][0-9]*"), "wikidata:Q1413"),
)
