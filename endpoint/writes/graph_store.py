"""``/graph-store``: the SPARQL 1.1 Graph Store HTTP Protocol (https://www.w3.org/TR/sparql11-http-rdf-update/).

Reading is open and comes from the query workers. Writing needs a token, and reaches the graphs below
``.../graph/written/`` alone; the others, and the default graph, are made from something else and say so (409). In a
plain dataset (decision 0032) it reaches all. An address below ``/graph-store/`` names the graph that has it as its IRI
(section 4.1), and ``?graph=IRI`` or ``?default`` name any (section 4.2).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from endpoint.http.negotiation import read_accept
from endpoint.http.problems import Problem
from endpoint.http.responses import choose_caching, write_header
from endpoint.http.target import read_path
from endpoint.sparql.engine import Result
from endpoint.sparql.formats import GRAPHS, Format, choose_format
from endpoint.sparql.frames import Job as QueryJob
from endpoint.sparql.protocol import UPDATE_TYPE, is_absolute_iri, parse_content_type
from endpoint.sparql.stream import Delivery, stream_answer
from endpoint.writes.conditions import make_tag
from endpoint.writes.desk import Desk, Task
from endpoint.writes.messages import Part
from endpoint.writes.multipart import MULTIPART_TYPE, split_parts
from endpoint.writes.spool import spool_body
from endpoint.writes.updates import decode_update
from kg.durable import translate_disk_errors
from kg.errors import InvalidIri
from kg.graphs import GraphState, find_state, load_graphs
from kg.queries import load_query
from kg.release import Release
from kg.scratch import make_scratch
from kg.terms import WRITTEN, parse_written

__all__ = ["routes"]

_PATH: Final = "/graph-store"
_NAMING: Final = frozenset(["graph", "default"])
_METHODS: Final = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"]
_MIB: Final = 1024 * 1024
_QUERIES: Final = Path(__file__).parent.parent / "queries"
_OF_GRAPH: Final = load_query(_QUERIES / "stored-graph.rq").text
_OF_DEFAULT: Final = load_query(_QUERIES / "stored-default.rq").text


async def _serve_graph_store(request: Request) -> Response:
    """One request of the protocol."""
    if request.method in ("GET", "HEAD"):
        return await _read(request)
    return await _write(request)


async def _read(request: Request) -> Response:
    """A graph, in the syntax that the client likes best, streamed."""
    release: Release = request.app.state.releases.get(request.query_params.get("release") or None)
    graph = _find_graph(request)
    format_ = choose_format(
        "construct", accept=read_accept(request.headers), override=request.query_params.get("format") or None
    )
    if graph or release.manifest.is_plain:
        state = find_state(await asyncio.to_thread(_load_states, release.path), graph)
        if state is None:
            raise Problem("graph-missing", 404, f"There is no graph <{graph}>.", members={"graph": graph})
        digest = state.digest
    else:
        digest = release.digest
    headers = {
        "ETag": make_tag(digest, format_.names[0] if format_.names else "json"),
        "Cache-Control": choose_caching(
            is_fixed=request.app.state.releases.is_fixed(request.query_params.get("release"))
        ),
        "Vary": "Accept",
        "CHAP-Release": release.id,
    }
    if _is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    job = QueryJob(
        store=str(release.store_path),
        text=_OF_GRAPH if graph else _OF_DEFAULT,
        media_type=format_.written_as,
        bindings={"graph": ("iri", graph, "")} if graph else {},
    )
    return _StreamedGraph(request, job, format_, headers)


class _StreamedGraph(Response):
    """The answer to a GET: bytes as the worker writes them."""

    def __init__(self, request: Request, job: QueryJob, format_: Format, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._request = request
        self._job = job
        self._described = {
            "content-type": format_.content_type,
            **{name.lower(): value for name, value in headers.items()},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it (ASGI)."""
        state = self._request.app.state
        spending = state.share.charge()

        def describe(_: Result) -> list[tuple[bytes, bytes]]:
            return [(name.encode(), value.encode("latin-1")) for name, value in self._described.items()]

        delivery = Delivery(
            is_head=scope["method"] == "HEAD",
            receive=receive,
            send=send,
            describe=describe,
            max_bytes=state.settings.query_max_result_mib * _MIB,
            patience_s=state.settings.query_timeout_s,
        )
        await stream_answer(state.pool, self._job, delivery, spending)


