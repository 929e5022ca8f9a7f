"""``/releases``: every release there was, for people and for programs, and ``/release/<id>``, their addresses.

What a release is stays in JSON-LD (DCAT 3 versions, PROV), whose other syntaxes are that document, converted. All of it
is a function of the journal, the manifests and the request.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.history.releases import ServedReleases
from endpoint.http.negotiation import HTML, N_TRIPLES, RDF_SYNTAXES, RDF_XML, TURTLE, Choice, Syntax, choose_syntax
from endpoint.http.problems import Problem
from endpoint.http.responses import make_response
from endpoint.http.target import read_path, read_query
from endpoint.pages.site import choose_language, render_page
from endpoint.pages.wording import write_date
from endpoint.sparql.ask import Asker, Row
from endpoint.sparql.ask import iri as make_iri
from kg.cite import CITATION_FORMATS, make_citation
from kg.errors import ReleaseError
from kg.release import Release
from kg.terms import mint_dataset, mint_release

__all__ = ["fetch_citation", "routes"]

_DCTERMS: Final = "http://purl.org/dc/terms/"
_WHOLE: Final = mint_dataset("chap")
_DATA: Final = (*RDF_SYNTAXES, Syntax("json", "application/json", "JSON"))
_OFFERS: Final = (HTML, *_DATA)
# What rdflib calls the syntaxes that JSON-LD is converted to.
_CONVERSIONS: Final = {TURTLE: "turtle", RDF_XML: "pretty-xml", N_TRIPLES: "nt11"}
# An answer here changes with the journal, whatever release it is about.
_CACHING: Final = {"Cache-Control": "public, no-cache"}
_PAGE_SIZE: Final = 50
_LONGEST_NUMBER: Final = 7
# Of a release that was published again and again: the first time, and the last ones.
_PUBLICATIONS_SHOWN: Final = 50


async def _list_releases(request: Request) -> Response:
    """All releases, newest first."""
    choice = choose_syntax(read_path(request), request.headers, _OFFERS)
    _check_path(choice, "/releases")
    served = _served(request)
    ids = await asyncio.to_thread(lambda: served.history.journal.releases)
    text = request.query_params.get("page", "1")
    page = int(text) if text.isdecimal() and len(text) < _LONGEST_NUMBER else 0
    shown = ids[max(page - 1, 0) * _PAGE_SIZE : max(page, 0) * _PAGE_SIZE]
    if not shown and page != 1:
        raise Problem(
            "bad-parameter", 400, f"There is no page {text[:_LONGEST_NUMBER]!r}.", members={"parameter": "page"}
        )
    previous_page, next_page = page - 1 if page > 1 else 0, page + 1 if page * _PAGE_SIZE < len(ids) else 0
    if choice.syntax is HTML:
        return await render_page(
            request,
            "releases.html",
            vary=_vary(choice),
            headers={"Link": _link_formats(request, choice), **_CACHING},
            releases=await asyncio.to_thread(lambda: [_make_view(request, each) for each in shown]),
            previous_page=previous_page,
            next_page=next_page,
            formats=_DATA,
        )
    facts = await _fetch_facts(request)
    address = f"{request.app.state.settings.base_url}/releases.{choice.syntax.suffix}"
    document = {
        "id": _name_whole(request),
        "type": "dcat:Dataset",
        "title": {row["value"].language or "und": row["value"].value for row in _pick(facts, "title")},
        **_page(request, "/releases"),
        "current": _name_release(request, served.get().id),
        "total": len(ids),
        **({"previous": f"{address}?page={previous_page}"} if previous_page else {}),
        **({"next": f"{address}?page={next_page}"} if next_page else {}),
        "releases": await asyncio.to_thread(lambda: [_describe(request, each, "") for each in shown]),
    }
    return await _answer_data(request, document, choice)


async def _show_release(request: Request) -> Response:
    """One release: what it holds, when it was current, how to cite it."""
    choice = choose_syntax(read_path(request), request.headers, _OFFERS)
    release = _get_release(request, choice.path.rpartition("/")[2])
    if choice.syntax is not HTML:
        facts = await _fetch_facts(request, release.id)
        return await _answer_data(request, _describe(request, release.id, _find_licence(facts)), choice)
    return await render_page(
        request,
        "release.html",
        vary=_vary(choice),
        headers={"Link": _link_formats(request, choice), **_CACHING},
        shown=_make_view(request, release.id),
        citation=None if release.manifest.is_plain else await fetch_citation(request, release),
        formats=_DATA,
    )


async def _redirect_release(request: Request) -> Response:
    """See other: the page about a release, which is no document itself but a state of the graph."""
    release_id, dot, suffix = request.path_params["name"].partition(".")
    release = _get_release(request, release_id)
    headers = {
        "Location": f"/releases/{release.id}{dot}{quote(suffix)}{read_query(request)}",
        "Cache-Control": "public, max-age=3600",
    }
    return Response(status_code=303, headers=headers)


async def fetch_citation(request: Request, release: Release) -> Mapping[str, str]:
    """How to cite a release, in every format of kg.cite, with its title in the language of the page.

    Raises:
        ReleaseDamaged: the release does not say what it is.
        Problem: the pool could not answer.
    """
    facts = await _fetch_facts(request, release.id)
    licence = _find_licence(facts)
    titles = [
        {"title": row["value"].value, "language": row["value"].language or "", "licence": licence}
        for row in _pick(facts, "title")
    ]
    issued = _served(request).history.find_publications(release.id)[0].instant
    citation = make_citation(release, titles, issued=issued, language=choose_language(request))
    return {name: write(citation) for name, write in CITATION_FORMATS.items()}


async def _fetch_facts(request: Request, release_id: str | None = None) -> list[Row]:
    """What a release states of the whole graph: rows of ``property`` and ``value``."""
    asker: Asker = request.app.state.asker
    return await asker.select("dataset-facts", release=release_id, dataset=make_iri(_WHOLE))


def _describe(request: Request, release_id: str, licence: str) -> dict[str, Any]:
    """A release as JSON-LD; where it is gone or damaged, what the journal knows of it."""
    served = _served(request)
    publications = served.history.find_publications(release_id)
    address = _name_release(request, release_id)
    described: dict[str, Any] = {
        "id": address,
        "type": ["dcat:Dataset", "prov:Entity"],
        "dataset": _name_whole(request),
        "version": release_id,
        "identifier": address,
        "issued": publications[0].instant,
        "status": "removed",
        "publications": [
            {
                "id": f"{address}#publication-{each.sequence}",
                "type": "prov:Activity",
                "action": each.action,
                "instant": each.instant,
            }
            for each in [*publications[:1], *publications[1:][-_PUBLICATIONS_SHOWN:]]
        ],
    }
    if release_id not in served.history.kept:
        return described
    described |= _page(request, f"/releases/{release_id}")
    try:
        release = served.get(release_id)
        manifest = release.manifest
    except ReleaseError:
        return described | {"status": "damaged"}
    described |= {
        "status": "current" if served.current and served.current.id == release_id else "kept",
        "checksum": {
            "id": f"{address}#checksum",
            "type": "spdx:Checksum",
            "algorithm": "spdx:checksumAlgorithm_sha256",
            "digest": release.digest,
        },
        "triples": manifest.counts.triples,
        "quads": manifest.counts.quads,
    }
    if licence:
        described["license"] = licence
    if release.parent:
        described["parent"] = _name_release(request, release.parent)
    return described


def _make_view(request: Request, release_id: str) -> dict[str, Any]:
    """What a page shows of a release."""
    served, language = _served(request), choose_language(request)
    described = _describe(request, release_id, "")
    state = described["status"]
    is_readable = state in ("current", "kept")
    manifest = served.get(release_id).manifest if is_readable else None
    parent = manifest.parent if manifest else None
    return {
        "id": release_id,
        "iri": described["id"],
        "path": f"/releases/{release_id}" if is_readable else "",
        "state": state,
        "publications": [
            {"when": f"{write_date(each['instant'][:10], language)}, {each['instant'][11:16]} UTC", **each}
            for each in described["publications"]
        ],
        "quads": manifest.counts.quads if manifest else None,
        "triples": manifest.counts.triples if manifest else None,
        "digest": manifest.digest if manifest else "",
        "versions": sorted(manifest.versions.items()) if manifest else [],
        "parent": parent,
        "parent_path": f"/releases/{parent}" if parent in served.history.kept else "",
    }


async def _answer_data(request: Request, document: Mapping[str, Any], choice: Choice) -> Response:
    text = json.dumps({**_load_context(), **document}, indent=2, ensure_ascii=False) + "\n"
    syntax = _CONVERSIONS.get(choice.syntax)
    body = await asyncio.to_thread(_convert, text, syntax) if syntax else text.encode()
    headers = {"Link": _link_formats(request, choice), **_CACHING}
    vary = "" if choice.is_fixed else "Accept"
    return make_response(request, body, choice.syntax.content_type, vary=vary, headers=headers)


def _convert(text: str, syntax: str) -> bytes:
    # Imported here: it takes a third of a second, and few ask for it.
    import rdflib  # noqa: PLC0415

    # Instants stay as the journal writes them; nothing else in this process uses the library.
    rdflib.NORMALIZE_LITERALS = False
    return rdflib.Graph().parse(data=text, format="json-ld").serialize(format=syntax, encoding="utf-8")


def _get_release(request: Request, release_id: str) -> Release:
    """The release of a whole id: numbers and beginnings of ids are for people, but a release has one address."""
    served = _served(request)
    release = served.get(release_id)
    if release_id != release.id or not served.history.find_publications(release_id):
        raise Problem("release-not-found", 404, f"No release has the id {release_id!r}; is it {release.id}?")
    return release


def _check_path(choice: Choice, path: str) -> None:
    if choice.path != path:
        forms = ", ".join(each.suffix for each in _OFFERS)
        raise Problem("not-found", 404, f"There is nothing at {choice.path}; {path} comes as {forms}.")


def _vary(choice: Choice) -> str:
    return "Accept-Language" if choice.is_fixed else "Accept, Accept-Language"


def _link_formats(request: Request, choice: Choice) -> str:
    base = request.app.state.settings.base_url
    release_id = choice.path.rpartition("/")[2]
    subject = _name_whole(request) if choice.path == "/releases" else _name_release(request, release_id)
    others = [
        f'<{base}{choice.path}.{each.suffix}>; rel="alternate"; type="{each.media_type}"'
        for each in _OFFERS
        if each is not choice.syntax
    ]
    return ", ".join([f'<{subject}>; rel="describes"', *others])


def _name_whole(request: Request) -> str:
    """The IRI of what there are releases of; a plain dataset is none of ours, and is called by its address."""
    return f"{request.app.state.settings.base_url}/" if request.app.state.is_plain else _WHOLE


def _name_release(request: Request, release_id: str) -> str:
    """The IRI of a release."""
    if request.app.state.is_plain:
        return f"{request.app.state.settings.base_url}/releases/{release_id}"
    return mint_release(release_id)


def _page(request: Request, path: str) -> dict[str, str]:
    return {"page": f"{request.app.state.settings.base_url}{path}"}


def _pick(facts: Sequence[Row], name: str) -> list[Row]:
    return [row for row in facts if row["property"].value == _DCTERMS + name]


def _find_licence(facts: Sequence[Row]) -> str:
    return next((row["value"].value for row in _pick(facts, "license")), "")


@cache
def _load_context() -> Mapping[str, Any]:
    context: Mapping[str, Any] = json.loads(
        (resources.files("endpoint.history") / "releases-context.jsonld").read_text()
    )
    return context


def _served(request: Request) -> ServedReleases:
    releases: ServedReleases = request.app.state.releases
    return releases


routes = [
    Route("/releases", _list_releases),
    Route("/releases.{suffix}", _list_releases),
    Route("/releases/{name}", _show_release),
    Route("/release/{name}", _redirect_release),
]
