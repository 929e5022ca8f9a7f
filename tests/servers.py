"""Programs that serve, started on loopback and stopped with all their children."""

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

__all__ = [
    "INSTALL",
    "RunningVirtuoso",
    "find_command",
    "find_free_port",
    "need_command",
    "run_program",
    "run_virtuoso",
    "wait_until_answering",
]

INSTALL = {
    "oxigraph": "pip install oxigraph",
    "rdflib-endpoint": "pip install 'rdflib-endpoint[cli]'",
    "virtuoso-t": "apt-get install virtuoso-opensource",
}


def find_free_port() -> int:
    """A port of the loopback address that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_command(command: str) -> str | None:
    """The path of a program beside this Python, or of the machine."""
    beside = Path(sys.executable).parent / command
    return str(beside) if beside.exists() else shutil.which(command)


def need_command(command: str) -> str:
    found = find_command(command)
    if found is None:
        raise FileNotFoundError(command)
    return found


@contextmanager
def run_program(
    command: list[str], url: str, *, cwd: Path | None = None, patience_s: float = 60
) -> Iterator[subprocess.Popen[bytes]]:
    """A program, once it answers a query at an address; ended with its children."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd, start_new_session=True
    )
    try:
        wait_until_answering(process, url, patience_s=patience_s)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_answering(process: subprocess.Popen[bytes], url: str, *, patience_s: float) -> None:
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


@dataclass(frozen=True)
class RunningVirtuoso:
    """A Virtuoso whose user is dba, password dba; its HTTP address and its SQL port."""

    url: str
    sql_port: int
    pid: int


@contextmanager
def run_virtuoso(home: Path, *, parameters: str = "", sparql: str = "") -> Iterator[RunningVirtuoso]:
    """A Virtuoso in a directory of its own, with further lines of virtuoso.ini."""
    http, sql = find_free_port(), find_free_port()
    home.mkdir(parents=True, exist_ok=True)
    (home / "virtuoso.ini").write_text(
        "[Database]\nDatabaseFile=v.db\nTransactionFile=v.trx\nErrorLogFile=v.log\nLockFile=v.lck\nxa_persistent_file=v.pxa\n"
        "[TempDatabase]\nDatabaseFile=t.db\nTransactionFile=t.trx\n"
        f"[Parameters]\nServerPort=127.0.0.1:{sql}\n{parameters}\n"
        f"[HTTPServer]\nServerPort=127.0.0.1:{http}\nServerRoot={home}\nServerThreads=20\n"
        f"[SPARQL]\n{sparql}\n",
        encoding="utf-8",
    )
    command = [need_command("virtuoso-t"), "+foreground", "+configfile", str(home / "virtuoso.ini")]
    url = f"http://127.0.0.1:{http}"
    with run_program(command, f"{url}/sparql", cwd=home, patience_s=120) as process:
        yield RunningVirtuoso(url, sql, process.pid)
