"""The IRIs of CHAP: namespaces, and the only place where an IRI is made (ONTOLOGY.md, STYLE 7)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from kg.errors import InvalidIri, UnknownPrefix

__all__ = [
    "BASE",
    "CHAP",
    "DEFAULT_GRAPH",
    "GRAPH",
    "INFERRED_GRAPH",
    "ONTOLOGY_GRAPH",
    "PROVENANCE_GRAPH",
    "PUBLIC_PLACEHOLDER",
    "PUBLISHED_GRAPH",
    "RELEASE",
    "SCHEME",
    "SHAPES",
    "THING",
    "THING_KINDS",
    "WRITTEN",
    "expand_curie",
    "make_slug",
    "mint_concept",
    "mint_dataset",
    "mint_graph",
    "mint_link",
    "mint_node",
    "mint_release",
    "mint_source",
    "mint_thing",
    "parse_slug",
    "parse_written",
]

BASE: Final = "https://w3id.org/chap/"
CHAP: Final = BASE + "def#"
SHAPES: Final = BASE + "shapes#"
THING: Final = BASE + "id/"
SCHEME: Final = BASE + "scheme/"
GRAPH: Final = BASE + "graph/"
RELEASE: Final = BASE + "release/"
PROVENANCE_GRAPH: Final = GRAPH + "provenance"
# On other servers: the default graph under a name, and what was put there (kg.publish). No release holds them.
DEFAULT_GRAPH: Final = GRAPH + "default"
PUBLISHED_GRAPH: Final = GRAPH + "published"
INFERRED_GRAPH: Final = GRAPH + "inferred"
ONTOLOGY_GRAPH: Final = GRAPH + "ontology"
# Graphs that are written over HTTP have names below this; no others do.
WRITTEN: Final = GRAPH + "written/"
# Stands in stored descriptions for the address that users see; the server puts its own there (RFC 2606: never a host).
PUBLIC_PLACEHOLDER: Final = "http://public.invalid"

THING_KINDS: Final = frozenset(
    [
        "organisation",
        "programme",
        "project",
        "forum",
        "place",
        "site",
        "involvement",
        "funding",
        "figure",
        "service",
        "engagement",
        "objective",
        "source",
    ]
)
_SLUG = re.compile(r"[a-z0-9]+(?:-{1,2}[a-z0-9]+)*")
_TRANSLITERATION: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "ł": "l", "đ": "d"})


def expand_curie(curie: str, prefixes: Mapping[str, str]) -> str:
    """The IRI that a compact IRI stands for.

    Raises:
        UnknownPrefix: the prefix is not in the map, or there is none.

    >>> expand_curie("org:memberOf", {"org": "http://www.w3.org/ns/org#"})
    'http://www.w3.org/ns/org#memberOf'
    """
    prefix, colon, name = curie.partition(":")
    if not colon or prefix not in prefixes:
        raise UnknownPrefix(f"{curie!r}: no such prefix; ontology/prefixes.ttl declares them")
    return prefixes[prefix] + name


def parse_slug(text: str) -> str:
    """The text itself, when it is a slug: lower-case ASCII words joined by one or two hyphens.

    Raises:
        InvalidIri: it is not.

    >>> parse_slug("de-fraunhofer-sit--partner--de-holm")
    'de-fraunhofer-sit--partner--de-holm'
    """
    if not _SLUG.fullmatch(text):
        raise InvalidIri(f"{text!r} is no slug: use lower-case ASCII letters and digits, words joined by hyphens")
    return text


def make_slug(text: str) -> str:
    """A slug out of any text; empty when it holds no letter or digit of Latin script.

    >>> make_slug("Grüner IT-Würfel")
    'gruener-it-wuerfel'
    """
    return re.sub(r"-{3,}", "--", re.sub(r"[^a-z0-9-]+", "-", _make_ascii(text))).strip("-")


def mint_thing(kind: str, slug: str) -> str:
    """The IRI of a thing.

    Raises:
        InvalidIri: the kind is unknown or the slug is malformed.

    >>> mint_thing("organisation", "de-holm")
    'https://w3id.org/chap/id/organisation/de-holm'
    """
    if kind not in THING_KINDS:
        raise InvalidIri(f"{kind!r} is no kind of thing: use one of {', '.join(sorted(THING_KINDS))}")
    return f"{THING}{kind}/{parse_slug(slug)}"


def mint_source(key: str) -> str:
    """The IRI of a source or, after a slash, of one of its paragraphs.

    >>> mint_source("src-bbfi-hessen-2024/p5")
    'https://w3id.org/chap/id/source/bbfi-hessen-2024/p5'
    """
    page, slash, part = key.removeprefix("src-").partition("/")
    return mint_thing("source", page) + (slash and "/" + parse_slug(part))


def mint_concept(scheme: str, notation: str) -> str:
    """The IRI of a concept of one of our schemes.

    >>> mint_concept("role", "board-member")
    'https://w3id.org/chap/scheme/role/board-member'
    """
    return f"{SCHEME}{parse_slug(scheme)}/{parse_slug(notation)}"


def mint_dataset(name: str) -> str:
    """The IRI of a dataset.

    >>> mint_dataset("chap")
    'https://w3id.org/chap/dataset/chap'
    """
    return f"{BASE}dataset/{parse_slug(name)}"


def mint_graph(name: str) -> str:
    """The IRI of a named graph.

    >>> mint_graph("inferred")
    'https://w3id.org/chap/graph/inferred'
    """
    return GRAPH + parse_slug(name)


def mint_link(subject_iri: str, object_curie: str) -> str:
    """The IRI of what is known about a link, below its subject; there is one for a pair.

    >>> mint_link("https://w3id.org/chap/scheme/field/finance", "nace21:64")
    'https://w3id.org/chap/scheme/field/finance#nace21-64'
    """
    return f"{subject_iri}#{make_slug(object_curie)}"


def parse_written(graph_iri: str) -> str:
    """The IRI itself, when it is that of a graph that can be written.

    Raises:
        InvalidIri: it is not.

    >>> parse_written("https://w3id.org/chap/graph/written/holm")
    'https://w3id.org/chap/graph/written/holm'
    """
    if not graph_iri.startswith(WRITTEN):
        raise InvalidIri(f"<{graph_iri}> is no graph that can be written: their names begin with {WRITTEN}")
    parse_slug(graph_iri.removeprefix(WRITTEN))
    return graph_iri


def mint_release(release_id: str) -> str:
    """The IRI of a release.

    >>> mint_release("0003-623f5045")
    'https://w3id.org/chap/release/0003-623f5045'
    """
    return RELEASE + parse_slug(release_id)


def mint_node(kind: str, *parts: str) -> str:
    """The IRI of an n-ary node or a graph, from the parts of its key: an IRI gives its slug, a text is made a slug.

    Total: it never raises, since the engine drops a row silently when a function of its fails.

    >>> mint_node("involvement", "https://w3id.org/chap/id/organisation/de-gsi", "host", "Grüner IT-Würfel")
    'https://w3id.org/chap/id/involvement/de-gsi--host--gruener-it-wuerfel'
    >>> mint_node("graph", "source", "https://w3id.org/chap/id/source/bbfi/p5")
    'https://w3id.org/chap/graph/source-bbfi-p5'
    """
    slugs = (
        make_slug(part.removeprefix(THING).partition("/")[2] if part.startswith(THING) else part) for part in parts
    )
    base, joint = (BASE, "-") if kind == "graph" else (THING, "--")
    return f"{base}{kind}/{joint.join(slug for slug in slugs if slug)}"


def _make_ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.lower().translate(_TRANSLITERATION))
    return plain.encode("ascii", "ignore").decode()
