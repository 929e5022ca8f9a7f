"""A small SPARQL server in two commands, and what one does with it, as README says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import find_free_port, run_program

START = """\
export KG_DEFAULT_GRAPH=own KG_SHAPES=none
kg build && kg serve
"""
USE = """\
export KG_DEFAULT_GRAPH=own KG_SHAPES=none
TOKEN=$(kg token add owner --admin)                        # printed once; --admin: everything
curl -X PUT 'http://127.0.0.1:8000/graph-store?default' -H "Authorization: Bearer $TOKEN" \\
     -H 'Content-Type: text/turtle' --data-binary @notes.ttl
curl http://127.0.0.1:8000/sparql -H "Authorization: Bearer $TOKEN" \\
     --data-urlencode 'update=INSERT DATA { GRAPH <http://example.org/g> { <urn:x:s> <urn:x:p> 2 } }'
curl http://127.0.0.1:8000/sparql -H 'Accept: text/csv' \\
     --data-urlencode 'query=SELECT ?o { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } } ORDER BY ?o'
"""


def test_commands_do_as_they_say(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = find_free_port()
    monkeypatch.setenv("ENDPOINT_PORT", str(port))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    (tmp_path / "notes.ttl").write_text("<urn:x:s> <urn:x:p> 1 .", encoding="utf-8")
    with run_program(["sh", "-c", START], f"http://127.0.0.1:{port}/sparql", cwd=tmp_path):
        script = USE.replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace("curl ", "curl --silent --fail ")
        done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["o", "1", "2"]
    readme = (repository / "README.md").read_text(encoding="utf-8")
    for line in (START + USE).splitlines() if "A small SPARQL server" in readme else ():
        assert line in readme
