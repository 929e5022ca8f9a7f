"""Where the kernel gives workers no network of their own, federation works all the same, behind other fences."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.assertions import assert_problem
from tests.federation.conftest import IRI, expand, write_allowlist
from tests.federation.outside import run_outside
from tests.protocol.conftest import run_server

# In a user namespace of its own, in which no further network namespace may be made.
WITHOUT = [
    *("unshare", "--user", "--map-root-user", "sh", "-c"),
    *('echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"', "sh"),
]


def is_possible() -> bool:
    try:
        return subprocess.run([*WITHOUT, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not is_possible(), reason="needs unshare (util-linux) and a kernel that lets users have namespaces")
def test_worker_without_a_namespace_asks_through_the_gateway_too(releases_dir: Path, tmp_path: Path) -> None:
    with run_outside() as outside:
        outside.store.update("INSERT DATA { <urn:o:thing> <urn:o:year> 2003 }")
        entry = {"iri": f"{IRI}plain", "url": f"{outside.url}/sparql", "private": True}
        allowlist = write_allowlist(tmp_path / "endpoints.toml", {"plain": entry})
        with (
            run_server(
                releases_dir, tmp_path / "log", wrapper=shlex.join(WITHOUT), federation_file=allowlist
            ) as server,
            server.client() as client,
        ):
            ready = client.get("/health/ready").json()
            assert ready["pool"]["without_network"] == 0
            # Two fences in its place: sockets for TCP alone, and no port but that of the relay.
            assert ready["fences"]["queries"] == ["seccomp", "landlock"]
            answer = client.post("/sparql", data={"query": expand("SELECT * { SERVICE @plain { ?s o:year 2003 } }")})
            assert [row["s"]["value"] for row in answer.json()["results"]["bindings"]] == ["urn:o:thing"]
            assert len(outside.log) == 1
            direct = f"SELECT * {{ SERVICE <{outside.url}/sparql> {{ ?s ?p ?o }} }}"
            assert_problem(client.post("/sparql", data={"query": direct}), 403, "query-refused")
            assert len(outside.log) == 1
