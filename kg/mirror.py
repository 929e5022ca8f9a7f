"""Mirrors: what a stored CONSTRUCT gives at an outside endpoint, kept as a named graph with its provenance.

A mirror is a file ``data/mirrors/<name>.nq``: the graph ``graph/mirror-<name>``, and what is to be said of it in the
graphs of provenance and sources. ``kg build`` lifts it as it is (kg.lift), so a build needs no network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from kg.allowlist import AllowList, OutsideEndpoint
from kg.durable import make_directory, translate_disk_errors, write_file
from kg.errors import QueryError, RemoteRefused
from kg.graph_files import MIRRORS
from kg.queries import QUERIES, Query, load_directory
from kg.rdfio import iter_sorted_lines, skolemise
from kg.remote import OutsideGraphs
from kg.store import evaluate_query
from kg.terms import PROVENANCE_GRAPH, mint_graph, mint_source

__all__ = ["MirrorPlan", "MirrorResult", "list_mirrors", "plan_mirror", "run_mirror"]

_MOST_TRIPLES: Final = 1_000_000
_SOURCES_GRAPH: Final = mint_graph("sources")
_DATE: Final = ox.NamedNode("http://www.w3.org/2001/XMLSchema#date")


@dataclass(frozen=True, kw_only=True)
class MirrorPlan:
    """What a mirror will ask: the endpoint, its query, and the values for it, or the size of its pages."""

    query: Query
    endpoint: OutsideEndpoint
    licence: str
    batches: tuple[str, ...] | None  # the requests, where values are known
    page: int | None

    @property
    def name(self) -> str:
        """The name of the mirror."""
        return self.query.id

    @property
    def graph_iri(self) -> str:
        """The graph that it fills."""
        return mint_graph(f"mirror-{self.name}")


@dataclass(frozen=True, kw_only=True)
class MirrorResult:
    """What a mirror brought: triples kept, requests made, statements left out since an IRI in them is none."""

    path: Path
    triples: int
    requests: int
    is_changed: bool
    left_out: tuple[str, ...]


def list_mirrors() -> tuple[Query, ...]:
    """The stored mirrors."""
    return tuple(each for each in load_directory(QUERIES / "mirrors") if each.find_note("endpoint"))


def plan_mirror(name: str, allowed: AllowList, *, store: Callable[[], ox.Store], url: str | None = None) -> MirrorPlan:
    """What a mirror will ask.

    Args:
        name: of the mirror.
        allowed: where its endpoint is described.
        store: opens the current release, from which values are taken; called only when the mirror wants some.
        url: another address of the endpoint.

    Raises:
        UnknownQuery: there is no such mirror.
        QueryError: its header is incomplete, or its values have several columns.
        SettingsError: its endpoint is not on the allow-list.
    """
    directory = load_directory(QUERIES / "mirrors")
    query = directory.get(name)
    notes = dict(query.notes)
    if "endpoint" not in notes:
        known = ", ".join(each.id for each in list_mirrors())
        raise QueryError(f"{query.path} is no mirror, but serves others; mirrors are {known}")
    for key in ("licence", *(("batch",) if "values" in notes else ("page",))):
        if not notes.get(key):
            raise QueryError(f"{query.path}: the header lacks {key}")
    endpoint = allowed.get(notes["endpoint"])
    if url is not None:
        endpoint = replace(endpoint, url=url)
    batches = None
    if "values" in notes:
        values = directory.get(notes["values"])
        batches = tuple(_write_batches(query, _find_values(store(), values), size=int(notes["batch"])))
    page = None if "values" in notes else int(notes["page"])
    return MirrorPlan(query=query, endpoint=endpoint, licence=notes["licence"], batches=batches, page=page)


def run_mirror(
    plan: MirrorPlan, data_dir: Path, *, contact: str, today: date, progress: Callable[[int, int], None]
) -> MirrorResult:
    """What came, after the file of the mirror was written; a mirror that brings the same again leaves it as it is.

    Args:
        plan: what to ask.
        data_dir: where the directory of mirrors is.
        contact: how the operators of the endpoint reach us.
        today: the day that provenance states.
        progress: told the number of requests done and of triples found.

    Raises:
        RemoteError: the endpoint does not give it; the file stays as it was.
        DiskError: the file cannot be written.
    """
    quads: set[ox.Quad] = set()
    left_out: list[str] = []
    requests, previous = 0, b""
    client = OutsideGraphs(plan.endpoint, contact=contact)
    try:
        for request in _iter_requests(plan):
            body, media_type = client.fetch(request)
            requests += 1
            found = _parse(plan, body, media_type, left_out)
            if plan.page is not None and not found:
                break
            if plan.page is not None and body == previous:
                raise RemoteRefused(f"{plan.endpoint.url} gives the same page again and again: it minds no OFFSET")
            previous = body
            quads.update(found)
            progress(requests, len(quads))
            if len(quads) > _MOST_TRIPLES:
                raise RemoteRefused(
                    f"{plan.endpoint.url} gives more than {_MOST_TRIPLES} triples; narrow {plan.query.path}"
                )
    finally:
        client.close()
    if not quads:
        raise RemoteRefused(f"{plan.endpoint.url} gives nothing for {plan.name}; what was kept before stays")
    content = list(iter_sorted_lines(quads))
    path = data_dir / MIRRORS / f"{plan.name}.nq"
    is_changed = not _holds(path, content, plan)
    if is_changed:
        lines = sorted([*content, *iter_sorted_lines(_describe(plan, today))])
        with translate_disk_errors(f"the mirror {plan.name}"):
            make_directory(path.parent)
            write_file(path, b"".join(lines))
    return MirrorResult(
        path=path, triples=len(content), requests=requests, is_changed=is_changed, left_out=tuple(left_out)
    )


def _iter_requests(plan: MirrorPlan) -> Iterator[str]:
    if plan.batches is not None:
        yield from plan.batches
        return
    assert plan.page is not None
    offset = 0
    while True:
        yield f"{plan.query.text}\nLIMIT {plan.page} OFFSET {offset}\n"
        offset += plan.page


def _write_batches(query: Query, values: list[str], *, size: int) -> Iterator[str]:
    """The query with values in its empty VALUES, so many at a time.

    Raises:
        QueryError: it has no place for them.
    """
    before, empty, after = query.text.partition("{ }")
    if not empty or "VALUES" not in before.rsplit("\n", 1)[-1]:
        raise QueryError(f"{query.path}: a line VALUES ?variable {{ }} is missing, where the values go")
    for first in range(0, len(values), size):
        yield f"{before}{{ {' '.join(values[first : first + size])} }}{after}"


def _find_values(store: ox.Store, query: Query) -> list[str]:
    """The values of the one column, as SPARQL writes them; blank nodes are known to nobody else."""
    solutions = evaluate_query(store, query.text)
    if not isinstance(solutions, ox.QuerySolutions) or len(solutions.variables) != 1:
        raise QueryError(f"{query.path}: values for a mirror are a SELECT with one column")
    terms = (solution[0] for solution in solutions)
    return [str(term) for term in terms if isinstance(term, ox.NamedNode | ox.Literal)]


def _parse(plan: MirrorPlan, body: bytes, media_type: str, left_out: list[str]) -> list[ox.Quad]:
    """The statements of one answer; those with an IRI that is none go to ``left_out``, as text."""
    form = ox.RdfFormat.from_media_type(media_type)
    if form is None:
        raise RemoteRefused(f"{plan.endpoint.url} answers {media_type or 'without a media type'}, which is no RDF")
    graph = ox.NamedNode(plan.graph_iri)
    quads: list[ox.Quad] = []
    try:
        for each in ox.parse(body, format=form, base_iri=plan.endpoint.url, without_named_graphs=True, lenient=True):
            if all(_is_valid(term) for term in (each.subject, each.predicate, each.object)):
                quads.append(ox.Quad(each.subject, each.predicate, each.object, graph))
            else:
                left_out.append(str(each.triple))
    except SyntaxError as error:
        raise RemoteRefused(f"{plan.endpoint.url}: the answer is broken {media_type}: {error.msg}") from error
    return skolemise(quads)


def _is_valid(term: object) -> bool:
    """Whether an IRI, also that of a datatype, is one."""
    iri = term.datatype.value if isinstance(term, ox.Literal) else getattr(term, "value", "")
    if isinstance(term, ox.BlankNode):
        return True
    try:
        ox.NamedNode(iri)
    except ValueError:
        return False
    return True


def _describe(plan: MirrorPlan, today: date) -> Iterator[ox.Quad]:
    """What the graphs of sources and provenance say of a mirror."""
    directory = load_directory(QUERIES / "mirrors")
    source = ox.NamedNode(mint_source(f"mirror-{plan.name}"))
    values: dict[str, ox.NamedNode | ox.Literal] = {
        "graph": ox.NamedNode(plan.graph_iri),
        "source": source,
        "title": ox.Literal(plan.query.summary),
        "publisher": ox.Literal(plan.endpoint.label),
        "page": ox.NamedNode(plan.endpoint.iri),
        "date": ox.Literal(today.isoformat(), datatype=_DATE),
        "licence": ox.NamedNode(plan.licence),
        "digest": ox.Literal(_digest(plan)),
    }
    for query_id, graph in (("mirror-source", _SOURCES_GRAPH), ("mirror-provenance", PROVENANCE_GRAPH)):
        query = directory.get(query_id)
        triples = evaluate_query(ox.Store(), query.text, substitutions={name: values[name] for name in query.params})
        assert isinstance(triples, ox.QueryTriples), query_id
        for triple in triples:
            yield ox.Quad(triple.subject, triple.predicate, triple.object, ox.NamedNode(graph))


def _digest(plan: MirrorPlan) -> str:
    """What was asked where: endpoint, licence and query; values are of the day."""
    key = "\n".join([plan.endpoint.iri, plan.endpoint.label, plan.licence, plan.query.text])
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def _holds(path: Path, content: list[bytes], plan: MirrorPlan) -> bool:
    """Whether a file has just this content, by the same query."""
    if not path.is_file():
        return False
    lines = path.read_bytes().splitlines(keepends=True)
    ending = f" <{plan.graph_iri}> .\n".encode()
    is_same_query = any(_digest(plan).encode() in line for line in lines)
    return is_same_query and [line for line in lines if line.endswith(ending)] == content
