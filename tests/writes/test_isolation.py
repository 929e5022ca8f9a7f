"""Many writers and many readers at once: nobody sees half a write, and no write is lost."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx

from kg.commit import WORKSPACE
from kg.manifest import UNCOMMITTED_NAME
from tests.assertions import assert_problem
from tests.protocol.processes import find_writer
from tests.writes.conftest import TURTLE, WRITTEN, Writable, run_writable
from tests.writes.counter import count_together

SECONDS = 5.0


def test_readers_see_whole_releases_and_no_update_is_lost(releases_dir: Path, tmp_path: Path) -> None:
    with run_writable(releases_dir, tmp_path) as running:
        counted = count_together(running, seconds=SECONDS)
    assert counted.writes > 1
    assert min(counted.looks) > 1


def test_client_that_leaves_loses_no_write_of_others(writable: Writable) -> None:
    with writable.client() as client, httpx.Client(base_url=writable.server.url, timeout=0.05) as hasty:
        url = f"/graph-store?graph={WRITTEN}holm-hasty"
        headers = {**TURTLE, "Authorization": f"Bearer {writable.holm}"}
        for number in range(3):
            try:
                hasty.put(url, content=f"<urn:x:a> <urn:x:b> {number} .", headers=headers)
            except httpx.TimeoutException:
                continue
        assert client.put(url, content="<urn:x:a> <urn:x:b> 9 .", headers=headers).status_code in (201, 204)
        assert "9" in client.get(url).text


def test_writer_that_dies_while_it_publishes_is_not_said_to_have_changed_nothing(
    releases_dir: Path, tmp_path: Path
) -> None:
    url = f"/graph-store?graph={WRITTEN}holm-unclear"
    with run_writable(releases_dir, tmp_path) as running, running.client() as client, ThreadPoolExecutor(1) as pool:
        client.put(url, content="<urn:x:a> <urn:x:b> -1 .", headers=TURTLE).raise_for_status()
        for number in range(3):
            writer = find_writer(running.server.process.pid)
            content = f"<urn:x:a> <urn:x:b> {number} ."
            answer = pool.submit(client.put, url, content=content, headers=TURTLE)
            while not answer.done():
                if any(running.releases_dir.glob(f"{WORKSPACE}*/release/{UNCOMMITTED_NAME}")):
                    with suppress(ProcessLookupError):
                        os.kill(writer, signal.SIGKILL)
                    break
            told = answer.result()
            if told.status_code != 204:
                assert_problem(told, 500, "write-unclear")
            is_there = f" {number} ." in client.get(url).text
            assert is_there or told.status_code == 500
            assert client.put(url, content="<urn:x:a> <urn:x:b> -1 .", headers=TURTLE).status_code == 204
