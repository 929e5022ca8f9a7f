"""Who may write: bearer tokens (RFC 6750), and little patience with those who guess.

The token is looked at first, so that no number of wrong ones, whoever sends them, keeps out a right one. Wrong ones are
counted by network and by the id that they name, and answered 429 once there are many.
"""

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
_ACCOUNTS: Final = 10_000
# So many wrong tokens a network may send at once, or be sent for one id; then one more every few seconds.
_FAILURES: Final = 10
_FORGIVEN_PER_S: Final = 0.1
# A token has 52 characters; what is longer is not worth a digest.
_LONGEST: Final = 200
_CHALLENGE: Final = 'Bearer realm="CHAP"'


@dataclass(slots=True)
class _Account:
    failures: float
    seen: float


class _Failures:
    """How often what a key stands for has failed lately; those that failed last are remembered."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def settle(self, key: str) -> _Account:
        """The account of a key, as it stands now."""
        now = self._clock()
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account(0.0, now)
            while len(self._accounts) > _ACCOUNTS:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(key)
        account.failures = max(0.0, account.failures - (now - account.seen) * _FORGIVEN_PER_S)
        account.seen = now
        return account


class Gate:
    """Lets requests through that carry a token, and counts those that carry a wrong one."""

    def __init__(self, tokens_path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = tokens_path
        self._tokens: tuple[Token, ...] = ()
        self._stamp: tuple[int, int] | None = None
        self._networks, self._ids = _Failures(clock), _Failures(clock)
        self.refused: dict[str, int] = {"missing": 0, "wrong": 0, "expired": 0, "forbidden": 0, "throttled": 0}

    def admit(self, headers: Headers, client: str) -> Token:
        """The token that a request carries.

        Raises:
            Problem: 401, there is none, or it is wrong or expired; 429, it is wrong, as many were before it.
        """
        scheme, _, text = (headers.get("authorization") or "").strip().partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            self.refused["missing"] += 1
            raise _unauthorized(
                "token-missing", "Writing needs a token: send the header 'Authorization: Bearer ID.SECRET'."
            )
        token = find_token(self._load(), text) if len(text) <= _LONGEST else None
        if token is None:
            raise self._refuse(client, text[:_LONGEST].partition(".")[0])
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
            if stamp != self._stamp:
                self._tokens = load_tokens(self._path)
                self._stamp = stamp
        except FileNotFoundError:
            self._tokens, self._stamp = (), None
        except (OSError, SettingsError) as error:
            _log.error("nobody can write: %s", error)
            raise Problem("tokens-unusable", 503, "The file of tokens cannot be used; ask who runs this.") from error
        return self._tokens

    def _refuse(self, client: str, token_id: str) -> Problem:
        """The answer to a wrong token; each counts, but for those that come too fast to learn anything."""
        accounts = (self._networks.settle(client), self._ids.settle(token_id))
        most = max(each.failures for each in accounts)
        if most >= _FAILURES:
            self.refused["throttled"] += 1
            wait_s = max(1, math.ceil((most - _FAILURES + 1) / _FORGIVEN_PER_S))
            return Problem(
                "too-many-wrong-tokens",
                429,
                f"Too many wrong tokens came from this network, or for this id. Try again in {wait_s} s, "
                "or send a right one at any time.",
                headers={"Retry-After": str(wait_s)},
            )
        for each in accounts:
            each.failures += 1
        self.refused["wrong"] += 1
        return _unauthorized("token-wrong", "There is no such token, or it was revoked.", 'error="invalid_token"')


def _unauthorized(code: str, detail: str, reason: str = "") -> Problem:
    challenge = ", ".join(part for part in (_CHALLENGE, reason) if part)
    return Problem(code, 401, detail, headers={"WWW-Authenticate": challenge})