async def _write(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    token = desk.admit(request.scope)
    graph = _find_target(request, token.graphs)
    if not graph.startswith(token.graphs):
        name = f"<{graph}>" if graph else "the default graph"
        raise desk.gate.forbid(
            f"The token {token.name} may not write {name}, but graphs that begin with {', '.join(token.graphs)}."
        )
    settings = desk.settings
    with translate_disk_errors("what was sent"), make_scratch("write") as spool:
        path = spool / "body"
        if request.method == "DELETE":
            task = Task(verb="delete", graph=graph, token=token)
        elif request.method == "PATCH":
            if parse_content_type(request.headers.get("content-type")) != UPDATE_TYPE:
                raise _unsupported(f"PATCH takes {UPDATE_TYPE}.", [UPDATE_TYPE])
            await spool_body(request.receive, request.headers, path, limit=settings.max_body_mib * _MIB)
            text = decode_update(path.read_bytes())
            task = Task(verb="patch", graph=graph, token=token, text=text)
        else:
            content_type = request.headers.get("content-type")
            media_type = _read_media_type(content_type)
            await spool_body(request.receive, request.headers, path, limit=settings.write_max_mib * _MIB)
            parts: tuple[Part, ...] = (Part(path=str(path), media_type=media_type),)
            if media_type == MULTIPART_TYPE:
                parts = await asyncio.to_thread(split_parts, path, content_type or "", path.parent)
            task = Task(
                verb="put" if request.method == "PUT" else "post",
                graph=graph,
                token=token,
                parts=parts,
            )
        is_address = graph.startswith(_name_directly(request, ""))
        location = graph if is_address else f"{settings.base_url}/graph-store?graph={quote(graph, safe=':/')}"
        return await desk.carry_out(task, request.headers, request.query_params, location=write_header(location))


def _find_graph(request: Request) -> str:
    """The graph that a request names; empty for the default graph.

    Raises:
        Problem: 400, it names none or two, or no absolute IRI.
    """
    graphs = request.query_params.getlist("graph")
    if path := request.path_params.get("path", ""):
        graphs.append(_name_directly(request, path))
    is_default = "default" in request.query_params
    if len(graphs) + is_default != 1:
        raise Problem("graph-unclear", 400, "Name one graph: ?graph=IRI, or ?default.")
    if is_default:
        return ""
    if not is_absolute_iri(graphs[0]):
        raise Problem("invalid-iri", 400, f"graph={graphs[0]!r} is no absolute IRI.")
    return graphs[0]


def _name_directly(request: Request, path: str) -> str:
    """The IRI of the graph that has an address here."""
    return f"{request.app.state.settings.base_url}/graph-store/{quote(path)}"


def _find_target(request: Request, prefixes: tuple[str, ...]) -> str:
    """The graph that a request would change; where a POST names none, a new one (section 5.5).

    Raises:
        Problem: 409, the graph is made from something else.
    """
    if request.method == "POST" and read_path(request) == _PATH and not _NAMING & request.query_params.keys():
        return (prefixes[0] or _name_directly(request, "")) + secrets.token_hex(8)
    graph = _find_graph(request)
    if request.app.state.is_plain:
        return graph
    if not graph:
        detail = "The default graph is derived, the merge of the open named graphs: name a graph that begins with"
        raise Problem("graph-read-only", 409, f"{detail} {WRITTEN}.")
    try:
        return parse_written(graph)
    except InvalidIri as error:
        raise Problem(
            "graph-read-only",
            409,
            f"<{graph}> cannot be written: graphs that can are named {WRITTEN}NAME, in lower-case words joined by "
            "hyphens. Others are made from tables and files, and changed there.",
            members={"graph": graph},
        ) from error


def _read_media_type(content_type: str | None) -> str:
    media_type = parse_content_type(content_type)
    if media_type == MULTIPART_TYPE:
        return MULTIPART_TYPE
    for each in GRAPHS:
        if each.media_type == media_type:
            return each.written_as
    offered = [*(each.media_type for each in GRAPHS), MULTIPART_TYPE]
    raise _unsupported(f"A body of type {media_type or 'unknown'} is not read here.", offered)


def _unsupported(what: str, offered: list[str]) -> Problem:
    detail = f"{what} Send one of {', '.join(offered)}, and say so in Content-Type."
    return Problem("unsupported-media-type", 415, detail, members={"available": offered})


@lru_cache(maxsize=8)
def _load_states(path: Path) -> Mapping[str, GraphState]:
    """The states of the graphs of a release, which never change."""
    return load_graphs(path)


def _is_known(request: Request, etag: str) -> bool:
    asked = ",".join(request.headers.getlist("if-none-match"))
    return any(tag.strip().removeprefix("W/") in ("*", etag) for tag in asked.split(","))


routes = [Route(path, _serve_graph_store, methods=_METHODS) for path in (_PATH, _PATH + "/{path:path}")]
