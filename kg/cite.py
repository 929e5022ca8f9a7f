"""How to cite a release: one record, written as a sentence, as BibTeX or as CSL-JSON.

The persistent address names the release itself, and the digest its content (kg.rdfio), so whoever has the same digest
has the same statements.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from kg.queries import QUERIES, load_query
from kg.release import Release, Releases
from kg.terms import mint_dataset, mint_release

__all__ = ["CITATION_FORMATS", "Citation", "load_citation", "make_citation", "write_bibtex", "write_csl", "write_text"]

_WHOLE: Final = mint_dataset("chap")
# What BibTeX and TeX read as something else than itself.
_TEX: Final = str.maketrans(
    {each: f"\\{each}" for each in "&%$#_{}"}
    | {"~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "\\": "\\textbackslash{}"}
)


@dataclass(frozen=True, kw_only=True)
class Citation:
    """What names a release for ever.

    ``issued`` is the day (UTC) on which it was first published, ``licence`` (empty where none is stated) and
    ``address`` are IRIs, ``digest`` is the SHA-256 of its sorted N-Quads.
    """

    title: str
    publisher: str
    version: str
    issued: date
    licence: str
    address: str
    digest: str


def load_citation(releases: Releases, release: Release, *, language: str) -> Citation:
    """The citation of a release, from its store, its manifest and the journal.

    Raises:
        ReleaseDamaged: the store or the manifest cannot be read.
    """
    # Imported here, since the server's process must not load the engine (decision 0008), and asks its workers instead.
    from pyoxigraph import NamedNode  # noqa: PLC0415

    from kg.store import evaluate_query, open_read_only  # noqa: PLC0415

    query = load_query(QUERIES / "cite" / "cited-dataset.rq")
    store = open_read_only(release.store_path)
    rows = [
        {name: str(row[name].value) for name in ("title", "language", "licence")}
        for row in evaluate_query(store, query.text, substitutions={"dataset": NamedNode(_WHOLE)})  # type: ignore[union-attr]
    ]
    journal = releases.journal()
    issued = journal[journal.find_places(release.id)[0]].instant
    return make_citation(release, rows, issued=issued, language=language)


def make_citation(release: Release, rows: Iterable[Mapping[str, str]], *, issued: str, language: str) -> Citation:
    """The citation of a release, in a language or, where there is no title in it, in another.

    Args:
        release: what is cited.
        rows: its titles (``title``, ``language``, ``licence``), as the query ``cited-dataset`` gives them.
        issued: the instant of its first line in the journal.
        language: the language of the title.
    """
    found = sorted(rows, key=lambda row: row["language"] != language)
    publisher = release.manifest.extra.get("catalog")
    return Citation(
        title=found[0]["title"] if found else "CHAP",
        publisher=str(publisher.get("publisher_name", "")) if isinstance(publisher, Mapping) else "",
        version=release.id,
        issued=date.fromisoformat(issued[:10]),
        licence=found[0]["licence"] if found else "",
        address=mint_release(release.id),
        digest=release.digest,
    )


def write_text(citation: Citation) -> str:
    """One sentence after another, in the order of DataCite's recommended citation: creator, year, title, version."""
    author = f"{citation.publisher} ({citation.issued.year}): " if citation.publisher else ""
    release = f"Release {citation.version}, {citation.issued.isoformat()}"
    return f"{author}{citation.title}. {release}. {citation.address}. {_note(citation)}.\n"


def write_bibtex(citation: Citation) -> str:
    """An entry for BibTeX and BibLaTeX."""
    publisher = citation.publisher.translate(_TEX)
    fields = {
        "author": f"{{{publisher}}}",
        "title": f"{{{citation.title.translate(_TEX)}}}",
        "year": str(citation.issued.year),
        "month": str(citation.issued.month),
        "version": citation.version,
        "publisher": publisher,
        "url": citation.address,
        "note": _note(citation).translate(_TEX),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value not in ("", "{}")]
    return "\n".join([f"@misc{{chap-{citation.version},", *lines, "}"]) + "\n"


def write_csl(citation: Citation) -> str:
    """A list of one item of CSL-JSON (https://github.com/citation-style-language/schema, data schema 1.0)."""
    issued = citation.issued
    item: dict[str, object] = {
        "id": f"chap-{citation.version}",
        "type": "dataset",
        "title": citation.title,
        "version": citation.version,
        "issued": {"date-parts": [[issued.year, issued.month, issued.day]]},
        "URL": citation.address,
        "note": _note(citation),
    }
    if citation.publisher:
        item |= {"author": [{"literal": citation.publisher}], "publisher": citation.publisher}
    return json.dumps([item], indent=2, ensure_ascii=False) + "\n"


def _note(citation: Citation) -> str:
    licence = f"Licence: {citation.licence}. " if citation.licence else ""
    return f"{licence}SHA-256: {citation.digest}"


CITATION_FORMATS: Final[Mapping[str, Callable[[Citation], str]]] = MappingProxyType(
    {"text": write_text, "bibtex": write_bibtex, "csl-json": write_csl}
)
