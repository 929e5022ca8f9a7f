"""What search engines read in a page: schema.org as JSON-LD (HARVEST 3.2, Google Dataset Search).

A dataset is described by what the catalogue of the release says of it (kg.catalog), an organisation by what the graph
says of it; here both only get the words of schema.org. Texts are in the language of the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from starlette.requests import Request

from endpoint.documents.triples import Description, describe, parse_ntriples
from endpoint.history.releases import ServedReleases
from endpoint.http.target import read_path
from endpoint.sparql.ask import Asker, Term
from endpoint.sparql.ask import iri as make_iri
from kg.catalog.index import load_catalog_index, name_page
from kg.errors import ReleaseDamaged
from kg.release import Release
from kg.terms import PUBLIC_PLACEHOLDER, mint_dataset
from kg.weblinks import is_web_address

__all__ = ["describe_page"]

Node: TypeAlias = dict[str, Any]

_WHOLE: Final = "chap"
_CONTEXT: Final = "https://schema.org"
_SCHEMA: Final = "https://schema.org/"
_ORGANISATIONS: Final = "/doc/organisation/"
_DATASETS: Final = "/dataset/"
_DCAT: Final = "http://www.w3.org/ns/dcat#"
_DCTERMS: Final = "http://purl.org/dc/terms/"
_FOAF: Final = "http://xmlns.com/foaf/0.1/"
_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_CATALOG: Final = f"{PUBLIC_PLACEHOLDER}/catalog"
_MEDIA_TYPES: Final = "https://www.iana.org/assignments/media-types/"
_PUBLIC: Final = "http://publications.europa.eu/resource/authority/access-right/PUBLIC"
# In schema.org's context these are addresses, not texts, so that they stand as they are.
_ADDRESSES: Final = frozenset(["sameAs", "url"])


async def describe_page(request: Request, language: str) -> Node | None:
    """The JSON-LD of a page: a dataset, an organisation, or the catalogue and the whole graph; None for other pages.

    Raises:
        ReleaseNotFound: the request names a release that is not there.
        ReleaseDamaged: the catalogue of the release is malformed.
        Problem: the pool could not answer.
    """
    path = read_path(request).removesuffix(".html")
    if path in ("/", "/about"):
        nodes = [await _describe_catalog(request, language), await _describe_dataset(request, _WHOLE, language)]
        found = [node for node in nodes if node is not None]
        return {"@context": _CONTEXT, "@graph": found} if found else None
    node = None
    if path.startswith(_DATASETS):
        node = await _describe_dataset(request, path.removeprefix(_DATASETS), language)
    elif path.startswith(_ORGANISATIONS):
        node = await _describe_organisation(request, path.removeprefix("/doc/"), language)
    return {"@context": _CONTEXT, **node} if node else None


async def _describe_organisation(request: Request, name: str, language: str) -> Node | None:
    asker: Asker = request.app.state.asker
    thing = f"https://w3id.org/chap/id/{name}"
    release = request.query_params.get("release") or None
    body = await asker.construct(
        "schema-organisation", media_type="application/n-triples", release=release, thing=make_iri(thing)
    )
    description = describe(parse_ntriples(body))
    if thing not in description:
        return None
    return _write_node(thing, description, language, seen=set())


def _write_node(iri: str, description: Description, language: str, *, seen: set[str]) -> Node:
    """A node whose properties are schema.org's already; other nodes stand where they are named first."""
    seen.add(iri)
    node: Node = {"@type": [], "@id": iri}
    for predicate, values in description[iri].items():
        if predicate == _TYPE:
            node["@type"] = _unwrap([value.value.removeprefix(_SCHEMA) for value in values])
            continue
        name = predicate.removeprefix(_SCHEMA)
        written: list[Any] = []
        for value in _in_language(values, language):
            if name in _ADDRESSES:
                # Search engines make links of these.
                written += [value.value] if is_web_address(value.value) else []
            elif value.kind != "uri":
                written.append(value.value)
            elif value.value in description and value.value not in seen:
                written.append(_write_node(value.value, description, language, seen=seen))
            else:
                written.append({"@id": value.value})
        if written:
            node[name] = _unwrap(written)
    return node


async def _describe_catalog(request: Request, language: str) -> Node | None:
    description = _load_catalog(_find_release(request), _WHOLE)
    if description is None or _CATALOG not in description:
        return None
    stated = description[_CATALOG]
    base: str = request.app.state.settings.base_url
    return {
        "@type": "DataCatalog",
        "@id": f"{base}/catalog",
        "url": f"{base}/catalog",
        "name": _text(stated, f"{_DCTERMS}title", language),
        "description": _text(stated, f"{_DCTERMS}description", language),
        "dataset": [{"@id": each.value} for each in stated.get(f"{_DCAT}dataset", ())],
        **_name_publisher(description, stated),
    }


