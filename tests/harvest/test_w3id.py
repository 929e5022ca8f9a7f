"""The redirects that we ask w3id.org for, in a real Apache: each kind of IRI leads to its address, all else nowhere."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kg.terms import BASE
from tests.protocol.conftest import RunningServer

PLACEHOLDER = "https://chap.example.org"
CONFIGURATION = """
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {directory}/pid
ErrorLog {directory}/error.log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dir_module {modules}/mod_dir.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule rewrite_module {modules}/mod_rewrite.so
DocumentRoot {directory}/root
<Directory {directory}/root>
  AllowOverride All
  Require all granted
</Directory>
"""
PATHS = [
    "id/organisation/de-holm",
    "id/source/bbfi-hessen-2024/p5",
    "def",
    "def/1.0.0",
    "def.ttl",
    "def/alignment",
    "shapes",
    "scheme/topic",
    "scheme/topic/ai",
    "graph/inferred",
    "graph/inferred.trig",
    "dataset/chap",
    "maintainers",
    "context.jsonld",
]


@pytest.fixture(scope="module")
def registry(server: RunningServer, repository: Path) -> Iterator[str]:
    """The address of an Apache that serves ontology/w3id as the directory /chap/, as the registry does."""
    apache = shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin")
    if apache is None:
        pytest.skip("apache2 is not installed on this machine (Debian package apache2)")
    modules = Path("/usr/lib/apache2/modules")
    # Not below pytest's own directory, which only its user may enter: started by root, Apache becomes another.
    directory = Path(tempfile.mkdtemp(prefix="chap-w3id-"))
    directory.chmod(0o755)
    chap = directory / "root" / "chap"
    shutil.copytree(repository / "ontology" / "w3id", chap)
    rules = chap / ".htaccess"
    rules.write_text(rules.read_text(encoding="utf-8").replace(PLACEHOLDER, server.url), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = directory / "apache.conf"
    user = "User nobody\nGroup nogroup\n" if os.geteuid() == 0 else ""
    configuration.write_text(
        CONFIGURATION.format(port=port, directory=directory, modules=modules) + user, encoding="utf-8"
    )
    process = subprocess.Popen([apache, "-f", str(configuration), "-D", "FOREGROUND"])
    try:
        _wait_for(f"http://127.0.0.1:{port}/", process, directory)
        yield f"http://127.0.0.1:{port}/chap/"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(directory)


def _wait_for(url: str, process: subprocess.Popen[bytes], directory: Path) -> None:
    log = directory / "error.log"
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PATHS)
def test_iri_leads_to_its_document(registry: str, server: RunningServer, path: str) -> None:
    redirect = httpx.get(registry + path)
    assert redirect.status_code == 303
    assert redirect.headers["location"] == f"{server.url}/{path}"
    answer = httpx.get(registry + path, headers={"Accept": "text/turtle, application/ld+json"}, follow_redirects=True)
    assert answer.status_code == 200
    stem = path.rpartition(".")[0] if path.endswith((".ttl", ".trig")) else path
    if path != "context.jsonld":
        assert f'<{BASE}{stem}>; rel="canonical"' in answer.headers["link"]


def test_query_string_goes_along(registry: str, server: RunningServer) -> None:
    redirect = httpx.get(f"{registry}id/organisation/de-holm", params={"release": "1", "lang": "de"})
    assert redirect.headers["location"] == f"{server.url}/id/organisation/de-holm?release=1&lang=de"


def test_root_leads_to_the_start_page(registry: str, server: RunningServer) -> None:
    redirect = httpx.get(registry)
    assert redirect.status_code == 303
    assert redirect.headers["location"] == f"{server.url}/"


@pytest.mark.parametrize(
    "path",
    ["definition", "id/", "shapesX", "nothing", "scheme", "id/a%20b", "id/a%0d%0aX:1", "id/organisation/..%2f..%2fx"],
)
def test_other_path_leads_nowhere(registry: str, path: str) -> None:
    assert httpx.get(registry + path).status_code in (400, 403, 404)


def test_rules_name_the_server_in_one_place(repository: Path) -> None:
    rules = (repository / "ontology" / "w3id" / ".htaccess").read_text(encoding="utf-8")
    assert rules.count(PLACEHOLDER) == 1
