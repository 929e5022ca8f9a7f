"""VoID tells the truth about a release, and editors and agents find in it what they configure themselves by."""

from __future__ import annotations

from pathlib import Path

import httpx
import pyoxigraph as ox
import pytest
from rdflib import FOAF, RDF, SH, VOID, Graph, Namespace, URIRef
from rdflib.query import ResultRow
from rdflib.term import Node

from kg.dumps.index import load_dumps
from kg.queries import load_directory
from kg.rdfio import load_prefixes
from kg.release import Release
from kg.settings import KgSettings
from kg.store import open_read_only
from tests.harvest.catalogs import DATASET, PUBLIC, parse_page, write_catalog

CHAP = URIRef(DATASET + "chap")
EXT = Namespace("http://ldf.fi/void-ext#")
# What agents ask a description for (sparql-llm reads classes, properties and what they lead to by such a query).
SHAPE_QUERY = """
PREFIX void: <http://rdfs.org/ns/void#> PREFIX ext: <http://ldf.fi/void-ext#>
SELECT DISTINCT ?class ?property ?target ?datatype WHERE {
  ?cp void:class ?class ; void:propertyPartition ?pp . ?pp void:property ?property .
  OPTIONAL {
    { ?pp void:classPartition [ void:class ?target ] } UNION { ?pp ext:datatypePartition [ ext:datatype ?datatype ] }
  }
}"""
EXAMPLES_QUERY = """
PREFIX sh: <http://www.w3.org/ns/shacl#> PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
SELECT DISTINCT ?example ?comment ?query WHERE {
  ?example a sh:SPARQLExecutable ; rdfs:comment ?comment ; sh:select|sh:ask|sh:construct ?query
}"""