async def _describe_dataset(request: Request, name: str, language: str) -> Node | None:
    dataset = mint_dataset(_WHOLE).removesuffix(_WHOLE) + name
    release = _find_release(request)
    description = _load_catalog(release, name)
    if description is None or dataset not in description:
        return None
    stated = description[dataset]
    base: str = request.app.state.settings.base_url
    files = [each.value for each in stated.get(f"{_DCAT}distribution", ())]
    downloads = [found for file in files if (found := _describe_download(description[file], base))]
    node: Node = {
        "@type": "Dataset",
        "@id": dataset,
        "url": f"{base}/dataset/{name}",
        "sameAs": dataset,
        "identifier": _unwrap(_values(stated, f"{_DCTERMS}identifier")),
        "name": _text(stated, f"{_DCTERMS}title", language),
        "description": _text(stated, f"{_DCTERMS}description", language),
        "keywords": [each.value for each in _in_language(stated.get(f"{_DCAT}keyword", ()), language)],
        "version": _unwrap(_values(stated, f"{_DCAT}version")),
        "datePublished": _unwrap(_values(stated, f"{_DCTERMS}issued")),
        "dateModified": _unwrap(_values(stated, f"{_DCTERMS}modified")),
        # The licence as it is stated; the catalogue itself speaks of it in the words of DCAT-AP.de.
        "license": _unwrap(
            sorted({each for file in files for each in _values(description[file], f"{_DCTERMS}rights")})
        ),
        "isAccessibleForFree": _PUBLIC in _values(stated, f"{_DCTERMS}accessRights"),
        "temporalCoverage": _write_period(description, stated),
        "spatialCoverage": await _describe_places(request, dataset, stated, language),
        "includedInDataCatalog": {
            "@type": "DataCatalog",
            "@id": f"{base}/catalog",
            "url": f"{base}/catalog",
            "name": _text(description.get(_CATALOG, {}), f"{_DCTERMS}title", language),
        },
        "distribution": downloads,
        **_name_publisher(description, stated),
    }
    return {key: value for key, value in node.items() if value not in ("", [], None)}


def _describe_download(stated: Mapping[str, Sequence[Term]], base: str) -> Node | None:
    address = _unwrap(_values(stated, f"{_DCAT}downloadURL"))
    if not address:
        return None
    node = {
        "@type": "DataDownload",
        "contentUrl": str(address).replace(PUBLIC_PLACEHOLDER, base),
        "encodingFormat": _unwrap([each.removeprefix(_MEDIA_TYPES) for each in _values(stated, f"{_DCAT}mediaType")]),
        "contentSize": _unwrap([f"{each} B" for each in _values(stated, f"{_DCAT}byteSize")]),
    }
    return {key: value for key, value in node.items() if value}


async def _describe_places(
    request: Request, dataset: str, stated: Mapping[str, Sequence[Term]], language: str
) -> list[Node]:
    """The places that have a name: a place without one says nothing to a search engine."""
    asker: Asker = request.app.state.asker
    release = request.query_params.get("release") or None
    names: dict[str, list[Term]] = {}
    for row in await asker.select("places-covered", release=release, dataset=make_iri(dataset)):
        names.setdefault(row["place"].value, []).append(row["label"])
    return [
        {"@type": "Place", "@id": place, "name": _in_language(names[place], language)[0].value}
        for place in _values(stated, f"{_DCTERMS}spatial")
        if place in names
    ]


def _write_period(description: Description, stated: Mapping[str, Sequence[Term]]) -> str:
    """The period as ISO 8601 writes an interval."""
    for each in stated.get(f"{_DCTERMS}temporal", ()):
        period = description[each.value]
        first, last = (_unwrap(_values(period, f"{_DCAT}{name}Date")) for name in ("start", "end"))
        if first and last:
            return f"{first}/{last}"
    return ""


def _name_publisher(description: Description, stated: Mapping[str, Sequence[Term]]) -> Node:
    """Who publishes: creator, too, since that is what Google asks for and the catalogue states both."""
    nodes = [
        {"@type": "Organization", "@id": each, "name": _unwrap(_values(description.get(each, {}), f"{_FOAF}name"))}
        for each in _values(stated, f"{_DCTERMS}publisher")
    ]
    return {"publisher": _unwrap(nodes), "creator": _unwrap(nodes)} if nodes else {}


def _load_catalog(release: Release, dataset: str) -> Description | None:
    """The page of the catalogue that a dataset is on; None where the release has no catalogue, or not this dataset."""
    index = load_catalog_index(release.path)
    for number in range(1, index.pages + 1 if index else 1):
        if index and dataset in index.list_page(number):
            return _parse_page(release.path / name_page(number, "nt"))
    return None


@lru_cache(maxsize=4)
def _parse_page(path: Path) -> Description:
    # A release never changes, so neither does its catalogue.
    try:
        return describe(parse_ntriples(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise ReleaseDamaged(f"{path}: cannot be read ({error}); make a new release with 'kg build'") from error


def _find_release(request: Request) -> Release:
    releases: ServedReleases = request.app.state.releases
    ref = request.query_params.get("release") or None
    return releases.get_complete() if ref is None else releases.get(ref)


def _values(stated: Mapping[str, Sequence[Term]], property_iri: str) -> list[str]:
    return [each.value for each in stated.get(property_iri, ())]


def _text(stated: Mapping[str, Sequence[Term]], property_iri: str, language: str) -> str:
    return next((each.value for each in _in_language(stated.get(property_iri, ()), language)), "")


def _in_language(values: Iterable[Term], language: str) -> list[Term]:
    """The values in a language, where there are such; else all."""
    values = list(values)
    return [each for each in values if each.language == language] or values


def _unwrap(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
