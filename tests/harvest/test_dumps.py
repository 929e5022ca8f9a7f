"""The dumps of the shipped data, over HTTP: equal syntaxes, tables as their metadata says, addresses for ever."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import zstandard
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat, Triple, parse

from kg.dumps.index import Dump, load_dumps
from kg.release import Release
from kg.store import open_read_only
from tests.assertions import assert_problem
from tests.harvest.csvw import read_tables
from tests.protocol.conftest import RunningServer

RESTRICTED = "edih-nuts"
DATASETS = ("chap", "edih", "hesse", "ontology", "vocabularies", "shapes", RESTRICTED)
IMMUTABLE = "public, max-age=31536000, immutable"
TYPE = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def dumps(release: Release) -> dict[str, Dump]:
    return dict(load_dumps(release.path))


def fetch(client: httpx.Client, dump: Dump, name: str, **headers: str) -> httpx.Response:
    return client.get(f"/dumps/{dump.dataset}/{dump.digest}/{name}", headers=headers)


def fetch_quads(client: httpx.Client, dump: Dump, suffix: str) -> list[Quad]:
    rdf_format = RdfFormat.from_extension(suffix)
    assert rdf_format is not None
    return list(parse(fetch(client, dump, f"{dump.dataset}.{suffix}").content, format=rdf_format))


def test_release_has_the_datasets_that_are_declared(dumps: dict[str, Dump]) -> None:
    assert tuple(sorted(dumps)) == tuple(sorted(DATASETS))


@pytest.mark.parametrize("dataset", DATASETS)
def test_all_syntaxes_are_isomorphic(client: httpx.Client, dumps: dict[str, Dump], dataset: str) -> None:
    # There are no blank nodes, so isomorphic is equal; and no statement twice, so lists are sets.
    dump = dumps[dataset]
    quads = fetch_quads(client, dump, "nq")
    assert len(quads) == len(set(quads)) == dump.quads
    assert {quad.graph_name for quad in quads} <= {NamedNode(graph) for graph in dump.graphs}
    trig = fetch_quads(client, dump, "trig")
    assert len(trig) == len(quads)
    assert set(trig) == set(quads)
    merged = {Triple(quad.subject, quad.predicate, quad.object) for quad in quads}
    for suffix in ("nt", "ttl", "jsonld", "rdf"):
        triples = fetch_quads(client, dump, suffix)
        assert len(triples) == len(merged), suffix
        assert {quad.triple for quad in triples} == merged, suffix


def test_main_dataset_is_the_default_graph(client: httpx.Client, dumps: dict[str, Dump], release: Release) -> None:
    store = open_read_only(release.store_path)
    expected = {quad.triple for quad in store.quads_for_pattern(None, None, None, DefaultGraph())}
    assert {quad.triple for quad in fetch_quads(client, dumps["chap"], "nt")} == expected


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_file_has_the_checksum_and_size_that_are_listed(
    client: httpx.Client, dumps: dict[str, Dump], dataset: str
) -> None:
    dump = dumps[dataset]
    sums = dict(line.split("  ")[::-1] for line in fetch(client, dump, "SHA256SUMS").text.splitlines())
    for file in dump.files:
        for headers in ({"Accept-Encoding": "identity"}, {"Accept-Encoding": "gzip, zstd"}):
            response = fetch(client, dump, file.name, **headers)
            assert response.status_code == 200, file.name
            assert hashlib.sha256(response.content).hexdigest() == file.sha256, (file.name, headers)
            assert len(response.content) == file.size
        assert sums.get(file.name, file.sha256) == file.sha256
    assert set(sums) == {file.name for file in dump.files} - {"SHA256SUMS"}


def test_compressed_twins_unpack_to_the_file(client: httpx.Client, dumps: dict[str, Dump]) -> None:
    dump = dumps["ontology"]
    for file in dump.files:
        if dump.find_file(f"{file.name}.gz") is None:
            continue
        plain = fetch(client, dump, file.name).content
        packed = fetch(client, dump, f"{file.name}.gz")
        assert packed.headers["content-type"] == "application/gzip"
        assert "content-encoding" not in packed.headers
        assert gzip.decompress(packed.content) == plain
        assert packed.content[4:8] == b"\0\0\0\0", "no time in the file"
        packed = fetch(client, dump, f"{file.name}.zst")
        assert packed.headers["content-type"] == "application/zstd"
        assert zstandard.ZstdDecompressor().stream_reader(packed.content).read() == plain


@pytest.mark.parametrize("dataset", DATASETS)
def test_tables_are_what_their_metadata_says(client: httpx.Client, dumps: dict[str, Dump], dataset: str) -> None:
    dump = dumps[dataset]
    response = fetch(client, dump, "csv-metadata.json")
    assert response.headers["content-type"] == "application/csvm+json"
    tables = {table.url: table for table in read_tables(response.json(), lambda url: fetch(client, dump, url).text)}
    listed = {file.name for file in dump.files if file.media_type == "text/csv" and file.compression is None}
    assert set(tables) == listed
    assert len(tables["statements.csv"].rows) == dump.quads


def test_table_of_a_class_has_all_statements_about_its_entities(client: httpx.Client, dumps: dict[str, Dump]) -> None:
    dump = dumps["chap"]
    merged = fetch_quads(client, dump, "nt")
    types: dict[str, set[str]] = {}
    for quad in merged:
        if quad.predicate == TYPE:
            types.setdefault(quad.object.value, set()).add(quad.subject.value)  # type: ignore[union-attr]
    metadata = fetch(client, dump, "csv-metadata.json").json()
    tables = {table.url: table for table in read_tables(metadata, lambda url: fetch(client, dump, url).text)}
    checked = 0
    for file in dump.files:
        if file.class_iri is None or file.compression is not None:
            continue
        table = tables[file.name]
        entities = types[file.class_iri]
        assert [row["iri"][0] for row in table.rows] == sorted(entities, key=lambda iri: f"{iri}>"), file.name
        expected = {
            (quad.subject.value, quad.predicate.value, quad.object.value, getattr(quad.object, "language", None) or "")  # type: ignore[union-attr]
            for quad in merged
            if quad.subject.value in entities and _text(quad.object)  # type: ignore[union-attr]
        }
        found = {
            (row["iri"][0], column["propertyUrl"], value, column.get("lang", ""))
            for row in table.rows
            for column in table.columns
            if "propertyUrl" in column
            for value in row[column["name"]]
        }
        assert found == expected, file.name
        checked += 1
    assert checked >= 20
    assert {"Actor.csv", "Cluster.csv", "Hub.csv", "Involvement.csv", "Funding.csv", "org_Site.csv"} <= set(tables)


def test_concepts_have_their_names_beside_them(client: httpx.Client, dumps: dict[str, Dump]) -> None:
    metadata = fetch(client, dumps["chap"], "csv-metadata.json").json()
    tables = read_tables(metadata, lambda url: fetch(client, dumps["chap"], url).text)
    (hubs,) = [table for table in tables if table.url == "Hub.csv"]
    row = next(row for row in hubs.rows if row["iri"] == ["https://w3id.org/chap/id/organisation/de-edith"])
    assert len(row["kind"]) == len(row["kind_label_de"]) == len(row["kind_label_en"]) >= 1
    position = row["kind"].index("https://w3id.org/chap/scheme/hub-kind/european-digital-innovation-hub")
    assert row["kind_label_en"][position] == "European Digital Innovation Hub"


def test_statements_name_sources_and_dates(client: httpx.Client, dumps: dict[str, Dump]) -> None:
    metadata = fetch(client, dumps["hesse"], "csv-metadata.json").json()
    tables = read_tables(metadata, lambda url: fetch(client, dumps["hesse"], url).text)
    (statements,) = [table for table in tables if table.url == "statements.csv"]
    stated = [
        row for row in statements.rows if "/graph/source-" in row["graph"][0] or "/graph/joint-" in row["graph"][0]
    ]
    assert stated
    assert all(row["source"] for row in stated)
    assert all("/id/source/" in source for row in stated for source in row["source"])
    dated = [row for row in statements.rows if row["from"]]
    ended = [row for row in dated if row["to"]]
    assert dated
    assert ended
    assert all(list(row["from"]) <= list(row["to"]) for row in ended)


@pytest.mark.parametrize("language", ["de", "en"])
def test_data_dictionary_explains_every_column(client: httpx.Client, dumps: dict[str, Dump], language: str) -> None:
    dump = dumps["chap"]
    response = fetch(client, dump, f"data-dictionary.{language}.html")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    page = response.text
    assert f'lang="{language}"' in page
    metadata = fetch(client, dump, "csv-metadata.json").json()
    for table in metadata["tables"]:
        assert f"<code>{table['url']}</code>" in page
        assert all(f"<code>{column['name']}</code>" in page for column in table["tableSchema"]["columns"])
    assert {"de": "Beteiligung", "en": "involvement"}[language] in page


# ------------ addresses


def test_latest_leads_to_the_address_for_ever(client: httpx.Client, dumps: dict[str, Dump]) -> None:
    for method in ("GET", "HEAD"):
        response = client.request(method, "/dumps/hesse/latest/hesse.ttl.gz")
        assert (response.status_code, response.headers["cache-control"]) == (302, "public, no-cache")
        target = response.url.join(response.headers["location"])
        assert target.path == f"/dumps/hesse/{dumps['hesse'].digest}/hesse.ttl.gz"
    assert client.get("/dumps/hesse/latest/hesse.ttl.gz", follow_redirects=True).status_code == 200


def test_file_has_a_strong_etag_and_is_kept_for_ever(client: httpx.Client, dumps: dict[str, Dump]) -> None:
    dump = dumps["chap"]
    response = fetch(client, dump, "chap.nq.gz")
    assert response.headers["etag"] == f'"{hashlib.sha256(response.content).hexdigest()}"'
    assert response.headers["cache-control"] == IMMUTABLE
    assert response.headers["accept-ranges"] == "bytes"
    assert int(response.headers["content-length"]) == len(response.content)
    assert f'<{dump.licence}>; rel="license"' in response.headers["link"]
    again = fetch(client, dump, "chap.nq.gz", **{"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", response.headers["etag"])
    head = client.head(f"/dumps/chap/{dump.digest}/chap.nq.gz")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-length", "content-type", "cache-control", "accept-ranges", "link"):
        assert head.headers[name] == response.headers[name]


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_unpacked_file_has_an_etag_a_coding(client: httpx.Client, dumps: dict[str, Dump], coding: str) -> None:
    dump = dumps["chap"]
    url = f"/dumps/chap/{dump.digest}/Actor.csv"
    response = client.get(url, headers={"Accept-Encoding": coding})
    suffix = "" if coding == "identity" else f"-{coding}"
    file = dump.find_file("Actor.csv")
    assert file is not None
    assert response.headers["etag"] == f'"{file.sha256}{suffix}"'
    assert response.headers.get("content-encoding", "identity") == coding
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert "accept-encoding" in response.headers["vary"].lower()
    assert '<csv-metadata.json>; rel="describedby"' in response.headers["link"]
    again = client.get(url, headers={"Accept-Encoding": coding, "If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.headers["etag"]) == (304, response.headers["etag"])
    head = client.head(url, headers={"Accept-Encoding": coding})
    assert head.headers["etag"] == response.headers["etag"]
    assert head.headers["content-length"] == response.headers["content-length"]


def test_ranges_are_answered(client: httpx.Client, dumps: dict[str, Dump]) -> None:
    dump = dumps["chap"]
    whole = fetch(client, dump, "chap.ttl.gz").content
    size = len(whole)
    etag = f'"{hashlib.sha256(whole).hexdigest()}"'
    for asked, part in (
        ("bytes=0-0", whole[:1]),
        ("bytes=10-99", whole[10:100]),
        (f"bytes={size - 5}-", whole[-5:]),
        ("bytes=-7", whole[-7:]),
        (f"bytes=5-{size * 2}", whole[5:]),
    ):
        response = fetch(client, dump, "chap.ttl.gz", Range=asked)
        assert (response.status_code, response.content) == (206, part), asked
        start = size - len(part) if asked.startswith("bytes=-") else int(asked[6:].split("-")[0])
        assert response.headers["content-range"] == f"bytes {start}-{start + len(part) - 1}/{size}"
        assert response.headers["content-length"] == str(len(part))
        assert response.headers["etag"] == etag
    assert fetch(client, dump, "chap.ttl.gz", Range="bytes=0-9", **{"If-Range": etag}).status_code == 206
    for ignored in ("lines=0-9", "bytes=9-5", "bytes=0-1,5-6", "bytes=-", "nonsense"):
        assert fetch(client, dump, "chap.ttl.gz", Range=ignored).status_code == 200, ignored
    assert fetch(client, dump, "chap.ttl.gz", Range="bytes=0-9", **{"If-Range": '"other"'}).status_code == 200
    head = client.head(f"/dumps/chap/{dump.digest}/chap.ttl.gz", headers={"Range": "bytes=0-9"})
    assert (head.status_code, head.headers["content-length"]) == (200, str(size))


def test_download_that_broke_off_is_completed_by_a_range(client: httpx.Client, dumps: dict[str, Dump]) -> None:
    dump = dumps["hesse"]
    whole = fetch(client, dump, "hesse.nq.zst").content
    rest = fetch(client, dump, "hesse.nq.zst", Range="bytes=1000-").content
    assert hashlib.sha256(whole[:1000] + rest).hexdigest() == dump.find_file("hesse.nq.zst").sha256  # type: ignore[union-attr]


@pytest.mark.parametrize("asked", ["bytes=99999999999-", "bytes=-0", "bytes=99999999999-99999999999"])
def test_range_behind_the_end_is_416(client: httpx.Client, dumps: dict[str, Dump], asked: str) -> None:
    response = fetch(client, dumps["chap"], "chap.ttl.gz", Range=asked)
    assert_problem(response, 416, "range-not-satisfiable")
    size = dumps["chap"].find_file("chap.ttl.gz").size  # type: ignore[union-attr]
    assert response.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/dumps/nothing", "resource-not-found"),
        ("/dumps/nothing/latest/chap.nq.gz", "resource-not-found"),
        ("/dumps/chap/latest/nothing.nq.gz", "resource-not-found"),
        (f"/dumps/chap/{'0' * 64}/chap.nq.gz", "dump-not-found"),
        ("/dumps/chap/nonsense/chap.nq.gz", "dump-not-found"),
        ("/dumps/chap/latest/..%2findex.json", "not-found"),
        ("/dumps/chap/latest?release=9999-00000000", "not-found"),
        ("/dumps/chap?release=9999-00000000", "release-not-found"),
    ],
)
def test_what_is_not_there_is_told(client: httpx.Client, path: str, code: str) -> None:
    assert_problem(client.get(path), 404, code)


def test_file_outside_the_list_is_not_served(client: httpx.Client, dumps: dict[str, Dump]) -> None:
    for name in ("index.json", "%2e%2e", "..%2fchap.nq.gz", "chap.nq.gz%00"):
        response = client.get(f"/dumps/chap/{dumps['chap'].digest}/{name}")
        assert response.status_code == 404, name


# ------------ lists


def test_lists_are_negotiated(client: httpx.Client, dumps: dict[str, Dump], release: Release) -> None:
    for path in ("/dumps", "/dumps/chap"):
        page = client.get(path, headers={"Accept": "text/html", "Accept-Language": "de"})
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "Gesamtdateien" in page.text
        for response in (page, client.get(path, headers={"Accept": "application/json"})):
            assert response.status_code == 200
            assert response.headers["vary"].lower().startswith("accept, accept-language")
            again = client.get(
                path, headers={"Accept": response.headers["content-type"], "If-None-Match": response.headers["etag"]}
            )
            assert again.status_code in (200, 304)
        assert_problem(client.get(path, headers={"Accept": "image/png"}), 406, "not-acceptable")
    listed: dict[str, Any] = client.get("/dumps", headers={"Accept": "application/json"}).json()
    assert listed["release"] == release.id
    assert {each["dataset"]: each["digest"] for each in listed["datasets"]} == {
        name: dump.digest for name, dump in dumps.items()
    }


def test_list_of_a_dataset_gives_addresses_that_answer(client: httpx.Client, dumps: dict[str, Dump]) -> None:
    record = client.get("/dumps/vocabularies", headers={"Accept": "application/json"}).json()
    assert [each["name"] for each in record["files"]] == [each.name for each in dumps["vocabularies"].files]
    for each in record["files"]:
        response = client.head(each["url"], headers={"Accept-Encoding": "identity"})
        assert (response.status_code, int(response.headers["content-length"])) == (200, each["bytes"]), each
    page = client.get("/dumps/vocabularies", headers={"Accept": "text/html"}).text
    assert all(f"/{each['name']}" in page for each in record["files"])


def test_metadata_names_licence_class_and_columns(client: httpx.Client, dumps: dict[str, Dump]) -> None:
    document = json.loads(fetch(client, dumps["chap"], "csv-metadata.json").text)
    assert document["dc:license"] == {"@id": "http://creativecommons.org/licenses/by/4.0/"}
    (actor,) = [table for table in document["tables"] if table["url"] == "Actor.csv"]
    labels = {each["@language"]: each["@value"] for each in actor["rdfs:label"]}
    assert labels == {"de": "Akteur", "en": "actor"}
    names = [column["name"] for column in actor["tableSchema"]["columns"]]
    assert names[:3] == ["iri", "skos_prefLabel_de", "skos_prefLabel_en"]
    assert names[3:] == sorted(names[3:])


def _text(term: object) -> str:
    return term.value if isinstance(term, NamedNode | Literal) else str(term)
