"""Who may import whom (STYLE 3): the layers, and the fences around what only one module may touch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FENCES = {
    # what                 who may import it
    # The relay and its solutions are loaded by workers only, what evaluates updates by the writer.
    "pyoxigraph": (
        *("kg/", "endpoint/sparql/worker", "endpoint/federation/relay", "endpoint/federation/solutions"),
        *("endpoint/writes/worker", "endpoint/writes/evaluate", "endpoint/writes/templates"),
    ),
    "pyshacl": ("kg/validation/second.py",),
    "shacl": ("kg/validation/native.py",),
    "httpx": ("kg/graph_store.py", "kg/remote.py", "endpoint/sparql/remote.py"),
    "SPARQLWrapper": ("kg/remote.py",),
    "httpcore": ("endpoint/federation/client.py",),
    "fastapi": ("endpoint/",),
    "starlette": ("endpoint/",),
    "granian": ("endpoint/",),
    "endpoint": ("endpoint/", "kg/cli"),
}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("package", FENCES)
def test_only_its_own_modules_import(repository: Path, package: str) -> None:
    trespassers = [
        str(path.relative_to(repository))
        for top in ("kg", "endpoint")
        for path in (repository / top).rglob("*.py")
        if not str(path.relative_to(repository)).startswith(FENCES[package])
        and any(name == package or name.startswith(package + ".") for name in _imports(path))
    ]
    assert trespassers == []


def test_the_gate_loads_no_slow_engine() -> None:
    slow = {"pyshacl", "rdflib", "fastapi"}
    asked = f"import sys, kg.build; print(*({slow!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_no_module_is_named_for_nothing(repository: Path) -> None:
    vague = {"utils", "helpers", "common", "misc", "constants"}
    found = [path for top in ("kg", "endpoint") for path in (repository / top).rglob("*.py") if path.stem in vague]
    assert found == []


def test_only_settings_read_the_environment(repository: Path) -> None:
    readers = [
        str(path.relative_to(repository))
        for top in ("kg", "endpoint")
        for path in (repository / top).rglob("*.py")
        if "os.environ" in path.read_text(encoding="utf-8") or "getenv(" in path.read_text(encoding="utf-8")
    ]
    assert set(readers) <= {"kg/settings.py", "endpoint/settings.py", "kg/journal.py"}


def test_nothing_is_made_of_the_host_that_a_request_names(repository: Path) -> None:
    """The framework makes ``request.url`` of it, which a client may choose."""
    made_of_it = {"url", "base_url", "url_for"}
    found = [
        f"{path.relative_to(repository)}:{node.lineno}"
        for path in (repository / "endpoint").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in made_of_it
        if isinstance(node.value, ast.Name) and node.value.id == "request"
    ]
    assert found == []


def test_every_module_says_what_it_offers(repository: Path) -> None:
    silent = []
    for top in ("kg", "endpoint"):
        for path in (repository / top).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = [
                target.id
                for node in tree.body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            ]
            if path.name not in ("__init__.py", "__main__.py") and "__all__" not in names:
                silent.append(str(path.relative_to(repository)))
    assert silent == []


def test_no_sparql_hides_in_python(repository: Path) -> None:
    words = ("SELECT ", "CONSTRUCT ", "ASK {", "INSERT {", "DELETE {", "DESCRIBE ")
    hidden = []
    for top in ("kg", "endpoint"):
        for path in (repository / top).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            docstrings = {
                id(node.body[0].value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and node.body
                and isinstance(node.body[0], ast.Expr)
            }
            for node in ast.walk(tree):
                if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
                    continue
                if "{" in node.value and any(word in node.value for word in words):
                    hidden.append(f"{path.relative_to(repository)}:{node.lineno}")
    assert hidden == []


def test_a_draft_alone_changes_the_store_of_a_write(repository: Path) -> None:
    """What changed it otherwise would be in no list that rights are judged by (decision 0035)."""
    changing = {"add", "extend", "remove", "update", "clear", "load", "bulk_extend", "bulk_load"}
    changing |= {f"{verb}_graph" for verb in ("add", "clear", "remove")}
    found = []
    # What a write goes through; a build makes a store of its own, which is judged as a whole before anybody sees it.
    steps = [
        repository / "kg" / f"{name}.py" for name in ("candidate", "curation", "transaction", "written", "graph_import")
    ]
    for path in (*steps, *(repository / "endpoint/writes").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in changing:
                owner = node.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if name in ("store", "_store"):
                    found.append(path.relative_to(repository).as_posix())
    assert found == []
