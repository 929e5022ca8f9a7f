"""What the server and the writer process say to each other: lines of JSON, a job this way, events that way.

A document stays in its file, and only its path is told. A job ends with ``done`` or ``failed``; ``committing`` says
that it is about to be published, from when on the server does not end the process any more.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

__all__ = ["REPORT_TYPES", "Event", "Expectation", "Job", "Part", "Verb", "decode_event", "decode_job", "encode"]

Verb: TypeAlias = Literal["put", "post", "delete", "patch", "update"]
REPORT_TYPES: Final = ("application/problem+json", "application/json", "text/turtle", "text/html")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A document: the path of its file, its media type."""

    path: str
    media_type: str


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A condition on a graph (kg.transaction.Expected)."""

    graph: str
    digests: tuple[str, ...]
    any: bool
    negated: bool


@dataclass(frozen=True, kw_only=True)
class Job:
    """A write: what, where to, by whom, under which conditions, and how a report is to be written.

    ``graph`` is empty for the default graph, and None for an update; relative IRIs are relative to ``base_iri``;
    ``using`` and ``using_named`` are the graphs that the patterns of an update look at, where the request says so.
    """

    verb: Verb
    graph: str | None
    base_iri: str
    parts: tuple[Part, ...]
    text: str
    using: tuple[str, ...]
    using_named: tuple[str, ...]
    writer: str
    prefixes: tuple[str, ...]
    expected: tuple[Expectation, ...]
    is_dry_run: bool
    report_type: str
    language: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """What became of a job.

    ``done``: the counts and digests of kg.transaction.Outcome; ``violations`` says how many there are, and ``report``
    is the report in the media type asked for, where there are some or it was a dry run; ``timings`` are milliseconds by
    step. ``failed``: code and message, of an update the place (both from 1; 0 is none), and for those who run the
    server what the disk said. ``ready``: the fences around the process (endpoint.sparql.confinement.Fence).
    """

    event: Literal["ready", "committing", "done", "failed"]
    code: str = ""
    message: str = ""
    line: int = 0
    column: int = 0
    detail: str = ""
    release: str = ""
    is_new: bool = False
    added: int = 0
    removed: int = 0
    existed: bool = False
    exists: bool = False
    digest: str = ""
    violations: int = 0
    warnings: int = 0
    report: str = ""
    timings: tuple[tuple[str, float], ...] = ()
    fences: int = 0


def encode(message: Job | Event) -> bytes:
    """The line of a message."""
    return json.dumps(asdict(message)).encode() + b"\n"


def decode_event(line: bytes) -> Event:
    """The event in a line."""
    return Event(**json.loads(line))


def decode_job(line: bytes) -> Job:
    """The job in a line."""
    record: dict[str, Any] = json.loads(line)
    return Job(
        **{
            **record,
            "parts": tuple(Part(**each) for each in record["parts"]),
            **{name: tuple(record[name]) for name in ("using", "using_named", "prefixes")},
            "expected": tuple(
                Expectation(**{**each, "digests": tuple(each["digests"])}) for each in record["expected"]
            ),
        }
    )
