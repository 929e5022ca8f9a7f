"""Two engines: they find the same or nothing is published; whatever goes wrong in one of them is never a pass."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kg.cli import main
from kg.errors import EngineFailed
from kg.settings import KgSettings
from kg.validation import compare, engine, native, second
from kg.validation.findings import Finding
from kg.validation.shapes import load_shapes

SETTINGS = KgSettings()
Find = Callable[[Path | bytes, str], tuple[Finding, ...]]
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
SH = "http://www.w3.org/ns/shacl#"
SHAPE = (
    f"<urn:s> <{RDF}type> <{SH}NodeShape> .\n"
    f"<urn:s> <{SH}targetSubjectsOf> <urn:p> .\n"
    f'<urn:s> <{SH}pattern> "^urn:ok" .\n'
)
ACTOR = "<https://w3id.org/chap/id/organisation/de-holm> a <https://w3id.org/chap/def#Actor> ; "
# Memory for one engine that does not do for all of the data.
OUT_OF_MEMORY = """
import resource, sys
from collections.abc import Callable
from pathlib import Path
from kg.validation import native

shapes = sys.stdin.read()
native.find(b"", shapes)
data = "".join(f'<urn:{number}> <urn:p> "x" .\\n' for number in range(300_000)).encode()
used_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit_bytes = used_bytes + 80 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
print("passed", len(native.find(data, shapes)))
"""


@pytest.mark.parametrize("find", [native.find, second.find, engine.find])
def test_finding_has_focus_component_value_severity_and_shape(find: Find, tmp_path: Path) -> None:
    data = b'<urn:ok> <urn:p> "x" <urn:g> .\n<urn:bad> <urn:p> "x" <urn:h> .\n'
    path = tmp_path / "data.nq"
    path.write_bytes(data)
    (finding,) = find(data, SHAPE)
    assert find(path, SHAPE) == (finding,)
    assert isinstance(finding, Finding)
    assert finding.key[:3] == ("urn:bad", None, SH + "PatternConstraintComponent")
    assert str(finding.value) == "<urn:bad>"
    assert (finding.severity, finding.shape) == ("Violation", "urn:s")


def test_values_come_back_as_they_were_written() -> None:
    shapes = SHAPE.replace("^urn:ok", "^nothing$").replace("targetSubjectsOf", "targetObjectsOf")
    values = ['"a\\nb \\"c\\" \\\\ 😀"', '"x"@de', '"007"^^<http://www.w3.org/2001/XMLSchema#integer>', "<urn:x>"]
    data = "".join(f"<urn:a> <urn:p> {value} .\n" for value in values).encode()
    found = {str(each.value) for each in native.find(data, shapes)}
    assert found == set(values)
    assert {each.key[3] for each in second.find(data, shapes)} == {each.key[3] for each in native.find(data, shapes)}


def test_shapes_nested_beyond_the_engine_are_an_error() -> None:
    links = [f"<urn:n{n}> <{RDF}type> <{SH}NodeShape> .\n<urn:n{n}> <{SH}node> <urn:n{n + 1}> .\n" for n in range(99)]
    nested = SHAPE + f"<urn:s> <{SH}node> <urn:n0> .\n" + "".join(links)
    with pytest.raises(EngineFailed, match="engine shacl failed, so nothing is known"):
        native.find(b'<urn:a> <urn:p> "x" .\n', nested)


@pytest.mark.parametrize("data", [b"no statement", b"\xff", Path("nowhere.nq")])
def test_data_that_the_engine_cannot_read_is_an_error(data: bytes | Path) -> None:
    with pytest.raises(EngineFailed):
        native.find(data, SHAPE)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for the memory in use")
def test_engine_out_of_memory_ends_the_process_and_passes_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY], input=SHAPE, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGABRT, done.stderr
    assert done.stdout == ""


def test_crash_of_the_second_engine_is_an_error() -> None:
    # pyshacl asks rdflib for the order of a decimal that is no number, and Python's decimals refuse.
    shapes = load_shapes(SETTINGS.shapes_dir, SETTINGS.ontology_dir)
    place = "<https://w3id.org/chap/id/place/de-x>"
    nan = '"NaN"^^<http://www.w3.org/2001/XMLSchema#decimal>'
    data = (
        f"{place} <{RDF}type> <http://purl.org/dc/terms/Location> .\n"
        f"{place} <http://www.w3.org/2003/01/geo/wgs84_pos#lat> {nan} .\n"
    )
    with pytest.raises(EngineFailed, match="engine pyshacl failed"):
        compare.find_twice(data.encode(), shapes)


def test_disagreement_is_an_error_with_a_list_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # XML Schema knows no underscore in a decimal; Python does.
    path = tmp_path / "place.ttl"
    path.write_text(
        "<https://w3id.org/chap/id/place/de-x> a <http://purl.org/dc/terms/Location> ;"
        ' <http://www.w3.org/2003/01/geo/wgs84_pos#lat> "5_0"^^<http://www.w3.org/2001/XMLSchema#decimal> .',
        encoding="utf-8",
    )
    assert main(["validate", str(path), "--cross-check"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "engines-disagree" in output.err
    assert "shacl alone: Violation DatatypeConstraintComponent" in output.err
    assert '"5_0"' in output.err
    assert main(["validate", str(path)]) == 1
    assert "lat" in capsys.readouterr().out


@pytest.mark.parametrize(
    "turtle",
    [
        'chap:earliestStart "2021"^^xsd:gYear ; chap:latestStart "2021" .',
        'chap:earliestStart "2021-01-01"^^xsd:date ; chap:latestStart "2020"^^xsd:gYear .',
        'schema:foundingDate "10000-01-01"^^xsd:date , "-0044-03-15"^^xsd:date , "0000-01-01"^^xsd:date .',
        'schema:foundingDate "0000"^^xsd:gYear , "2021Z"^^xsd:gYear , "20210"^^xsd:gYear .',
        'schema:foundingDate "2021-13"^^xsd:gYearMonth , "2021-02-30"^^xsd:date , "2021-01-01T00:00:00"^^xsd:date .',
        'skos:prefLabel "HOLM"@de , "HOLM"@DE , "HOLM"@de-AT , "x"@en-GB , "" , "y" .',
        'schema:sameAs <http://w3id.org/chap/x> , "x" , <urn:x> , <https://example.org/x> .',
    ],
)
def test_engines_agree_on_what_is_known_to_differ_between_their_libraries(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], turtle: str
) -> None:
    path = tmp_path / "actor.ttl"
    prefixes = (
        "@prefix chap: <https://w3id.org/chap/def#> . @prefix schema: <https://schema.org/> ."
        "@prefix skos: <http://www.w3.org/2004/02/skos/core#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
    )
    path.write_text(prefixes + ACTOR + turtle, encoding="utf-8")
    assert main(["validate", str(path), "--cross-check"]) == 1
    output = capsys.readouterr()
    assert output.err == ""
    assert "Violation" in output.out


def test_without_the_fast_engine_the_slow_one_keeps_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b'<urn:bad> <urn:p> "x" .\n'
    fast = engine.find(data, SHAPE)
    monkeypatch.setattr(native, "is_installed", lambda: False)
    assert [each.key for each in engine.find(data, SHAPE)] == [each.key for each in fast]
    with pytest.raises(EngineFailed, match="not made for this machine"):
        compare.find_twice(data, load_shapes(SETTINGS.shapes_dir, SETTINGS.ontology_dir))