@pytest.fixture(scope="session")
def directory(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalog(tmp_path_factory.mktemp("void") / "release", release)


@pytest.fixture(scope="session")
def void(directory: Path) -> Graph:
    return parse_page((directory / "void.nt").read_bytes())


@pytest.fixture(scope="session")
def store(release: Release) -> ox.Store:
    return open_read_only(release.store_path)


def count(store: ox.Store, pattern: str, what: str = "*") -> int:
    (row,) = store.query(f"SELECT (COUNT({what}) AS ?n) WHERE {{ {pattern} }}")  # type: ignore[misc]
    return int(row["n"].value)


def number(graph: Graph, subject: Node, predicate: URIRef) -> int:
    (value,) = graph.objects(subject, predicate)
    return int(value)  # type: ignore[call-overload, no-any-return]


def test_description_names_its_datasets(void: Graph, release: Release) -> None:
    document = URIRef(f"{PUBLIC}/.well-known/void")
    assert (document, RDF.type, VOID.DatasetDescription) in void
    assert list(void.objects(document, FOAF.primaryTopic)) == [CHAP]
    names = set(load_dumps(release.path))
    assert {str(each) for each in void.objects(document, FOAF.topic)} == {DATASET + name for name in names}
    parts = {
        str(each) for each in void.objects(CHAP, VOID.subset) if str(each).startswith(DATASET) and "#" not in str(each)
    }
    assert parts == {DATASET + name for name in ("edih", "hesse", "ontology", "vocabularies")}


def test_counts_are_those_of_the_store(void: Graph, store: ox.Store, release: Release) -> None:
    assert number(void, CHAP, VOID.triples) == release.manifest.counts.triples == count(store, "?s ?p ?o")
    assert number(void, CHAP, VOID.properties) == count(store, "?s ?p ?o", "DISTINCT ?p")
    assert number(void, CHAP, VOID.classes) == count(store, "?s a ?c", "DISTINCT ?c")
    assert number(void, CHAP, VOID.distinctSubjects) == count(store, "?s ?p ?o", "DISTINCT ?s")
    things = 'FILTER(STRSTARTS(STR(?s), "https://w3id.org/chap/id/"))'
    assert number(void, CHAP, VOID.entities) == count(store, f"?s a ?c {things}", "DISTINCT ?s")
    for name, dump in load_dumps(release.path).items():
        if name != "chap":
            assert number(void, URIRef(DATASET + name), VOID.triples) == dump.quads


def test_partitions_by_class_and_property_are_complete(void: Graph, store: ox.Store, release: Release) -> None:
    classes = {
        str(void.value(each, VOID["class"])): number(void, each, VOID.entities)
        for each in void.objects(CHAP, VOID.classPartition)
    }
    assert classes == dict(release.manifest.counts.classes)
    properties = {
        str(void.value(each, VOID.property)): number(void, each, VOID.triples)
        for each in void.objects(CHAP, VOID.propertyPartition)
    }
    assert sum(properties.values()) == release.manifest.counts.triples
    assert set(properties) == {row["p"].value for row in store.query("SELECT DISTINCT ?p WHERE { ?s ?p ?o }")}  # type: ignore[union-attr]


def test_what_properties_lead_to_is_counted(void: Graph, store: ox.Store) -> None:
    chap = "https://w3id.org/chap/def#"
    (partition,) = [
        each
        for each in void.objects(CHAP, VOID.classPartition)
        if void.value(each, VOID["class"]) == URIRef(f"{chap}Funding")
    ]
    parts = {str(void.value(each, VOID.property)): each for each in void.objects(partition, VOID.propertyPartition)}
    amount = parts[f"{chap}amount"]
    pattern = f"?s a <{chap}Funding> ; <{chap}amount> ?o"
    assert number(void, amount, VOID.triples) == count(store, pattern)
    for each in void.objects(amount, VOID.classPartition):
        target = void.value(each, VOID["class"])
        assert number(void, each, VOID.triples) == count(store, f"{pattern} . ?o a <{target}>")
    dates = list(void.objects(None, EXT.datatypePartition))
    assert dates


def test_agents_read_the_shape_and_the_examples(void: Graph) -> None:
    rows = [row.asdict() for row in void.query(SHAPE_QUERY) if isinstance(row, ResultRow)]
    assert len(rows) > 500
    hub = URIRef("https://w3id.org/chap/def#Hub")
    assert {"target", "datatype"} <= {name for row in rows if row["class"] == hub for name in row}
    examples = list(void.query(EXAMPLES_QUERY))
    questions = load_directory(KgSettings().ontology_dir / "questions")
    assert len(examples) == 2 * len(questions), "each question in both languages"


def test_linksets_name_where_links_lead(void: Graph, store: ox.Store) -> None:
    spaces = {}
    for linkset in void.subjects(RDF.type, VOID.Linkset):
        assert (CHAP, VOID.subset, linkset) in void
        assert void.value(linkset, VOID.subjectsTarget) == CHAP
        target = void.value(linkset, VOID.objectsTarget)
        predicate, space = void.value(linkset, VOID.linkPredicate), str(void.value(target, VOID.uriSpace))
        spaces[str(predicate), space] = number(void, linkset, VOID.triples)
    nuts = "http://data.europa.eu/nuts/code/"
    within = "http://www.opengis.net/ont/geosparql#sfWithin"
    pattern = f'?s <{within}> ?o FILTER(STRSTARTS(STR(?o), "{nuts}"))'
    assert spaces[within, nuts] == count(store, pattern)
    assert ("https://schema.org/sameAs", "https://sws.geonames.org/") in spaces


def test_vocabularies_and_example_resources_are_in_the_graph(void: Graph, store: ox.Store) -> None:
    vocabularies = {str(each) for each in void.objects(CHAP, VOID.vocabulary)}
    assert {"https://w3id.org/chap/def#", "http://www.w3.org/ns/org#", "http://purl.org/dc/terms/"} <= vocabularies
    examples = list(void.objects(CHAP, VOID.exampleResource))
    assert len(examples) > 5
    assert all(count(store, f"<{each}> ?p ?o") for each in examples)


def test_prefixes_are_declared(void: Graph) -> None:
    declared = {
        str(void.value(each, SH.prefix)): str(void.value(each, SH.namespace)) for each in void.objects(None, SH.declare)
    }
    assert declared == load_prefixes(KgSettings().ontology_dir / "prefixes.ttl")


def test_examples_run_as_they_stand(directory: Path, store: ox.Store) -> None:
    examples = parse_page((directory / "examples.nt").read_bytes())
    found = set(examples.subjects(RDF.type, SH.SPARQLExecutable))
    assert len(found) == len(load_directory(KgSettings().ontology_dir / "questions"))
    for example in found:
        (text,) = examples.objects(example, SH.select)
        assert not str(text).startswith("#+")
        store.query(str(text))


def test_dumps_are_those_of_the_release(void: Graph, release: Release) -> None:
    for name, dump in load_dumps(release.path).items():
        dumps = {str(each).rpartition("/")[2] for each in void.objects(URIRef(DATASET + name), VOID.dataDump)}
        assert dumps == {
            file.name for file in dump.files if file.media_type not in ("text/csv", "text/html", "text/plain")
        } - {"csv-metadata.json"}


def test_service_description_leads_to_void_catalogue_and_examples(client: httpx.Client) -> None:
    description = Graph().parse(data=client.get("/sparql", headers={"Accept": "text/turtle"}).content, format="turtle")
    base = str(client.base_url).rstrip("/")
    see = {
        str(each)
        for each in description.objects(
            URIRef(f"{base}/sparql"), URIRef("http://www.w3.org/2000/01/rdf-schema#seeAlso")
        )
    }
    assert see == {f"{base}{path}" for path in ("/.well-known/void", "/catalog", "/.well-known/sparql-examples")}
    for url in see:
        assert client.get(url).status_code == 200
