"""Pages for people: home, the four lists, and a page about a thing; German and English, without JavaScript."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.documents.document import Frame, keep_release
from endpoint.http.negotiation import RDF_SYNTAXES, negotiate_language
from endpoint.http.problems import Problem
from endpoint.http.responses import make_response
from endpoint.http.target import read_path
from endpoint.pages.collections import (
    COLLECTIONS,
    LEVELS,
    RESOLVED,
    Collection,
    Filters,
    Option,
    fetch_list,
    fetch_options,
    parse_filters,
)
from endpoint.pages.links import to_path
from endpoint.pages.schema_org import describe_page
from endpoint.pages.texts import LANGUAGES, load_texts, write_number
from endpoint.pages.views import Row, View, flatten, make_thing_view, pick
from endpoint.pages.wording import write_date
from endpoint.sparql.ask import Asker
from endpoint.sparql.ask import iri as make_iri
from kg.terms import THING
from kg.weblinks import CheckedLinks

__all__ = ["choose_language", "render_page", "render_thing", "routes"]

_PAGE_SIZE: Final = 50
# As in their queries: where there are more rows, the page says so.
_MOST_ROWS: Final = 2_000
_SECTIONS: Final = ("thing", "sites", "involvements", "fundings", "figures", "objectives", "engagements")
# A list of more technologies than these says so with an ellipsis.
_TECHNOLOGIES_SHOWN: Final = 3
_templates: Final = Environment(
    loader=PackageLoader("endpoint"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    extensions=[CheckedLinks],
)


async def _show_home(request: Request) -> Response:
    """What this is, with live counts."""
    language = choose_language(request)
    rows = flatten(await _asker(request).select("counts", release=_release(request)))
    texts = load_texts(language)
    totals = {row["what"]: row["count"] for row in rows if not row.get("kind")}
    return await render_page(
        request,
        "home.html",
        cards=[{"path": f"/{name}", "label": texts[name], "count": totals.get(name, "0")} for name in COLLECTIONS],
        totals={"statements": 0, "sources": 0, "involvements": 0, "fundings": 0, "figures": 0} | totals,
        groups=[_make_group(name, rows, texts, language) for name in COLLECTIONS],
        examples=list(texts["start_here"].items()),
    )


async def _show_list(request: Request) -> Response:
    """One of the four lists, filtered and paged."""
    name = read_path(request).removeprefix("/")
    collection = COLLECTIONS[name]
    language, asker, release = choose_language(request), _asker(request), _release(request)
    filters = parse_filters(request.query_params)
    options = await fetch_options(asker, collection, release=release)
    rows = await fetch_list(asker, collection, filters, options, release=release)
    page = _parse_page(request.query_params.get("page", "1"))
    labels = {option.iri: pick(option.row, "label", language) for each in options.values() for option in each}
    texts = load_texts(language)
    return await render_page(
        request,
        "list.html",
        heading=texts[name],
        intro=texts[f"{name}_intro"],
        chosen=vars(filters),
        filters=[
            {"name": name, "label": texts[name], "groups": _group_options(options[name], labels, language)}
            for name in RESOLVED
            if len(options[name]) > 1
        ],
        levels=LEVELS if options["technology"] else (),
        nearby=_make_nearby(collection, filters, options["country"], labels, texts),
        total=len(rows),
        rows=[
            _make_list_row(row, labels, texts, language) for row in rows[(page - 1) * _PAGE_SIZE : page * _PAGE_SIZE]
        ],
        previous_page=_page_link(collection, filters, page - 1) if page > 1 else "",
        next_page=_page_link(collection, filters, page + 1) if page * _PAGE_SIZE < len(rows) else "",
        api_path=f"/api/v1/{name}?" + urlencode({**_chosen(filters), **({"release": release} if release else {})}),
    )


async def render_thing(request: Request, frame: Frame, *, kind: str, slug: str) -> Response:
    """The page about a thing that has a story.

    Raises:
        Problem: nothing is known of it.
    """
    language, asker, release = choose_language(request), _asker(request), _release(request)
    iri = f"{THING}{kind}/{slug}"
    thing = make_iri(iri)
    found = await asyncio.gather(*(asker.select(each, release=release, thing=thing) for each in _SECTIONS))
    rows = {name: flatten(each) for name, each in zip(_SECTIONS, found, strict=True)}
    if not rows["thing"]:
        raise Problem("resource-not-found", 404, f"Nothing is known of {iri}.")
    texts = load_texts(language)
    view = make_thing_view(rows, iri=iri, language=language, texts=texts)
    return await render_page(
        request,
        "thing.html",
        vary=frame.vary,
        headers=frame.headers,
        formats=RDF_SYNTAXES,
        doc_path=f"/doc/{kind}/{slug}",
        doc_query=keep_release(request),
        is_partial=any(len(each) >= _MOST_ROWS for each in found),
        **vars(view),
    )


async def render_page(
    request: Request,
    template: str,
    *,
    vary: str = "Accept-Language",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """A page inside the common frame; one with another status than 200 is not kept by anybody."""
    language = choose_language(request)
    other = "en" if language == "de" else "de"
    parameters = {**request.query_params, "lang": other}
    is_plain = request.app.state.is_plain
    here = quote(read_path(request))
    html = _templates.get_template(template).render(
        t=load_texts(language, is_plain=is_plain),
        is_plain=is_plain,
        language=language,
        here=here,
        other_language=f"{here}?{urlencode(parameters)}",
        link=_make_link(request, language),
        number=lambda value: write_number(value, language),
        release=request.app.state.releases.get(_release(request)),
        past=_find_past(request, language),
        structured_data=await describe_page(request, language) if status == 200 and not is_plain else None,
        base_url=request.app.state.settings.base_url,
        **values,
    )
    headers = {"Content-Language": language, **(headers or {})}
    if status != 200:
        headers |= {"Cache-Control": "no-store", "Vary": vary}
        return Response(html, status_code=status, headers=headers, media_type="text/html; charset=utf-8")
    return make_response(request, html.encode(), "text/html; charset=utf-8", vary=vary, headers=headers)


def _find_past(request: Request, language: str) -> View | None:
    """The release that a page is out of, where a request names one: its id, its day, and the same page of today."""
    ref = _release(request)
    if ref is None or ref == "current":
        return None
    releases = request.app.state.releases
    release = releases.get(ref)
    publications = releases.history.find_publications(release.id)
    named = request.query_params.get("publication")
    first = publications[0] if publications else None
    shown = first if named is None else releases.history.find_line(named)
    kept = {name: value for name, value in request.query_params.items() if name not in ("release", "publication")}
    return {
        "id": release.id,
        "date": write_date(shown.instant[:10], language) if shown is not None and shown.release == release.id else "",
        "now": quote(read_path(request)) + (f"?{urlencode(kept)}" if kept else ""),
    }


def _make_link(request: Request, language: str) -> Callable[..., str]:
    """Links inside the site keep a language that was chosen by hand, and a release."""
    kept = {name: request.query_params[name] for name in ("release",) if name in request.query_params}
    if "lang" in request.query_params:
        kept["lang"] = language

    def link(path: str, **parameters: str) -> str:
        address, hash_, place = path.partition("#")
        base, _, own = address.partition("?")
        query = "&".join(part for part in (own, urlencode({**parameters, **kept})) if part)
        return (f"{base}?{query}" if query else base) + hash_ + place

    return link


def choose_language(request: Request) -> str:
    """The language of a page: as chosen by hand, else as the browser likes it, else the default."""
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        return asked
    default: str = request.app.state.settings.default_language
    return negotiate_language(request.headers.get("accept-language"), LANGUAGES, default=default)


def _asker(request: Request) -> Asker:
    asker: Asker = request.app.state.asker
    return asker


def _release(request: Request) -> str | None:
    return request.query_params.get("release") or None


def _parse_page(text: str) -> int:
    if not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= 10_000:
        raise Problem("bad-parameter", 400, f"The page {text!r} is no number from 1.", members={"parameter": "page"})
    return int(text)


def _make_group(name: str, rows: Sequence[Row], texts: Mapping[str, Any], language: str) -> View:
    """The kinds of a list with their counts; the hubs of all of Europe are told beside them, and would dwarf them."""
    kinds: list[dict[str, Any]] = [
        {"notation": row["kind"].rpartition("/")[2], "label": pick(row, "label", language), "count": int(row["count"])}
        for row in rows
        if row["what"] == name and row.get("kind")
    ]
    here = [kind for kind in kinds if kind["notation"] != texts["beyond_kind"]][:8]
    return {
        "path": f"/{name}",
        "label": texts[name],
        "kinds": here,
        "beyond": [kind for kind in kinds if kind["notation"] == texts["beyond_kind"]],
        "most": max((k["count"] for k in here), default=1),
    }


def _make_list_row(row: Row, labels: Mapping[str, str], texts: Mapping[str, Any], language: str) -> View:
    # Each technology is its level, one digit, and its IRI.
    deepest = sorted(row.get("technologies", "").split(), key=lambda each: (-int(each[0]), each))
    topics = sorted(labels.get(iri, iri) for iri in row.get("topics", "").split())
    shown = topics or [labels.get(each[1:], each[1:]) for each in deepest[:_TECHNOLOGIES_SHOWN]]
    lands = [labels.get(iri, "") for iri in row.get("lands", "").split()]
    return {
        "path": to_path(row["thing"]),
        "name": pick(row, "name", language),
        "short_name": row.get("short_name", ""),
        "kind": pick(row, "kind", language) if row.get("thing_kind") else "",
        "type": _write_type(row, texts, language),
        "towns": ", ".join(sorted(row.get("towns", "").split(", "))),
        "lands": [land for land in lands if land and land not in row.get("towns", "")],
        "topics": shown,
        "more": max(0, len(deepest) - len(shown)) if not topics else 0,
    }


def _write_type(row: Row, texts: Mapping[str, Any], language: str) -> str:
    """The type of an entry of the EDIH catalogue, and the day for which it holds."""
    if not row.get("type"):
        return ""
    return str(texts["seen_as"]).format(value=pick(row, "type", language), date=write_date(row["type_as_of"], language))


def _group_options(options: Sequence[Option], labels: Mapping[str, str], language: str) -> list[tuple[str, list[View]]]:
    """The options of a filter by label; places of several countries under the name of each country."""
    groups: dict[str, list[View]] = {}
    lands = {option.land for option in options}
    for option in options:
        land = labels.get(option.land, "") if len(lands) > 1 else ""
        label = pick(option.row, "label", language)
        groups.setdefault(land, []).append({"value": option.value, "label": label, "count": option.count})
    for group in groups.values():
        group.sort(key=lambda option: str(option["label"]).casefold())
    return sorted(groups.items(), key=lambda each: each[0].casefold())


def _make_nearby(
    collection: Collection,
    filters: Filters,
    countries: Sequence[Option],
    labels: Mapping[str, str],
    texts: Mapping[str, Any],
) -> list[View]:
    """Short ways from all of Europe to Hesse, where a list reaches beyond it."""
    home = next((option for option in countries if option.value == texts["home_country"]), None)
    if home is None or len(countries) == 1:
        return []
    others = {**_chosen(filters), "region": "", "country": ""}
    region = str(texts["home_region"])
    ways: tuple[tuple[str, dict[str, str], bool], ...] = (
        (str(texts["home_region_name"]), {"region": region}, filters.region == region),
        (labels[home.iri], {"country": home.value}, filters.country == home.value and not filters.region),
        (str(texts["everywhere"]), {}, not (filters.region or filters.country)),
    )
    return [
        {
            "label": label,
            "path": f"/{collection.name}?"
            + urlencode({key: value for key, value in {**others, **where}.items() if value}),
            "is_here": is_here,
        }
        for label, where, is_here in ways
    ]


def _page_link(collection: Collection, filters: Filters, page: int) -> str:
    return f"/{collection.name}?{urlencode({**_chosen(filters), 'page': page})}"


def _chosen(filters: Filters) -> dict[str, str]:
    return {key: value for key, value in vars(filters).items() if value}


routes = [Route("/", _show_home), *(Route(f"/{name}", _show_list) for name in COLLECTIONS)]
