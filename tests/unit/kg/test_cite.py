"""Citations: the same facts in a sentence, in BibTeX and in CSL-JSON."""

from __future__ import annotations

import json
import os
from datetime import date

import pytest

from kg.cite import Citation, write_bibtex, write_csl, write_text
from kg.cli import main
from kg.release import Release, Releases

DIGEST = "623f5045" + "0" * 56
CITATION = Citation(
    title="Cluster & Hubs: 100 % {Hessen}_#1 \\ ~ ^ $",
    publisher="Land & Leute",
    version="0003-623f5045",
    issued=date(2026, 11, 4),
    licence="http://creativecommons.org/licenses/by/4.0/",
    address="https://w3id.org/chap/release/0003-623f5045",
    digest=DIGEST,
)


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith(("KG_", "ENDPOINT_"))]:
        monkeypatch.delenv(name)


def run(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    output, errors = capfdbinary.readouterr()
    return code, output.decode(), errors.decode()


def test_sentence_names_all() -> None:
    text = write_text(CITATION)
    assert text.startswith("Land & Leute (2026): Cluster & Hubs")
    for each in (CITATION.version, "2026-11-04", CITATION.address, CITATION.licence, DIGEST):
        assert each in text


def test_bibtex_keeps_what_tex_would_read_otherwise() -> None:
    text = write_bibtex(CITATION)
    assert text.startswith("@misc{chap-0003-623f5045,\n")
    assert "author = {{Land \\& Leute}}," in text
    assert (
        "title = {{Cluster \\& Hubs: 100 \\% \\{Hessen\\}\\_\\#1 \\textbackslash{} \\textasciitilde{} "
        "\\textasciicircum{} \\$}}," in text
    )
    assert "year = {2026},\n  month = {11}," in text
    assert f"url = {{{CITATION.address}}}," in text
    # Braces that mean something are as many as they must be.
    bare = text.replace("\\{", "").replace("\\}", "")
    assert bare.count("{") == bare.count("}")


def test_csl_is_an_item_of_type_dataset() -> None:
    (item,) = json.loads(write_csl(CITATION))
    assert item["type"] == "dataset"
    assert item["title"] == CITATION.title
    assert item["issued"] == {"date-parts": [[2026, 11, 4]]}
    assert item["URL"] == CITATION.address
    assert item["version"] == CITATION.version
    assert item["author"] == [{"literal": "Land & Leute"}]
    assert DIGEST in item["note"]


def test_shipped_release_is_cited_by_command(release: Release, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    root = str(release.path.parent)
    code, text, _ = run(capfdbinary, "release", "cite", "--releases", root)
    issued = next(each.instant for each in Releases(release.path.parent).journal() if each.release == release.id)
    assert code == 0
    for each in (
        "The CHAP maintainers",
        "CHAP: clusters, hubs, actors and programmes in Hesse",
        f"https://w3id.org/chap/release/{release.id}",
        issued[:10],
        "creativecommons.org/licenses/by/4.0/",
        release.digest,
    ):
        assert each in text
    _, german, _ = run(capfdbinary, "release", "cite", "1", "--language", "de", "--releases", root)
    assert "CHAP: Cluster, Hubs, Akteure und Programme in Hessen" in german
    _, csl, _ = run(capfdbinary, "release", "cite", release.id, "--format", "csl-json", "--releases", root)
    assert json.loads(csl)[0]["version"] == release.id
    _, bibtex, _ = run(capfdbinary, "release", "cite", release.id, "--format", "bibtex", "--releases", root)
    assert f"version = {{{release.id}}}" in bibtex


def test_release_that_is_not_there_cannot_be_cited(release: Release, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, output, errors = run(capfdbinary, "release", "cite", "0099", "--releases", str(release.path.parent))
    assert (code, output) == (2, "")
    assert release.id in errors
