"""The catalogue against the official shapes, as portals check it, and the score that data.europa.eu would give it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from rdflib import FOAF, RDF, Graph, URIRef
from rdflib.term import Node

from kg.dumps.index import load_dumps
from kg.release import Release
from kg.settings import KgSettings
from tests.harvest.catalogs import CONTRIBUTOR, DATASET, DCAT, DCTERMS, PUBLIC, make_dumps, read_catalog, write_catalog

# Shapes that are wrong about something that is right, by what they complain about.
FALSE_ALARMS = {
    "ap301full": {
        # The list of algorithms that the shape asks for is not among the vocabularies, neither here nor at the
        # official validator; the IRI is the one of SPDX (HARVEST 2).
        "http://spdx.org/rdf/terms#algorithm",
    }
}

# NUTS codes that come from a postcode table may not be used by everybody for everything, and the catalogue says so.
NOT_OPEN = {"mqa": {"http://govdata.de/mqa/#isOpenLicense"}}
RESTRICTED = "edih-nuts"


@pytest.fixture(scope="session")
def profiles(shared: Path) -> ModuleType:
    """The offline validator with the official shapes."""
    spec = importlib.util.spec_from_file_location("validate_profiles", shared / "profiles" / "validate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def directory(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogue of the shipped data, of a publisher that has an id of GovData's."""
    settings = KgSettings(contributor_id=CONTRIBUTOR)
    return write_catalog(tmp_path_factory.mktemp("catalog") / "release", release, settings=settings)


@pytest.fixture(scope="session")
def page(directory: Path) -> Graph:
    (only,) = read_catalog(directory)
    return only


# ------------ shapes


@pytest.mark.parametrize("profile", ["de30fixed", "konv20", "mqa", "ap301full"])
def test_catalogue_violates_no_official_shape(profiles: ModuleType, page: Graph, profile: str) -> None:
    rows = profiles.run(profile, page, quiet=True)
    expected = FALSE_ALARMS.get(profile, set()) | NOT_OPEN.get(profile, set())
    # GovData's quality shapes have severities of their own; those that count fire for every distribution.
    found = {row[2] for row in rows if row[0] not in ("Warning", "Info") and not row[0].startswith("count_")}
    assert found == expected, [row for row in rows if row[2] in found - expected][:20]


def test_page_of_many_is_as_valid(profiles: ModuleType, release: Release, tmp_path: Path) -> None:
    dumps = make_dumps(release, 110)
    settings = KgSettings(contributor_id=CONTRIBUTOR)
    pages = read_catalog(write_catalog(tmp_path / "many", release, dumps=dumps, settings=settings))
    for profile in ("de30fixed", "mqa"):
        rows = profiles.run(profile, pages[1], quiet=True)
        assert [row for row in rows if row[0] not in ("Warning", "Info") and not row[0].startswith("count_")] == []


def test_without_a_contributor_id_only_that_is_missing(profiles: ModuleType, release: Release, tmp_path: Path) -> None:
    """The default: GovData's harvester adds the id of the source, so nobody needs to claim one."""
    (page,) = read_catalog(write_catalog(tmp_path / "release", release))
    rows = profiles.run("mqa", page, quiet=True)
    found = {row[0] for row in rows if not row[0].startswith("count_") and row[2] not in NOT_OPEN["mqa"]}
    assert found == {"no_correct_contributorID"}


# ------------ score (HARVEST 1.4)

DATASET_POINTS = {"keyword": 30, "theme": 30, "spatial": 20, "temporal": 20, "contactPoint": 20, "publisher": 10}
ACCESS_POINTS = {"accessRights": 10, "accessRights from vocabulary": 5}
DISTRIBUTION_POINTS = {
    "accessURL answers": 50,
    "downloadURL": 20,
    "downloadURL answers": 30,
    "format": 20,
    "mediaType": 10,
    "format from vocabulary": 10,
    "non-proprietary": 20,
    "machine-readable": 20,
    "valid": 30,
    "licence": 20,
    "licence known": 10,
    "rights": 5,
    "byteSize": 5,
    "issued": 5,
    "modified": 5,
}
# Why a point is not there. A vocabulary or a set of shapes speaks of no place and no time.
NO_PLACE_OR_TIME = {"spatial", "temporal"}
# A service is no file: it has nothing to download, no size, no one media type, and may not claim one (K41).
NO_FILE = {"downloadURL", "downloadURL answers", "mediaType", "byteSize"}
# The list of machine-readable and of open formats knows no results of SPARQL, though they are CSV and JSON.
NOT_LISTED = {"machine-readable", "non-proprietary"}


def test_points_are_those_of_the_method() -> None:
    assert sum(sum(each.values()) for each in (DATASET_POINTS, ACCESS_POINTS, DISTRIBUTION_POINTS)) == 405


