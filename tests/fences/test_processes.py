"""Hostile texts put straight to the processes that evaluate them, past every check: what holds then is a fence."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyoxigraph as ox
import pytest

from endpoint.settings import EndpointSettings, worker_environment, writer_environment
from endpoint.sparql.confinement import Fence
from endpoint.sparql.connection import FINAL
from endpoint.sparql.frames import Frame, FrameDecoder, FrameKind, Job, encode_frame
from endpoint.writes import messages
from endpoint.writes.messages import Event
from tests.conftest import KERNEL_DENIES
from tests.fences.conftest import give_away
from tests.fences.ordinary import wrap
from tests.protocol.test_federation_gate import CALLS, PLACES, PREFIXES, Listener

MIB = 1024 * 1024
PLAIN_MODE = {"KG_DEFAULT_GRAPH": "own", "KG_SHAPES": "none"}
ALL = ("namespace", "seccomp", "landlock")
# What is denied, and what is left of the fences then; on kernels before 6.7 there is no Landlock to be left.
DENIED = {
    (): Fence.NAMESPACE | Fence.SECCOMP,
    ("namespace",): Fence.SECCOMP,
    ("seccomp",): Fence.NAMESPACE,
    ("namespace", "landlock"): Fence.SECCOMP,
    ("namespace", "full-speed"): Fence.SECCOMP,
}
QUERIES = [
    *(f"BASE <{{url}}> {PREFIXES} SELECT * {{ {call}\n }}" for call in CALLS.values()),
    *(PREFIXES + place.format(call=CALLS["plain"]) for place in PLACES.values()),
    "ASK { SERVICE <http://localhost:{port}/> { ?s ?p ?o } }",
    "ASK { SERVICE <http://[::ffff:127.0.0.1]:{port}/> { ?s ?p ?o } }",
]
# They are calls as the engine reads them, and not everybody does.
ODD_QUERIES = [
    "PREFIX o: <{url}> ASK { SERVICEo:x { ?s ?p ?o } }",
    "SELECT * { ?s ?p ?b FILTER(1<?b)SERVICE<{url}#>{ ?a ?c ?d } }",
]
UPDATES = [
    "INSERT { ?s ?p ?o } WHERE { SERVICE <{url}> { ?s ?p ?o } }",
    "DELETE { GRAPH ?g { ?s ?p ?o } } WHERE { SERVICE SILENT <{url}> { ?s ?p ?o } }",
    "LOAD <{url}data.ttl>",
    "LOAD SILENT <{url}data.ttl> INTO GRAPH <urn:x:g>",
]
ODD_UPDATES = [
    "PREFIX o: <{url}> INSERT { ?s ?p ?o } WHERE { SERVICEo:x { ?s ?p ?o } }",
    "PREFIX o: <{url}> LOADo:z",
]


def fill(listener: Listener, text: str) -> str:
    return listener.fill(text).replace("{port}", listener.host.rpartition(":")[2])


@contextmanager
def run_worker(denied: tuple[str, ...], *, is_federated: bool) -> Iterator[tuple[Fence, socket.socket]]:
    """The fences of a query worker of an ordinary user, and the socket over which it is asked."""
    ours, theirs = socket.socketpair()
    link, their_link = socket.socketpair()
    descriptors = [theirs.fileno(), *([their_link.fileno()] if is_federated else [])]
    prefixes = EndpointSettings().ontology_dir.resolve() / "prefixes.ttl"
    command = [sys.executable, "-m", "endpoint.sparql.worker", str(1024 * MIB), str(prefixes), *map(str, descriptors)]
    with closing(ours), closing(link):
        process = subprocess.Popen([*wrap(*denied), *command], pass_fds=descriptors, env=worker_environment(), cwd="/")
        theirs.close()
        their_link.close()
        try:
            ours.settimeout(60)
            (ready,) = read_frames(ours)
            yield Fence(ready.body[0]), ours
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            process.wait(10)


def read_frames(connection: socket.socket) -> list[Frame]:
    """The frames of one answer."""
    decoder, frames = FrameDecoder(), list[Frame]()
    while not frames or frames[-1].kind not in FINAL | {FrameKind.READY}:
        data = connection.recv(65_536)
        assert data, "the worker ended"
        frames += decoder.feed(data)
    return frames


def ask(connection: socket.socket, store: Path, query: str) -> list[Frame]:
    job = Job(store=str(store), text=query, media_type="application/sparql-results+json")
    if query.startswith(("CONSTRUCT", "DESCRIBE")) or " CONSTRUCT" in query or " DESCRIBE" in query:
        job = Job(store=str(store), text=query, media_type="application/n-triples")
    connection.sendall(encode_frame(FrameKind.QUERY, job.encode()))
    return read_frames(connection)


@pytest.fixture(scope="module")
def store(ordinary_dir: Path) -> Path:
    """A store of two quads, over which even the worst text is evaluated at once."""
    path = ordinary_dir / "store"
    small = ox.Store(str(path))
    statement = (ox.NamedNode("urn:x:s"), ox.NamedNode("urn:x:p"), ox.Literal(2))
    small.extend([ox.Quad(*statement), ox.Quad(*statement, ox.NamedNode("urn:x:g"))])
    small.flush()
    del small
    give_away(path)
    return path


def skip_without(expected: Fence, found: Fence) -> None:
    """Skip what needs a fence that not every machine grants; where filters are installed by tests, ours can be."""
    assert Fence.SECCOMP not in expected or Fence.SECCOMP in found
    if expected & ~found:
        pytest.skip(f"{KERNEL_DENIES}: it grants {found.names}")


@pytest.mark.parametrize("denied", DENIED, ids="-".join)
def test_query_reaches_nothing_behind_a_fence(store: Path, listener: Listener, denied: tuple[str, ...]) -> None:
    with run_worker(denied, is_federated=False) as (fences, worker):
        skip_without(DENIED[denied], fences)
        assert not set(fences.names) & set(denied)
        for query in [*QUERIES, *ODD_QUERIES]:
            last = ask(worker, store, fill(listener, query))[-1]
            # SILENT, EXISTS, and what the engine refuses by itself: an answer or an error, from a worker that lives on.
            assert last.kind in FINAL
        (answer,) = ask(worker, store, fill(listener, "SELECT * { SERVICE <{url}> { ?s ?p ?o } }"))
        assert answer.kind is FrameKind.FAILURE
        assert ask(worker, store, "ASK { ?s ?p ?o }")[-1].kind is FrameKind.WHOLE
    assert listener.knocks == 0


@pytest.mark.parametrize("denied", [(), ("namespace",)], ids="-".join)
def test_query_beside_a_relay_reaches_nothing_else(store: Path, listener: Listener, denied: tuple[str, ...]) -> None:
    with run_worker(denied, is_federated=True) as (fences, worker):
        skip_without(Fence.SECCOMP | Fence.LANDLOCK, fences)
        for query in [*QUERIES, *ODD_QUERIES]:
            assert ask(worker, store, fill(listener, query))[-1].kind in FINAL
        (answer,) = ask(worker, store, fill(listener, "SELECT * { SERVICE <{url}> { ?s ?p ?o } }"))
        assert answer.kind is FrameKind.FAILURE
    assert listener.knocks == 0


def test_query_without_a_fence_reaches_out(store: Path, listener: Listener) -> None:
    """Else the tests above would show nothing."""
    kept = []
    with run_worker(ALL, is_federated=False) as (fences, worker):
        assert fences == Fence(0)
        for query in [*QUERIES, *ODD_QUERIES]:
            before = listener.knocks
            ask(worker, store, fill(listener, query))
            if listener.knocks == before:
                kept.append(query)
    # Among them what names no address, and what the engine never comes to since nothing matches before it.
    assert len(kept) < len(QUERIES) / 4, kept


# The writer without its own reading of updates, which lets none of these through: the engine gets them as they are.
UNREAD_WRITER = """
import sys
import pyoxigraph as ox
from endpoint.writes import worker
from kg.errors import QueryError

