from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kg.scratch import clear_scratch, make_scratch

_WORK = """
import time
from kg.scratch import make_scratch
with make_scratch("test") as path:
    (path / "file").touch()
    print(path, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for scratch of this test alone."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_scratch_goes_in_the_end(temporary: Path) -> None:
    with make_scratch("test") as path:
        (path / "below").mkdir()
        assert path.parent == temporary
    assert not [*temporary.iterdir()]


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(temporary: Path) -> None:
    (temporary / "chap-scratch-of-nobody").symlink_to(temporary)
    with (
        make_scratch("test") as own,
        subprocess.Popen([sys.executable, "-c", _WORK], stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        clear_scratch()
        assert (path / "file").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert path.exists()
        clear_scratch()
        assert not path.exists()
        assert own.is_dir()
        assert temporary.is_dir()
