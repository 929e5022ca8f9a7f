"""Reference tables and labelled pairs: what is read of them, and what is refused with its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from kg.errors import SourceError
from kg.link.evaluation import read_sample
from kg.link.parties import read_reference
from kg.rdfio import load_prefixes
from kg.settings import KgSettings

PREFIXES = load_prefixes(KgSettings().ontology_dir / "prefixes.ttl")
HEADER = "id,label,alternative_labels,country,town\n"
PAIRS = "part\tname\ttown\tcountry\tsource\tsubject_id\tsubject_label\tlabel\n"


def test_reference_is_read_with_its_other_names(tmp_path: Path) -> None:
    path = tmp_path / "ror.csv"
    path.write_text(
        "\ufeff" + HEADER + "ror:05n911h24,TU Darmstadt,Technical University | THD,de,Darmstadt\n", encoding="utf-8"
    )
    (party,) = read_reference(path, PREFIXES)
    assert party.names == ("TU Darmstadt", "Technical University", "THD")
    assert (party.id, party.country, party.towns) == ("ror:05n911h24", "DE", ("Darmstadt",))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,name\nror:1,X\n", r"missing column\(s\) label, alternative_labels, country, town"),
        ("", r"missing column\(s\) id"),
        (HEADER + "05n911h24,X,,,\n", "row 1, column id"),
        (HEADER + "rorr:1,X,,,\n", "row 1, column id"),
        (HEADER + "ror:1,X,,,\nror:2, ,,,\n", "row 2, column label"),
        (HEADER + "ror:1,X,,Germany,\n", "row 1, column country"),
        (HEADER + "ror:1,X\n", "row 1: more or fewer cells"),
        (HEADER + "ror:1,X, Y and Z,,DE,\n", "row 1: more or fewer cells"),
    ],
)
def test_broken_reference_is_refused_with_a_cure(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "ror.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=rf"ror\.csv.*{says}(\n|.)*Cure"):
        read_reference(path, PREFIXES)


def test_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ror.csv"
    path.write_bytes(b"\x89PNG\xff")
    with pytest.raises(SourceError, match="cannot be read"):
        read_reference(path, PREFIXES)
    with pytest.raises(SourceError, match="cannot be read"):
        read_reference(tmp_path / "nowhere.csv", PREFIXES)


@pytest.mark.parametrize(
    "row",
    [
        "dev\tX\t\tDE\t\torganisation:de-x\tX\tmatch",
        "test\tX\t\tDE\t\torganisation:de-x\tX\tmaybe",
        "test\tX",
    ],
)
def test_pair_that_is_not_labelled_is_refused_with_its_row(tmp_path: Path, row: str) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS + row + "\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"pairs\.tsv row 1: no labelled pair"):
        read_sample(path)
