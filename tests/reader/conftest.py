"""A listener that nobody should ever reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reader.listening import Listener, listen


@pytest.fixture(scope="session")
def listener() -> Iterator[Listener]:
    with listen() as found:
        yield found
