"""A server that may be written to: a copy of the release of the shipped data, and tokens."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from endpoint.writes.tokens import add_token
from tests.protocol.conftest import RunningServer, run_server

WRITTEN = "https://w3id.org/chap/graph/written/"
TURTLE = {"Content-Type": "text/turtle"}


@dataclass(frozen=True)
class Writable:
    """A running server, its releases and its tokens."""

    server: RunningServer
    releases_dir: Path
    tokens_path: Path
    # May write graphs that begin with "holm-", and send updates.
    holm: str
    # May write all graphs.
    admin: str

    @contextmanager
    def client(self, token: str | None = None) -> Iterator[httpx.Client]:
        headers = {"Authorization": f"Bearer {token or self.holm}"}
        with httpx.Client(base_url=self.server.url, timeout=120, headers=headers) as client:
            yield client


@contextmanager
def run_writable(releases_dir: Path, directory: Path, **settings: object) -> Iterator[Writable]:
    """A server of its own over a copy of the releases."""
    copy = directory / "releases"
    shutil.copytree(releases_dir, copy, symlinks=True)
    tokens_path = directory / "tokens.json"
    holm = add_token(tokens_path, name="holm", graphs=["holm-"], update=True)
    admin = add_token(tokens_path, name="boss", graphs=[], admin=True)
    with run_server(copy, directory / "log", tokens_file=tokens_path, **settings) as server:
        yield Writable(server, copy, tokens_path, holm, admin)
        log = server.log_path.read_text(encoding="utf-8")
        assert holm.partition(".")[2] not in log
        assert admin.partition(".")[2] not in log


@pytest.fixture(scope="session")
def writable(releases_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writable]:
    with run_writable(releases_dir, tmp_path_factory.mktemp("writable")) as running:
        yield running


@pytest.fixture
def client(writable: Writable) -> Iterator[httpx.Client]:
    """A client with the token that may write graphs that begin with "holm-"."""
    with writable.client() as client:
        yield client


@pytest.fixture(scope="session")
def actor(repository: Path) -> str:
    """A document that fits the shapes."""
    return (repository / "ontology/examples/Actor-valid.ttl").read_text(encoding="utf-8")


def comment(text: str, subject: str = "de-holm") -> str:
    """A document of one statement."""
    iri = f"https://w3id.org/chap/id/organisation/{subject}"
    return f'<{iri}> <http://www.w3.org/2000/01/rdf-schema#comment> "{text}"@en .\n'