def test_every_point_that_is_lost_has_a_reason(
    shared: Path, profiles: ModuleType, page: Graph, release: Release
) -> None:
    scorer = Scorer(shared / "profiles", page, is_answering=_make_answering(release))
    scorer.is_valid = not [row for row in profiles.run("de30fixed", page, quiet=True) if row[0] == "Violation"]
    scores: dict[str, list[int]] = {}
    for dataset in page.subjects(RDF.type, DCAT.Dataset):
        name = str(dataset).removeprefix(DATASET)
        lost_by_dataset = scorer.find_lost_by_dataset(dataset)
        expected = {RESTRICTED: {"temporal"}, "chap": set(), "edih": set(), "hesse": set()}
        assert lost_by_dataset == expected.get(name, NO_PLACE_OR_TIME), name
        for distribution in page.objects(dataset, DCAT.distribution):
            lost = scorer.find_lost_by_distribution(distribution)
            if name == RESTRICTED:
                # "Other, not open" is no licence of the list that the score knows.
                assert "licence known" in lost
            kind = str(distribution).partition("#")[2]
            own = lost - ({"licence known"} if name == RESTRICTED else set())
            if kind == "sparql-access":
                assert own <= NO_FILE | NOT_LISTED
                assert own >= NO_FILE
            elif kind.endswith("-access"):
                assert own == NO_FILE, kind
            else:
                assert own == set(), kind
            points = DATASET_POINTS | ACCESS_POINTS | DISTRIBUTION_POINTS
            scores.setdefault(name, []).append(405 - sum(points[each] for each in lost | lost_by_dataset))
    # Excellent begins at 351: with the best distribution as with all of them on average.
    assert {name: max(found) for name, found in scores.items()} == {
        "chap": 405,
        "edih": 405,
        "hesse": 405,
        "ontology": 365,
        RESTRICTED: 375,
        "shapes": 365,
        "vocabularies": 365,
    }
    assert all(sum(found) / len(found) > 350 for name, found in scores.items() if name != RESTRICTED), scores


class Scorer:
    """The metadata quality of a catalogue as data.europa.eu counts it; a metric that is lost is named."""

    is_valid = False

    def __init__(self, profiles_dir: Path, page: Graph, *, is_answering: Callable[[str], bool]) -> None:
        self.page = page
        self.is_answering = is_answering
        vocabularies = Graph()
        for name in ("eu-file-type", "eu-access-right"):
            vocabularies.parse(profiles_dir / "vocabularies" / f"{name}.ttl")
        self.concepts = {str(each) for each in vocabularies.subjects()}
        self.machine_readable, self.open_formats, self.licences = (
            {str(each) for each in Graph().parse(profiles_dir / "mqa-eu" / f"edp-{name}.rdf", format="xml").subjects()}
            for name in ("machine-readable-format", "non-proprietary-format", "licences-skos")
        )
        licences = Graph().parse(profiles_dir / "mqa-eu" / "edp-licences-skos.rdf", format="xml")
        self.licences |= {str(each) for each in licences.objects() if isinstance(each, URIRef)}

    def find_lost_by_dataset(self, dataset: Node) -> set[str]:
        """The metrics of a dataset that bring no points."""
        rights = self.page.value(dataset, DCTERMS.accessRights)
        publisher = self.page.value(dataset, DCTERMS.publisher)
        met = {
            "keyword": self._has(dataset, DCAT.keyword),
            "theme": self._has(dataset, DCAT.theme),
            "spatial": self._has(dataset, DCTERMS.spatial),
            "temporal": self._has(dataset, DCTERMS.temporal),
            "contactPoint": self._has(dataset, DCAT.contactPoint),
            "publisher": publisher is not None and self._has(publisher, FOAF.name),
            "accessRights": rights is not None,
            "accessRights from vocabulary": str(rights) in self.concepts,
        }
        assert met.keys() == DATASET_POINTS.keys() | ACCESS_POINTS.keys()
        return {name for name, is_met in met.items() if not is_met}

    def find_lost_by_distribution(self, distribution: Node) -> set[str]:
        """The metrics of a distribution that bring no points."""
        access, download = (str(self.page.value(distribution, each)) for each in (DCAT.accessURL, DCAT.downloadURL))
        file_type, media = (self.page.value(distribution, each) for each in (DCTERMS.format, DCAT.mediaType))
        licence = self.page.value(distribution, DCTERMS.license)
        met = {
            "accessURL answers": self.is_answering(access),
            "downloadURL": self._has(distribution, DCAT.downloadURL),
            "downloadURL answers": self.is_answering(download),
            "format": file_type is not None,
            "mediaType": media is not None
            and re.match(r"https?://www\.iana\.org/assignments/media-types/", str(media)),
            "format from vocabulary": str(file_type) in self.concepts,
            "non-proprietary": str(file_type) in self.open_formats,
            "machine-readable": str(file_type) in self.machine_readable,
            "valid": self.is_valid,
            "licence": licence is not None,
            "licence known": str(licence) in self.licences,
            "rights": self._has(distribution, DCTERMS.rights),
            "byteSize": self._has(distribution, DCAT.byteSize),
            "issued": self._has(distribution, DCTERMS.issued),
            "modified": self._has(distribution, DCTERMS.modified),
        }
        assert met.keys() == DISTRIBUTION_POINTS.keys()
        return {name for name, is_met in met.items() if not is_met}

    def _has(self, subject: Node, predicate: URIRef) -> bool:
        return (subject, predicate, None) in self.page


def _make_answering(release: Release) -> Callable[[str], bool]:
    """Whether an address of the catalogue is one that the server has: test_catalog_http asks it."""
    known = {f"{PUBLIC}{path}" for path in ("/sparql", "/api/v1", "/ldes")} | set(_iter_dump_addresses(release))
    return lambda url: url in known


def _iter_dump_addresses(release: Release) -> Iterator[str]:
    for name, dump in load_dumps(release.path).items():
        for file in dump.files:
            yield f"{PUBLIC}/dumps/{name}/{dump.digest}/{file.name}"
