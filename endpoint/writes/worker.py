"""The writer: a process that carries out one write at a time, and parses and evaluates what comes from outside.

It is started with one end of a socket pair and ends with the server. Whatever a document does to it (run for ever, eat
memory, crash a parser) ends with this process, and the release that is served stays as it is.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from endpoint.sparql.confinement import end_with_server, leave_network, limit_memory
from endpoint.writes.messages import Event, Job, Verb, decode_job, encode
from endpoint.writes.operations import split_data, split_update, take_missing_for_empty
from endpoint.writes.reports import write_report
from endpoint.writes.targets import find_targets
from kg.candidate import Apply
from kg.errors import GraphMissing, KgError, QueryError, QuerySyntaxError, WriteInvalid
from kg.graphs import find_state
from kg.rdfio import make_graph, name_graph
from kg.settings import KgSettings, load_settings
from kg.transaction import Expected, Outcome, Write, Writer, write
from kg.untrusted import Document, parse_document
from kg.validation.shapes import load_shapes

__all__ = ["main"]

_STACK_BYTES: Final = 256 * 1024 * 1024


def main(arguments: Sequence[str]) -> None:
    """Run the writer: ``DESCRIPTOR MEMORY_BYTES MAX_DEPTH``."""
    descriptor, memory_bytes, max_depth = (int(each) for each in arguments)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    leave_network()
    connection = socket.socket(fileno=descriptor)
    threading.Thread(target=end_with_server, args=(connection,), daemon=True).start()
    # Parsers and the engine recurse: a deep stack is only address space until it is used.
    threading.stack_size(_STACK_BYTES)
    serving = threading.Thread(target=_serve, args=(connection, memory_bytes, max_depth))
    serving.start()
    serving.join()


def _serve(connection: socket.socket, memory_bytes: int, max_depth: int) -> None:
    try:
        settings = load_settings()
        if not settings.is_plain:
            load_shapes(settings.shapes_dir, settings.ontology_dir)
        connection.sendall(encode(Event(event="ready")))
        with connection.makefile("rb") as jobs:
            for line in jobs:
                limit_memory(memory_bytes)
                connection.sendall(encode(_carry_out(decode_job(line), settings, connection, max_depth)))
    except KgError as error:
        # Before the first job: shapes or settings are no good.
        connection.sendall(encode(Event(event="failed", code=error.code, message=str(error))))
    except (BrokenPipeError, ConnectionError):
        os._exit(0)  # the server is gone, and nobody is left to tell


def _carry_out(job: Job, settings: KgSettings, connection: socket.socket, max_depth: int) -> Event:
    try:
        outcome = write(
            settings,
            Write(
                apply=_make_change(job, max_depth),
                is_exact=job.verb != "update",
                writer=Writer(name=job.writer, graphs=job.prefixes),
                expected=tuple(
                    Expected(graph=each.graph, digests=frozenset(each.digests), any=each.any, negated=each.negated)
                    for each in job.expected
                ),
                is_dry_run=job.is_dry_run,
            ),
            on_commit=lambda: connection.sendall(encode(Event(event="committing"))),
        )
        return _tell(outcome, job)
    except KgError as error:
        return Event(event="failed", code=error.code, message=str(error))


def _make_change(job: Job, max_depth: int) -> Apply:
    """What a job does to a store; its documents are parsed at once, before anything is locked or copied."""
    if job.verb == "update":
        return partial(_run_update, text=job.text)
    assert job.graph is not None
    graph = make_graph(job.graph)
    if job.verb == "patch":
        return partial(_run_patch, graph=graph, text=job.text)
    quads = [
        quad
        for part in job.parts
        for quad in parse_document(
            Document(path=Path(part.path), media_type=part.media_type, base_iri=job.base_iri),
            graph=graph,
            max_depth=max_depth,
        )
    ]
    return partial(_put_quads, graph=graph, quads=quads, verb=job.verb)


def _put_quads(
    store: ox.Store, *, graph: ox.NamedNode | ox.DefaultGraph, quads: Sequence[ox.Quad], verb: Verb
) -> frozenset[str] | tuple[ox.Quad, ...]:
    is_there = store.contains_named_graph(graph)
    if verb == "delete" and not is_there:
        raise GraphMissing(f"there is no graph {graph}")
    if verb != "post" and is_there:
        store.remove_graph(graph)
    store.extend(quads)
    return tuple(quads) if verb == "post" else frozenset([name_graph(graph)])


def _run_update(store: ox.Store, *, text: str) -> frozenset[str] | tuple[ox.Quad, ...] | None:
    changes = split_data(text)
    if changes is None:
        _update(store, text)
        return find_targets(text)
    # The whole is looked at first: what is wrong with it is wrong whatever the store holds.
    _update(ox.Store(), text)
    touched: list[ox.Quad] = []
    for is_insertion, data in changes:
        alone = ox.Store()
        _update(alone, data)
        quads = list(alone)
        touched += quads
        if is_insertion:
            store.extend(quads)
        else:
            for quad in quads:
                store.remove(quad)
    return tuple(touched)


def _run_patch(
    store: ox.Store, *, graph: ox.NamedNode | ox.DefaultGraph, text: str
) -> frozenset[str] | tuple[ox.Quad, ...]:
    """Update a graph by a text that sees it as its default graph, and nothing else (section 5.7)."""
    alone = ox.Store()
    alone.extend(ox.Quad(*quad.triple) for quad in store.quads_for_pattern(None, None, None, graph))
    _update(alone, text)
    if any(True for _ in alone.named_graphs()):
        raise WriteInvalid("a PATCH changes its graph only: leave GRAPH and WITH out, or send the update to /sparql")
    quads = [ox.Quad(quad.subject, quad.predicate, quad.object, graph) for quad in alone]
    return _put_quads(store, graph=graph, quads=quads, verb="put")


def _update(store: ox.Store, text: str) -> None:
    try:
        for part in split_update(take_missing_for_empty(text)):
            store.update(part)
    except SyntaxError as error:
        raise QuerySyntaxError(f"the update is no SPARQL: {error.msg or error}") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise QueryError(str(error)) from error


def _tell(outcome: Outcome, job: Job) -> Event:
    violations = len(outcome.report.violations)
    before, after = (
        None if job.graph is None else find_state(states, job.graph) for states in (outcome.before, outcome.after)
    )
    return Event(
        event="done",
        release=outcome.release.id,
        is_new=outcome.is_new,
        added=outcome.added,
        removed=outcome.removed,
        existed=before is not None,
        exists=after is not None,
        digest="" if after is None else after.digest,
        violations=violations,
        warnings=len(outcome.report.warnings),
        report=write_report(outcome, job) if violations or job.is_dry_run else "",
        timings=tuple(outcome.timings.items()),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
