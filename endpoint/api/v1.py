"""``/api/v1``: the four lists and their things as JSON-LD, with links to the query behind and to the licence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Query
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import Response

from endpoint.documents.resources import check_thing
from endpoint.http.problems import Problem, problem_response
from endpoint.http.responses import make_response
from endpoint.pages.collections import COLLECTIONS, Collection, Filters, fetch_list, fetch_options, parse_filters
from endpoint.pages.site import render_page
from endpoint.pages.views import Row
from endpoint.sparql.ask import Asker
from endpoint.sparql.ask import iri as make_iri
from kg.queries import load_directory

__all__ = ["create_api"]

_router = APIRouter(tags=["things"])

_QUERIES: Final = Path(__file__).parent.parent / "queries"
_JSON_LD: Final = "application/ld+json"
_PARAMETERS: Final = frozenset([*(each.name for each in fields(Filters)), "limit", "offset", "release"])
_LICENCE: Final = "https://creativecommons.org/licenses/by/4.0/"
_CONTEXT: Final = {
    "@vocab": "https://w3id.org/chap/def#",
    "id": "@id",
    "type": "@type",
    "name": {"@id": "http://www.w3.org/2004/02/skos/core#prefLabel", "@container": "@language"},
    "shortName": "http://www.w3.org/2004/02/skos/core#altLabel",
    "kind": {"@id": "https://w3id.org/chap/def#kind", "@type": "@id"},
    "focus": {"@id": "https://w3id.org/chap/def#focus", "@type": "@id"},
    "items": {"@id": "http://www.w3.org/ns/hydra/core#member", "@container": "@list"},
    "total": "http://www.w3.org/ns/hydra/core#totalItems",
    "next": {"@id": "http://www.w3.org/ns/hydra/core#next", "@type": "@id"},
    "license": {"@id": "http://purl.org/dc/terms/license", "@type": "@id"},
    "query": {"@id": "http://purl.org/dc/terms/source", "@type": "@id"},
    "otherQueries": {"@id": "http://purl.org/dc/terms/source", "@type": "@id"},
    "document": {"@id": "http://xmlns.com/foaf/0.1/page", "@type": "@id"},
    "places": "http://purl.org/dc/terms/spatial",
    "countries": {"@id": "http://purl.org/dc/terms/spatial", "@type": "@id"},
    "edihType": "https://w3id.org/chap/scheme/indicator/edih-type",
    "value": {"@id": "https://w3id.org/chap/def#qualitativeValue", "@type": "@id"},
    "asOf": {"@id": "https://w3id.org/chap/def#asOf", "@type": "http://www.w3.org/2001/XMLSchema#date"},
}


@_router.head("/docs", include_in_schema=False)
@_router.get("/docs", include_in_schema=False)
async def show_docs(request: Request) -> Response:
    """The API in words, from its own OpenAPI document."""
    return await render_page(request, "docs.html", paths=request.app.openapi()["paths"])


@_router.get("/queries/{name}.rq", include_in_schema=False)
async def show_query(request: Request, name: str) -> Response:
    """The text of a stored query, to copy and change."""
    query = load_directory(_QUERIES).get(name)
    return make_response(request, query.text.encode(), "application/sparql-query")


@_router.head("/{collection}", include_in_schema=False)
@_router.get("/{collection}", summary="List things, filtered", response_class=Response)
async def list_things(  # noqa: PLR0913, PLR0917 - each is one parameter of the query string
    request: Request,
    collection: str,
    kind: Annotated[str, Query(description="notation of a kind, such as cluster-network")] = "",
    field: Annotated[str, Query(description="notation of a field or topic, such as ict or ai")] = "",
    region: Annotated[str, Query(description="place such as de-kassel, NUTS code such as DE73, or district key")] = "",
    country: Annotated[str, Query(description="ISO code of a country, such as ES")] = "",
    technology: Annotated[str, Query(description="technology of the EDIH catalogue, such as photonics")] = "",
    sector: Annotated[str, Query(description="sector of the EDIH catalogue, such as health-care")] = "",
    level: Annotated[str, Query(description="least level, 1 to 5, at which a hub works on it")] = "",
    q: Annotated[str, Query(description="words of the name")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    release: Annotated[str, Query(description="a kept release; the current one when left out")] = "",
) -> Response:
    """Clusters, hubs, actors or programmes as JSON-LD."""
    chosen = _find_collection(collection)
    if unknown := set(request.query_params) - _PARAMETERS:
        known = ", ".join(sorted(_PARAMETERS))
        raise Problem("bad-parameter", 400, f"No parameter {', '.join(sorted(unknown))} here; there are {known}.")
    asker: Asker = request.app.state.asker
    filters = parse_filters(
        {
            "kind": kind,
            "field": field,
            "region": region,
            "country": country,
            "technology": technology,
            "sector": sector,
            "level": level,
            "q": q,
        }
    )
    options = await fetch_options(asker, chosen, release=release or None)
    rows = await fetch_list(asker, chosen, filters, options, release=release or None)
    base = request.app.state.settings.base_url
    shown = rows[offset : offset + limit]
    asked = {name: value for name, value in {**vars(filters), "release": release}.items() if value}
    document: dict[str, Any] = {
        "@context": _CONTEXT,
        "id": f"{base}/api/v1/{collection}?" + urlencode({**asked, "limit": limit, "offset": offset}),
        "license": _LICENCE,
        "query": f"{base}/api/v1/queries/list.rq",
        "otherQueries": [f"{base}/api/v1/queries/{name}.rq" for name in ("list-details", "engaged")],
        "release": request.app.state.releases.get(release or None).id,
        "total": len(rows),
        "items": [_make_item(row, chosen, base, release) for row in shown],
    }
    if offset + limit < len(rows):
        document["next"] = f"{base}/api/v1/{collection}?" + urlencode(
            {**asked, "limit": limit, "offset": offset + limit}
        )
    # Indented, it is written in Python, slowly: in a thread others get their turns.
    body = await asyncio.to_thread(_write, document)
    return make_response(request, body, _JSON_LD, vary="Accept")


@_router.head("/{collection}/{slug}", include_in_schema=False)
@_router.get("/{collection}/{slug}", summary="One thing", response_class=Response)
async def show_thing(request: Request, collection: str, slug: str, release: str = "") -> Response:
    """A thing with the nodes around it, as JSON-LD."""
    chosen = _find_collection(collection)
    check_thing(chosen.thing_kind, slug)
    asker: Asker = request.app.state.asker
    iri = f"https://w3id.org/chap/id/{chosen.thing_kind}/{slug}"
    rows = await asker.select(
        "is-a", release=release or None, thing=make_iri(iri), **{"class": make_iri(chosen.class_iri)}
    )
    if not rows:
        raise Problem("resource-not-found", 404, f"{iri} is not among the {collection}.")
    body = await asker.construct("document", media_type=_JSON_LD, release=release or None, thing=make_iri(iri))
    base = request.app.state.settings.base_url
    links = (
        f'<{iri}>; rel="canonical", <{_LICENCE}>; rel="license", <{base}/api/v1/queries/document.rq>; rel="describedby"'
    )
    return make_response(request, body, _JSON_LD, vary="Accept", headers={"Link": links})


def _write(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def _find_collection(name: str) -> Collection:
    if name not in COLLECTIONS:
        raise Problem("resource-not-found", 404, f"No list {name!r}. There are: {', '.join(COLLECTIONS)}.")
    return COLLECTIONS[name]


def _make_item(row: Row, collection: Collection, base: str, release: str) -> dict[str, Any]:
    query = f"?{urlencode({'release': release})}" if release else ""
    item: dict[str, Any] = {
        "id": row["thing"],
        "type": collection.class_name,
        "name": {language: row[f"name_{language}"] for language in ("de", "en") if row.get(f"name_{language}")},
        "document": base + row["thing"].replace("https://w3id.org/chap/id/", "/doc/") + query,
    }
    if row.get("short_name"):
        item["shortName"] = row["short_name"]
    if row.get("thing_kind"):
        item["kind"] = row["thing_kind"]
    if row.get("topics"):
        # What GROUP_CONCAT joins has no order (SPARQL 1.1, section 18.5.1.7), so each engine has its own.
        item["focus"] = sorted(row["topics"].split())
    if row.get("towns"):
        item["places"] = sorted(row["towns"].split(", "))
    if row.get("lands"):
        item["countries"] = row["lands"].split()
    if row.get("type"):
        item["edihType"] = {"value": row["type"], "asOf": row["type_as_of"]}
    return item


def create_api(state: State, handlers: Mapping[Any, Any]) -> FastAPI:
    """The API as an application of its own, to mount at ``/api/v1``, with what the one around it knows."""
    api = FastAPI(
        title="CHAP",
        version="1",
        description="Clusters, hubs, actors and programmes as JSON-LD. Data under CC BY 4.0.",
        servers=[{"url": "/api/v1"}],
        root_path_in_servers=False,
        docs_url=None,
        redoc_url=None,
        exception_handlers={**handlers, RequestValidationError: _answer_invalid},
    )
    api.include_router(_router)
    api.state = state
    return api


async def _answer_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return problem_response(Problem("bad-parameter", 400, f"{wrong}."))
