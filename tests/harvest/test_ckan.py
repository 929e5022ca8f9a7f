"""What a CKAN portal takes from the catalogue: its own harvester and parser, over HTTP, page by page."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from rdflib import RDF, Graph, URIRef

from kg.dumps.index import Dump
from kg.release import Release, Releases
from tests.harvest import ckan
from tests.harvest.catalogs import DATASET, DCAT, DCTERMS, make_dumps, read_catalog, revise, write_catalog
from tests.protocol.conftest import run_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def python() -> Path:
    try:
        return ckan.install()
    except ckan.CannotInstall as error:
        pytest.skip(f"CKAN's harvester cannot be installed here: {error}")


class Portal:
    """A release whose catalogue a test replaces, and what the harvester of a portal finds on a server of it."""

    def __init__(self, release: Release, python: Path, log_path: Path) -> None:
        self.release = release
        self._python = python
        self._log_path = log_path

    def publish(self, directory: Path, dumps: dict[str, Dump], *, parent: Path | None = None) -> list[Graph]:
        """Put a catalogue of these dumps in the place of the one that is served."""
        written = write_catalog(directory, self.release, dumps=dumps, parent=parent)
        shutil.rmtree(self.release.path / "catalog")
        shutil.copytree(written / "catalog", self.release.path / "catalog")
        return read_catalog(written)

    def gather(self, path: str) -> ckan.Gathered:
        # A server each time: what a release says never changes, so one server would rightly remember it.
        with run_server(self.release.path.parent, self._log_path, query_workers=1) as server:
            return ckan.gather(self._python, server.url + path)


@pytest.fixture
def portal(releases_dir: Path, tmp_path: Path, python: Path) -> Portal:
    copied = tmp_path / "releases"
    shutil.copytree(releases_dir, copied, symlinks=True)
    release = Releases(copied).current()
    assert release is not None
    return Portal(release, python, tmp_path / "server.log")


def describe(pages: list[Graph]) -> dict[str, set[tuple[str, str, str]]]:
    """Of each dataset of a graph its distributions, each with address and licence."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for page in pages:
        for dataset in page.subjects(RDF.type, DCAT.Dataset):
            found[str(dataset)] = {
                (str(each), _path(page.value(each, DCAT.accessURL)), str(page.value(each, DCTERMS.license)))
                for each in page.objects(dataset, DCAT.distribution)
            }
    return found


def describe_gathered(gathered: ckan.Gathered) -> dict[str, set[tuple[str, str, str]]]:
    """The same of what CKAN would store."""
    return {
        name: {(each["uri"], _path(each["access_url"]), each["license"]) for each in dataset["resources"]}
        for name, dataset in gathered.datasets.items()
    }


def _path(url: Any) -> str:
    # Written for another public address than the server's.
    return "/" + str(url).split("/", 3)[3]


@pytest.mark.parametrize("path", ["/catalog", "/catalog.ttl", "/catalog.jsonld", "/catalog.rdf", "/catalog.nt"])
def test_portal_takes_every_dataset_distribution_and_licence(portal: Portal, path: str) -> None:
    gathered = portal.gather(path)
    assert gathered.errors == []
    (page,) = read_catalog(portal.release.path)
    assert describe_gathered(gathered) == describe([page])
    chap = gathered.datasets[DATASET + "chap"]
    assert chap["title"] in {str(title) for title in page.objects(URIRef(DATASET + "chap"), DCTERMS.title)}
    extras = {extra["key"]: extra["value"] for extra in chap["extras"]}
    assert extras["identifier"] == DATASET + "chap"
    assert extras["publisher_name"] == "The CHAP maintainers"
    (access,) = [each for each in chap["resources"] if each["uri"] == DATASET + "chap#sparql-access"]
    (service,) = json.loads(access["access_services"])
    assert [_path(each) for each in service["endpoint_url"]] == ["/sparql"]
    assert service["serves_dataset"] == [DATASET + "chap"]


@pytest.mark.parametrize("suffix", ["", ".rdf"])
def test_portal_takes_every_page_and_a_second_run_sees_just_the_change(
    portal: Portal, tmp_path: Path, suffix: str
) -> None:
    dumps = make_dumps(portal.release, 250)
    pages = portal.publish(tmp_path / "one", dumps)
    first = portal.gather(f"/catalog{suffix}")
    assert first.errors == []
    assert describe_gathered(first) == describe(pages)
    assert len(first.datasets) == 250

    changed = dumps | {"part-0123": revise(dumps["part-0123"], instant="2026-12-24T00:00:00.000Z")}
    portal.publish(tmp_path / "two", changed, parent=tmp_path / "one")
    second = portal.gather(f"/catalog{suffix}")
    assert second.errors == []
    assert second.datasets.keys() == first.datasets.keys()
    differing = [name for name in first.datasets if _order(first.datasets[name]) != _order(second.datasets[name])]
    assert differing == [DATASET + "part-0123"]


def test_portal_deletes_nothing_when_a_page_is_refused(portal: Portal, tmp_path: Path) -> None:
    portal.publish(tmp_path / "one", make_dumps(portal.release, 250))
    (portal.release.path / "catalog" / "2.ttl").unlink()
    gathered = portal.gather("/catalog")
    assert len(gathered.errors) == 1
    assert "404" in gathered.errors[0] or "503" in gathered.errors[0]


def _order(value: Any) -> Any:
    """A dataset without what may differ between two runs: the order of values, the address of the server."""
    if isinstance(value, dict):
        return {key: _order(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted((_order(each) for each in value), key=repr)
    if isinstance(value, str):
        # The servers of two runs have two ports.
        text = re.sub(r"http://127\.0\.0\.1:\d+", "", value)
        return sorted(text.strip("[]").split(", ")) if text.startswith("[") else text
    return value
