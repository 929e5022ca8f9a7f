"""Settings of the build and of the command line, read once from the environment (STYLE 6)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path

from kg.errors import SettingsError

__all__ = ["CatalogSettings", "KgSettings", "asset_directory", "load_settings", "read_secret"]

_PACKAGE = Path(__file__).resolve().parent
_IRI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_EMAIL = re.compile(r"[^\s<>\"{}|\\^`@]+@[^\s<>\"{}|\\^`@]+")
_OPEN_LICENCES = (
    "http://creativecommons.org/licenses/by/4.0/",
    "http://creativecommons.org/publicdomain/zero/1.0/",
    "http://dcat-ap.de/def/licenses/dl-by-de/2.0",
    "http://dcat-ap.de/def/licenses/dl-zero-de/2.0",
)

_DEFAULT_GRAPHS = ("merge", "own")
# What says how the graph is made from tables, and why that has no place in plain mode.
_CURATED = {
    "data_dir": "where nothing is built from tables",
    "open_licences": "where no graph is merged into another",
    "written_licence": "where nothing is said about graphs that are written",
}


def asset_directory(name: str) -> Path:
    """The directory ``ontology``, ``shapes`` or ``data``: the checkout's, or the copy inside the wheel."""
    in_wheel = _PACKAGE / "assets" / name
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / name


@dataclass(frozen=True, kw_only=True)
class CatalogSettings:
    """Who publishes the catalogue, and how to reach them; empty is not stated.

    ``publisher_type`` and ``contributor_id`` are claims that only some may make: a public body of that level, and a
    supplier that GovData has given an id. So both have no default.
    """

    publisher_name: str = "The CHAP maintainers"
    publisher_iri: str = "https://w3id.org/chap/maintainers"
    publisher_type: str = ""
    contact_email: str = ""
    contact_url: str = ""
    contributor_id: str = ""


@dataclass(frozen=True, kw_only=True)
class KgSettings:
    """Where the inputs and the releases are, what may enter the default graph, and who publishes it."""

    data_dir: Path = field(
        default_factory=lambda: asset_directory("data"), metadata={"help": "curated tables (shipped: `data/`)"}
    )
    ontology_dir: Path = field(
        default_factory=lambda: asset_directory("ontology"), metadata={"help": "ontology, schemes, prefixes, questions"}
    )
    shapes: Path | None = field(
        default_factory=lambda: asset_directory("shapes"),
        metadata={"help": "folder with the SHACL shapes, or `none` (plain mode)"},
    )
    default_graph: str = field(
        default="merge",
        metadata={"help": "`merge` of the graphs under an open licence, or `own`, an ordinary one (plain mode)"},
    )
    releases_dir: Path = field(default=Path("releases"), metadata={"help": "where releases are kept"})
    open_licences: tuple[str, ...] = field(
        default=_OPEN_LICENCES, metadata={"help": "licence IRIs, blank-separated, whose graphs enter the default graph"}
    )
    written_licence: str = field(
        default=_OPEN_LICENCES[0], metadata={"help": "licence IRI of graphs that are written over HTTP"}
    )
    publisher_name: str = field(
        default=CatalogSettings.publisher_name, metadata={"help": "who publishes the catalogue and is to be named"}
    )
    publisher_iri: str = field(default=CatalogSettings.publisher_iri, metadata={"help": "IRI of the publisher"})
    publisher_type: str = field(
        default="", metadata={"help": "ADMS publisher type, where the publisher is a public body"}
    )
    contact_email: str = field(default="", metadata={"help": "e-mail address for questions about the data"})
    contact_url: str = field(
        default="", metadata={"help": "page for questions about the data (default: `/about` of the server)"}
    )
    contributor_id: str = field(
        default="", metadata={"help": "`dcatde:contributorID`, once GovData has given one to the publisher"}
    )

    def __post_init__(self) -> None:
        """Refuse what cannot stand in a catalogue.

        Raises:
            SettingsError: an IRI is none, an e-mail address is none, or settings of both modes are mixed.
        """
        self._check_mode()
        for name in ("publisher_iri", "publisher_type", "contact_url", "contributor_id", "written_licence"):
            if not _IRI.fullmatch(getattr(self, name) or "x:x"):
                raise SettingsError(f"KG_{name.upper()} must be an IRI, not {getattr(self, name)!r}")
        if self.contact_email and not _EMAIL.fullmatch(self.contact_email):
            raise SettingsError(f"KG_CONTACT_EMAIL must be an e-mail address, not {self.contact_email!r}")

    def _check_mode(self) -> None:
        if self.default_graph not in _DEFAULT_GRAPHS:
            raise SettingsError(
                f"KG_DEFAULT_GRAPH must be one of {', '.join(_DEFAULT_GRAPHS)}, not {self.default_graph!r}"
            )
        if self.is_plain and self.shapes is not None:
            raise SettingsError(
                "KG_DEFAULT_GRAPH=own makes a plain dataset, which no shapes judge: set KG_SHAPES=none as well"
            )
        if not self.is_plain and self.shapes is None:
            raise SettingsError(
                "KG_SHAPES=none would publish what nobody has judged: set KG_DEFAULT_GRAPH=own as well, for a plain "
                "dataset, or name the folder with the shapes"
            )
        for name, why in _CURATED.items() if self.is_plain else ():
            if getattr(self, name) != _find_default(name):
                raise SettingsError(f"KG_{name.upper()} means nothing with KG_DEFAULT_GRAPH=own, {why}: leave it out")

    @property
    def is_plain(self) -> bool:
        """Whether this is an ordinary dataset: nothing is built, inferred, merged or judged (decision 0032)."""
        return self.default_graph == "own"

    @property
    def shapes_dir(self) -> Path:
        """The folder with the shapes.

        Raises:
            SettingsError: there is none, in plain mode.
        """
        if self.shapes is None:
            raise SettingsError("in plain mode nothing is judged: unset KG_DEFAULT_GRAPH and KG_SHAPES first")
        return self.shapes

    @property
    def catalog(self) -> CatalogSettings:
        """Who publishes the catalogue."""
        return CatalogSettings(**{each.name: getattr(self, each.name) for each in fields(CatalogSettings)})


