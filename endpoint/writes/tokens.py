"""Tokens: who may write what. The file holds digests alone, so whoever reads it can write nothing.

A token is ``id.secret``. The id finds the record, the secret is 256 random bits, and what is kept of it is its SHA-256:
a secret that nobody can guess needs no slow hash (NIST SP 800-63B, section 5.1.2.2).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from endpoint.sparql.protocol import is_absolute_iri
from kg.durable import translate_disk_errors, write_file
from kg.errors import SettingsError
from kg.lock import lock_releases
from kg.terms import WRITTEN

__all__ = ["Token", "add_token", "expand_prefix", "find_token", "load_tokens", "revoke_token"]

_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PREFIX: Final = re.compile(r"(?:[a-z0-9]+-?)*")
_SECRET_BYTES: Final = 32
_NO_DIGEST: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token as it is kept: its name, its rights, until when it holds (UTC, ISO 8601; None for ever).

    ``graphs`` are beginnings of the IRIs of graphs; an empty one is that of all, and of the default graph. ``update``
    allows SPARQL Update, ``admin`` all graphs that can be written.
    """

    id: str
    name: str
    sha256: str
    graphs: tuple[str, ...]
    update: bool
    admin: bool
    expires: str | None
    created: str

    def has_expired(self, now: datetime) -> bool:
        """Whether it holds no longer."""
        return self.expires is not None and datetime.fromisoformat(self.expires) <= now


def load_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens in a file; none when there is no file.

    Raises:
        SettingsError: the file is malformed, or others than its owner may read or change it.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"{path} is open to others than its owner: run 'chmod 600 {path}'")
        records = json.loads(path.read_text(encoding="utf-8"))["tokens"]
        return tuple(Token(**{**record, "graphs": tuple(record["graphs"])}) for record in records)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{path}: no usable file of tokens: {error!r}") from error


def find_token(tokens: Iterable[Token], text: str) -> Token | None:
    """The token that a client presents; None when it is none. It takes as long for any text of one length."""
    token_id, _, secret = text.partition(".")
    digest = hashlib.sha256(secret.encode()).hexdigest()
    found = next((each for each in tokens if hmac.compare_digest(each.id.encode(), token_id.encode())), None)
    fits = hmac.compare_digest(found.sha256 if found else _NO_DIGEST, digest)
    return found if fits else None


def expand_prefix(text: str, *, is_plain: bool = False) -> str:
    """The beginning of graph IRIs that a text of the command line stands for: an IRI, or a name below ``written``.

    In a plain dataset any IRI can be that of a graph, and no name is short for one.

    Raises:
        SettingsError: no graph that can be written begins so.

    >>> expand_prefix("holm-")
    'https://w3id.org/chap/graph/written/holm-'
    >>> expand_prefix("http://example.org/", is_plain=True)
    'http://example.org/'
    """
    if is_plain:
        if not is_absolute_iri(text):
            raise SettingsError(
                f"{text!r} begins no IRI: use the beginning of graph names, such as http://example.org/"
            )
        return text
    iri = text if text.startswith(WRITTEN) else WRITTEN + text
    if not _PREFIX.fullmatch(iri.removeprefix(WRITTEN)):
        raise SettingsError(f"no graph that can be written begins with {text!r}: use {WRITTEN} and lower-case words")
    return iri


def add_token(  # noqa: PLR0913 - all by name
    path: Path,
    *,
    name: str,
    graphs: Iterable[str],
    update: bool = False,
    admin: bool = False,
    expires: datetime | None = None,
    is_plain: bool = False,
) -> str:
    """A new token: the text to be handed over, which is kept nowhere.

    Args:
        path: the file of tokens.
        name: who writes with it.
        graphs: beginnings of the names of graphs (:func:`expand_prefix`).
        update: whether it may send updates.
        admin: whether it may write all that can be written; in a plain dataset that is everything.
        expires: until when it holds.
        is_plain: whether it is for a plain dataset.

    Raises:
        SettingsError: the name is taken or malformed, or it may write nothing.
        DiskError: the file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} is no name of a token: use lower-case letters and digits, words joined by hyphens"
        )
    everything = "" if is_plain else WRITTEN
    prefixes = (everything,) if admin else tuple(expand_prefix(each, is_plain=is_plain) for each in graphs)
    if not prefixes:
        raise SettingsError("say which graphs the token may write: --graphs PREFIX..., or --admin for all")
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    token = Token(
        id=secrets.token_hex(4),
        name=name,
        sha256=hashlib.sha256(secret.encode()).hexdigest(),
        graphs=prefixes,
        update=update or admin,
        admin=admin,
        expires=None if expires is None else expires.astimezone(UTC).isoformat(timespec="seconds"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with lock_releases(path.parent):
        tokens = load_tokens(path)
        if any(each.name == name for each in tokens):
            raise SettingsError(f"there is a token named {name} already; 'kg token revoke {name}' removes it")
        _write_tokens(path, [*tokens, token])
    return f"{token.id}.{secret}"


def revoke_token(path: Path, name: str) -> Token:
    """The token of that name, once it is gone.

    Raises:
        SettingsError: there is none.
        DiskError: the file cannot be written.
    """
    with lock_releases(path.parent):
        tokens = load_tokens(path)
        found = next((each for each in tokens if name in (each.name, each.id)), None)
        if found is None:
            names = ", ".join(each.name for each in tokens) or "none"
            raise SettingsError(f"there is no token {name!r} in {path}; there are: {names}")
        _write_tokens(path, [each for each in tokens if each is not found])
        return found


def _write_tokens(path: Path, tokens: Iterable[Token]) -> None:
    text = json.dumps({"tokens": [asdict(each) for each in tokens]}, indent=2) + "\n"
    with translate_disk_errors("the file of tokens"):
        write_file(path, text.encode(), mode=0o600)
