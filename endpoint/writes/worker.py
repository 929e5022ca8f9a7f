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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pyoxigraph as ox

from endpoint.reader.grammar import load_grammar
from endpoint.sparql.confinement import Fence, close_network, end_with_server, leave_network, limit_memory
from endpoint.writes.evaluate import carry_out
from endpoint.writes.messages import Event, Job, Verb, decode_job, encode
from endpoint.writes.reading import UpdateLimits, UpdateRefused, read_operations
from endpoint.writes.reports import write_report
from endpoint.writes.using import give_dataset
from kg.candidate import Apply
from kg.draft import Draft
from kg.errors import DiskError, GraphMissing, KgError
from kg.graphs import find_state
from kg.rdfio import make_graph
from kg.settings import KgSettings, load_settings
from kg.transaction import Expected, Outcome, Write, Writer, write
from kg.untrusted import Document, parse_document
from kg.validation.shapes import load_shapes

__all__ = ["main"]

_STACK_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """How much memory a write may have, how deep its document may be, and how deep its update."""

    memory_bytes: int
    document_depth: int
    update: UpdateLimits


def main(arguments: Sequence[str]) -> None:
    """Run the writer: ``DESCRIPTOR MEMORY_BYTES DOCUMENT_DEPTH UPDATE_DEPTH UPDATE_OPERATORS``."""
    descriptor, memory_bytes, document_depth, update_depth, update_operators = (int(each) for each in arguments)
    limits = _Limits(
        memory_bytes=memory_bytes,
        document_depth=document_depth,
        update=UpdateLimits(depth=update_depth, operators=update_operators),
    )
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    fences = leave_network() | close_network()
    connection = socket.socket(fileno=descriptor)
    threading.Thread(target=end_with_server, args=(connection,), daemon=True).start()
    # Parsers and the engine recurse: a deep stack is only address space until it is used.
    threading.stack_size(_STACK_BYTES)
    serving = threading.Thread(target=_serve, args=(connection, fences, limits))
    serving.start()
    serving.join()


def _serve(connection: socket.socket, fences: Fence, limits: _Limits) -> None:
    try:
        settings = load_settings()
        if not settings.is_plain:
            load_shapes(settings.shapes_dir, settings.ontology_dir)
        load_grammar()
        connection.sendall(encode(Event(event="ready", fences=fences)))
        with connection.makefile("rb") as jobs:
            for line in jobs:
                limit_memory(limits.memory_bytes)
                connection.sendall(encode(_carry_out(decode_job(line), settings, connection, limits)))
    except KgError as error:
        # Before the first job: shapes or settings are no good.
        connection.sendall(encode(Event(event="failed", code=error.code, message=str(error))))
    except (BrokenPipeError, ConnectionError):
        os._exit(0)  # the server is gone, and nobody is left to tell


def _carry_out(job: Job, settings: KgSettings, connection: socket.socket, limits: _Limits) -> Event:
    try:
        outcome = write(
            settings,
            Write(
                apply=_make_change(job, limits),
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
    except UpdateRefused as error:
        line, column = error.place
        return Event(event="failed", code=error.problem, message=str(error), line=line, column=column)
    except KgError as error:
        detail = str(error.__cause__) if isinstance(error, DiskError) and error.__cause__ else ""
        return Event(event="failed", code=error.code, message=str(error), detail=detail)


def _make_change(job: Job, limits: _Limits) -> Apply:
    """What a job does to a store; what it brings is read at once, before anything is locked or copied."""
    if job.verb in ("update", "patch"):
        operations = read_operations(job.text, base=job.base_iri, limits=limits.update)
        if job.graph is not None:
            return partial(carry_out, operations, alone=make_graph(job.graph))
        return partial(carry_out, give_dataset(operations, using=job.using, using_named=job.using_named))
    assert job.graph is not None
    graph = make_graph(job.graph)
    quads = [
        quad
        for part in job.parts
        for quad in parse_document(
            Document(path=Path(part.path), media_type=part.media_type, base_iri=job.base_iri),
            graph=graph,
            max_depth=limits.document_depth,
        )
    ]
    return partial(_put_quads, graph=graph, quads=quads, verb=job.verb)


def _put_quads(draft: Draft, *, graph: ox.NamedNode | ox.DefaultGraph, quads: Sequence[ox.Quad], verb: Verb) -> None:
    if verb == "delete" and isinstance(graph, ox.NamedNode) and not draft.holds(graph):
        raise GraphMissing(f"there is no graph {graph}")
    if verb == "post":
        draft.add(quads)
    else:
        draft.replace(graph, quads)


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
