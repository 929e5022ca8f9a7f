"""What clients are told when something breaks in the server."""

from __future__ import annotations

import errno

import pytest

from endpoint.http.middleware import internal_problem


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (OSError(errno.EMFILE, "Too many open files"), 503, "overloaded"),
        (OSError(errno.ENFILE, "Too many open files in system"), 503, "overloaded"),
        (OSError(errno.EIO, "Input/output error"), 500, "internal"),
        (KeyError("x"), 500, "internal"),
    ],
)
def test_files_that_are_used_up_are_no_bug(error: Exception, status: int, code: str) -> None:
    try:
        raise error
    except (OSError, KeyError):
        problem = internal_problem({"method": "GET", "path": "/"})
    assert (problem.status, problem.code) == (status, code)
