"""The request side of the SPARQL 1.1 Protocol (https://www.w3.org/TR/sparql11-protocol/, section 2)."""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from endpoint.http.problems import Problem
from endpoint.reader.iris import is_absolute

__all__ = [
    "FORM_TYPE",
    "QUERY_TYPE",
    "UPDATE_TYPE",
    "QueryRequest",
    "UpdateRequest",
    "is_absolute_iri",
    "parse_content_type",
    "parse_fields",
    "read_request",
]

FORM_TYPE: Final = "application/x-www-form-urlencoded"
QUERY_TYPE: Final = "application/sparql-query"
UPDATE_TYPE: Final = "application/sparql-update"
# Each takes its time on the event loop; a request that names all graphs of a large dataset has fewer.
_MOST_FIELDS: Final = 4_000
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryRequest:
    """A request of the protocol. ``text`` is None when nothing is asked: the service is to describe itself."""

    text: str | None
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()
    format: str | None = None
    release: str | None = None
    language: str | None = None

    @property
    def has_dataset(self) -> bool:
        """Whether the request names graphs of its own."""
        return bool(self.default_graphs or self.named_graphs)


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateRequest:
    """An update, and the graphs that its patterns look at where it names none itself (section 2.2.3)."""

    text: str
    using_graphs: tuple[str, ...] = ()
    using_named_graphs: tuple[str, ...] = ()


def parse_fields(encoded: str) -> list[tuple[str, str]]:
    """The fields of a query string or a form, decoded once.

    Raises:
        Problem: a percent escape is broken, the bytes are no UTF-8, or there are very many fields.

    >>> parse_fields("query=ASK%7B%7D&a=b+c")
    [('query', 'ASK{}'), ('a', 'b c')]
    """
    if found := _BROKEN_ESCAPE.search(encoded):
        wrong = encoded[found.start() : found.start() + 3]
        raise Problem("bad-encoding", 400, f"{wrong!r} is no percent escape; a percent sign itself is written %25.")
    if encoded.count("&") >= _MOST_FIELDS:
        detail = f"There are more than {_MOST_FIELDS:,} parameters; name fewer graphs, in FROM or VALUES for example."
        raise Problem("too-many-parameters", 413, detail, members={"limit": _MOST_FIELDS})
    fields = []
    for part in encoded.split("&"):
        if part:
            name, _, value = part.partition("=")
            fields.append((_decode(name), _decode(value)))
    return fields


def parse_content_type(header: str | None) -> str | None:
    """The media type of a body, without its parameters; None when there is no header.

    Raises:
        Problem: the charset is not UTF-8.
    """
    if header is None or not header.strip():
        return None
    media_type, *parameters = (part.strip() for part in header.lower().split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip(' "') not in ("utf-8", "utf8", "us-ascii"):
            raise Problem("unsupported-media-type", 415, f"The charset {value} is not read here; send UTF-8.")
    return media_type


def read_request(method: str, query_string: str, content_type: str | None, body: bytes) -> QueryRequest | UpdateRequest:
    """The request that method, query string, content type and body make together.

    Parameters that nobody knows are left alone.

    Raises:
        Problem: it breaks the protocol.
    """
    fields = parse_fields(query_string)
    if method == "POST":
        fields += _body_fields(content_type, body)
    elif len(fields) == 1 and fields[0][0] == "query" and fields[0][1].strip():
        # As most requests are.
        return QueryRequest(text=fields[0][1])
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    if "update" in values:
        if "query" in values:
            raise Problem("query-and-update", 400, "A request is a query or an update, not both.")
        if method != "POST":
            raise Problem("update-by-get", 405, "An update is sent with POST.", headers={"Allow": "POST"})
        return UpdateRequest(
            text=_single(values, "update") or "",
            using_graphs=_iris(values, "using-graph-uri"),
            using_named_graphs=_iris(values, "using-named-graph-uri"),
        )
    text = _single(values, "query")
    if method == "POST" and text is None:
        raise Problem(
            "query-missing", 400, f"There is no query: send the field 'query', or a body of type {QUERY_TYPE}."
        )
    if text is not None and not text.strip():
        raise Problem("query-missing", 400, "The query is empty.")
    return QueryRequest(
        text=text,
        default_graphs=_iris(values, "default-graph-uri"),
        named_graphs=_iris(values, "named-graph-uri"),
        # Not of the protocol, so not counted: SPARQLWrapper gives two names of one format.
        format=next((each for name in ("format", "output") for each in values.get(name, ()) if each), None),
        release=_single(values, "release") or None,
        language=_single(values, "lang") or None,
    )


def _body_fields(content_type: str | None, body: bytes) -> list[tuple[str, str]]:
    match parse_content_type(content_type):
        case None if not body:
            return []
        case media_type if media_type == FORM_TYPE:
            try:
                return parse_fields(body.decode("ascii"))
            except UnicodeDecodeError as error:
                raise Problem(
                    "bad-encoding", 400, "A form holds only ASCII; encode the rest as UTF-8 and percent."
                ) from error
        case media_type if media_type == QUERY_TYPE:
            # Some clients name the type of a body that is not there, and put the query into the URL.
            return [("query", _decode_utf8(body))] if body else []
        case media_type if media_type == UPDATE_TYPE:
            return [("update", _decode_utf8(body))]
        case media_type:
            offered = ", ".join([FORM_TYPE, QUERY_TYPE, UPDATE_TYPE])
            raise Problem(
                "unsupported-media-type", 415, f"A body of type {media_type} is not read here; send {offered}."
            )


def _single(values: Mapping[str, Sequence[str]], name: str) -> str | None:
    found = values.get(name, ())
    if len(found) > 1:
        code = f"{name}-repeated"
        raise Problem(
            code, 400, f"{name!r} is given {len(found)} times (in the URL and the body together); once is allowed."
        )
    return found[0] if found else None


def _iris(values: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    found = tuple(values.get(name, ()))
    for each in found:
        if not is_absolute_iri(each):
            raise Problem("invalid-iri", 400, f"{name}={each!r} is no absolute IRI.")
    return found


def _decode(text: str) -> str:
    if "%" not in text:
        return text.replace("+", " ")
    # Percent escapes are those of quoted-printable with another sign, which the standard library decodes in C.
    return _decode_utf8(a2b_qp(text.replace("+", " ").replace("=", "=3D").replace("%", "=")))


def _decode_utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem("bad-encoding", 400, f"The request is no UTF-8: {error.reason} at byte {error.start}.") from error


def is_absolute_iri(text: str) -> bool:
    """Whether the engine, too, will take it for one: percent escapes, host and port are looked at."""
    if not is_absolute(text):
        return False
    try:
        urlsplit(text).port  # noqa: B018 - it raises
    except ValueError:
        return False
    return True