def load_settings(environ: Mapping[str, str] | None = None, **arguments: object) -> KgSettings:
    """Settings from arguments, then ``KG_*`` variables, then defaults.

    Args:
        environ: the environment; ``os.environ`` when left out.
        arguments: values from the command line; ``None`` means not given.

    Raises:
        SettingsError: a ``KG_`` variable has a name that no setting has, or is empty.

    >>> load_settings({"KG_RELEASES_DIR": "out"}).releases_dir.name
    'out'
    """
    environ = os.environ if environ is None else environ
    known = {f"KG_{each.name.upper()}": each for each in fields(KgSettings)}
    values: dict[str, object] = {}
    for variable, text in environ.items():
        if not variable.startswith("KG_"):
            continue
        if variable not in known:
            near = get_close_matches(variable, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            raise SettingsError(f"unknown setting {variable}: {hint}")
        name = known[variable].name
        if not text.strip():
            # An empty path would mean the working directory, and no licence an empty default graph.
            raise SettingsError(f"{variable} is empty: unset it for the default, or give it a value")
        values[name] = _parse_value(text, str(known[variable].type))
    values |= {name: value for name, value in arguments.items() if value is not None}
    return KgSettings(**values)  # type: ignore[arg-type]


def read_secret(variable: str, environ: Mapping[str, str] | None = None) -> str:
    """The secret in an environment variable that the command line names.

    Raises:
        SettingsError: there is none.

    >>> read_secret("TOKEN", {"TOKEN": "abc"})
    'abc'
    """
    secret = (os.environ if environ is None else environ).get(variable, "").strip()
    if not secret:
        raise SettingsError(f"the environment variable {variable}, which should hold a secret, is not set")
    return secret


def _parse_value(text: str, type_name: str) -> object:
    match type_name:
        case "str":
            return text.strip()
        case "Path | None":
            return None if text.strip() == "none" else Path(text)
        case "Path":
            return Path(text)
        case _:
            return tuple(text.split())


def _find_default(name: str) -> object:
    setting = next(each for each in fields(KgSettings) if each.name == name)
    return setting.default if setting.default_factory is MISSING else setting.default_factory()
