"""Settings of the server, read once from the environment and from the command line (STYLE 6)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from endpoint.http.clients import parse_networks
from kg.errors import SettingsError
from kg.settings import asset_directory

__all__ = [
    "LANGUAGES",
    "EndpointSettings",
    "load_settings",
    "read_secret",
    "server_environment",
    "worker_environment",
    "writer_environment",
]

LANGUAGES = ("de", "en")
_PREFIX = "ENDPOINT_"
_CORES = os.cpu_count() or 1
_LEAST_WRITE_MIB = 1024
# What a worker process needs of the environment; secrets of the server are not among it.
_WORKER_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV")

# The engine asks for much small memory and gives it back at once: where glibc keeps it, a look-up costs a tenth less.
_WORKER_MEMORY = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=200:glibc.malloc.trim_threshold=100000000"}


@dataclass(frozen=True, kw_only=True)
class EndpointSettings:
    """Where the server listens, what it serves, and the limits it keeps."""

    host: str = field(default="127.0.0.1", metadata={"help": "address to listen on"})
    port: int = field(default=8000, metadata={"help": "port to listen on"})
    releases_dir: Path = field(default=Path("releases"), metadata={"help": "where the releases are"})
    ontology_dir: Path = field(
        default_factory=lambda: asset_directory("ontology"), metadata={"help": "where `prefixes.ttl` is"}
    )
    public_url: str = field(default="", metadata={"help": "address users see, for links (default: http://HOST:PORT)"})
    default_language: str = field(
        default="en", metadata={"help": "language of pages when a browser asks for none of ours"}
    )
    query_workers: int = field(default=max(2, 2 * _CORES), metadata={"help": "processes ready for queries"})
    query_long_workers: int = field(
        default=max(1, _CORES),
        metadata={"help": "further processes for queries that take long; as many again for results on their way"},
    )
    query_long_after_s: float = field(default=1.0, metadata={"help": "seconds after which a query counts as long"})
    query_timeout_s: float = field(default=30.0, metadata={"help": "seconds after which a query is stopped"})
    query_memory_mib: int = field(default=1024, metadata={"help": "memory of one query, in MiB"})
    query_idle_memory_mib: int = field(
        default=256, metadata={"help": "memory that an idle process may keep, in MiB; one with more is replaced"}
    )
    query_queue: int = field(default=64, metadata={"help": "queries that may wait for a process"})
    query_queue_wait_s: float = field(default=5.0, metadata={"help": "seconds a query waits for a process"})
    query_max_kib: int = field(default=256, metadata={"help": "length of a query, in KiB"})
    query_max_depth: int = field(default=200, metadata={"help": "brackets in a query that may stand inside each other"})
    query_max_operators: int = field(
        default=600, metadata={"help": "operators that a query may chain in one pair of brackets"}
    )
    query_max_result_mib: int = field(default=2048, metadata={"help": "size of a result, in MiB; beyond it is cut off"})
    client_budget_s: float = field(
        default=120.0, metadata={"help": "query seconds that one address may spend before it has to wait"}
    )
    client_earned_per_s: float = field(
        default=0.5, metadata={"help": "query seconds that an address earns back in a second"}
    )
    client_ipv4_prefix: int = field(
        default=32, metadata={"help": "leading bits of an IPv4 address: addresses that share them are one client"}
    )
    client_ipv6_prefix: int = field(
        default=64, metadata={"help": "leading bits of an IPv6 address: addresses that share them are one client"}
    )
    client_least_kib_per_s: float = field(
        default=32.0,
        metadata={"help": "KiB of a result that are read in a second; slower readers are cut off when others wait"},
    )
    client_patience_s: float = field(default=5.0, metadata={"help": "seconds over which that rate is taken"})
    trusted_proxies: str = field(
        default="", metadata={"help": "addresses or networks, blank-separated, whose `X-Forwarded-For` is believed"}
    )
    federation_file: str = field(
        default="",
        metadata={
            "help": "allow-list of endpoints that SERVICE may name (TOML); `shipped` is that of CHAP, unset is none"
        },
    )
    federation_unfenced: bool = field(
        default=False,
        metadata={
            "help": "`true` allows SERVICE where the kernel puts no fence around query processes: "
            "what gets past the check of a query there, reaches all that this machine reaches"
        },
    )
    cache_mib: int = field(default=64, metadata={"help": "memory for answers that were given once, in MiB"})
    log_queries: bool = field(default=False, metadata={"help": "`true` logs every query, as a line of JSON"})
    slow_query_s: float = field(default=10.0, metadata={"help": "seconds from which a query is logged as slow"})
    log_query_text: bool = field(default=False, metadata={"help": "`true` logs the text of slow queries"})
    remote_sparql_url: str = field(
        default="", metadata={"help": "SPARQL endpoint of another engine that answers in place of the query processes"}
    )
    remote_authorization_file: str = field(
        default="", metadata={"help": "file with the `Authorization` header for that engine, such as `Bearer ...`"}
    )
    remote_connections: int = field(default=32, metadata={"help": "queries that engine is asked at the same time"})
    tokens_file: Path = field(
        default=Path("tokens.json"), metadata={"help": "digests of the tokens that may write; `kg token` changes it"}
    )
    write_max_mib: int = field(default=64, metadata={"help": "size of an RDF document that is written, in MiB"})
    write_timeout_s: float = field(default=60.0, metadata={"help": "seconds after which a write is stopped"})
    write_memory_mib: int = field(default=2048, metadata={"help": "memory of one write, in MiB"})
    write_max_depth: int = field(
        default=100, metadata={"help": "brackets or elements in an RDF document that may stand inside each other"}
    )
    write_queue: int = field(default=32, metadata={"help": "writes that may wait for their turn"})
    max_body_mib: int = field(default=2, metadata={"help": "size of a request body, in MiB"})

    def __post_init__(self) -> None:
        """Refuse values that cannot work together.

        Raises:
            SettingsError: a value is out of range or contradicts another.
        """
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"ENDPOINT_PORT must be between 0 and 65535, not {self.port}")
        if self.default_language not in LANGUAGES:
            raise SettingsError(f"ENDPOINT_DEFAULT_LANGUAGE must be one of {', '.join(LANGUAGES)}")
        for each in fields(self):
            value = getattr(self, each.name)
            if (
                each.name.startswith(("query_", "max_", "client_", "cache_", "slow_", "write_", "remote_connections"))
                and value <= 0
            ):
                raise SettingsError(f"{_PREFIX}{each.name.upper()} must be more than 0, not {value}")
        if self.client_ipv4_prefix > 32 or self.client_ipv6_prefix > 128:
            raise SettingsError("ENDPOINT_CLIENT_IPV4_PREFIX is at most 32, ENDPOINT_CLIENT_IPV6_PREFIX at most 128")
        if self.query_max_kib > self.max_body_mib * 1024:
            raise SettingsError("ENDPOINT_QUERY_MAX_KIB is larger than ENDPOINT_MAX_BODY_MIB lets a request be")
        if self.write_memory_mib < _LEAST_WRITE_MIB:
            raise SettingsError(f"ENDPOINT_WRITE_MEMORY_MIB must be {_LEAST_WRITE_MIB} or more: engines map much")
        try:
            parse_networks(self.trusted_proxies)
        except ValueError as error:
            raise SettingsError(f"ENDPOINT_TRUSTED_PROXIES holds no address or network: {error}") from error
        for name in ("public_url", "remote_sparql_url"):
            if (url := getattr(self, name)) and urlsplit(url).scheme not in ("http", "https"):
                raise SettingsError(f"{_PREFIX}{name.upper()} must start with http:// or https://")
        if "@" in urlsplit(self.remote_sparql_url).netloc:
            raise SettingsError(
                "ENDPOINT_REMOTE_SPARQL_URL must hold no password: use ENDPOINT_REMOTE_AUTHORIZATION_FILE"
            )

    @property
    def base_url(self) -> str:
        """The address that users see, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")


