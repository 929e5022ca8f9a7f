"""Our JSON-LD says what the triples say: the engine's own parser reads them back."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint.documents.jsonld import Context, load_context, write_jsonld
from endpoint.documents.triples import parse_ntriples
from kg.errors import SettingsError

ROOT = "http://example.com/root"
_NODES = [ROOT, *(f"http://example.com/{number}" for number in range(4)), "https://w3id.org/chap/def#Hub"]
_PREDICATES = [
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#type",
    "http://www.w3.org/2004/02/skos/core#prefLabel",
    "http://www.w3.org/2004/02/skos/core#notation",
    "https://w3id.org/chap/def#body",
    "https://w3id.org/chap/def#latestStart",
    "http://example.com/no-prefix/of.ours",
]
_DATATYPES = ["string", "date", "gYear", "boolean", "decimal"]
_nodes = st.sampled_from(_NODES).map(ox.NamedNode)
_texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
_values = st.one_of(
    _nodes,
    st.builds(ox.Literal, _texts, language=st.sampled_from(["de", "en", "en-gb"])),
    st.builds(
        lambda text, name: ox.Literal(text, datatype=ox.NamedNode(f"http://www.w3.org/2001/XMLSchema#{name}")),
        _texts,
        st.sampled_from(_DATATYPES),
    ),
)
_triples = st.builds(ox.Triple, _nodes, st.sampled_from(_PREDICATES).map(ox.NamedNode), _values).filter(
    lambda triple: not triple.predicate.value.endswith("#type") or isinstance(triple.object, ox.NamedNode)
)


@pytest.fixture(scope="module")
def context(repository: Path) -> Context:
    return load_context(repository / "ontology" / "context.jsonld")


def read_back(triples: set[ox.Triple], context: Context) -> set[ox.Triple]:
    body = ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES)
    assert body is not None
    document = json.loads(write_jsonld(parse_ntriples(body), root=ROOT, context=context, context_url="x:context"))
    assert (document["@context"], document["id"]) == ("x:context", ROOT)
    document["@context"] = json.loads(context.body)["@context"]
    return {quad.triple for quad in ox.parse(json.dumps(document).encode(), format=ox.RdfFormat.JSON_LD)}


@settings(deadline=None, max_examples=150)
@given(triples=st.sets(_triples, max_size=12))
def test_triples_come_back_as_they_were(context: Context, triples: set[ox.Triple]) -> None:
    assert read_back(triples, context) == triples


def test_long_chain_is_no_deep_document(context: Context) -> None:
    link = ox.NamedNode("https://w3id.org/chap/def#body")
    names = [ox.NamedNode(ROOT), *(ox.NamedNode(f"http://example.com/{number}") for number in range(3_000))]
    chain = {ox.Triple(one, link, other) for one, other in pairwise(names)}
    assert read_back(chain, context) == chain


def test_context_that_is_none_is_a_wrong_setting(tmp_path: Path) -> None:
    for text in ("", "{}", '{"@context": {"a:b": {"@id": "a:b"}}}'):
        (tmp_path / "context.jsonld").write_text(text, encoding="utf-8")
        with pytest.raises(SettingsError, match="no usable JSON-LD context"):
            load_context(tmp_path / "context.jsonld")
