"""Many writers and many readers at once: nobody sees half a write, and no write is lost."""

from __future__ import annotations

from pathlib import Path

import httpx

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