def load_settings(environ: Mapping[str, str] | None = None, **arguments: object) -> EndpointSettings:
    """Settings from arguments, then ``ENDPOINT_*`` variables, then defaults.

    Args:
        environ: the environment; ``os.environ`` when left out.
        arguments: values from the command line; ``None`` means not given.

    Raises:
        SettingsError: a variable has an unknown name or a value of the wrong type.

    >>> load_settings({"ENDPOINT_PORT": "8080"}).port
    8080
    """
    environ = os.environ if environ is None else environ
    known = {_PREFIX + each.name.upper(): each for each in fields(EndpointSettings)}
    values: dict[str, object] = {}
    for variable, text in environ.items():
        if not variable.startswith(_PREFIX):
            continue
        if variable not in known:
            near = get_close_matches(variable, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            raise SettingsError(f"unknown setting {variable}: {hint}")
        values[known[variable].name] = _parse_value(variable, text, str(known[variable].type))
    values |= {name: value for name, value in arguments.items() if value is not None}
    return EndpointSettings(**values)  # type: ignore[arg-type]


def read_secret(path: str) -> str | None:
    """The secret in a file, without the white space around it; None where no file is named.

    Raises:
        SettingsError: it cannot be read, or holds more than one line.
    """
    if not path:
        return None
    try:
        secret = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the secret cannot be read: {error}") from error
    if not secret or not secret.isprintable():
        raise SettingsError(f"{path} must hold one line, the value of a header")
    return secret


def server_environment(settings: EndpointSettings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that gives a new process these settings.

    >>> server_environment(EndpointSettings(port=8080), {})["ENDPOINT_PORT"]
    '8080'
    """
    environ = os.environ if environ is None else environ
    return dict(environ) | {
        f"{_PREFIX}{each.name.upper()}": str(getattr(settings, each.name)) for each in fields(settings)
    }


def worker_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a query worker: what Python needs to start, and nothing that is secret."""
    environ = os.environ if environ is None else environ
    return {name: environ[name] for name in _WORKER_VARIABLES if name in environ} | _WORKER_MEMORY


def writer_environment(settings: EndpointSettings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process that makes releases: that of a worker, and the settings of the build."""
    environ = os.environ if environ is None else environ
    return (
        worker_environment(environ)
        | {name: value for name, value in environ.items() if name.startswith("KG_")}
        | {
            "KG_RELEASES_DIR": str(settings.releases_dir.resolve()),
            "KG_ONTOLOGY_DIR": str(settings.ontology_dir.resolve()),
        }
    )


def _parse_value(variable: str, text: str, type_name: str) -> object:
    if type_name == "bool":
        if text.lower() not in ("true", "false"):
            raise SettingsError(f"{variable} must be true or false, not {text!r}")
        return text.lower() == "true"
    parsers = {"int": int, "float": float, "Path": Path, "str": str}
    try:
        return parsers[type_name](text)
    except ValueError as error:
        raise SettingsError(f"{variable} must be a number ({type_name}), not {text!r}") from error
