"""What STYLE 7 and 8 ask of the ontology, its schemes, its prefixes and its redirects."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph
import pytest
from owlrl.OWLRL import OWLRL_Semantics
from rdflib import DCTERMS, OWL, RDF, RDFS, SH, SKOS, VANN, XSD, Graph, Literal, Namespace, URIRef
from rdflib.compare import isomorphic

REPOSITORY = Path(__file__).resolve().parents[2]
ONTOLOGY = REPOSITORY / "ontology"
SCHEME_PATHS = sorted((ONTOLOGY / "schemes").glob("*.ttl"))
CHAP = Namespace("https://w3id.org/chap/def#")
ORG = Namespace("http://www.w3.org/ns/org#")
DOCUMENT = URIRef("https://w3id.org/chap/def")
BASE = "https://w3id.org/chap/"
SCHEME_BASE = BASE + "scheme/"
LANGUAGES = ["de", "en"]
TERM_TYPES = {OWL.Class, OWL.ObjectProperty, OWL.DatatypeProperty}


def load_turtle(*paths: Path) -> Graph:
    graph = Graph()
    for path in paths:
        graph.parse(path, format="turtle")
    return graph


EDITORS_GRAPH = load_turtle(ONTOLOGY / "chap.ttl")
ALIGNMENT_GRAPH = load_turtle(ONTOLOGY / "alignment.ttl")
SCHEMES_GRAPH = load_turtle(*SCHEME_PATHS)
TERMS = sorted({s for s in EDITORS_GRAPH.subjects() if isinstance(s, URIRef) and s.startswith(CHAP)})
CONCEPTS = sorted({s for s in SCHEMES_GRAPH.subjects(RDF.type, SKOS.Concept) if isinstance(s, URIRef)})
PREFIXES = {
    str(prefix): str(namespace)
    for declaration in load_turtle(ONTOLOGY / "prefixes.ttl").objects(predicate=SH.declare)
    for prefix in load_turtle(ONTOLOGY / "prefixes.ttl").objects(declaration, SH.prefix)
    for namespace in load_turtle(ONTOLOGY / "prefixes.ttl").objects(declaration, SH.namespace)
}


def iter_rdf_files(*tops: str) -> Iterator[Path]:
    """Every Turtle and SPARQL file of the project below the given folders."""
    for top in tops:
        for path in sorted((REPOSITORY / top).rglob("*")):
            if path.suffix in {".ttl", ".rq", ".ru"}:
                yield path


TURTLE_FILES = [path for path in iter_rdf_files("ontology", "shapes", "data") if path.suffix == ".ttl"]
PROJECT_FILES = list(iter_rdf_files("ontology", "shapes", "kg", "endpoint", "data", "tests"))


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def code_of(path: Path) -> str:
    """The text of a file without IRIs in angle brackets, strings and comments: what is left are prefixed names."""
    text = re.sub(r'"""(?:[^\\]|\\.)*?"""|"(?:[^"\\\n]|\\.)*"|<[^<>\s]*>', " ", path.read_text(encoding="utf-8"))
    return re.sub(r"#[^\n]*", " ", text)


def is_date(value: object) -> bool:
    return isinstance(value, Literal) and value.datatype == XSD.date


def assert_both_languages(graph: Graph, subject: URIRef, predicate: URIRef) -> None:
    values = list(graph.objects(subject, predicate))
    assert all(isinstance(value, Literal) and str(value).strip() == str(value) != "" for value in values)
    assert sorted(str(value.language) for value in values if isinstance(value, Literal)) == LANGUAGES


def assert_definitions(graph: Graph, subject: URIRef, predicate: URIRef) -> None:
    assert_both_languages(graph, subject, predicate)
    for definition in graph.objects(subject, predicate):
        assert re.fullmatch(r"[A-ZÄÖÜ][^\n]*\.", str(definition)), f"a definition is one sentence: {definition}"
        assert not re.search(r"\b(e\.g\.|for example|z\. B\.|zum Beispiel)", str(definition))


# ------------ files


@pytest.mark.parametrize("path", PROJECT_FILES, ids=name_of)
def test_prefixes_of_a_file_are_those_of_the_map(path: Path) -> None:
    declared = re.findall(r"(?mi)^\s*@?prefix\s+([\w-]*):\s*<([^>]*)>", path.read_text(encoding="utf-8"))
    strange = [(prefix, namespace) for prefix, namespace in declared if PREFIXES.get(prefix) != namespace]
    assert strange == [], "declare it in ontology/prefixes.ttl, or use the prefix and namespace that stand there"


@pytest.mark.parametrize("path", TURTLE_FILES, ids=name_of)
def test_turtle_is_read_alike_by_both_parsers(path: Path) -> None:
    quads = pyoxigraph.parse(path=str(path), format=pyoxigraph.RdfFormat.TURTLE)
    triples = Graph().parse(data="\n".join(f"{quad.triple} ." for quad in quads), format="nt")
    assert isomorphic(load_turtle(path), triples)


def test_prefix_map_is_one_to_one() -> None:
    map_graph = load_turtle(ONTOLOGY / "prefixes.ttl")
    assert Counter(map_graph.objects(predicate=SH.prefix)).most_common(1)[0][1] == 1
    assert Counter(map_graph.objects(predicate=SH.namespace)).most_common(1)[0][1] == 1
    assert len(PREFIXES) == len(list(map_graph.subjects(RDF.type, SH.PrefixDeclaration)))
    assert {path.stem: SCHEME_BASE + path.stem + "/" for path in SCHEME_PATHS}.items() <= PREFIXES.items()


@pytest.mark.parametrize("path", list(iter_rdf_files("ontology", "shapes", "kg", "endpoint")), ids=name_of)
def test_terms_that_a_file_uses_are_declared(path: Path) -> None:
    used = {CHAP[name] for name in re.findall(r"(?<![\w-])chap:([A-Za-z]\w*)", code_of(path))}
    used |= {CHAP[name] for name in re.findall(r"<https://w3id\.org/chap/def#(\w+)>", path.read_text(encoding="utf-8"))}
    assert sorted(used - set(TERMS)) == []


@pytest.mark.parametrize("path", list(iter_rdf_files("ontology", "shapes", "kg", "endpoint")), ids=name_of)
def test_concepts_that_a_file_uses_exist(path: Path) -> None:
    if "-invalid-" in path.name:
        return  # an invalid example may be invalid by its concept
    schemes = "|".join(scheme.stem for scheme in SCHEME_PATHS)
    names = re.findall(rf"(?<![\w-])({schemes}):([a-z0-9][a-z0-9-]*)", code_of(path))
    used = {URIRef(f"{SCHEME_BASE}{scheme}/{notation}") for scheme, notation in names}
    used |= set(map(URIRef, re.findall(rf"<({SCHEME_BASE}[a-z-]+/[a-z0-9-]+)>", path.read_text(encoding="utf-8"))))
    assert sorted(used - set(CONCEPTS)) == []


# ------------ terms


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.removeprefix(CHAP))
def test_term_is_labelled_defined_and_typed(term: URIRef) -> None:
    assert_both_languages(EDITORS_GRAPH, term, RDFS.label)
    assert_definitions(EDITORS_GRAPH, term, RDFS.comment)
    assert list(EDITORS_GRAPH.objects(term, RDFS.isDefinedBy)) == [DOCUMENT]
    types = TERM_TYPES.intersection(EDITORS_GRAPH.objects(term, RDF.type))
    assert len(types) == 1
    shape = r"[A-Z][A-Za-z0-9]*" if OWL.Class in types else r"(?!has[A-Z])[a-z][A-Za-z0-9]*"
    assert re.fullmatch(shape, term.removeprefix(CHAP))


@pytest.mark.parametrize("subject", [*TERMS, *CONCEPTS], ids=lambda subject: subject.removeprefix(BASE))
def test_definition_does_not_repeat_its_label(subject: URIRef) -> None:
    labels = [*EDITORS_GRAPH.objects(subject, RDFS.label), *SCHEMES_GRAPH.objects(subject, SKOS.prefLabel)]
    definitions = [*EDITORS_GRAPH.objects(subject, RDFS.comment), *SCHEMES_GRAPH.objects(subject, SKOS.definition)]
    repeated = [
        (label, definition)
        for label in labels
        for definition in definitions
        if isinstance(label, Literal) and isinstance(definition, Literal) and label.language == definition.language
        if re.search(rf"\b{re.escape(label)}\b", definition, re.IGNORECASE)
    ]
    assert repeated == []


def test_domain_and_range_are_left_to_the_shapes() -> None:
    for graph in (EDITORS_GRAPH, ALIGNMENT_GRAPH, SCHEMES_GRAPH):
        assert list(graph.subject_objects(RDFS.domain)) + list(graph.subject_objects(RDFS.range)) == []


def test_editors_file_is_light_and_without_blank_nodes() -> None:
    assert all(isinstance(node, URIRef) for graph in (EDITORS_GRAPH, ALIGNMENT_GRAPH) for node in graph.subjects())
    owl_terms = {term for triple in EDITORS_GRAPH for term in triple[1:] if str(term).startswith(str(OWL))}
    header = {OWL.Ontology, OWL.versionIRI, OWL.versionInfo, OWL.priorVersion}
    assert owl_terms - header == TERM_TYPES | {OWL.SymmetricProperty, OWL.disjointWith, OWL.inverseOf}


def test_header_is_complete() -> None:
    header = {str(p): o for p, o in EDITORS_GRAPH.predicate_objects(DOCUMENT)}
    for predicate in (DCTERMS.title, DCTERMS.description):
        assert_both_languages(EDITORS_GRAPH, DOCUMENT, predicate)
    for predicate in (DCTERMS.creator, DCTERMS.publisher, DCTERMS.license, OWL.versionIRI, OWL.priorVersion):
        assert isinstance(header[str(predicate)], URIRef)
    for predicate in (DCTERMS.created, DCTERMS.issued):
        assert is_date(header[str(predicate)])
    assert header[str(DCTERMS.license)] == URIRef("http://creativecommons.org/licenses/by/4.0/")
    version = str(header[str(OWL.versionInfo)])
    assert str(header[str(OWL.versionIRI)]) == f"{DOCUMENT}/{version}"
    assert version in str(header[str(DCTERMS.bibliographicCitation)])
    assert str(header[str(VANN.preferredNamespacePrefix)]) == "chap"
    assert str(header[str(VANN.preferredNamespaceUri)]) == PREFIXES["chap"] == str(CHAP)


def test_inverses_are_object_properties_with_one_partner() -> None:
    pairs = list(EDITORS_GRAPH.subject_objects(OWL.inverseOf))
    members = [member for pair in pairs for member in pair]
    assert all((member, RDF.type, OWL.ObjectProperty) in EDITORS_GRAPH for member in members)
    assert len(members) == len(set(members))


def test_wider_terms_of_others_stand_in_the_alignment_only() -> None:
    for predicate in (RDFS.subClassOf, RDFS.subPropertyOf):
        assert all(str(wider).startswith(CHAP) for wider in EDITORS_GRAPH.objects(predicate=predicate))
        for narrower, wider in ALIGNMENT_GRAPH.subject_objects(predicate):
            assert str(narrower).startswith(CHAP) != str(wider).startswith(CHAP)
    ours = {t for triple in ALIGNMENT_GRAPH for t in triple if isinstance(t, URIRef) and t.startswith(CHAP)}
    assert ours <= set(TERMS), "no new terms in the alignment"


def test_hierarchies_have_no_circles() -> None:
    whole = EDITORS_GRAPH + ALIGNMENT_GRAPH + SCHEMES_GRAPH
    for predicate in (RDFS.subClassOf, RDFS.subPropertyOf, SKOS.broader):
        for narrower, wider in whole.subject_objects(predicate):
            assert narrower not in set(whole.transitive_objects(wider, predicate)), f"{narrower} is above itself"


# ------------ schemes


@pytest.mark.parametrize("path", SCHEME_PATHS, ids=lambda path: path.stem)
def test_scheme_header_is_complete(path: Path) -> None:
    graph = load_turtle(path)
    scheme = URIRef(SCHEME_BASE + path.stem)
    assert list(graph.subjects(RDF.type, SKOS.ConceptScheme)) == [scheme]
    for predicate in (DCTERMS.title, DCTERMS.description, SKOS.editorialNote):
        assert_both_languages(graph, scheme, predicate)
    for predicate in (DCTERMS.creator, DCTERMS.publisher, DCTERMS.license):
        assert isinstance(graph.value(scheme, predicate), URIRef)
    assert is_date(graph.value(scheme, DCTERMS.created))
    assert str(graph.value(scheme, VANN.preferredNamespaceUri)) == PREFIXES[path.stem]
    assert set(graph.subjects(RDF.type, SKOS.Concept)) == set(graph.subjects(SKOS.inScheme, scheme))


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda concept: concept.removeprefix(SCHEME_BASE))
def test_concept_is_labelled_defined_and_placed(concept: URIRef) -> None:
    assert_both_languages(SCHEMES_GRAPH, concept, SKOS.prefLabel)
    assert_definitions(SCHEMES_GRAPH, concept, SKOS.definition)
    scheme, _, notation = concept.rpartition("/")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", notation)
    assert list(SCHEMES_GRAPH.objects(concept, SKOS.notation)) == [Literal(notation)]
    assert list(SCHEMES_GRAPH.objects(concept, SKOS.inScheme)) == [URIRef(scheme)]
    wider = set(SCHEMES_GRAPH.objects(concept, SKOS.broader))
    assert wider <= set(CONCEPTS)
    is_top = (concept, SKOS.topConceptOf, URIRef(scheme)) in SCHEMES_GRAPH
    assert is_top != any(str(other).startswith(scheme + "/") for other in wider)


@pytest.mark.parametrize("path", SCHEME_PATHS, ids=lambda path: path.stem)
def test_labels_of_a_scheme_are_unambiguous(path: Path) -> None:
    graph = load_turtle(path)
    concepts = graph.subjects(RDF.type, SKOS.Concept)
    counts = Counter(label for concept in concepts for label in graph.objects(concept, SKOS.prefLabel))
    assert [label for label, count in counts.items() if count > 1] == []


def test_each_role_names_its_shortcut() -> None:
    roles = set(SCHEMES_GRAPH.subjects(SKOS.inScheme, URIRef(SCHEME_BASE + "role")))
    shortcuts = {role: list(SCHEMES_GRAPH.objects(role, ORG.roleProperty)) for role in roles}
    assert all(len(properties) == 1 for properties in shortcuts.values())
    properties = [properties[0] for properties in shortcuts.values()]
    assert len(set(properties)) == len(roles)
    whole = EDITORS_GRAPH + ALIGNMENT_GRAPH
    for shortcut in properties:
        assert CHAP.involvedIn in set(whole.transitive_objects(shortcut, RDFS.subPropertyOf)), shortcut


# ------------ reasoning


def find_contradictions(*graphs: Graph) -> list[str]:
    """What an OWL 2 RL reasoner says against the merge of the graphs."""
    merged = Graph()
    for graph in graphs:
        for triple in graph:
            merged.add(triple)
    reasoner = OWLRL_Semantics(merged, axioms=False, daxioms=False, rdfs=False)
    reasoner.closure()
    return [str(message) for message in reasoner.error_messages]


def one_of_each_class() -> Graph:
    graph = Graph()
    for term in EDITORS_GRAPH.subjects(RDF.type, OWL.Class):
        graph.add((URIRef(f"https://w3id.org/chap/id/figure/{str(term).removeprefix(CHAP).lower()}"), RDF.type, term))
    hub = URIRef("https://w3id.org/chap/id/organisation/de-holm")
    graph.add((hub, RDF.type, CHAP.Hub))
    graph.add((hub, RDF.type, CHAP.Cluster))
    return graph


def test_ontology_is_consistent_under_owl_rl() -> None:
    assert find_contradictions(EDITORS_GRAPH, ALIGNMENT_GRAPH, one_of_each_class()) == []


@pytest.mark.parametrize(("one", "other"), [("Actor", "Programme"), ("Hub", "Strategy")])
def test_actor_that_is_a_programme_is_inconsistent(one: str, other: str) -> None:
    individual = URIRef("https://w3id.org/chap/id/organisation/de-holm")
    wrong = Graph()
    wrong.add((individual, RDF.type, CHAP[one]))
    wrong.add((individual, RDF.type, CHAP[other]))
    contradictions = find_contradictions(EDITORS_GRAPH, ALIGNMENT_GRAPH, wrong)
    assert any("disjoint" in message.lower() and "de-holm" in message for message in contradictions), contradictions


# ------------ redirects and decisions


HTACCESS = (ONTOLOGY / "w3id" / ".htaccess").read_text(encoding="utf-8")
REDIRECTS = re.findall(r"(?m)^RewriteRule (\S+) (\S+) \[R=303\b", HTACCESS)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "maintainers",
        "def",
        "def/1.0.0",
        "def/alignment",
        "def/prefixes",
        "shapes",
        "scheme/role",
        "scheme/role/board-member",
        "id/organisation/de-holm",
        "id/source/bbfi-hessen-2024/p5",
        "graph/source-bbfi-hessen-2024",
        "dataset/chap",
    ],
)
def test_each_kind_of_iri_is_redirected_to_its_own_path(path: str) -> None:
    rules = [(pattern, target.replace("$", "\\")) for pattern, target in REDIRECTS if re.match(pattern, path)]
    destinations = [re.sub(pattern, target, path) for pattern, target in rules]
    assert destinations[:1] == ["%{ENV:CHAP}/" + path]


@pytest.mark.parametrize("path", sorted((ONTOLOGY / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_decision_says_context_choice_and_consequence(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.name[:4]} ")
    assert [part for part in ("**Context.**", "**Choice.**", "**Consequence.**") if part not in text] == []
    assert len(text.splitlines()) < 40, "half a page"
