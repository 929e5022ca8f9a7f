"""The server of an ordinary user whom the kernel denies one fence after the other: it says which are left."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from endpoint.settings import worker_environment
from endpoint.writes.tokens import add_token
from tests.build.edih_exports import make_record, rewrite_member, write_export
from tests.fences.conftest import give_away
from tests.fences.ordinary import wrap
from tests.fences.test_filter import probe
from tests.fences.test_processes import ALL, ODD_QUERIES, ODD_UPDATES, PLAIN_MODE, QUERIES, UPDATES, fill
from tests.plain.conftest import PLAIN
from tests.protocol.conftest import RunningServer, run_server, start_server
from tests.protocol.processes import find_workers
from tests.protocol.test_federation_gate import Listener
from tests.writes.test_hostile import DOCUMENTS

GRAPH = "/graph-store?graph=urn:x:g"
IMPORTS = "<urn:x:a> <http://www.w3.org/2002/07/owl#imports> <{url}ontology> ; <urn:x:b> <{url}thing> ."
SUFFIXES = {"application/ld+json": ".jsonld", "application/rdf+xml": ".rdf", "text/turtle": ".ttl"}
# Documents that name something to fetch: media types and texts.
FETCHING = [
    *((media_type, text) for media_type, text, _, _ in DOCUMENTS.values() if "{url}" in text),
    ("text/turtle", IMPORTS),
]


@dataclass(frozen=True)
class Denied:
    """A running server, what it is denied, and a client that may do everything."""

    denied: tuple[str, ...]
    server: RunningServer
    client: httpx.Client


@contextmanager
def run_denied(ordinary_dir: Path, log_path: Path, denied: tuple[str, ...], **settings: object) -> Iterator[Denied]:
    tokens_path = ordinary_dir / "tokens.json"
    tokens_path.unlink(missing_ok=True)
    token = add_token(tokens_path, name="owner", graphs=[], admin=True, is_plain=True)
    give_away(ordinary_dir)
    wrapper = f"{PLAIN} {shlex.join(wrap(*denied))}"
    with (
        run_server(
            ordinary_dir / "releases",
            log_path,
            wrapper=wrapper,
            tokens_file=tokens_path,
            client_budget_s=100_000,
            **settings,
        ) as server,
        server.client(headers={"Authorization": f"Bearer {token}"}) as client,
    ):
        yield Denied(denied, server, client)


@pytest.fixture(scope="module", params=[("namespace",), ALL], ids="-".join)
def running(
    ordinary_dir: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Denied]:
    with run_denied(ordinary_dir, tmp_path_factory.mktemp("denied") / "log", request.param) as running:
        yield running


def find_granted(denied: tuple[str, ...]) -> list[str]:
    """The fences that are left; before Linux 6.7, Landlock is never among them."""
    return [name for name in probe("tcp")["fences"].split() if name not in denied]


def test_server_says_which_fence_holds(running: Denied) -> None:
    log = running.server.log_path.read_text(encoding="utf-8")
    names = find_granted(running.denied)
    assert f"fences between the network and the processes for queries and writes: {', '.join(names) or 'none'}\n" in log
    assert ("only the check of their texts" in log) == (not names)
    # Before the writer is needed, and by its own account.
    for _ in range(2):
        ready = running.client.get("/health/ready").json()
        assert ready["status"] == "ready"
        assert ready["fences"] == {"queries": names, "writer": names}
        assert ready["pool"]["without_network"] == 0
        running.client.post("/sparql", data={"update": "INSERT DATA { <urn:x:a> <urn:x:b> 1 }"})


def test_nothing_that_is_sent_reaches_out(running: Denied, listener: Listener) -> None:
    client = running.client
    for query in [*QUERIES, *ODD_QUERIES]:
        client.post("/sparql", data={"query": fill(listener, query)})
    for update in [*UPDATES, *ODD_UPDATES]:
        client.post("/sparql", data={"update": fill(listener, update)})
    for media_type, text in FETCHING:
        client.put(GRAPH, content=fill(listener, text), headers={"Content-Type": media_type})
    # All of them are over once another is answered.
    assert client.get("/sparql", params={"query": "ASK {}"}).status_code == 200
    assert client.put(GRAPH, content="<urn:x:a> <urn:x:b> 1 .", headers={"Content-Type": "text/turtle"}).is_success
    assert listener.knocks == 0


def test_every_thread_is_behind_the_filter(running: Denied) -> None:
    running.client.put(GRAPH, content="<urn:x:a> <urn:x:b> 1 .", headers={"Content-Type": "text/turtle"})
    running.client.get("/sparql", params={"query": "SELECT * { ?s ?p ?o }"})
    pids = find_workers(running.server.process.pid)
    assert len(pids) == 3
    # The server, and all that it starts, is behind one already: that of the test.
    counts = {_count_filters(each) for pid in pids for each in Path(f"/proc/{pid}/task").iterdir()}
    assert counts == ({1} if "seccomp" in running.denied else {2})


def _count_filters(task: Path) -> int:
    lines = (task / "status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Seccomp_filters"))


def test_nothing_that_is_imported_reaches_out(ordinary_dir: Path, listener: Listener) -> None:
    paths = []
    for number, (media_type, text) in enumerate(FETCHING):
        path = ordinary_dir / f"import-{number}{SUFFIXES[media_type]}"
        path.write_text(fill(listener, text), encoding="utf-8")
        paths.append(path)
    workbook = write_export(ordinary_dir / "export.xlsx", [make_record("Hub", title="A hub", country="Germany")])
    entity = f'<!DOCTYPE x SYSTEM "{fill(listener, "{url}dtd")}"><worksheet'.encode()
    rewrite_member(workbook, "xl/worksheets/sheet1.xml", lambda content: content.replace(b"<worksheet", entity, 1))
    give_away(ordinary_dir)
    statuses = [
        run_kg(
            "import", "graph", str(each), "--name", "urn:x:i", "--dry-run", "--releases", "releases", cwd=ordinary_dir
        )
        for each in paths
    ]
    # The Turtle is taken: what it names, it only names.
    assert {path.suffix for path, status in zip(paths, statuses, strict=True) if status == 0} == {".ttl"}
    assert run_kg("import", "edih", str(workbook), "--dry-run", cwd=ordinary_dir) == 3
    assert listener.knocks == 0


def run_kg(*arguments: str, cwd: Path) -> int:
    command = [*wrap(*ALL), sys.executable, "-m", "kg", *arguments]
    return subprocess.run(command, capture_output=True, check=False, cwd=cwd, env=os.environ | PLAIN_MODE).returncode


@pytest.fixture
def allowlist(ordinary_dir: Path, listener: Listener) -> Path:
    path = ordinary_dir / "endpoints.toml"
    path.write_text(fill(listener, '[endpoints.x]\niri = "urn:x:e"\nurl = "{url}"\nprivate = true\n'), encoding="utf-8")
    return path


def test_federation_without_a_fence_is_refused_at_start(ordinary_dir: Path, allowlist: Path, tmp_path: Path) -> None:
    settings = {"federation_file": allowlist, "wrapper": f"{PLAIN} {shlex.join(wrap('namespace', 'landlock'))}"}
    with pytest.raises(AssertionError, match="ENDPOINT_FEDERATION_UNFENCED=true") as refused:
        start_server(ordinary_dir / "releases", tmp_path / "log", **settings)
    assert "the kernel grants: seccomp)" in str(refused.value)
    assert "Traceback" not in str(refused.value)


def test_federation_without_a_fence_runs_where_that_is_wanted(
    ordinary_dir: Path, allowlist: Path, listener: Listener, tmp_path: Path
) -> None:
    settings = {"federation_file": allowlist, "federation_unfenced": True}
    with run_denied(ordinary_dir, tmp_path / "log", ("namespace", "landlock"), **settings) as running:
        assert running.client.get("/health/ready").json()["fences"]["queries"] == ["seccomp"]
        assert "only the check of its text keeps" in running.server.log_path.read_text(encoding="utf-8")
        for query in [*QUERIES, *ODD_QUERIES]:
            running.client.post("/sparql", data={"query": fill(listener, query)})
        assert listener.knocks == 0


START = """
import asyncio, json, sys
from pathlib import Path
from types import SimpleNamespace
from endpoint.sparql.connection import WorkerOptions, start_worker

async def start(needs_fence):
    loop = asyncio.get_running_loop()
    overseer = SimpleNamespace(note_lost=lambda worker: worker.epitaph.set_result((0, "")))
    options = WorkerOptions(
        memory_bytes=1 << 30,
        prefixes_path=Path("ontology/prefixes.ttl"),
        attach=lambda link: None,
        needs_fence=needs_fence,
    )
    try:
        worker = await start_worker(options, overseer)
    except OSError as error:
        return str(error)
    worker.kill()
    return worker.fences.names

json.dump([asyncio.run(start(each)) for each in (False, True)], sys.stdout)
"""


def test_worker_that_must_have_a_fence_is_not_used_without(repository: Path) -> None:
    command = [*wrap(*ALL), sys.executable, "-c", START]
    done = subprocess.run(command, capture_output=True, check=True, cwd=repository, env=worker_environment())
    said: list[object] = json.loads(done.stdout)
    assert said[0] == []
    assert "no fence" in str(said[1])
