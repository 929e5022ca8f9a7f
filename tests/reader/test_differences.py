"""What the reader says of a text is what the engine does with it, whatever the text.

``python -m tests.reader.fuzz 20000`` tries more, and says how much of the grammar was in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from endpoint.http.problems import Problem
from endpoint.reader.parser import Unit, read
from endpoint.reader.reading import Unreadable
from endpoint.sparql.guard import inspect_query
from tests.reader.differences import (
    LIMITS,
    Claims,
    Tally,
    claim_by_tokens,
    claim_graphs_by_tokens,
    find_broken_claims,
    find_differences,
    find_graphs_beyond,
)
from tests.reader.engine import BASE, Engine, run_engine
from tests.reader.listening import Listener
from tests.reader.texts import Made, Trap, made_texts

CORPUS: dict[str, list[str]] = json.loads(Path(__file__).with_name("corpus.json").read_text(encoding="utf-8"))
ATTEMPTS = 20


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with run_engine() as found:
        yield found


@pytest.mark.parametrize("unit", ["QueryUnit", "UpdateUnit"])
def test_a_thousand_texts_are_done_as_they_are_read(unit: Unit, listener: Listener, engine: Engine) -> None:
    tally = Tally()

    # Made small by hand, with the fuzzer: that would take minutes here.
    @settings(
        max_examples=500,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(made_texts(unit, Trap(listener.url)))
    def search(made: Made) -> None:
        differences = [*find_differences(unit, made, engine, listener, tally)]
        assert not differences, "\n".join([made.odd, made.plain, *differences])

    search()
    assert tally.outcomes["rows"] > 100


@pytest.mark.parametrize("text", CORPUS["service"] + CORPUS["volatile"])
def test_what_once_was_read_otherwise_is_seen_or_refused(text: str, listener: Listener, engine: Engine) -> None:
    text = _fill(text, listener)
    with suppress(Problem):
        inspection = inspect_query(text, limits=LIMITS)
        claims = Claims(has_service=False, is_volatile=inspection.is_volatile)
        assert not [*find_broken_claims(inspection.text, claims, engine, listener)]


@pytest.mark.parametrize("text", CORPUS["service"])
def test_without_a_reader_the_engine_would_ask(text: str, listener: Listener, engine: Engine) -> None:
    text = _fill(text, listener)
    claims = claim_by_tokens(text)
    assert claims is not None
    assert not claims.has_service
    assert [*find_broken_claims(text, claims, engine, listener)]


@pytest.mark.parametrize("text", CORPUS["volatile"])
def test_without_a_reader_chance_would_pass_for_an_answer(text: str, listener: Listener, engine: Engine) -> None:
    text = _fill(text, listener)
    claims = claim_by_tokens(text)
    assert claims is not None
    assert not claims.is_volatile
    assert any([*find_broken_claims(text, claims, engine, listener)] for _ in range(ATTEMPTS))


@pytest.mark.parametrize("text", CORPUS["graph"])
def test_an_update_that_once_was_read_otherwise_does_what_is_read_or_nothing(
    text: str, listener: Listener, engine: Engine
) -> None:
    with suppress(Unreadable):
        reading = read(_fill(text, listener), "UpdateUnit", base=BASE)
        outcome = engine.carry_out(reading.text)
        assert outcome[0] == "rows"
        assert outcome == engine.update(reading.text)


@pytest.mark.parametrize("text", CORPUS["graph"])
def test_without_a_reader_an_update_would_change_what_it_does_not_name(
    text: str, listener: Listener, engine: Engine
) -> None:
    graphs = claim_graphs_by_tokens(_fill(text, listener), Trap(listener.url).prefixes)
    assert graphs is not None
    assert [*find_graphs_beyond(_fill(text, listener), graphs, engine)]


def _fill(text: str, listener: Listener) -> str:
    return Trap(listener.url).prologue + text.replace("{trap}", listener.url)
