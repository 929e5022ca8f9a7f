"""The report about a write, for whoever sent it: what does not fit, by which rule, and what to do."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from endpoint.writes.messages import Job
from kg.report import Language, Report
from kg.transaction import Outcome

__all__ = ["REFUSED_CODE", "write_report"]

REFUSED_CODE: Final = "shapes-violated"
_MOST_RESULTS: Final = 1_000


def write_report(outcome: Outcome, job: Job) -> str:
    """The report in the media type that the job asks for; as JSON it is a problem document (RFC 9457) or a summary."""
    report = outcome.report
    language: Language = "de" if job.language == "de" else "en"
    if job.report_type == "text/turtle":
        return report.to_turtle().decode()
    if job.report_type == "text/html":
        return report.to_html(language)
    document = _describe_refusal(report) if report.violations else _describe_trial(outcome)
    results = report.results[:_MOST_RESULTS]
    document["results"] = [
        {
            "severity": each.severity,
            "focus": each.focus,
            "path": each.path,
            "value": None if each.value is None else str(each.value),
            "rule": each.shape,
            "message": each.problem(language),
            "cure": each.message(language),
        }
        for each in results
    ]
    if len(report.results) > len(results):
        document["left_out"] = len(report.results) - len(results)
    return json.dumps(document, ensure_ascii=False) + "\n"


def _describe_refusal(report: Report) -> dict[str, object]:
    number = len(report.violations)
    return {
        "title": HTTPStatus.UNPROCESSABLE_ENTITY.phrase,
        "status": int(HTTPStatus.UNPROCESSABLE_ENTITY),
        "code": REFUSED_CODE,
        "detail": f"With this change the graph would violate {number} rule(s), so nothing was changed; see 'results'.",
        "counts": report.summary(),
    }


def _describe_trial(outcome: Outcome) -> dict[str, object]:
    return {
        "status": int(HTTPStatus.OK),
        "detail": "This would be published. It was only tried, and nothing was changed.",
        "added": outcome.added,
        "removed": outcome.removed,
        "counts": outcome.report.summary(),
    }
