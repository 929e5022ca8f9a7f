"""Links in a release: only reviewed ones, each with who says so; a broken set, or a proposal, stops the build."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, QuerySolutions, Store

from kg.build import lift_all
from kg.errors import LinkSetError
from kg.link.sssom import SUFFIX, load_link_sets, parse_link_set
from kg.queries import load_query
from kg.rdfio import load_prefixes
from kg.release import Release
from kg.settings import KgSettings
from kg.terms import THING

SETTINGS = KgSettings()
PREFIXES = load_prefixes(SETTINGS.ontology_dir / "prefixes.ttl")
ROR = "organisations_ror.sssom.tsv"


@pytest.fixture(scope="module")
def store(release: Release) -> Store:
    return Store.read_only(str(release.store_path))


def _ask(store: Store, path: Path) -> list[list[str]]:
    answer = store.query(load_query(path).text)
    assert isinstance(answer, QuerySolutions)
    return [[str(value) for value in solution] for solution in answer]


def test_release_holds_no_unreviewed_link(store: Store) -> None:
    assert _ask(store, Path(__file__).parent / "queries" / "unreviewed-links.rq") == []


def test_every_reviewed_row_is_a_statement_and_every_refused_one_is_none(store: Store) -> None:
    links = [link for each in load_link_sets(SETTINGS.data_dir / "links", PREFIXES) for link in each.links]
    assert {link.is_negated for link in links} == {True, False}
    for link in links:
        triple = NamedNode(link.subject), NamedNode(link.predicate), NamedNode(link.object_id)
        assert (next(store.quads_for_pattern(*triple), None) is None) is link.is_negated, link


def test_every_graph_with_links_says_what_it_rests_on(store: Store) -> None:
    origin = NamedNode(PREFIXES["prov"] + "wasDerivedFrom")
    graphs = {
        quad.graph_name
        for link in store.quads_for_pattern(
            None, NamedNode(PREFIXES["rdf"] + "type"), NamedNode(PREFIXES["owl"] + "Axiom")
        )
        for quad in store.quads_for_pattern(link.subject, None, None)
        if isinstance(quad.graph_name, NamedNode)
    }
    assert graphs
    assert [graph for graph in graphs if next(store.quads_for_pattern(graph, origin, None), None) is None] == []


def test_edith_of_hesse_and_of_the_catalogue_is_one_thing(store: Store) -> None:
    edith = NamedNode(THING + "organisation/de-edith")
    label = NamedNode(PREFIXES["skos"] + "altLabel")
    named = {
        quad.subject
        for quad in store.quads_for_pattern(None, label, None)
        if isinstance(quad.object, Literal) and quad.object.value.upper() == "EDITH"
    }
    assert named == {edith}


@pytest.fixture
def settings(tmp_path: Path) -> KgSettings:
    """A copy of the shipped data to spoil."""
    shutil.copytree(SETTINGS.data_dir, tmp_path / "data")
    return KgSettings(data_dir=tmp_path / "data")


def _replace(settings: KgSettings, old: str, new: str) -> None:
    path = settings.data_dir / "links" / ROR
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_unknown_subject_and_source_stop_the_build_with_their_rows(settings: KgSettings) -> None:
    _replace(settings, "organisation:de-merck\t", "organisation:de-merk\t")
    path = settings.data_dir / "links" / ROR
    first, rest = path.read_text(encoding="utf-8").split("source:ror-records", 1)
    path.write_text(f"{first}source:ror-record{rest}", encoding="utf-8")
    fields = settings.data_dir / "links" / "edih-sector_field.sssom.tsv"
    fields.write_text(
        fields.read_text(encoding="utf-8").replace("\tfield:finance\t", "\tfield:financ\t"), encoding="utf-8"
    )
    with pytest.raises(LinkSetError) as refusal:
        lift_all(settings)
    assert len(refusal.value.problems) == 3
    for where, cure in (
        (f"{ROR} row 1, column mapping_source: https://w3id.org/chap/id/source/ror-record is", "data/sources.csv"),
        ("column subject_id: https://w3id.org/chap/id/organisation/de-merk is unknown", "data/iris.csv"),
        ("edih-sector_field.sssom.tsv row 11, column object_id: https://w3id.org/chap/scheme/field/financ", "schemes"),
    ):
        (problem,) = [each for each in refusal.value.problems if where in each]
        assert cure in problem.partition("Cure: ")[2]


@pytest.mark.slow
def test_proposals_among_the_links_stop_the_build(settings: KgSettings) -> None:
    proposal = (
        "#curie_map:\n#  organisation: https://w3id.org/chap/id/organisation/\n#  ror: https://ror.org/\n"
        "subject_id\tpredicate_id\tobject_id\tobject_label\tmapping_justification\tconfidence\treviewer_label\n"
        "organisation:de-holm\towl:sameAs\tror:05n911h24\tX\tsemapv:LexicalMatching\t0.9\t\n"
    )
    (settings.data_dir / "links" / "proposals.sssom.tsv").write_text(proposal, encoding="utf-8")
    with pytest.raises(LinkSetError, match=r"proposals\.sssom\.tsv row 1, column reviewer_label: unreviewed link"):
        lift_all(settings)


def test_readme_counts_the_links_and_refused_pairs_of_every_set() -> None:
    readme = (SETTINGS.data_dir / "README.md").read_text(encoding="utf-8")
    stated = re.findall(r"^\| `(\S+)` \| [^|]+ \| (\d+) \| (\d+) \|$", readme, re.M)
    counted = []
    for path in sorted((SETTINGS.data_dir / "links").glob(f"*{SUFFIX}")):
        links = parse_link_set(path.read_text(encoding="utf-8"), path, PREFIXES).links
        refused = sum(link.is_negated for link in links)
        counted.append((path.name.removesuffix(SUFFIX), str(len(links) - refused), str(refused)))
    assert sorted(stated) == counted
