"""What a client is told of its write: a status, the graph's tag, a report; or what is wrong and how to cure it."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from endpoint.http.problems import Problem
from endpoint.writes.conditions import make_tag
from endpoint.writes.messages import Event, Job

__all__ = ["answer_write"]

_STATUS: Final = {
    "rdf-syntax": 400,
    "rdf": 400,
    "invalid-iri": 400,
    "query-syntax": 400,
    "query": 400,
    "query-refused": 403,
    "query-too-deep": 400,
    "write-invalid": 400,
    "bad-parameter": 400,
    "write-forbidden": 403,
    "graph-missing": 404,
    "graph-read-only": 409,
    "precondition-failed": 412,
    "write-too-large": 413,
    "engine-failed": 500,
    "disk": 500,
    "disk-full": 507,
    "disk-unclear": 500,
    "release-not-found": 503,
    "release-damaged": 503,
    "store-damaged": 500,
    "release": 503,
}


def answer_write(event: Event, job: Job, *, location: str = "") -> Response:
    """The response to a write that was carried out.

    Raises:
        Problem: it was not; nothing has changed.
    """
    if event.event == "failed":
        members: dict[str, object] = {"graph": job.graph} if job.graph else {}
        if event.line:
            members |= {"line": event.line, "column": event.column}
        status = _STATUS.get(event.code, 500)
        retry = {"Retry-After": "10"} if status == 503 else {}
        raise Problem(event.code, status, event.message, members=members, headers=retry)
    headers = {"Cache-Control": "no-store", "CHAP-Release": event.release, "Vary": "Accept, Accept-Language"}
    headers["Server-Timing"] = ", ".join(f"{step};dur={duration_ms:.1f}" for step, duration_ms in event.timings)
    if event.violations:
        return Response(event.report, status_code=422, headers=headers, media_type=job.report_type)
    if event.digest:
        headers["ETag"] = make_tag(event.digest)
    headers["CHAP-Changes"] = f"added={event.added}, removed={event.removed}, warnings={event.warnings}"
    if job.is_dry_run:
        media_type = "application/json" if job.report_type == "application/problem+json" else job.report_type
        return Response(event.report, headers=headers, media_type=media_type)
    if job.verb != "update" and event.exists and not event.existed:
        return Response(status_code=201, headers={**headers, "Location": location})
    return Response(status_code=204, headers=headers)
