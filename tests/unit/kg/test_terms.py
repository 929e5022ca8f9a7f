"""IRIs: what is minted, what is refused, and that the functions of the mappings never raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.errors import InvalidIri, UnknownPrefix
from kg.terms import expand_curie, mint_concept, mint_graph, mint_node, mint_source, mint_thing, parse_slug

VALID_SLUGS = ["a", "de-holm", "de-gsi--host--de-green-it-cube", "2030", "distral-2a"]
INVALID_SLUGS = ["", "-a", "a-", "De-Holm", "de_holm", "de holm", "für", "a---b", "a/b", "a#b", "../a", "a?b"]


@pytest.mark.parametrize("slug", VALID_SLUGS)
def test_slug_with_words_joined_by_hyphens_is_taken(slug: str) -> None:
    assert parse_slug(slug) == slug


@pytest.mark.parametrize("slug", INVALID_SLUGS)
def test_slug_with_anything_else_is_refused(slug: str) -> None:
    with pytest.raises(InvalidIri, match="no slug"):
        parse_slug(slug)


def test_thing_of_unknown_kind_is_refused() -> None:
    with pytest.raises(InvalidIri, match="organisation"):
        mint_thing("company", "de-holm")


def test_source_and_paragraph_share_the_path_of_the_page() -> None:
    page = mint_source("src-bbfi-hessen-2024")
    assert mint_source("src-bbfi-hessen-2024/p5") == page + "/p5"


def test_graphs_and_concepts_have_their_own_paths() -> None:
    assert mint_graph("inferred") == "https://w3id.org/chap/graph/inferred"
    assert mint_concept("field", "ict") == "https://w3id.org/chap/scheme/field/ict"


def test_curie_with_undeclared_prefix_is_refused() -> None:
    with pytest.raises(UnknownPrefix, match=r"prefixes\.ttl"):
        expand_curie("nope:Thing", {})


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_minting_a_node_never_raises_and_gives_a_plain_iri(parts: list[str]) -> None:
    iri = mint_node("involvement", *parts)
    assert iri.startswith("https://w3id.org/chap/id/involvement/")
    assert iri.isascii()
    assert not set(' <>"{}|\\^`') & set(iri)
