"""Who may have a long text read, and when."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Receive, Scope, Send

from endpoint.http.budget import FairShare
from endpoint.http.clients import Clients, knowing_clients
from endpoint.http.problems import Problem
from endpoint.reader import parser
from endpoint.reader.terminals import TOKEN
from endpoint.sparql.guard import Limits, inspect_unhurried
from endpoint.sparql.librarian import QUICK_LENGTH, Librarian

LIMITS = Limits(bytes_=100_000, depth=5, operators=10, base="http://chap.example/sparql")


async def ask_as(address: str, work: Callable[[], Awaitable[object]]) -> None:
    """Do something as a client of an address."""

    async def app(_: Scope, __: Receive, ___: Send) -> None:
        await work()

    async def nothing(*_: object) -> dict[str, object]:
        return {}

    clients = Clients(trusted=(), ipv4_prefix=32, ipv6_prefix=64)
    scope = {"type": "http", "client": (address, 1), "headers": []}
    await knowing_clients(app, clients)(scope, nothing, nothing)  # type: ignore[arg-type]


def test_turns_go_round_among_clients() -> None:
    asyncio.run(_take_turns())


async def _take_turns() -> None:
    librarian, gate = Librarian(), threading.Event()
    done: list[str] = []

    def ask(address: str, name: str) -> Awaitable[None]:
        def work() -> None:
            gate.wait(10)
            done.append(name)

        return ask_as(address, lambda: librarian.do(work))

    tasks = [asyncio.ensure_future(ask("192.0.2.1", f"many {number}")) for number in range(4)]
    await asyncio.sleep(0)
    tasks.append(asyncio.ensure_future(ask("192.0.2.2", "one")))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks)
    assert done == ["many 0", "many 1", "one", "many 2", "many 3"]


def test_who_left_is_passed_over() -> None:
    asyncio.run(_leave())


async def _leave() -> None:
    librarian, gate = Librarian(), threading.Event()
    first = asyncio.ensure_future(librarian.do(lambda: gate.wait(10)))
    leaving = asyncio.ensure_future(librarian.do(lambda: "never"))
    last = asyncio.ensure_future(librarian.do(lambda: "last"))
    await asyncio.sleep(0)
    leaving.cancel()
    gate.set()
    assert await last == "last"
    assert await first
    assert await librarian.do(lambda: "free again") == "free again"


@pytest.mark.parametrize("length", [QUICK_LENGTH // 2, QUICK_LENGTH * 2])
def test_reading_is_charged_though_it_is_no_query(length: int) -> None:
    asyncio.run(_read_what_is_no_query(length))


async def _read_what_is_no_query(length: int) -> None:
    seconds = iter(range(0, 1000, 10))
    share = FairShare(budget_s=5, earned_per_s=0.001, clock=lambda: float(next(seconds)))
    codes = []

    async def ask() -> None:
        try:
            await inspect_unhurried(f"ASK {{ {'?s ?p ?o . ' * (length // 11)} oops", limits=LIMITS, share=share)
        except Problem as problem:
            codes.append(problem.code)

    await ask_as("192.0.2.1", ask)
    await ask_as("192.0.2.1", ask)
    await ask_as("192.0.2.2", ask)
    assert codes == ["query-syntax", "too-many-query-seconds", "query-syntax"]


def test_a_prefix_is_looked_for_once_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each word of "true-true-true" may be the beginning of a prefix that goes on to the end of the text."""
    looked = []

    class Counting:
        def match(self, text: str, at: int) -> object:
            looked.append(at)
            return TOKEN.match(text, at)

    monkeypatch.setattr(parser, "TOKEN", Counting())
    read = parser.read(f"ASK {{ FILTER({'-'.join(['true'] * 500)}) }}", "QueryUnit", base="urn:b")
    assert len(read.tokens) > 1_000
    assert len(looked) < 20
