"""Templates make no link of what is no address, whoever wrote them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import Environment

from kg.dumps.columns import Column, Table
from kg.dumps.datasets import Dataset
from kg.dumps.documents import write_dictionary
from kg.dumps.entities import ColumnKey
from kg.weblinks import CheckedLinks

BAD = (
    "javascript:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "JAVASCRIPT:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "//example.org/",
    "/\\example.org/",
    "\\\\example.org",
    "\x01javascript:x",
    "https://example.org/\nx",
    "blob:https://example.org/x",
)
GOOD = (
    "https://example.org/a?b#c",
    "HTTP://x/",
    "mailto:a@example.org",
    "/def#Hub",
    "?page=2",
    "#top",
    "a-b.html",
    "/",
)


@pytest.mark.parametrize("attribute", ["href", "src", "action"])
def test_address_that_begins_with_a_value_is_checked(attribute: str) -> None:
    environment = Environment(autoescape=True, extensions=[CheckedLinks])
    template = environment.from_string(f'<a {attribute}="{{{{ address }}}}">{{{{ address is web_address }}}}</a>')
    for address in BAD:
        assert template.render(address=address) == f'<a {attribute}="">False</a>', address
    for address in GOOD:
        assert f'{attribute}="{address}"' in template.render(address=address), address


def test_data_dictionary_shows_odd_terms_as_text(tmp_path: Path) -> None:
    bad = BAD[0]
    column = Column(name="odd", key=ColumnKey(bad, ""), datatype="string", separator=None, filled=1)
    table = Table(name="odd", class_iri=bad, rows=1, columns=(column,))
    for page in write_dictionary(
        tmp_path, Dataset(name="x", licence=bad, graphs=()), [table], labels={}, definitions={}
    ):
        text = page.read_text(encoding="utf-8")
        assert bad in text
        assert not [each for each in re.findall(r'href="([^"]*)"', text) if "script" in each]
