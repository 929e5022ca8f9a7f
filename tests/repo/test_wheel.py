"""The wheel works outside the checkout: it holds ontology, shapes, data and queries, and builds a release from them."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_wheel_builds_a_release_outside_the_checkout(repository: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"), str(repository)],
        check=True,
        capture_output=True,
        text=True,
    )
    (wheel,) = (tmp_path / "dist").glob("chap_kg-*.whl")
    environment = tmp_path / "venv"
    venv.create(environment, system_site_packages=False, with_pip=False)
    # The dependencies come from the running environment, so the test needs no second download of them.
    here = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    site = next((environment / "lib").glob("python*/site-packages"))
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True)
    (site / "dependencies.pth").write_text(f"{here}\n", encoding="utf-8")
    python = str(environment / "bin" / "python")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KG_", "COV"))}

    where = subprocess.run(
        [python, "-c", "import kg; print(kg.__file__)"],
        cwd=tmp_path,
        env=clean,
        check=True,
        capture_output=True,
        text=True,
    )
    assert str(site) in where.stdout
    subprocess.run([python, "-m", "kg", "build"], cwd=tmp_path, env=clean, check=True, capture_output=True, text=True)
    question = site / "kg" / "assets" / "ontology" / "questions"
    (query,) = question.glob("cq-007-*.rq")
    answer = subprocess.run(
        [python, "-m", "kg", "query", "-f", str(query), "--format", "csv"],
        cwd=tmp_path,
        env=clean,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "de-hodt" in answer.stdout
