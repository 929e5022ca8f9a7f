"""``kg link``: it proposes and measures, on the shipped data; what it writes is a proposal that no build takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kg.cli import main
from kg.errors import LinkSetError
from kg.link.sssom import parse_link_set
from kg.rdfio import load_prefixes
from kg.settings import KgSettings

SETTINGS = KgSettings()
PREFIXES = load_prefixes(SETTINGS.ontology_dir / "prefixes.ttl")
REFERENCE = (
    "id,label,alternative_labels,country,town\n"
    "ror:05n911h24,Technical University of Darmstadt,TU Darmstadt,DE,Darmstadt\n"
    "wikidata:Q1413,House of Logistics and Mobility,,DE,Frankfurt am Main\n"
    "wikidata:Q1414,Nobody Knows It,,DE,\n"
)


@pytest.mark.slow
def test_command_writes_proposals_that_a_build_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference, out = tmp_path / "ror.csv", tmp_path / "proposals.sssom.tsv"
    reference.write_text(REFERENCE, encoding="utf-8")
    assert main(["link", "--reference", str(reference), "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    header, *proposed = rows
    assert [dict(zip(header, row, strict=True))["subject_id"] for row in proposed] == ["organisation:de-holm"]
    assert "1 pairs proposed" in capsys.readouterr().err
    with pytest.raises(LinkSetError, match="unreviewed link"):
        parse_link_set(text, out, PREFIXES)


@pytest.mark.slow
def test_figures_of_the_readme_are_those_that_the_command_measures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["link", "--evaluate"]) == 0
    output = capsys.readouterr().out
    readme = (SETTINGS.data_dir / "README.md").read_text(encoding="utf-8")
    for part in ("tune", "test"):
        measured = re.search(
            rf"^{part}: (\d+) pairs, (\d+) the same; precision ([\d.]+), recall ([\d.]+)", output, re.M
        )
        stated = re.search(rf"^\| `{part}` \| (\d+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \|$", readme, re.M)
        assert measured is not None
        assert stated is not None
        assert measured.groups()[:2] == stated.groups()[:2]
        # The weight of a word follows from all names, so each organisation that is added moves the rates a little.
        rates = [float(rate) for rate in measured.groups()[2:]]
        assert rates == pytest.approx([float(rate) for rate in stated.groups()[2:]], abs=0.02), part


def test_sample_is_large_enough_and_its_parts_share_no_name() -> None:
    path = SETTINGS.data_dir / "links" / "sample" / "organisations.tsv"
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    assert len(rows) >= 200
    names = {part: {row[1] for row in rows if row[0] == part} for part in ("tune", "test")}
    assert names["tune"] & names["test"] == set()
    pairs = [(row[1], row[2], row[3], row[5]) for row in rows]
    assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--out", "{data}/links/new.sssom.tsv"], "lies among the reviewed links"),
        (["--reference", "{tmp}/nowhere.csv"], "cannot be read"),
        (["--out", "{tmp}/no/such/dir.tsv"], "is no directory"),
        (["--data", "{tmp}/nowhere"], "is no directory"),
    ],
)
def test_command_refuses_what_it_cannot_use_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    filled = [each.format(data=SETTINGS.data_dir, tmp=tmp_path) for each in arguments]
    assert main(["link", *filled]) == 3
    error = capsys.readouterr().err
    assert error.startswith("error [source]: ")
    assert says in error
