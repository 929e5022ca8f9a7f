"""Documents from outside: how deep they are is seen whatever hides it, and looking takes as long as they are."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.errors import RdfSyntaxError, WriteTooLarge
from kg.untrusted import Document, parse_document

TURTLE, JSON = "text/turtle", "application/ld+json"
LIMIT = 10
DEEP = "[ <urn:x:p> " * 50 + "1" + " ]" * 50
# Seconds of the processor: what reads each byte once takes a fraction of one.
ENOUGH_S = 30


def parse(directory: Path, text: str, media_type: str) -> list[ox.Quad]:
    path = directory / "document"
    path.write_text(text, encoding="utf-8")
    document = Document(path=path, media_type=media_type, base_iri="urn:x:base")
    return parse_document(document, graph=ox.DefaultGraph(), max_depth=LIMIT)


@pytest.mark.parametrize(
    "text",
    [
        f"<urn:x:s> <urn:x:p> {DEEP} .",
        # Escapes in names look like the beginning of a comment or a string, or like what closes a bracket.
        f"@prefix x: <urn:x:> . <urn:x:s> <urn:x:p> x:a\\# , {DEEP} .",
        f"@prefix x: <urn:x:> . <urn:x:s> <urn:x:p> x:a\\' , {DEEP} , 'x' .",
        "@prefix x: <urn:x:> . <urn:x:s> <urn:x:p> " + "[ <urn:x:p> x:a\\) , " * 50 + "1" + " ]" * 50 + " .",
    ],
)
def test_depth_is_seen_whatever_hides_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(WriteTooLarge):
        parse(tmp_path, text, TURTLE)


@pytest.mark.parametrize(
    "text",
    [
        '<urn:x:s> <urn:x:p> "' + "[" * 50 + "\" , '\\'" + "(" * 50 + "' , <urn:x:o#> . # " + "[" * 50,
        '<urn:x:s> <urn:x:p> """x' + '""[\\"' * 50 + "\"\"\" , '''" + "'[\\''[" * 50 + "''' , 3 .",
        "@prefix x: <urn:x:> . <urn:x:s> <urn:x:p> " + " , ".join(f"x:{each}\\(" for each in "abc") + " .",
    ],
)
def test_what_opens_nothing_counts_for_nothing(tmp_path: Path, text: str) -> None:
    assert len(parse(tmp_path, text, TURTLE)) == 3


@pytest.mark.parametrize(
    "text", ['<urn:x:s> <urn:x:p> "a', '<urn:x:s> <urn:x:p> """a" .', "<urn:x:s> <urn:x:p> 'a\n' ."]
)
def test_string_without_an_end_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(RdfSyntaxError):
        parse(tmp_path, text, TURTLE)


def look_through(directory: str) -> None:
    """Look through documents of which each part begins what may go on to the end."""
    for media_type in (TURTLE, JSON):
        for part in ('\\"', "\\'", '"\\', '\\"\n', '\\""\\"""', "\\'''", '"""\\', "<", "<<a", "<a'"):
            text = part * (1024 * 1024 // len(part))
            for document in (text, f"[{text}"):
                try:
                    parse(Path(directory), document, media_type)
                except (RdfSyntaxError, WriteTooLarge):
                    continue
                raise AssertionError(part)


def test_looking_takes_as_long_as_the_document_is(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (ENOUGH_S, ENOUGH_S))

    code = f"from {__name__} import look_through; look_through({str(tmp_path)!r})"
    done = subprocess.run([sys.executable, "-c", code], preexec_fn=limit, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or f"ended by {done.returncode}"
