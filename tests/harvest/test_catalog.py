"""The DCAT-AP.de catalogue as it is written: pages, islands, and bytes that change only where content did."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rdflib import FOAF, RDF, XSD, Graph, Literal, Namespace, URIRef
from rdflib.compare import isomorphic

from kg.catalog.index import PAGE_SIZE, load_catalog_index
from kg.dumps.index import Dump, load_dumps
from kg.errors import SettingsError
from kg.release import Release, Releases
from kg.settings import KgSettings, load_settings
from tests.harvest.catalogs import (
    CONTRIBUTOR,
    DATASET,
    DCAT,
    DCTERMS,
    HYDRA,
    PUBLIC,
    find_datasets,
    find_island,
    make_dumps,
    parse_page,
    read_catalog,
    revise,
    write_catalog,
)
from tests.unit.kg.conftest import OPEN, make_quads

DCATDE = Namespace("http://dcat-ap.de/def/dcatde/")
LICENCES = "http://dcat-ap.de/def/licenses/"
SPDX = Namespace("http://spdx.org/rdf/terms#")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
CATALOG = URIRef(f"{PUBLIC}/catalog")

Write = Callable[..., Path]


@pytest.fixture
def write(release: Release, tmp_path: Path) -> Write:
    """Writes a catalogue of the shipped data into a directory of its own."""

    def write_one(name: str, **options: object) -> Path:
        return write_catalog(tmp_path / name, release, **options)  # type: ignore[arg-type]

    return write_one


@pytest.fixture(scope="session")
def page(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """The catalogue of the shipped data, all of it."""
    (only,) = read_catalog(write_catalog(tmp_path_factory.mktemp("catalog") / "release", release))
    return only


# ------------ pages


@pytest.mark.parametrize("number", [1, PAGE_SIZE])
def test_up_to_a_hundred_datasets_are_on_one_page_without_a_paging_node(
    write: Write, release: Release, number: int
) -> None:
    dumps = make_dumps(release, number)
    (page,) = read_catalog(write("release", dumps=dumps))
    assert find_datasets([page]) == [DATASET + name for name in dumps]
    assert not list(page.triples((None, HYDRA.totalItems, None)))
    assert not any(str(term).startswith(str(HYDRA)) for triple in page for term in triple)


def test_more_are_paged_by_one_node_in_both_dialects(write: Write, release: Release) -> None:
    dumps = make_dumps(release, 250)
    pages = read_catalog(write("release", dumps=dumps))
    assert [len(set(page.subjects(RDF.type, DCAT.Dataset))) for page in pages] == [100, 100, 50]
    assert find_datasets(pages) == [DATASET + name for name in dumps]
    nodes = []
    for page in pages:
        (node,) = set(page.subjects(RDF.type, HYDRA.PartialCollectionView))
        assert {node} == set(page.subjects(RDF.type, HYDRA.PagedCollection))
        assert page.value(node, HYDRA.totalItems) == Literal(250)
        assert page.value(node, HYDRA.itemsPerPage) == Literal(100)
        for term in ("first", "last", "next", "previous"):
            assert list(page.objects(node, HYDRA[term])) == list(page.objects(node, HYDRA[f"{term}Page"]))
        nodes.append(node)
    for number, (page, node) in enumerate(zip(pages, nodes, strict=True), start=1):
        assert str(node).startswith(f"{PUBLIC}/catalog.nt?page={number}&of=")
        assert page.value(node, HYDRA.first) == nodes[0]
        assert page.value(node, HYDRA.last) == nodes[2]
        assert page.value(node, HYDRA.previous) == (nodes[number - 2] if number > 1 else None)
        assert page.value(node, HYDRA.next) == (nodes[number] if number < 3 else None)


def test_each_page_has_the_whole_catalogue_node_and_lists_its_own_datasets(write: Write, release: Release) -> None:
    pages = read_catalog(write("release", dumps=make_dumps(release, 210)))
    listings = (DCAT.dataset, DCAT.service)
    headers = [
        {triple for triple in page.triples((CATALOG, None, None)) if triple[1] not in listings} for page in pages
    ]
    assert headers[0] == headers[1] == headers[2]
    assert {DCTERMS.title, DCTERMS.description, DCTERMS.publisher} <= {triple[1] for triple in headers[0]}
    for page in pages:
        assert set(page.objects(CATALOG, DCAT.dataset)) == set(page.subjects(RDF.type, DCAT.Dataset))
        assert set(page.objects(CATALOG, DCAT.service)) == set(page.subjects(RDF.type, DCAT.DataService))


def test_all_syntaxes_say_the_same(write: Write) -> None:
    directory = write("release") / "catalog"
    expected = parse_page((directory / "1.nt").read_bytes())
    for suffix, syntax in (("ttl", "turtle"), ("jsonld", "json-ld"), ("rdf", "xml")):
        assert isomorphic(parse_page((directory / f"1.{suffix}").read_bytes(), syntax), expected), suffix


# ------------ islands


def test_nothing_reached_from_a_dataset_is_another_dataset_or_the_catalogue(page: Graph) -> None:
    datasets = set(page.subjects(RDF.type, DCAT.Dataset))
    assert {str(each).removeprefix(DATASET) for each in datasets} == {
        "chap",
        "edih",
        "hesse",
        "ontology",
        "edih-nuts",
        "shapes",
        "vocabularies",
    }
    for dataset in datasets:
        island = find_island(page, dataset)
        assert set(island.subjects(RDF.type, DCAT.Dataset)) == {dataset}
        assert CATALOG not in set(island.all_nodes())
        for service in island.subjects(RDF.type, DCAT.DataService):
            assert list(island.objects(service, DCAT.servesDataset)) == [dataset]
    assert not list(page.subjects(None, CATALOG))


def test_services_are_reached_by_one_distribution_each(page: Graph) -> None:
    served: dict[str, set[str]] = {}
    for service in page.subjects(RDF.type, DCAT.DataService):
        (distribution,) = page.subjects(DCAT.accessService, service)
        (dataset,) = page.subjects(DCAT.distribution, distribution)
        assert page.value(service, DCAT.servesDataset) == dataset
        # Convention K41: no download, and the address of the service.
        assert page.value(distribution, DCAT.downloadURL) is None
        assert page.value(distribution, DCAT.accessURL) == page.value(service, DCAT.endpointURL)
        name, _, kind = str(service).removeprefix(DATASET).partition("#")
        served.setdefault(name, set()).add(kind)
    assert served == {
        "chap": {"sparql", "api", "feed"},
        "edih": {"sparql"},
        "hesse": {"sparql"},
        "ontology": {"sparql"},
        "vocabularies": {"sparql"},
        # What postcodes say of NUTS regions.
        "edih-nuts": {"sparql"},
        # The shapes are files: no query reaches them.
    }


# ------------ what is said of dumps


def test_every_format_of_the_dumps_is_a_distribution_with_size_checksum_and_licence(
    page: Graph, release: Release
) -> None:
    for name, dump in load_dumps(release.path).items():
        expected = {
            file.name
            for file in dump.files
            if (file.compression == "gzip" and file.media_type != "text/csv")
            or (file.compression is None and file.media_type == "text/csv")
        }
        dataset = URIRef(DATASET + name)
        found = {each for each in page.objects(dataset, DCAT.distribution) if not page.value(each, DCAT.accessService)}
        assert {str(each).partition("#")[2] for each in found} == expected
        for distribution in found:
            file = dump.find_file(str(distribution).partition("#")[2])
            assert file is not None
            url = URIRef(f"{PUBLIC}/dumps/{name}/{dump.digest}/{file.name}")
            # Convention K39: a direct download is both.
            assert list(page.objects(distribution, DCAT.accessURL)) == [url]
            assert list(page.objects(distribution, DCAT.downloadURL)) == [url]
            is_open = name != "edih-nuts"
            licence = "cc-by/4.0" if is_open else "other-closed"
            assert list(page.objects(distribution, DCTERMS.license)) == [URIRef(LICENCES + licence)]
            names = list(page.objects(distribution, DCATDE.licenseAttributionByText))
            assert names == ([Literal("The CHAP maintainers")] if is_open else [])
            size = page.value(distribution, DCAT.byteSize)
            assert size == Literal(file.size, datatype=XSD.nonNegativeInteger)
            checksum = page.value(distribution, SPDX.checksum)
            assert str(page.value(checksum, SPDX.checksumValue)) == file.sha256
            assert len(set(page.objects(distribution, DCTERMS.title))) == 2


def test_dates_are_dates(page: Graph) -> None:
    # The profiles let dates through that are none.
    for name in (DCTERMS.issued, DCTERMS.modified):
        values = list(page.objects(None, name))
        assert values
        for value in values:
            assert isinstance(value, Literal)
            assert value.datatype == XSD.dateTime
            assert value.toPython().tzinfo is not None
    assert page.value(URIRef(DATASET + "chap#period"), DCAT.startDate).datatype == XSD.date  # type: ignore[union-attr]


def test_licence_that_portals_do_not_list_is_other_closed_and_still_said(write: Write, release: Release) -> None:
    stated = "http://example.com/licence"
    strange = {name: replace(dump, licence=stated) for name, dump in make_dumps(release, 1).items()}
    (page,) = read_catalog(write("release", dumps=strange))
    for distribution in page.subjects(RDF.type, DCAT.Distribution):
        assert list(page.objects(distribution, DCTERMS.license)) == [URIRef(LICENCES + "other-closed")]
        assert page.value(distribution, DCTERMS.rights) == URIRef(stated)
        assert page.value(distribution, DCATDE.licenseAttributionByText) is None
    # It has no description of its own, so it gets the one for such parts.
    titles = {str(title) for title in page.objects(URIRef(DATASET + "part-0000"), DCTERMS.title)}
    assert titles == {"Weiterer Teil des Wissensgraphen (part-0000)", "Further part of the knowledge graph (part-0000)"}


# ------------ who publishes


def test_defaults_claim_nothing(page: Graph) -> None:
    assert not list(page.triples((None, DCATDE.contributorID, None)))
    (publisher,) = set(page.objects(None, DCTERMS.publisher))
    assert publisher == URIRef("https://w3id.org/chap/maintainers")
    assert list(page.objects(publisher, RDF.type)) == [FOAF.Agent]
    assert page.value(publisher, DCTERMS.type) is None
    (contact,) = page.subjects(RDF.type, VCARD.Kind)
    assert page.value(contact, VCARD.hasURL) == URIRef(f"{PUBLIC}/about")
    assert page.value(contact, VCARD.hasEmail) is None


def test_settings_say_who_publishes(write: Write) -> None:
    regional = "http://purl.org/adms/publishertype/RegionalAuthority"
    settings = load_settings(
        {
            "KG_PUBLISHER_NAME": "Musteramt & Söhne",
            "KG_PUBLISHER_IRI": "https://example.org/amt",
            "KG_PUBLISHER_TYPE": regional,
            "KG_CONTACT_EMAIL": "daten@example.org",
            "KG_CONTRIBUTOR_ID": CONTRIBUTOR,
        }
    )
    directory = write("release", settings=settings)
    (page,) = read_catalog(directory)
    publisher = URIRef("https://example.org/amt")
    assert set(page.objects(None, DCTERMS.publisher)) == {publisher}
    assert page.value(publisher, FOAF.name) == Literal("Musteramt & Söhne")
    assert page.value(publisher, DCTERMS.type) == URIRef(regional)
    (contact,) = page.subjects(RDF.type, VCARD.Kind)
    assert page.value(contact, VCARD.hasEmail) == URIRef("mailto:daten@example.org")
    assert page.value(contact, VCARD.hasURL) is None
    for dataset in page.subjects(RDF.type, DCAT.Dataset):
        assert list(page.objects(dataset, DCATDE.contributorID)) == [URIRef(CONTRIBUTOR)]


@pytest.mark.parametrize(
    ("name", "value"),
    [("KG_PUBLISHER_IRI", "Musteramt"), ("KG_CONTRIBUTOR_ID", "hessen>"), ("KG_CONTACT_EMAIL", "daten at example.org")],
)
def test_setting_that_cannot_stand_in_a_catalogue_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({name: value})


# ------------ bytes


def read_files(directory: Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.is_file() and path.parent.name != "dumps"]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def test_same_inputs_give_the_same_bytes(write: Write, release: Release, tmp_path: Path) -> None:
    dumps = make_dumps(release, 130)
    first = read_files(write("one", dumps=dumps))
    assert len(first) == 2 * 4 + 1 + 2 * 4
    # Other order of the list, another process: nothing hangs on how Python hashes.
    second = tmp_path / "two"
    code = (
        "import sys; from pathlib import Path; from kg.release import Releases\n"
        "from tests.harvest.catalogs import make_dumps, write_catalog\n"
        "release = Releases(Path(sys.argv[1])).current(); dumps = make_dumps(release, 130)\n"
        "write_catalog(Path(sys.argv[2]), release, dumps=dict(reversed(dumps.items())))\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(release.path.parent), str(second)],
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        cwd=Path(__file__).parents[2],
    )
    assert read_files(second) == first


def test_only_the_island_of_what_changed_differs(write: Write, release: Release) -> None:
    dumps: dict[str, Dump] = make_dumps(release, 130)
    instant = "2026-12-24T00:00:00.000Z"
    changed = dumps | {"part-0007": revise(dumps["part-0007"], instant=instant)}
    before = write("before", dumps=dumps)
    after = write("after", dumps=changed, parent=before)
    assert (after / "catalog/2.nt").read_bytes() != b""
    old_pages, new_pages = read_catalog(before), read_catalog(after)
    modified = (CATALOG, DCTERMS.modified)
    for old, new in zip(old_pages, new_pages, strict=True):
        dataset = URIRef(DATASET + "part-0007")
        islands = set(find_island(old, dataset)) | set(find_island(new, dataset))
        strays = {triple for triple in set(old) ^ set(new) if triple not in islands and triple[:2] != modified}
        assert strays == set()
    lines = [(each / "catalog/1.nt").read_bytes().splitlines() for each in (before, after)]
    assert 0 < len(set(lines[1]) - set(lines[0])) < 60
    new = new_pages[0]
    dataset = URIRef(DATASET + "part-0007")
    assert new.value(dataset, DCTERMS.modified) == Literal("2026-12-24T00:00:00Z", datatype=XSD.dateTime)
    # First published is when its first version was, and its distributions keep their names.
    assert new.value(dataset, DCTERMS.issued) == old_pages[0].value(dataset, DCTERMS.issued)
    assert new.value(dataset, DCAT.version) == Literal("0002-cafebabe")
    assert set(new.objects(dataset, DCAT.distribution)) == set(old_pages[0].objects(dataset, DCAT.distribution))


def test_links_name_which_datasets_there_are_and_nothing_that_changes_with_them(write: Write, release: Release) -> None:
    dumps = make_dumps(release, 130)
    indexes = [
        load_catalog_index(write(name, dumps=each))
        for name, each in (
            ("one", dumps),
            ("changed", dumps | {"part-0007": revise(dumps["part-0007"], instant="2026-12-24T00:00:00.000Z")}),
            ("more", make_dumps(release, 131)),
        )
    ]
    one, changed, more = (index.members for index in indexes if index is not None)
    assert one == changed != more


def test_new_publisher_is_a_new_release(release: Release) -> None:
    assert release.manifest.extra["catalog"]["publisher_name"] == KgSettings().publisher_name  # type: ignore[index]


def test_damaged_release_before_does_not_stop_a_build(write: Write, release: Release) -> None:
    before = write("before")
    (before / "catalog" / "index.json").write_text("{}", encoding="utf-8")
    index = load_catalog_index(write("after", parent=before))
    assert index is not None
    assert set(index.issued) == set(load_dumps(release.path))


def test_releases_of_the_same_inputs_have_the_same_catalogue(tmp_path: Path) -> None:
    """From publication to publication: what is not open has a dataset of its own, and dates follow the content."""

    def publish(root: str, day: int, *names: str) -> Release:
        return (
            Releases(tmp_path / root)
            .publish(
                quads=make_quads(*names),
                open_licences=[OPEN],
                manifest_extra={},
                report_turtle=b"",
                instant=datetime(2026, 12, day, tzinfo=UTC),
            )
            .release
        )

    one, other = publish("one", 1, "alpha"), publish("other", 1, "alpha")
    for name in ("catalog", "void.ttl", "void.jsonld", "void.rdf", "void.nt", "examples.nt"):
        left, right = one.path / name, other.path / name
        assert (read_files(left) == read_files(right)) if left.is_dir() else left.read_bytes() == right.read_bytes()
    (first,) = read_catalog(one.path)
    (second,) = read_catalog(publish("one", 2, "alpha", "beta").path)
    (closed,) = [name for name in find_datasets([first]) if "restricted-" in name]
    for dataset in (URIRef(DATASET + "chap"), URIRef(closed)):
        assert second.value(dataset, DCTERMS.issued) == Literal("2026-12-01T00:00:00Z", datatype=XSD.dateTime)
        assert second.value(dataset, DCTERMS.modified) == Literal("2026-12-02T00:00:00Z", datatype=XSD.dateTime)
    assert {str(each) for each in first.objects(URIRef(closed), DCAT.distribution)} > {f"{closed}#sparql-access"}
    for distribution in first.objects(URIRef(closed), DCAT.distribution):
        assert first.value(distribution, DCTERMS.license) == URIRef(LICENCES + "other-closed")
