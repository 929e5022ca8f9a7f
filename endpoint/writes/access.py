"""Who may write: bearer tokens (RFC 6750), and patience with those who guess."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from logging import getLogger
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers

from endpoint.http.problems import Problem
from endpoint.writes.tokens import Token, find_token, load_tokens
from kg.errors import SettingsError

__all__ = ["Gate"]

_log = getLogger(__name__)
_CLIENTS: Final = 10_000
# So many wrong tokens an address may send at once; then one more every few seconds.
_FAILURES: Final = 10
_FORGIVEN_PER_S: Final = 0.1
_CHALLENGE: Final = 'Bearer realm="CHAP"'


@dataclass(slots=True)
class _Account:
    failures: float
    seen: float


class Gate:
    """Lets requests through that carry a token, and counts those that carry a wrong one."""

    def __init__(self, tokens_path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = tokens_path
        self._clock = clock
        self._tokens: tuple[Token, ...] = ()
        self._stamp: tuple[int, int] | None = None
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self.refused: dict[str, int] = {"missing": 0, "wrong": 0, "expired": 0, "forbidden": 0, "throttled": 0}

    def admit(self, headers: Headers, client: str) -> Token:
        """The token that a request carries.

        Raises:
            Problem: 401, there is none, or it is wrong or expired; 429, the address has sent too many wrong ones.
        """
        account = self._settle(client)
        if account.failures >= _FAILURES:
            self.refused["throttled"] += 1
            wait_s = max(1, math.ceil((account.failures - _FAILURES + 1) / _FORGIVEN_PER_S))
            raise Problem(
                "too-many-wrong-tokens",
                429,
                f"This address has sent too many wrong tokens. Try again in {wait_s} s.",
                headers={"Retry-After": str(wait_s)},
            )
        scheme, _, text = (headers.get("authorization") or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            self.refused["missing"] += 1
            raise _unauthorized(
                "token-missing", "Writing needs a token: send the header 'Authorization: Bearer ID.SECRET'."
            )
        token = find_token(self._load(), text.strip())
        if token is None:
            account.failures += 1
            self.refused["wrong"] += 1
            raise _unauthorized("token-wrong", "There is no such token, or it was revoked.", 'error="invalid_token"')
        if token.has_expired(datetime.now(UTC)):
            self.refused["expired"] += 1
            raise _unauthorized(
                "token-expired", f"The token {token.name} expired on {token.expires}.", 'error="invalid_token"'
            )
        return token

    def forbid(self, detail: str) -> Problem:
        """The answer to a token whose rights do not reach so far."""
        self.refused["forbidden"] += 1
        challenge = f'{_CHALLENGE}, error="insufficient_scope"'
        return Problem("write-forbidden", 403, detail, headers={"WWW-Authenticate": challenge})

    def _load(self) -> tuple[Token, ...]:
        """The tokens, read again when their file has changed: a revoked one is refused at once."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
        except FileNotFoundError:
            self._tokens, self._stamp = (), None
            return self._tokens
        if stamp != self._stamp:
            try:
                self._tokens = load_tokens(self._path)
            except SettingsError as error:
                _log.error("nobody can write: %s", error)
                raise Problem(
                    "tokens-unusable", 503, "The file of tokens cannot be used; ask who runs this."
                ) from error
            self._stamp = stamp
        return self._tokens

    def _settle(self, client: str) -> _Account:
        now = self._clock()
        account = self._accounts.get(client)
        if account is None:
            account = self._accounts[client] = _Account(0.0, now)
            while len(self._accounts) > _CLIENTS:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(client)
        account.failures = max(0.0, account.failures - (now - account.seen) * _FORGIVEN_PER_S)
        account.seen = now
        return account


def _unauthorized(code: str, detail: str, reason: str = "") -> Problem:
    challenge = ", ".join(part for part in (_CHALLENGE, reason) if part)
    return Problem(code, 401, detail, headers={"WWW-Authenticate": challenge})
