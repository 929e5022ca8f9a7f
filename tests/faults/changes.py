"""The changes that faults are put into: each with what it begins from, and what can be seen of it afterwards.

A change works below a directory of its own, in which ``releases`` is that of the releases. All are made with one
instant, so a change comes to the same bytes each time.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeAlias

import pyoxigraph as ox

from endpoint.writes.tokens import add_token, load_tokens, revoke_token
from kg.allowlist import load_allowlist
from kg.build import build
from kg.commit import recover
from kg.complete import complete_current
from kg.doctor import examine_directory, examine_one, list_releases
from kg.edih.importer import import_export
from kg.errors import KgError
from kg.lock import lock_releases
from kg.mirror import plan_mirror, run_mirror
from kg.rdfio import load_graph
from kg.release import Releases
from kg.replica import export_release, import_release
from kg.retention import keep_release, prune_releases
from kg.settings import KgSettings
from kg.terms import CHAP, GRAPH
from kg.transaction import Write, Writer, write
from tests.build.edih_exports import make_record, write_export
from tests.unit.kg.conftest import OPEN, make_quads

__all__ = ["CHANGES", "Change", "State", "find_change", "find_leftovers", "find_problems", "settle"]

RELEASES = "releases"
State: TypeAlias = dict[str, object]
"""What can be seen of a directory, by the names of its parts."""

_WRITER = Writer(name="faults", graphs=("",))


@dataclass(frozen=True)
class Change:
    """A change: how its directory begins, the change itself, and what of it is to be compared.

    Attributes:
        name: what it is called.
        prepare: makes what it begins from.
        run: makes the change, in a process of its own.
        describe: the state of its directory, as a value.
        is_derived: whether it only makes what follows from a release, so that an error promises nothing.
        is_partial: whether it changes several things one after the other, and may be broken off between two.
        is_long: whether a test tries less of it.
    """

    name: str
    prepare: Callable[[Path], None]
    run: Callable[[Path], None]
    describe: Callable[[Path], State]
    is_derived: bool = False
    is_partial: bool = False
    is_long: bool = False


# ------------ releases


def _settings(directory: Path, *, plain: bool) -> KgSettings:
    root = directory / RELEASES
    return KgSettings(releases_dir=root, default_graph="own", shapes=None) if plain else KgSettings(releases_dir=root)


def _begin(directory: Path) -> None:
    """An empty plain dataset."""
    build(_settings(directory, plain=True))


def _publish(directory: Path, name: str) -> None:
    """A graph, with dumps, descriptions and a feed."""
    cluster, graph = f"https://w3id.org/chap/id/organisation/de-{name}", GRAPH + "source-a"
    kind = ox.NamedNode("https://w3id.org/chap/scheme/actor-kind/consortium")
    settings = _settings(directory, plain=False)
    quads = [
        *make_quads(name),
        ox.Quad(ox.NamedNode(cluster), ox.NamedNode(CHAP + "kind"), kind, ox.NamedNode(graph)),
        *load_graph(settings.ontology_dir / "schemes" / "actor-kind.ttl", graph_iri=graph),
    ]
    Releases(directory / RELEASES).publish(
        quads=quads,
        open_licences=[OPEN],
        manifest_extra={},
        report_turtle=b"",
        settings=_settings(directory, plain=False),
    )


def _write(directory: Path, name: str, *, plain: bool) -> None:
    graph = ox.DefaultGraph() if plain else ox.NamedNode(f"https://w3id.org/chap/graph/written/{name}")
    quad = ox.Quad(ox.NamedNode(f"urn:x:{name}"), ox.NamedNode("urn:x:says"), ox.Literal(name), graph)

    work = Write(apply=lambda draft: draft.add([quad]), writer=_WRITER)
    outcome = write(_settings(directory, plain=plain), work, on_commit=lambda: None)
    assert outcome.is_new, outcome.report.to_text()


def _prepare_nothing(directory: Path) -> None:
    directory.mkdir()


def _prepare_one(directory: Path) -> None:
    directory.mkdir()
    _begin(directory)
    _write(directory, "alpha", plain=True)


def _prepare_two(directory: Path) -> None:
    _prepare_one(directory)
    _write(directory, "beta", plain=True)


def _prepare_built(directory: Path) -> None:
    directory.mkdir()
    _publish(directory, "alpha")


def _prepare_awaited(directory: Path) -> None:
    _prepare_built(directory)
    _write(directory, "beta", plain=False)


def _prepare_archive(directory: Path) -> None:
    """An archive of a graph that was built twice, and a directory with the first build of it."""
    _prepare_built(directory)
    root = directory / RELEASES
    shutil.copytree(root, directory / "first", symlinks=True)
    _publish(directory, "beta")
    export_release(Releases(root), "current", directory / "archive")
    shutil.rmtree(root)
    (directory / "first").rename(root)


def _describe_releases(directory: Path) -> State:
    root = directory / RELEASES
    releases = Releases(root)
    kept, feed = root / "kept.json", root / "feed" / "log.jsonl"
    return {
        "journal": [(each.release, each.action) for each in releases.journal()],
        "current": releases.current_id(),
        "kept": kept.read_text() if kept.exists() else None,
        "feed": feed.read_text() if feed.exists() else None,
        **{each.id: each.is_complete for each in releases.list()},
    }


# ------------ beside them


def _prepare_tokens(directory: Path) -> None:
    directory.mkdir()
    add_token(directory / "tokens.json", name="first", graphs=[], admin=True)
    add_token(directory / "tokens.json", name="second", graphs=[], admin=True)


def _describe_tokens(directory: Path) -> State:
    return {"tokens": [each.name for each in load_tokens(directory / "tokens.json")]}


def _export(directory: Path) -> None:
    export_release(Releases(directory / RELEASES), "current", directory / "archive")


def _describe_archive(directory: Path) -> State:
    path = directory / "archive"
    return {path.name: path.read_bytes() if path.exists() else None}


def _mirror(directory: Path) -> None:
    url = (directory / "url").read_text()
    plan = plan_mirror("nuts-hesse", load_allowlist(KgSettings().data_dir / "endpoints.toml"), store=ox.Store, url=url)
    run_mirror(
        plan,
        directory,
        contact="mailto:faults@example.org",
        today=date(2026, 1, 1),
        progress=lambda _requests, _triples: None,
    )


def _describe_mirror(directory: Path) -> State:
    path = directory / "mirrors" / "nuts-hesse.nq"
    return {path.name: path.read_bytes() if path.exists() else None}


def _prepare_tables(directory: Path) -> None:
    shutil.copytree(KgSettings().data_dir, directory, ignore=shutil.ignore_patterns("links", "mirrors"))
    write_export(directory / "edihs_2027-01-01.xlsx", [make_record("TESTHUB")])


def _import_tables(directory: Path) -> None:
    import_export(
        directory / "edihs_2027-01-01.xlsx",
        data_dir=directory,
        ontology_dir=KgSettings().ontology_dir,
        as_of=date(2027, 1, 1),
    )


def _describe_tables(directory: Path) -> State:
    return {str(each.relative_to(directory)): each.read_bytes() for each in sorted(directory.rglob("*.csv"))}


# ------------ the changes


def _use(directory: Path, ref: str) -> None:
    Releases(directory / RELEASES).use(ref)


def _keep(directory: Path, ref: str) -> None:
    keep_release(directory / RELEASES, ref)


def _prune(directory: Path) -> None:
    prune_releases(directory / RELEASES, keep=1)


def _complete(directory: Path) -> None:
    complete_current(_settings(directory, plain=False))


def _import(directory: Path) -> None:
    import_release(directory / RELEASES, directory / "archive")


def _add_token(directory: Path) -> None:
    add_token(directory / "tokens.json", name="third", graphs=[], admin=True)


def _revoke_token(directory: Path) -> None:
    revoke_token(directory / "tokens.json", "first")


CHANGES = (
    Change("begin", _prepare_nothing, _begin, _describe_releases, is_long=True),
    Change("build", _prepare_built, lambda here: _publish(here, "beta"), _describe_releases, is_long=True),
    Change("write", _prepare_one, lambda here: _write(here, "beta", plain=True), _describe_releases),
    Change("use", _prepare_two, lambda here: _use(here, "1"), _describe_releases),
    Change("keep", _prepare_two, lambda here: _keep(here, "1"), _describe_releases),
    Change("prune", _prepare_two, _prune, _describe_releases, is_partial=True),
    Change("complete", _prepare_awaited, _complete, _describe_releases, is_derived=True, is_long=True),
    Change("import", _prepare_archive, _import, _describe_releases, is_long=True),
    Change("export", _prepare_two, _export, _describe_archive),
    Change("token", _prepare_tokens, _add_token, _describe_tokens),
    Change("revoke", _prepare_tokens, _revoke_token, _describe_tokens),
    Change("mirror", _prepare_nothing, _mirror, _describe_mirror, is_long=True),
    Change("tables", _prepare_tables, _import_tables, _describe_tables, is_partial=True, is_long=True),
)


def find_change(name: str) -> Change:
    """The change of that name."""
    return next(each for each in CHANGES if each.name == name)


def find_problems(directory: Path, *, quick: bool = True) -> list[str]:
    """What ``kg doctor`` complains of, and would not repair by itself."""
    return [each for each, is_safe in _iter_problems(directory, quick=quick) if not is_safe]


def find_leftovers(directory: Path) -> list[str]:
    """What ``kg doctor`` complains of, and repairs."""
    return [each for each, is_safe in _iter_problems(directory, quick=True) if is_safe]


def _iter_problems(directory: Path, *, quick: bool) -> list[tuple[str, bool]]:
    root = directory / RELEASES
    if not root.is_dir():
        return []
    found = list(examine_directory(root))
    found += [problem for each in list_releases(root) for problem in examine_one(each, quick=quick)]
    return [(f"{each.where}: {each.what}".replace(str(directory), ""), each.is_safe) for each in found]


def settle(directory: Path) -> str | None:
    """What the next change says when it clears up first; None when all is well."""
    root = directory / RELEASES
    if not root.is_dir():
        return None
    try:
        with lock_releases(root):
            recover(root)
    except KgError as error:
        return json.dumps({error.code: str(error)})
    return None
