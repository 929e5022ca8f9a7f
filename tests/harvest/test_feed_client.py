"""The feed as npm ``ldes-client`` reads it, which other people wrote: a copy, and keeping it up to date."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pyoxigraph as ox
import pytest

from kg.release import Release, Releases
from tests.clients.node import install_command
from tests.harvest.feeds import ReadMember, fetch_feed, fold_members, publish, read_members, read_state
from tests.protocol.conftest import RunningServer, run_server

SHORT = re.compile(rb'^(<[^>]*> <[^>]*> )([^<"][^ ]*)((?: <[^>]*>)? \.)$', re.MULTILINE)
SHORT_FORMS = (
    (b"boolean", b"true|false"),
    (b"integer", rb"[+-]?\d+"),
    (b"decimal", rb"[+-]?\d*\.\d+"),
    (b"double", rb"[+-]?[\d.]+[eE][+-]?\d+"),
)
DAY = "2026-03-0{}T12:00:00Z"


@pytest.fixture(scope="session")
def ldes_client() -> str:
    return install_command(Path(__file__).parent / "ldes", "ldes-client")


def read_output(output: bytes) -> list[ReadMember]:
    return read_members(ox.parse(SHORT.sub(_write_out, output), format=ox.RdfFormat.N_QUADS))


def _write_out(found: re.Match[bytes]) -> bytes:
    """A literal in full: the client writes numbers and truth values as in Turtle, but calls it N-Quads."""
    before, text, after = found.groups()
    kind = next(kind for kind, form in SHORT_FORMS if re.fullmatch(form, text))
    return b'%s"%s"^^<http://www.w3.org/2001/XMLSchema#%s>%s' % (before, text, kind, after)


def test_copy_of_the_shipped_data_is_its_current_state(
    server: RunningServer, release: Release, ldes_client: str
) -> None:
    for order in ("none", "ascending"):
        done = subprocess.run(
            [ldes_client, f"{server.url}/ldes", "--ordered", order], capture_output=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr.decode()
        assert fold_members(read_output(done.stdout)) == read_state(release)


def test_follower_gets_what_three_more_publications_changed(tmp_path: Path, ldes_client: str) -> None:
    root = tmp_path / "releases"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kg.feed.steps.PAGE_MEMBERS", 4)
        publish(root, {"de-a": "A", "de-b": "B", "de-c": "C"}, instant=DAY.format(1))
        publish(root, {"de-a": "A", "de-b": "B", "de-d": "D", "de-e": "E"}, instant=DAY.format(2))
        with run_server(root, tmp_path / "log") as server, server.client() as client:
            saved = ["--save", str(tmp_path / "state")]
            done = subprocess.run(
                [ldes_client, f"{server.url}/ldes", *saved], capture_output=True, check=False, timeout=60
            )
            assert done.returncode == 0, done.stderr.decode()
            copied = read_output(done.stdout)
            assert copied == fetch_feed(client)
            publish(root, {"de-a": "A", "de-b": "B neu", "de-f": "F"}, instant=DAY.format(3))
            publish(root, {"de-b": "B neu", "de-g": "G"}, instant=DAY.format(4))
            Releases(root).use("1")
            expected = fetch_feed(client)[len(copied) :]
            followed = follow([ldes_client, f"{server.url}/ldes", *saved, "--follow"], until=len(expected), at=tmp_path)
    assert followed == expected
    assert len({each.published for each in followed}) == 3
    current = Releases(root).current()
    assert current is not None
    assert current.id == Releases(root).get("1").id
    assert fold_members([*copied, *followed]) == read_state(current)


def follow(command: Iterable[str], *, until: int, at: Path) -> list[ReadMember]:
    """What a follower was told: so many members, and whatever came in the second after."""
    output_path = at / "followed.nq"
    with output_path.open("wb") as output, (at / "errors").open("wb") as errors:
        process = subprocess.Popen([*command, "--poll-interval", "200"], stdout=output, stderr=errors)
    try:
        deadline = time.monotonic() + 60
        while count_members(output_path) < until and time.monotonic() < deadline:
            assert process.poll() is None, (at / "errors").read_text(encoding="utf-8")
            time.sleep(0.1)
        time.sleep(1)
    finally:
        process.kill()
        process.wait()
    return read_output(output_path.read_bytes())


def count_members(path: Path) -> int:
    return path.read_bytes().count(b"<https://www.w3.org/ns/activitystreams#published>")
