"""SPARQL Update (https://www.w3.org/TR/sparql11-protocol/, section 2.2): admitted here, carried out in the writer."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from endpoint.http.problems import Problem
from endpoint.reader.terminals import SKIPPED
from endpoint.sparql.protocol import UpdateRequest
from endpoint.writes.desk import Desk, Task

__all__ = ["answer_update", "decode_update"]


async def answer_update(desk: Desk, request: Request, update: UpdateRequest) -> Response:
    """The answer to an update.

    Raises:
        Problem: it was not carried out, and nothing has changed.
    """
    token = desk.admit(request.scope)
    if not token.update:
        raise desk.gate.forbid(
            f"The token {token.name} may not send updates; it may use /graph-store. "
            "Whoever runs this can add one with 'kg token add NAME --update'."
        )
    task = Task(
        verb="update",
        graph=None,
        token=token,
        text=_demand_text(update.text),
        using=update.using_graphs,
        using_named=update.using_named_graphs,
    )
    return await desk.carry_out(task, request.headers, request.query_params)


def decode_update(body: bytes) -> str:
    """The text of an update.

    Raises:
        Problem: it is no UTF-8, or empty.
    """
    try:
        return _demand_text(body.decode())
    except UnicodeDecodeError as error:
        raise Problem("bad-encoding", 400, f"The update is no UTF-8: {error.reason} at byte {error.start}.") from error


def _demand_text(text: str) -> str:
    if SKIPPED.fullmatch(text):
        raise Problem("update-missing", 400, "The update is empty.")
    return text
