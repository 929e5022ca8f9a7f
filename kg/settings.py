"""Settings of the build and of the command line, read once from the environment (STYLE 6)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path

from kg.errors import SettingsError

__all__ = ["KgSettings", "asset_directory", "load_settings"]

_PACKAGE = Path(__file__).resolve().parent
_OPEN_LICENCES = (
    "http://creativecommons.org/licenses/by/4.0/",
    "http://creativecommons.org/publicdomain/zero/1.0/",
    "http://dcat-ap.de/def/licenses/dl-by-de/2.0",
    "http://dcat-ap.de/def/licenses/dl-zero-de/2.0",
)


def asset_directory(name: str) -> Path:
    """The directory ``ontology``, ``shapes`` or ``data``: the checkout's, or the copy inside the wheel."""
    in_wheel = _PACKAGE / "assets" / name
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / name


@dataclass(frozen=True, kw_only=True)
class KgSettings:
    """Where the inputs and the releases are, and what may enter the default graph."""

    data_dir: Path = field(
        default_factory=lambda: asset_directory("data"), metadata={"help": "curated tables (shipped: `data/`)"}
    )
    ontology_dir: Path = field(
        default_factory=lambda: asset_directory("ontology"), metadata={"help": "ontology, schemes, prefixes, questions"}
    )
    shapes_dir: Path = field(default_factory=lambda: asset_directory("shapes"), metadata={"help": "SHACL shapes"})
    releases_dir: Path = field(default=Path("releases"), metadata={"help": "where releases are kept"})
    open_licences: tuple[str, ...] = field(
        default=_OPEN_LICENCES, metadata={"help": "licence IRIs, blank-separated, whose graphs enter the default graph"}
    )


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
        values[name] = tuple(text.split()) if name == "open_licences" else Path(text)
    values |= {name: value for name, value in arguments.items() if value is not None}
    return KgSettings(**values)  # type: ignore[arg-type]
