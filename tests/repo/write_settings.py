"""Write the table of settings into README: ``python -m tests.repo.write_settings``."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path

from endpoint.settings import EndpointSettings
from kg.settings import KgSettings

__all__ = ["make_table", "read_table"]

_BEGIN, _END = "<!-- settings: begin -->\n", "\n<!-- settings: end -->"


def make_table() -> str:
    """The settings as a Markdown table, from their classes."""
    lines = ["| variable | default | what |", "|---|---|---|"]
    for prefix, kind in (("KG_", KgSettings), ("ENDPOINT_", EndpointSettings)):
        for each in fields(kind):
            if each.name in ("query_workers", "query_long_workers"):
                default = "by cores"
            else:
                default = (
                    "" if each.default in ("", MISSING) or isinstance(each.default, tuple) else f"`{each.default}`"
                )
            lines.append(f"| `{prefix}{each.name.upper()}` | {default} | {each.metadata['help']} |")
    return "\n".join(lines)


def read_table(readme: str) -> str:
    """The table that stands in README."""
    return readme.partition(_BEGIN)[2].partition(_END)[0]


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "README.md"
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    path.write_text(
        before + _BEGIN + make_table() + _END + text.partition(_END.removeprefix("\n"))[2], encoding="utf-8"
    )
