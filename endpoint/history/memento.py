"""Documents as they were: datetime negotiation and time maps (RFC 7089).

A document is its own TimeGate (section 4.1.1: URI-R and URI-G are one, 302, mementos with addresses of their own). A
second address for the same negotiation would be one more thing to find, and ``Vary: Accept-Datetime`` costs nothing
where nobody sends that header.

A memento is a document in a release: ``?release=ID``. It is a memento of the time at which that release was first
published. Where a release was published again (a rollback), the later span has an address of its own,
``?release=ID&publication=N`` with the number of its line in the journal, since the datetime of a memento never changes
(section 2.1.1). All publications are listed, whether or not the document differs between them; in a release that does
not have the document, the memento is a 404 (section 4.5.5).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, TypeAlias
from urllib.parse import quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.history.releases import ServedReleases
from endpoint.http.negotiation import negotiate_media_type, read_accept
from endpoint.http.problems import Problem, as_problem
from endpoint.http.responses import make_response
from endpoint.http.target import read_path
from kg.errors import KgError
from kg.history import Publication, Publications

__all__ = ["TIMEMAP_SIZE", "memento_links", "parse_datetime", "routes", "with_memento"]

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

# How many mementos one document of a time map lists.
TIMEMAP_SIZE: Final = 1000
_LONGEST_NUMBER: Final = 10
_LINK_FORMAT: Final = "application/link-format"
_JSON: Final = "application/json"
_DAYS: Final = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE: Final = re.compile(rf"(?:{_DAYS}), (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_DOCUMENT: Final = re.compile(r"[a-z]+(/[a-z0-9-]+){1,2}(\.[a-z]+)?")
# What the state of a thing can be, in words of HTTP; other problems are of the moment, not of the release.
_STATES: Final = (404, 410)


def parse_datetime(text: str) -> datetime:
    """The time that an Accept-Datetime header asks for (RFC 7089, section 2.1.1.1: RFC 1123, in GMT, nothing else).

    Raises:
        Problem: 400, it is no such time.

    >>> parse_datetime("Thu, 31 May 2007 20:35:00 GMT").isoformat()
    '2007-05-31T20:35:00+00:00'
    """
    found = _DATE.fullmatch(text.strip())
    try:
        if found:
            day, month, year, hour, minute, second = found.groups()
            when = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
            return datetime(*when, tzinfo=UTC)
    except ValueError:
        # The form of a date, but no day of the calendar.
        found = None
    raise Problem(
        "bad-datetime", 400, f"Accept-Datetime is as in 'Thu, 31 May 2007 20:35:00 GMT' (RFC 1123), not {text!r}."
    )


def memento_links(request: Request, path: str) -> list[str]:
    """The links of a document at a path to its original, TimeGate, time map and, of a memento, to those around it.

    Raises:
        ReleaseNotFound: the request names a release that is not there.
        Problem: 400, the request names a publication that is none of that release's.
    """
    publication = _find_publication(request)
    return [*_link_original(request, path), *(_link_mementos(request, path, publication) if publication else ())]


def with_memento(show: Handler) -> Handler:
    """The handler of a document, which also chooses by Accept-Datetime and says of what time a named release is.

    It reads ``Accept-Datetime`` where no release is named, and adds ``Memento-Datetime`` where one is.
    """

    async def answer(request: Request) -> Response:
        path = read_path(request)
        publication = _find_publication(request)
        if publication is None and (moment := _read_datetime(request.headers)):
            chosen = _served(request).history.find_at(moment)
            if chosen is not None:
                return _redirect(request, path, chosen)
        try:
            response = await show(request)
        except (Problem, KgError) as error:
            problem = error if isinstance(error, Problem) else as_problem(error)
            if problem.status in _STATES:
                headers = MutableHeaders(problem.headers)
                _dress(request, headers, path, publication)
                problem.headers = dict(headers)
            if problem is error:
                raise
            raise problem from error
        _dress(request, response.headers, path, publication)
        return response

    return answer


def _dress(request: Request, headers: MutableHeaders, path: str, publication: Publication | None) -> None:
    links = headers.get("link", "")
    if 'rel="original' not in links:
        headers["link"] = ", ".join([*([links] if links else []), *memento_links(request, path)])
    if publication is None:
        headers.add_vary_header("Accept-Datetime")
    else:
        headers["memento-datetime"] = _write(publication.moment)


def _redirect(request: Request, path: str, chosen: Publication) -> Response:
    """Found: the memento for the time that was asked for."""
    links = [*_link_original(request, path), *_link_mementos(request, path, chosen)]
    headers = {
        # Relative, as all redirects here, so that it leads somewhere behind any proxy.
        "Location": _make_address(request, path, chosen).removeprefix(request.app.state.settings.base_url),
        "Link": ", ".join(links),
        "Vary": "Accept-Datetime",
        "Cache-Control": "no-cache",
    }
    return Response(status_code=302, headers=headers)


async def _show_timemap(request: Request) -> Response:
    """The mementos of a document that can still be read, oldest first (RFC 7089, section 5).

    Where there are many, they are in several documents, which lead to one another; the first has the plain address.
    """
    name = request.path_params["name"]
    if not _DOCUMENT.fullmatch(name):
        raise Problem("resource-not-found", 404, f"/doc/{name} is no address of a document.")
    media_type = negotiate_media_type(read_accept(request.headers), (_LINK_FORMAT, _JSON))
    if media_type is None:
        offers = [_LINK_FORMAT, _JSON]
        raise Problem("not-acceptable", 406, f"Available are {' and '.join(offers)}.", members={"available": offers})
    path = f"/doc/{name}"
    text = request.query_params.get("page", "1")
    number = int(text) if text.isdecimal() and len(text) < _LONGEST_NUMBER else 0
    readable = _served(request).history.readable
    pages = max(1, -(-len(readable) // TIMEMAP_SIZE))
    if not 1 <= number <= pages:
        raise Problem("bad-parameter", 400, f"The time map has {pages} pages, from 1.", members={"parameter": "page"})
    write = _write_link_format if media_type == _LINK_FORMAT else _write_json
    body = (await asyncio.to_thread(write, request, path, readable, number, pages)).encode()
    return make_response(request, body, media_type, vary="Accept", headers={"Cache-Control": "public, no-cache"})


def _get_page(mementos: Publications, number: int) -> Publications:
    return mementos[(number - 1) * TIMEMAP_SIZE : number * TIMEMAP_SIZE]


def _write_link_format(request: Request, path: str, mementos: Publications, number: int, pages: int) -> str:
    lines = [f'<{_make_address(request, path)}>; rel="original timegate"']
    for page, relation in ((number, "self"), (number - 1, "timemap prev"), (number + 1, "timemap next")):
        if 1 <= page <= pages:
            lines.append(_link_timemap(request, path, relation, _get_page(mementos, page), page))
    first, last = (mementos[0], mementos[-1]) if mementos else (None, None)
    for each in _get_page(mementos, number):
        ends = [name for name, end in (("first", first), ("last", last)) if each == end]
        lines.append(_write_link(request, path, each, ends))
    return ",\n".join(lines) + "\n"


def _write_json(request: Request, path: str, mementos: Publications, number: int, pages: int) -> str:
    """The time map in the JSON form that archives and their clients share (http://mementoweb.org/guide/timemap-json/)."""

    def show(each: Publication) -> Mapping[str, str]:
        return {"datetime": _write_iso(each.moment), "uri": _make_address(request, path, each)}

    def show_page(page: int) -> Mapping[str, str]:
        here = _get_page(mementos, page)
        return {
            "uri": _make_timemap_address(request, path, page),
            "from": _write_iso(here[0].moment),
            "until": _write_iso(here[-1].moment),
        }

    original, timemap = _make_address(request, path), _make_timemap_address(request, path, number)
    others = {name: show_page(at) for name, at in (("prev", number - 1), ("next", number + 1)) if 1 <= at <= pages}
    document = {
        "original_uri": original,
        "timegate_uri": original,
        "timemap_uri": {"link_format": timemap, "json_format": timemap},
        "mementos": {"list": [*map(show, _get_page(mementos, number))]}
        | ({"first": show(mementos[0]), "last": show(mementos[-1])} if mementos else {}),
    }
    return json.dumps(document | ({"pages": others} if others else {}), indent=2) + "\n"


def _link_original(request: Request, path: str) -> list[str]:
    return [
        f'<{_make_address(request, path)}>; rel="original timegate"',
        _link_timemap(request, path, "timemap", _served(request).history.readable),
    ]


def _link_timemap(request: Request, path: str, relation: str, mementos: Publications, page: int = 1) -> str:
    """A link to a page of a time map, with the time that these mementos of it span (section 2.2.4)."""
    span = f'; from="{_write(mementos[0].moment)}"; until="{_write(mementos[-1].moment)}"' if mementos else ""
    return f'<{_make_timemap_address(request, path, page)}>; rel="{relation}"; type="{_LINK_FORMAT}"{span}'


def _link_mementos(request: Request, path: str, here: Publication) -> list[str]:
    """The memento itself and those around it, each once with all that it is (RFC 7089, section 2.2.4)."""
    span = _served(request).history.find_span(here)
    around = (("first", span.first), ("prev", span.previous), ("", here), ("next", span.next), ("last", span.last))
    relations: dict[Publication, list[str]] = {}
    for name, publication in around:
        if publication is not None:
            relations.setdefault(publication, []).extend([name] if name else [])
    return [_write_link(request, path, publication, names) for publication, names in relations.items()]


def _write_link(request: Request, path: str, publication: Publication, names: list[str]) -> str:
    relation = " ".join([*names, "memento"])
    return f'<{_make_address(request, path, publication)}>; rel="{relation}"; datetime="{_write(publication.moment)}"'


def _make_address(request: Request, path: str, publication: Publication | None = None) -> str:
    """The public address of a document, or of a memento of it, in the language that was asked for by hand."""
    query = {"lang": request.query_params["lang"]} if "lang" in request.query_params else {}
    if publication:
        query["release"] = publication.release
        if publication != _served(request).history.find_publications(publication.release)[0]:
            query["publication"] = str(publication.sequence)
    base_url: str = request.app.state.settings.base_url
    return f"{base_url}{quote(path)}" + (f"?{urlencode(query)}" if query else "")


def _make_timemap_address(request: Request, path: str, page: int) -> str:
    address = _make_address(request, f"/timemap{path}")
    return address if page == 1 else f"{address}{'&' if '?' in address else '?'}page={page}"


def _find_publication(request: Request) -> Publication | None:
    """The publication that a request names; None where it names no release, or one that is too new to be listed."""
    ref = request.query_params.get("release")
    if not ref or ref == "current":
        return None
    releases = _served(request)
    publications = releases.history.find_publications(releases.get(ref).id)
    number = request.query_params.get("publication")
    if number is None:
        return publications[0] if publications else None
    found = releases.history.find_line(number)
    if found is None or not publications or found.release != publications[0].release:
        detail = f"Release {ref} was not published by line {number[:_LONGEST_NUMBER]!r} of the journal."
        raise Problem("bad-parameter", 400, detail, members={"parameter": "publication"})
    return found


def _read_datetime(headers: Headers) -> datetime | None:
    fields = headers.getlist("accept-datetime")
    return parse_datetime(", ".join(fields)) if fields else None


def _served(request: Request) -> ServedReleases:
    releases: ServedReleases = request.app.state.releases
    return releases


def _write_iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _write(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


routes = [Route("/timemap/doc/{name:path}", _show_timemap)]
