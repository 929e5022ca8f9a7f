"""The server of the protocol tests, for clients that other people wrote."""

from __future__ import annotations

from tests.protocol.conftest import server

__all__ = ["server"]
