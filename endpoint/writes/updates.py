"""SPARQL Update (https://www.w3.org/TR/sparql11-protocol/, section 2.2): looked at here, carried out in the writer."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from endpoint.http.problems import Problem
from endpoint.settings import EndpointSettings
from endpoint.sparql.lexer import Kind, Token, iter_tokens
from endpoint.sparql.protocol import UpdateRequest
from endpoint.writes.desk import Desk, Task
from kg.errors import QueryRefused, QuerySyntaxError

__all__ = ["answer_update", "inspect_update"]

_REFUSED: Final = {
    "LOAD": "fetch the document yourself and send it to /graph-store",
    "SERVICE": "ask the other endpoint yourself and put its answer into VALUES",
}
_CHAINING: Final = frozenset(["UNION", "OPTIONAL", "MINUS", "FILTER", "BIND", "LATERAL", "GRAPH", "EXISTS"])


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
        text=inspect_update(update.text.encode(), desk.settings),
        using=update.using_graphs,
        using_named=update.using_named_graphs,
    )
    return await desk.carry_out(task, request.headers, request.query_params)


def inspect_update(body: bytes, settings: EndpointSettings) -> str:
    """The text of an update that may be evaluated.

    Raises:
        Problem: it is no UTF-8 or empty, too deep or long-chained, or would make this server send requests.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Problem("bad-encoding", 400, f"The update is no UTF-8: {error.reason} at byte {error.start}.") from error
    operators = [0]
    is_empty = True
    for token in iter_tokens(text):
        is_empty = False
        if token.kind is Kind.OPEN:
            operators.append(0)
            if len(operators) - 1 > settings.query_max_depth:
                raise _too_deep(text, token, settings.query_max_depth, "brackets deep")
        elif token.kind is Kind.CLOSE and len(operators) > 1:
            operators.pop()
        elif token.kind is Kind.OTHER and token.text[0] in "\"'":
            detail = "The string that begins here has no end."
            raise Problem(QuerySyntaxError.code, 400, detail, members=_locate(text, token))
        elif token.kind is Kind.OPERATOR or (token.kind is Kind.WORD and token.text.upper() in _CHAINING):
            operators[-1] += 1
            if operators[-1] > settings.query_max_operators:
                raise _too_deep(text, token, settings.query_max_operators, "operators long inside one pair of brackets")
        elif token.kind is Kind.WORD and (cure := _REFUSED.get(token.text.upper())):
            detail = (
                f"{token.text.upper()} would make this server send requests of its own, which it does not do: {cure}."
            )
            raise Problem(QueryRefused.code, 403, detail, members=_locate(text, token))
    if is_empty:
        raise Problem("update-missing", 400, "The update is empty.")
    return text


def _too_deep(text: str, token: Token, limit: int, what: str) -> Problem:
    detail = f"The update is more than {limit} {what}. Split it, or send data to /graph-store."
    return Problem("query-too-deep", 400, detail, members={"limit": limit, **_locate(text, token)})


def _locate(text: str, token: Token) -> dict[str, object]:
    before = text[: token.position]
    return {"line": before.count("\n") + 1, "column": len(before) - (before.rfind("\n") + 1) + 1}
