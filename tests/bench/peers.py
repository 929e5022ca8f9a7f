"""The servers of the comparison, each started on loopback with the same data, and stopped with all its children."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PEERS", "Dataset", "Peer", "find_missing", "free_port", "peak_memory_mib", "processor_seconds"]


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


def free_port() -> int:
    """A port of the loopback address that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_missing(name: str) -> str | None:
    """What to install before a peer can take part, or None."""
    command, cure = {
        "chap": ("kg", "pip install chap-kg"),
        "oxigraph": ("oxigraph", "pip install oxigraph"),
        "rdflib-endpoint": ("rdflib-endpoint", "pip install 'rdflib-endpoint[cli]'"),
        "virtuoso": ("virtuoso-t", "apt-get install virtuoso-opensource"),
    }[name]
    return None if _find(command) else f"{name}: {command} is missing ({cure})"


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
    port = free_port()
    command = [_need("kg"), "serve", "--port", str(port), "--releases", str(data.releases_dir)]
    with _running("chap", command, f"http://127.0.0.1:{port}/sparql") as peer:
        yield peer


@contextmanager
def oxigraph(data: Dataset) -> Iterator[Peer]:
    """The server of the engine itself, in Rust, on the same store files."""
    port = free_port()
    command = [_need("oxigraph"), "serve-read-only", "--location", str(data.store), "--bind", f"127.0.0.1:{port}"]
    with _running("oxigraph", command, f"http://127.0.0.1:{port}/query") as peer:
        yield peer


@contextmanager
def rdflib_endpoint(data: Dataset) -> Iterator[Peer]:
    """The usual Python endpoint, with the default in-memory store of rdflib."""
    port = free_port()
    command = [_need("rdflib-endpoint"), "serve", str(data.triples), "--host", "127.0.0.1", "--port", str(port)]
    with _running("rdflib-endpoint", command, f"http://127.0.0.1:{port}/", patience_s=600) as peer:
        yield peer


@contextmanager
def virtuoso(data: Dataset) -> Iterator[Peer]:
    """Virtuoso with the triples bulk-loaded into one graph, 2 GB of buffers."""
    http, sql = free_port(), free_port()
    home = data.triples.parent / "virtuoso"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    (home / "virtuoso.ini").write_text(
        "[Database]\nDatabaseFile=v.db\nTransactionFile=v.trx\nErrorLogFile=v.log\nLockFile=v.lck\nxa_persistent_file=v.pxa\n"
        "[TempDatabase]\nDatabaseFile=t.db\nTransactionFile=t.trx\n"
        f"[Parameters]\nServerPort=127.0.0.1:{sql}\nDirsAllowed={data.triples.parent}\nNumberOfBuffers=170000\nMaxDirtyBuffers=130000\n"
        f"[HTTPServer]\nServerPort=127.0.0.1:{http}\nServerRoot={home}\nServerThreads=20\n"
        "[SPARQL]\nResultSetMaxRows=2000000\nMaxQueryExecutionTime=60\n",
        encoding="utf-8",
    )
    command = [_need("virtuoso-t"), "+foreground", "+configfile", str(home / "virtuoso.ini")]
    with _running("virtuoso", command, f"http://127.0.0.1:{http}/sparql", cwd=home, patience_s=120) as peer:
        statements = (
            f"ld_dir('{data.triples.parent}', '{data.triples.name}', 'urn:chap'); rdf_loader_run(); checkpoint;"
        )
        subprocess.run(
            [_need("isql-vt"), f"127.0.0.1:{sql}", "dba", "dba", f"exec={statements}"], check=True, capture_output=True
        )
        yield Peer(peer.name, peer.url + "?default-graph-uri=urn%3Achap", peer.pid)


PEERS = {"chap": chap, "oxigraph": oxigraph, "rdflib-endpoint": rdflib_endpoint, "virtuoso": virtuoso}


def _find(command: str) -> str | None:
    beside = Path(sys.executable).parent / command
    return str(beside) if beside.exists() else shutil.which(command)


def _need(command: str) -> str:
    found = _find(command)
    if found is None:
        raise FileNotFoundError(command)
    return found


@contextmanager
def _running(
    name: str, command: list[str], url: str, *, cwd: Path | None = None, patience_s: float = 60
) -> Iterator[Peer]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd, start_new_session=True
    )
    try:
        _wait_for(process, url, patience_s)
        yield Peer(name, url, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], url: str, patience_s: float) -> None:
    ask = url + "?" + urllib.parse.urlencode({"query": "ASK {}"})
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(ask, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError(f"{url} did not answer within {patience_s} s")


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
