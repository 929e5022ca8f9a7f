"""The outside SPARQL endpoints that may be asked, and how politely: an allow-list, read from a TOML file.

The server asks them for SERVICE (endpoint.federation), the command line for mirrors (kg.mirror). Nothing is allowed
that does not stand here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from kg.errors import SettingsError

__all__ = ["SHIPPED_NAME", "AllowList", "OutsideEndpoint", "load_allowlist"]

SHIPPED_NAME: Final = "endpoints.toml"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20<>\"{}|\\^`]*")
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class OutsideEndpoint:
    """An endpoint of somebody else.

    ``iri`` is what users write after SERVICE, compared character by character; ``url`` is what is called. ``inner``
    are IRIs that may stand after a SERVICE inside a SERVICE of this endpoint, which it evaluates itself.
    """

    name: str
    iri: str
    url: str = ""
    label: str = ""
    licence: str = ""
    terms: str = ""
    example: str = ""
    method: Literal["GET", "POST"] = "POST"
    inner: tuple[str, ...] = ()
    timeout_s: float = 20.0
    max_mib: float = 16.0
    max_rows: int = 100_000
    max_bindings: int = 1_000
    batch_size: int = 50
    requests_per_s: float = 5.0
    concurrency: int = 2
    retries: int = 2
    breaker_failures: int = 5
    breaker_pause_s: float = 30.0
    cache_ttl_s: float = 3600.0
    is_private: bool = False
    takes_unbound: bool = False

    def __post_init__(self) -> None:
        """Fill in what follows from the rest, and refuse what cannot work.

        Raises:
            SettingsError: a value is of no use; the message names endpoint and key.
        """
        object.__setattr__(self, "url", self.url or self.iri)
        object.__setattr__(self, "label", self.label or self.name)
        if not _NAME.fullmatch(self.name):
            raise SettingsError(f"endpoint {self.name!r}: a name is lower-case letters, digits and hyphens")
        for key, value in (("iri", self.iri), *(("inner", each) for each in self.inner)):
            if not _IRI.fullmatch(value):
                raise SettingsError(f"endpoint {self.name}: {key} must be an absolute IRI, not {value!r}")
        if not _is_callable(self.url):
            raise SettingsError(
                f"endpoint {self.name}: url must be http://HOST... or https://HOST..., not {self.url!r}"
            )
        if self.method not in ("GET", "POST"):
            raise SettingsError(f"endpoint {self.name}: method must be GET or POST, not {self.method!r}")
        for key in ("timeout_s", "max_mib", "max_rows", "max_bindings", "batch_size", "requests_per_s", "concurrency"):
            if getattr(self, key) <= 0:
                raise SettingsError(f"endpoint {self.name}: {key} must be more than 0")
        for key in ("retries", "breaker_pause_s", "cache_ttl_s"):
            if getattr(self, key) < 0:
                raise SettingsError(f"endpoint {self.name}: {key} must not be negative")
        if self.breaker_failures < 1:
            raise SettingsError(f"endpoint {self.name}: breaker_failures must be 1 or more")

    @property
    def max_bytes(self) -> int:
        """The size of an answer beyond which it is cut off."""
        return int(self.max_mib * _MIB)


@dataclass(frozen=True, kw_only=True)
class AllowList:
    """The endpoints by the IRI that users write, and what is common to all requests."""

    endpoints: Mapping[str, OutsideEndpoint] = field(default_factory=dict)
    contact: str = ""
    cache_mib: float = 32.0

    def get(self, name: str) -> OutsideEndpoint:
        """The endpoint of that name.

        Raises:
            SettingsError: there is none; the message names the nearest.
        """
        names = {each.name: each for each in self.endpoints.values()}
        if name not in names:
            raise SettingsError(f"no endpoint {name!r}: {_suggest(name, names)}")
        return names[name]


def load_allowlist(path: Path) -> AllowList:
    """The allow-list in a file.

    The file has ``contact`` and ``cache_mib``, and a table ``[endpoints.NAME]`` for each endpoint whose keys are the
    fields of ``OutsideEndpoint``; its booleans are written ``private`` and ``unbound``.

    Raises:
        SettingsError: it cannot be read, or holds an unknown key, a wrong type or two endpoints with one IRI.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the allow-list {path} cannot be read: {error}") from error
    try:
        tables = _take(document, "endpoints", dict, {})
        values = _parse_values(document, {"contact": ("contact", "str"), "cache_mib": ("cache_mib", "float")})
        endpoints: dict[str, OutsideEndpoint] = {}
        for name, table in tables.items():
            endpoint = _parse_endpoint(name, table)
            if other := endpoints.get(endpoint.iri):
                raise SettingsError(f"endpoint {name}: {other.name} has the same iri")
            endpoints[endpoint.iri] = endpoint
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    return AllowList(endpoints=endpoints, **values)


_SPELLED: Final = {"is_private": "private", "takes_unbound": "unbound"}
_KEYS: Final = {
    _SPELLED.get(each.name, each.name): (each.name, str(each.type))
    for each in fields(OutsideEndpoint)
    if each.name != "name"
}


def _is_callable(url: str) -> bool:
    """Whether an address is one of HTTP, with a host, with a port if any, and without a user."""
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and has_port and parts.username is None


def _parse_endpoint(name: str, table: object) -> OutsideEndpoint:
    if not isinstance(table, dict):
        raise SettingsError(f"endpoint {name}: write [endpoints.{name}], and its keys below")
    try:
        values = _parse_values(table, _KEYS)
    except SettingsError as error:
        raise SettingsError(f"endpoint {name}: {error}") from error
    if "iri" not in values:
        raise SettingsError(f"endpoint {name}: iri is missing, the IRI that users write after SERVICE")
    return OutsideEndpoint(name=name, **values)


def _parse_values(table: dict[str, Any], keys: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in keys:
            raise SettingsError(f"unknown key {key!r}: {_suggest(key, keys)}")
        name, type_name = keys[key]
        values[name] = _check_type(key, value, type_name)
    return values


def _check_type(key: str, value: object, type_name: str) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match type_name:
        case "float" if is_number:
            return value
        case "int" if is_number and isinstance(value, int):
            return value
        case "bool" if isinstance(value, bool):
            return value
        case "tuple[str, ...]" if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        case _ if type_name not in ("float", "int", "bool", "tuple[str, ...]") and isinstance(value, str):
            return value.strip()
    kinds = {
        "float": "a number",
        "int": "a whole number",
        "bool": "true or false",
        "tuple[str, ...]": "a list of texts",
    }
    raise SettingsError(f"{key} must be {kinds.get(type_name, 'a text')}, not {value!r}")


def _take(document: dict[str, Any], key: str, kind: type, default: Any) -> Any:
    value = document.pop(key, default)
    if not isinstance(value, kind):
        raise SettingsError(f"{key!r} must be a table, [{key}.NAME] for each endpoint")
    return value


def _suggest(word: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known)) or 'none'}"
