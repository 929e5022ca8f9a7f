"""The servers of the comparison, each started on loopback with the same data, and stopped with all its children."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import INSTALL, find_command, find_free_port, need_command, run_program, run_virtuoso

__all__ = ["PEERS", "Dataset", "Peer", "find_missing", "peak_memory_mib", "processor_seconds"]


@dataclass(frozen=True)
class Dataset:
    """One data set in the forms that the servers want."""

    releases_dir: Path
    store: Path
    triples: Path  # the default graph as N-Triples


@dataclass(frozen=True)
class Peer:
    """A running server."""

    name: str
    url: str
    pid: int


def find_missing(name: str) -> str | None:
    """What to install before a peer can take part, or None."""
    command = {"chap": "kg", "virtuoso": "virtuoso-t"}.get(name, name)
    return None if find_command(command) else f"{name}: {command} is missing ({INSTALL.get(command, 'pip install .')})"


def peak_memory_mib(pid: int) -> float:
    """Sum of the high-water marks of a process and its children, in MiB; private memory may be counted twice."""
    total = 0
    for member in _family(pid):
        try:
            status = Path(f"/proc/{member}/status").read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        total += next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return total / 1024


def processor_seconds(pid: int) -> float:
    """Processor time of a process and its children so far, ended children included."""
    ticks = 0
    for member in _family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += sum(int(each) for each in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def chap(data: Dataset) -> Iterator[Peer]:
    """Ours."""
    port = find_free_port()
    command = [need_command("kg"), "serve", "--port", str(port), "--releases", str(data.releases_dir)]
    with _running("chap", command, f"http://127.0.0.1:{port}/sparql") as peer:
        yield peer


@contextmanager
def oxigraph(data: Dataset) -> Iterator[Peer]:
    """The server of the engine itself, in Rust, on the same store files."""
    port = find_free_port()
    command = [
        need_command("oxigraph"),
        "serve-read-only",
        "--location",
        str(data.store),
        "--bind",
        f"127.0.0.1:{port}",
    ]
    with _running("oxigraph", command, f"http://127.0.0.1:{port}/query") as peer:
        yield peer


@contextmanager
def rdflib_endpoint(data: Dataset) -> Iterator[Peer]:
    """The usual Python endpoint, with the default in-memory store of rdflib."""
    port = find_free_port()
    command = [need_command("rdflib-endpoint"), "serve", str(data.triples), "--host", "127.0.0.1", "--port", str(port)]
    with _running("rdflib-endpoint", command, f"http://127.0.0.1:{port}/", patience_s=600) as peer:
        yield peer


@contextmanager
def virtuoso(data: Dataset) -> Iterator[Peer]:
    """Virtuoso with the triples bulk-loaded into one graph, 2 GB of buffers."""
    home = data.triples.parent / "virtuoso"
    shutil.rmtree(home, ignore_errors=True)
    parameters = f"DirsAllowed={data.triples.parent}\nNumberOfBuffers=170000\nMaxDirtyBuffers=130000"
    with run_virtuoso(
        home, parameters=parameters, sparql="ResultSetMaxRows=2000000\nMaxQueryExecutionTime=60"
    ) as running:
        statements = (
            f"ld_dir('{data.triples.parent}', '{data.triples.name}', 'urn:chap'); rdf_loader_run(); checkpoint;"
        )
        subprocess.run(
            [need_command("isql-vt"), f"127.0.0.1:{running.sql_port}", "dba", "dba", f"exec={statements}"],
            check=True,
            capture_output=True,
        )
        yield Peer("virtuoso", f"{running.url}/sparql?default-graph-uri=urn%3Achap", running.pid)


PEERS = {"chap": chap, "oxigraph": oxigraph, "rdflib-endpoint": rdflib_endpoint, "virtuoso": virtuoso}


@contextmanager
def _running(name: str, command: list[str], url: str, *, patience_s: float = 60) -> Iterator[Peer]:
    with run_program(command, url, patience_s=patience_s) as process:
        yield Peer(name, url, process.pid)


def _family(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found
