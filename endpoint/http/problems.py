"""Errors as RFC 9457 problem documents: one table from error to status, one form of answer (STYLE 5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from kg.errors import (
    DiskError,
    DiskFull,
    KgError,
    NotAcceptable,
    QueryError,
    QueryRefused,
    QuerySyntaxError,
    QueryTimeout,
    QueryTooLarge,
    ReleaseDamaged,
    ReleaseError,
    ReleaseNotFound,
    ReleasePruned,
    ResourceNotFound,
    StoreDamaged,
)

__all__ = ["PROBLEM_TYPE", "Problem", "as_problem", "problem_response"]

PROBLEM_TYPE: Final = "application/problem+json"
_STATUS: Final[Mapping[type[KgError], int]] = {
    QuerySyntaxError: 400,
    QueryRefused: 403,
    QueryTimeout: 504,
    QueryTooLarge: 413,
    QueryError: 500,
    ReleaseNotFound: 404,
    ReleasePruned: 410,
    StoreDamaged: 500,
    ReleaseDamaged: 503,
    ReleaseError: 503,
    DiskFull: 507,
    DiskError: 500,
    ResourceNotFound: 404,
    NotAcceptable: 406,
}


class Problem(Exception):
    """An answer that is an error: a stable code, a status, a text that says what to do.

    ``members`` are further members of the document (position, limits, offers), ``headers`` go into the response.
    """

    def __init__(
        self,
        code: str,
        status: int,
        detail: str,
        *,
        members: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
        self.detail = detail
        self.members = dict(members or {})
        self.headers = dict(headers or {})

    def document(self) -> dict[str, object]:
        """The members of the document (RFC 9457, section 3); its type is about:blank, so the title is the status."""
        return {
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.members,
        }


def as_problem(error: KgError) -> Problem:
    """The problem that one of our own errors is to a client."""
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    return Problem(error.code, status, str(error))


def problem_response(problem: Problem) -> Response:
    """The response that carries a problem; never cached."""
    body = json.dumps(problem.document(), ensure_ascii=False).encode() + b"\n"
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(body, status_code=problem.status, headers=headers, media_type=PROBLEM_TYPE)
