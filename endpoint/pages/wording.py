"""Dates, periods and amounts in words, as exactly as the sources give them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from endpoint.pages.texts import write_number

__all__ = ["write_amount", "write_date", "write_period"]

_DATE: Final = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])(-[0-9]{2})?)?")
_MONTHS: Final = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),  # noqa: SIM905
    "en": "January February March April May June July August September October November December".split(),  # noqa: SIM905
}


def write_date(date: str, language: str) -> str:
    """A year, month or day, in words; anything else, such as a date with a time zone, as it is.

    >>> write_date("2023-02", "en"), write_date("2023-02-06", "de")
    ('February 2023', '6. Februar 2023')
    """
    if not _DATE.fullmatch(date):
        return date
    year, month, day = (*date.split("-"), "", "")[:3]
    if not month:
        return year
    name = _MONTHS[language][int(month) - 1]
    if not day:
        return f"{name} {year}"
    return f"{int(day)}. {name} {year}" if language == "de" else f"{int(day)} {name} {year}"


def write_period(start: str, end: str, end_state: str, *, texts: Mapping[str, Any], language: str) -> str:
    """A period in words; empty when neither start nor end is known."""
    first, last = (write_date(date, language) if date else "" for date in (start, end))
    if first and last:
        return str(texts["from_to"]).format(start=first, end=last)
    if first:
        return str(texts["since"]).format(date=first)
    if last:
        return str(texts["until"]).format(date=last)
    return str(texts["ongoing"]) if end_state.endswith("/ongoing") else ""


def write_amount(row: Mapping[str, str], unit: str, *, texts: Mapping[str, Any], language: str) -> str:
    """A reported number with its qualifier and unit, from the cells amount or value, lower, upper and qualifier."""
    exact, lower, upper = row.get("amount") or row.get("value", ""), row.get("lower", ""), row.get("upper", "")
    qualifier = row.get("qualifier", "").rpartition("/")[2]
    if lower and upper:
        bounds = {"lower": write_number(lower, language), "upper": write_number(upper, language)}
        words = str(texts["between"]).format(**bounds)
    elif number := exact or lower or upper:
        words = str(texts.get(qualifier, texts["exact"])).format(value=write_number(number, language))
    else:
        return ""
    return f"{words} {unit}".strip()
