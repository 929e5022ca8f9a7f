"""What a client is told when a query has no result."""

from __future__ import annotations

import re
import signal
from dataclasses import replace
from logging import getLogger
from typing import Final

from endpoint.http.problems import Problem
from endpoint.reader.parser import read
from endpoint.sparql.frames import Failure, Written
from kg.errors import QueryError, QuerySyntaxError, QueryTimeout, ReleasePruned, StoreDamaged

__all__ = [
    "DAMAGE_HINT",
    "busy_problem",
    "closing_problem",
    "crash_problem",
    "damage_problem",
    "failure_problem",
    "relocate",
    "remote_problem",
    "syntax_problem",
    "timeout_problem",
    "truncated_problem",
]

_log = getLogger(__name__)
# What the engine cannot do with a query (an unknown function, a wrong number of arguments) is for the client to change.
_STATUS = {
    QuerySyntaxError.code: 400,
    QueryError.code: 400,
    "not-acceptable": 406,
    ReleasePruned.code: 410,
    "federation-unbound": 400,
    "federation-failed": 502,
    "federation-too-large": 502,
    "federation-address-refused": 502,
    "federation-redirect-refused": 502,
    "federation-busy": 503,
    "federation-paused": 503,
    "federation-timeout": 504,
}
_CHARACTER_CLASS: Final = re.compile(r",? ?\[[^\]\"]*\]")
_SENTENCE: Final = re.compile(r"(?:The [A-Z]|IRI parsing).*?(?=, \[|$)", re.DOTALL)
_LONGEST: Final = 300
_NEAR: Final = 24
# For who runs the server; outsiders can but tell them.
DAMAGE_HINT: Final = (
    "Who runs this server finds what is broken with 'kg doctor', and heals it with 'kg release import' or with "
    "another release, by 'kg release use' or 'kg build'."
)
_RETRY_AFTER = {"Retry-After": "5"}


def failure_problem(failure: Failure) -> Problem:
    """The problem that a worker reported."""
    members: dict[str, object] = {}
    if failure.line is not None and failure.column is not None:
        members = {"line": failure.line, "column": failure.column}
    if failure.code == QuerySyntaxError.code:
        return syntax_problem(_explain(failure.message), failure.line, failure.column, failure.near)
    if failure.code == StoreDamaged.code:
        _log.error("a query met damage in the store: %s", failure.message)
        return damage_problem()
    headers = None if failure.retry_after_s is None else {"Retry-After": str(failure.retry_after_s)}
    return Problem(failure.code, _STATUS.get(failure.code, 500), failure.message, members=members, headers=headers)


def syntax_problem(message: str, line: int | None, column: int | None, near: str) -> Problem:
    """A text is not SPARQL: what is wrong with it, where (both from 1), and what stands there."""
    is_placed = line is not None and column is not None
    place = f" at line {line}, column {column}" if is_placed else ""
    where = f", at {near!r}" if near else ""
    detail = f"The query is not SPARQL{place}{where}{': ' if message else '.'}{message}"
    members = {"line": line, "column": column} if is_placed else {}
    return Problem(QuerySyntaxError.code, 400, detail, members=members)


def relocate(failure: Failure, written: Written | None) -> Failure:
    """A failure whose place, in the text that the engine got, is that in the text as it came."""
    if written is None or failure.line is None or failure.column is None:
        return failure
    reading = read(written.text, "QueryUnit", base=written.base)
    place = reading.locate(reading.find_token(failure.line, failure.column))
    near = written.text.split("\n")[place.line - 1][place.column - 1 :][:_NEAR].strip()
    return replace(failure, line=place.line, column=place.column, near=near)


def _explain(message: str) -> str:
    r"""What the engine says of a syntax error, shortened, without the character classes that it lists.

    >>> _explain('expected one of "}", ";", [\'a\' ..= \'z\'], [_]')
    'expected one of "}", ";"'
    """
    # Errors of meaning come as something "expected" too; they are sentences.
    if sentence := _SENTENCE.search(message):
        return sentence[0]
    readable = _CHARACTER_CLASS.sub("", message).removesuffix("expected").strip(" ,")
    return readable if len(readable) <= _LONGEST else f"{readable[:_LONGEST]} …"


def timeout_problem(limit_s: float) -> Problem:
    """The query ran into its time limit."""
    return Problem(
        QueryTimeout.code,
        504,
        f"The query was stopped after {limit_s:g} s. Ask for less: a narrower pattern, a LIMIT, no unbounded path.",
        members={"limit_s": limit_s},
    )


def remote_problem(status: int, words: str, limit_s: float) -> Problem:
    """What another engine answered in place of a result; Virtuoso answers 500 for a query that took too long, too."""
    if status in (408, 504) or "S1T00" in words:
        return timeout_problem(limit_s)
    if status in (429, 503):
        return busy_problem("The engine behind this server is busy.")
    # Virtuoso repeats the query after its message.
    said = " ".join(words.partition("SPARQL query:")[0].split())[:_LONGEST]
    if status == 400:
        return Problem(QueryError.code, 400, f"The engine behind this server does not take the query: {said}")
    return Problem("remote", 502, f"The engine behind this server answered {status}: {said}")


def truncated_problem(reason: str, most: int | None) -> Problem:
    """Another engine would leave out a part of the result."""
    members = {} if most is None else {"limit": most}
    return Problem(
        "result-truncated",
        502,
        f"The engine behind this server would give a part of the result only: {reason}. "
        "Ask for less: a narrower pattern, or a LIMIT below that, with ORDER BY and OFFSET for the rest.",
        members=members,
    )


def busy_problem(reason: str) -> Problem:
    """There is no place for the query now."""
    return Problem("busy", 503, f"{reason} Try again in a few seconds.", headers=_RETRY_AFTER)


def closing_problem() -> Problem:
    """The server is being stopped."""
    return Problem("closing", 503, "The server is stopping. Try again in a few seconds.", headers=_RETRY_AFTER)


def damage_problem() -> Problem:
    """The store cannot be read, at least not all of it."""
    detail = f"The store of this release is damaged, so the query has no answer. {DAMAGE_HINT}"
    return Problem(StoreDamaged.code, 500, detail)


def crash_problem(status: int, last_words: str) -> Problem:
    """The worker ended by itself: out of memory, or because the engine crashed.

    The engine aborts when the kernel gives it no memory (SIGABRT), with a message when it could still write one.
    """
    if status == -signal.SIGKILL:
        return Problem("query-out-of-memory", 507, "The machine ended the query, most likely since memory ran out.")
    if "alloc" in last_words or (status == -signal.SIGABRT and "panicked" not in last_words):
        return Problem(
            "query-out-of-memory",
            507,
            "The query needs more memory than one query may have. Sort, group or join less at once, or add a LIMIT.",
        )
    return Problem("query-crashed", 500, "The engine could not evaluate the query and ended. Others were not touched.")
