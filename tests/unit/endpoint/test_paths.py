"""Paths in error texts: hidden from those outside, whole in the log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from endpoint.http.paths import PathHider
from endpoint.settings import EndpointSettings


def test_beginnings_of_our_paths_are_hidden_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    releases_dir = tmp_path / "place" / "releases"
    releases_dir.mkdir(parents=True)
    (tmp_path / "link").symlink_to(releases_dir)
    hider = PathHider(EndpointSettings(releases_dir=tmp_path / "link", tokens_file=tmp_path / "secret" / "tokens.json"))
    with caplog.at_level(logging.ERROR):
        for text, shown in {
            f"{releases_dir}/1-a: its store is gone": "1-a: its store is gone",
            f"{tmp_path}/link/1-a/store: [Errno 2] '{releases_dir}/1-a'": "1-a/store: [Errno 2] '1-a'",
            f"no release in {releases_dir} yet": "no release in … yet",
            f"{tmp_path}/secret/tokens.json cannot be read": "tokens.json cannot be read",
            "There is nothing at /releases/1-a.": "There is nothing at /releases/1-a.",
            f"https://example.org{releases_dir}/x": f"https://example.org{releases_dir}/x",
        }.items():
            assert hider.hide(text) == shown
            hider.hide(text)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 4
    assert f"{releases_dir}/1-a: its store is gone" in told[0]
