"""What a query needed is not kept: a worker that has grown gives it back, or is replaced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from endpoint.settings import worker_environment
from endpoint.sparql.memory import measure_memory
from tests.protocol.conftest import run_server
from tests.protocol.processes import find_workers, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc (Linux)")

# Some 15 MiB, which the allocator keeps.
SORT = "SELECT * WHERE { { SELECT * WHERE { ?a ?b ?c } LIMIT 50000 } } ORDER BY ?c LIMIT 1"
KEPT_MIB = 20
GROW = """
from endpoint.sparql.memory import give_back_memory, measure_memory
blocks = [bytes(2000) for _ in range(100_000)]
last = blocks.pop()
del blocks
before = measure_memory()
give_back_memory()
print(before >> 20, measure_memory() >> 20)
"""


def test_worker_that_keeps_much_is_replaced(releases_dir: Path, tmp_path: Path) -> None:
    settings = {"query_idle_memory_mib": KEPT_MIB, "query_long_after_s": 30}
    with run_server(releases_dir, tmp_path / "log", **settings) as server, server.client() as client:
        before = find_workers(server.process.pid)
        assert all(measure_memory(pid) >> 20 < KEPT_MIB for pid in before)
        assert client.post("/sparql", data={"query": SORT}).status_code == 200
        assert wait_until(lambda: 'reason="memory"} 1.0' in client.get("/metrics").text, seconds=20)
        assert wait_until(lambda: len(before & find_workers(server.process.pid)) == 1, seconds=5)
        pool = client.get("/health/ready").json()["pool"]
        assert (pool["workers"], pool["idle"]) == (2, 2)
        assert all(measure_memory(pid) >> 20 < KEPT_MIB for pid in find_workers(server.process.pid))


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator of glibc is asked")
def test_memory_that_is_free_is_given_back() -> None:
    # Where it would be kept: as the workers are started.
    done = subprocess.run(
        [sys.executable, "-c", GROW], env=worker_environment(), check=True, capture_output=True, text=True
    )
    before, after = map(int, done.stdout.split())
    assert before > 150
    assert after < 40
