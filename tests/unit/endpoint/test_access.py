"""Wrong tokens: counted, forgiven in time, and never remembered without bound."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from endpoint.http.problems import Problem
from endpoint.writes.access import Gate
from endpoint.writes.tokens import add_token


def bearer(text: str) -> Headers:
    return Headers({"authorization": f"Bearer {text}"})


def refuse(gate: Gate, text: str, client: str = "192.0.2.1") -> Problem:
    with pytest.raises(Problem) as refused:
        gate.admit(bearer(text), client)
    return refused.value


def test_wrong_tokens_are_forgiven_in_time(tmp_path: Path) -> None:
    now = 0.0
    gate = Gate(tmp_path / "tokens.json", clock=lambda: now)
    assert [refuse(gate, f"{n}.x").status for n in range(12)] == [401] * 10 + [429] * 2
    now = 10.0
    assert [refuse(gate, f"{n}.x").status for n in range(2)] == [401, 429]
    assert refuse(gate, "0.x", "192.0.2.2").status == 401


def test_a_flood_of_wrong_tokens_takes_little_memory_and_keeps_out_no_right_one(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    good = add_token(path, name="anna", graphs=["a"])
    gate = Gate(path, clock=lambda: 0.0)
    tracemalloc.start()
    try:
        for n in range(30_000):
            refuse(gate, f"{n}{'x' * 5_000}.x", f"2001:db8:{n >> 16:x}:{n & 0xFFFF:x}::1")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 10 << 20
    for _ in range(20):
        refuse(gate, f"{good}x")
    assert gate.admit(bearer(good), "192.0.2.1").name == "anna"
