"""``/federation``: which outside endpoints SERVICE may name here, with their licences, limits and an example query."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.http.responses import make_response
from kg.allowlist import AllowList, OutsideEndpoint

if TYPE_CHECKING:
    from endpoint.federation.gateway import Gateway

__all__ = ["describe", "routes"]

_CONTEXT: Final = {
    "sd": "http://www.w3.org/ns/sparql-service-description#",
    "dcterms": "http://purl.org/dc/terms/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "iri": "@id",
    "endpoints": "@graph",
    "label": "rdfs:label",
    "endpoint": {"@id": "sd:endpoint", "@type": "@id"},
    "licence": {"@id": "dcterms:license", "@type": "@id"},
    "terms": "dcterms:rights",
    "limits": "rdfs:comment",
    "example": "skos:example",
}


def describe(allowed: AllowList) -> str:
    """One sentence that names the endpoints, for the service description."""
    names = ", ".join(f"<{each.iri}> ({each.label})" for each in allowed.endpoints.values())
    return f"SERVICE may name: {names or 'nothing'}."


def _make_entry(endpoint: OutsideEndpoint) -> dict[str, Any]:
    limits = (
        f"time {endpoint.timeout_s:g} s, answer {endpoint.max_mib:g} MiB and {endpoint.max_rows} solutions, "
        f"{endpoint.max_bindings} values bound, {endpoint.batch_size} in a request, "
        f"{endpoint.requests_per_s:g} requests a second, answers kept {endpoint.cache_ttl_s:g} s"
    )
    entry = {
        "iri": endpoint.iri,
        "@type": "sd:Service",
        "label": endpoint.label,
        "endpoint": endpoint.url,
        "licence": endpoint.licence,
        "terms": endpoint.terms,
        "limits": limits,
        "example": endpoint.example,
    }
    return {name: value for name, value in entry.items() if value}


async def _list_endpoints(request: Request) -> Response:
    gateway: Gateway | None = request.app.state.gateway
    endpoints = gateway.allowed.endpoints.values() if gateway else ()
    document = {"@context": _CONTEXT, "endpoints": [_make_entry(each) for each in endpoints]}
    body = json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
    return make_response(request, body, "application/ld+json")


routes = [Route("/federation", _list_endpoints)]