def update_unread(job, limits):
    try:
        ox.Store().update(job.text)
    except (OSError, RuntimeError, SyntaxError, ValueError) as error:
        raise QueryError(f"the engine says: {error}") from error
    raise QueryError("carried out")

worker._make_change = update_unread
worker.main(sys.argv[1:])
"""


@contextmanager
def run_writer(ordinary_dir: Path, denied: tuple[str, ...]) -> Iterator[tuple[Event, socket.socket]]:
    """What a writer of an ordinary user says first, and the socket over which it is told what to write."""
    ours, theirs = socket.socketpair()
    settings = EndpointSettings(releases_dir=ordinary_dir / "releases")
    command = [sys.executable, "-c", UNREAD_WRITER, str(theirs.fileno()), str(2048 * MIB), "100", "200", "600"]
    with closing(ours):
        process = subprocess.Popen(
            [*wrap(*denied), *command],
            pass_fds=[theirs.fileno()],
            env=writer_environment(settings, os.environ | PLAIN_MODE),
            cwd="/",
        )
        theirs.close()
        try:
            ours.settimeout(120)
            yield read_event(ours), ours
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            process.wait(10)


def read_event(connection: socket.socket) -> Event:
    line = b""
    while not line.endswith(b"\n"):
        data = connection.recv(65_536)
        assert data, "the writer ended"
        line += data
    return messages.decode_event(line)


def tell(connection: socket.socket, update: str) -> Event:
    job = messages.Job(
        verb="update",
        graph=None,
        base_iri="http://localhost/",
        parts=(),
        text=update,
        using=(),
        using_named=(),
        writer="boss",
        prefixes=("",),
        expected=(),
        is_dry_run=True,
        report_type="application/json",
        language="en",
    )
    connection.sendall(messages.encode(job))
    return read_event(connection)


@pytest.mark.parametrize("denied", DENIED, ids="-".join)
def test_update_reaches_nothing_behind_a_fence(ordinary_dir: Path, listener: Listener, denied: tuple[str, ...]) -> None:
    with run_writer(ordinary_dir, denied) as (ready, writer):
        assert ready.event == "ready"
        skip_without(DENIED[denied], Fence(ready.fences))
        assert not set(Fence(ready.fences).names) & set(denied)
        for update in [*UPDATES, *ODD_UPDATES]:
            said = tell(writer, fill(listener, update)).message
            assert said.startswith("the engine says") or "SILENT" in update
    assert listener.knocks == 0


def test_update_without_a_fence_reaches_out(ordinary_dir: Path, listener: Listener) -> None:
    with run_writer(ordinary_dir, ALL) as (ready, writer):
        assert ready.fences == 0
        for update in [*UPDATES, *ODD_UPDATES]:
            tell(writer, fill(listener, update))
    assert listener.knocks == len([*UPDATES, *ODD_UPDATES])


def test_completer_makes_no_socket() -> None:
    code = (
        "import socket\n"
        "from endpoint.writes import completer\n"
        "completer.complete_current = lambda _: socket.socket()\n"
        "completer.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=worker_environment())
    assert b"PermissionError" in done.stderr
