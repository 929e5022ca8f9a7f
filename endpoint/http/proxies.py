"""Whether a proxy stands before the server that it was not told of: all who come through it count as one then."""

from __future__ import annotations

from collections.abc import Sequence
from logging import getLogger
from typing import Final

from starlette.types import Scope

from endpoint.http.clients import Network

__all__ = ["ProxyWatch"]

_log = getLogger(__name__)
_SIGNS: Final = frozenset([b"forwarded", b"x-forwarded-for"])


class ProxyWatch:
    """Looks for what proxies write into requests, until it has seen it once; where one is trusted, not at all."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._is_watching = not trusted
        self.warning = ""

    def look(self, scope: Scope) -> None:
        """Look at one request."""
        if not self._is_watching:
            return
        for name, _ in scope["headers"]:
            if name in _SIGNS:
                self._is_watching = False
                self.warning = (
                    "Requests carry Forwarded or X-Forwarded-For, and ENDPOINT_TRUSTED_PROXIES names no proxy: if one "
                    "of yours wrote it, all behind it share one budget of queries and of wrong tokens. Name it there."
                )
                _log.warning("%s It came from %s.", self.warning, (scope.get("client") or ("an unknown address",))[0])
                return
