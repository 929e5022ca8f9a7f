"""Links on pages and in documents: what a thing or concept is elsewhere, how closely, how surely, and who says so."""

from __future__ import annotations

import re

import httpx
import pytest
from rdflib import OWL, SKOS, Graph, URIRef

FINANCE = "/scheme/field/finance"
ECON = "http://publications.europa.eu/resource/authority/data-theme/ECON"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Elsewhere", "broader match", "people, by meaning", "CHAP curators, 27 November 2026"]),
        ("de", ["Anderswo", "weiter gefasst", "Menschen, nach Bedeutung", "CHAP curators, 27. November 2026"]),
    ],
)
def test_page_of_a_concept_shows_its_links_with_what_is_known_about_them(
    client: httpx.Client, language: str, words: list[str]
) -> None:
    page = client.get(FINANCE, params={"lang": language}, headers={"Accept": "text/html"}).text
    for each in words:
        assert each in page
    row = re.search(r"<tr><td>(?:(?!</tr>).)*data-theme/ECON.*?</tr>", page, re.S)
    assert row is not None
    assert re.search(r'<td class="number">0[.,]\d+</td>', row[0])
    # The nodes about links are told in the table, not once more as parts or mentions of the concept.
    assert "annotatedSource" not in page
    assert page.count(ECON) == 1


def test_document_of_a_concept_holds_the_link_and_the_node_beside_it(client: httpx.Client) -> None:
    graph = Graph().parse(data=client.get(f"{FINANCE}.ttl").text, format="turtle")
    concept = URIRef("https://w3id.org/chap" + FINANCE)
    assert URIRef(ECON) in {*graph.objects(concept, SKOS.broadMatch)}
    node = URIRef(f"{concept}#data-theme-econ")
    assert graph.value(node, OWL.annotatedTarget) == URIRef(ECON)
    assert graph.value(node, URIRef("https://w3id.org/sssom/confidence")) is not None
    assert graph.value(node, URIRef("https://w3id.org/sssom/reviewer_label")) is not None


@pytest.mark.parametrize(
    ("slug", "address"),
    [
        ("de-merck", "https://ror.org/04b2dty93"),
        ("de-tu-darmstadt", "https://ror.org/05n911h24"),
        ("de-mcf", "https://search.gleif.org/#/record/3912001DICGNODILE080"),
    ],
)
def test_page_of_an_organisation_links_to_where_else_it_is_known(client: httpx.Client, slug: str, address: str) -> None:
    page = client.get(f"/doc/organisation/{slug}", params={"lang": "en"}, headers={"Accept": "text/html"}).text
    assert page.count("<dt>Same as</dt>") == 1
    assert f'href="{address}"' in page
    assert f'"{address}"' in page.partition("application/ld+json")[2].partition("</script>")[0]


def test_void_counts_links_by_where_they_lead(client: httpx.Client) -> None:
    query = (
        "PREFIX void: <http://rdfs.org/ns/void#> SELECT ?space WHERE { "
        "?set void:linkPredicate ?p ; void:objectsTarget/void:uriSpace ?space }"
    )
    graph = Graph().parse(data=client.get("/.well-known/void", headers={"Accept": "text/turtle"}).text, format="turtle")
    spaces = {str(row[0]) for row in graph.query(query)}  # type: ignore[index]
    assert {
        "http://data.europa.eu/ux2/nace2.1/",
        "http://data.europa.eu/8mn/euroscivoc/",
        "http://publications.europa.eu/resource/authority/data-theme/",
        "https://ror.org/",
        "https://search.gleif.org/#/record/",
        "http://www.wikidata.org/entity/",
    } <= spaces
