"""What explains the tables of a dataset: CSVW metadata for programs, a data dictionary (de, en) for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from kg.dumps.columns import LANGUAGES, Column, Table
from kg.dumps.datasets import Dataset
from kg.dumps.index import METADATA_NAME
from kg.dumps.profile import Labels
from kg.dumps.statements import describe_statements
from kg.weblinks import CheckedLinks

__all__ = ["DICTIONARY_NAMES", "write_dictionary", "write_metadata"]

DICTIONARY_NAMES: Final[Mapping[str, str]] = {each: f"data-dictionary.{each}.html" for each in LANGUAGES}
_templates: Final = Environment(
    loader=PackageLoader("kg.dumps", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    extensions=[CheckedLinks],
)


def write_metadata(directory: Path, dataset: Dataset, tables: Sequence[Table], *, labels: Labels) -> Path:
    """Write what CSVW says of the tables and give its path (tabular metadata, section 5.3)."""
    document: dict[str, Any] = {"@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}]}
    if dataset.licence is not None:
        document["dc:license"] = {"@id": dataset.licence}
    document["dc:isPartOf"] = {"@id": dataset.iri}
    document["dialect"] = {"encoding": "utf-8", "header": True, "delimiter": ",", "quoteChar": '"', "doubleQuote": True}
    document["tables"] = [*(table.describe(labels) for table in tables), describe_statements()]
    path = directory / METADATA_NAME
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def write_dictionary(
    directory: Path, dataset: Dataset, tables: Sequence[Table], *, labels: Labels, definitions: Labels
) -> tuple[Path, ...]:
    """Write the data dictionary, one page a language, and give their paths.

    Args:
        directory: where the pages go.
        dataset: what they are about.
        tables: those of its classes.
        labels: names of classes and properties by language.
        definitions: their definitions.
    """
    paths = []
    for language in LANGUAGES:
        page = _templates.get_template("dictionary.html.jinja").render(
            language=language,
            dataset=dataset,
            tables=tables,
            names=DICTIONARY_NAMES,
            metadata_name=METADATA_NAME,
            label=lambda iri, language=language: labels.get(iri, {}).get(language, ""),
            definition=lambda iri, language=language: definitions.get(iri, {}).get(language, ""),
            datatype=_name_datatype,
        )
        path = directory / DICTIONARY_NAMES[language]
        path.write_text(page + "\n", encoding="utf-8")
        paths.append(path)
    return tuple(paths)


def _name_datatype(column: Column) -> str:
    if isinstance(column.datatype, str):
        return column.datatype
    return f"{column.datatype['base']} {column.datatype['format']}"
