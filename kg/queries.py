"""Stored queries and updates: .rq and .ru files with a flat ``#+ key: value`` header (STYLE 10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from kg.errors import QueryError, UnknownQuery

__all__ = ["KINDS", "QUERIES", "Query", "QueryDirectory", "load_directory", "load_query", "parse_query"]

KINDS: Final = frozenset(
    {"api", "competency", "construct", "describe", "infer", "lift", "link", "qc", "report", "seed"}
)
QUERIES: Final = Path(__file__).parent / "queries"
_MARK = "#+"


@dataclass(frozen=True, kw_only=True)
class Query:
    """One stored query or update, with what its header says.

    ``expect`` is what a test may demand (``rows``, ``no-rows``, ``true`` ...), ``params`` the variables that are
    bound from outside, ``notes`` every other header key (``problem``, ``solution``, ``severity``, ``source`` ...).
    """

    id: str
    summary: str
    kind: str
    params: tuple[str, ...]
    expect: str
    text: str
    path: Path
    notes: tuple[tuple[str, str], ...] = ()

    def find_note(self, key: str) -> str | None:
        """The value of another header key, if it is there."""
        return dict(self.notes).get(key)


@dataclass(frozen=True)
class QueryDirectory:
    """The queries of one directory and those below it, by id, in the order of their ids."""

    queries: tuple[Query, ...]

    def __iter__(self) -> Iterator[Query]:
        return iter(self.queries)

    def __len__(self) -> int:
        return len(self.queries)

    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(each.id for each in self.queries)

    def get(self, query_id: str) -> Query:
        """The query of that id.

        Raises:
            UnknownQuery: there is none; the message names the nearest ids.
        """
        for query in self.queries:
            if query.id == query_id:
                return query
        near = get_close_matches(query_id, self.ids(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(self.ids()) or 'none'}"
        raise UnknownQuery(f"no stored query {query_id!r}: {hint}")


def parse_query(text: str, path: Path) -> Query:
    r"""A query from the text of its file; the path serves messages and the file's place.

    Raises:
        QueryError: the header lacks ``id``, ``summary`` or ``kind``, names a key twice or an unknown kind.

    >>> parse_query("#+ id: cq-1\n#+ summary: Anything?\n#+ kind: competency\nASK WHERE {}", Path("cq-1.rq")).id
    'cq-1'
    """
    header: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith(_MARK):
            continue
        key, colon, value = line.removeprefix(_MARK).partition(":")
        key = key.strip()
        if not colon or not key:
            raise QueryError(f"{path}, line {number}: a header line reads '#+ key: value'")
        if key in header:
            raise QueryError(f"{path}, line {number}: {key!r} is given twice")
        header[key] = value.strip()
    missing = [key for key in ("id", "summary", "kind") if not header.get(key)]
    if missing:
        raise QueryError(f"{path}: the header lacks {', '.join(missing)}")
    if header["kind"] not in KINDS:
        raise QueryError(f"{path}: unknown kind {header['kind']!r}; use one of {', '.join(sorted(KINDS))}")
    known = ("id", "summary", "kind", "params", "expect")
    return Query(
        id=header["id"],
        summary=header["summary"],
        kind=header["kind"],
        params=tuple(header.get("params", "").split()),
        expect=header.get("expect", ""),
        text=text,
        path=path,
        notes=tuple((key, value) for key, value in header.items() if key not in known),
    )


def load_query(path: Path) -> Query:
    """The query or update in one file.

    Raises:
        QueryError: the file cannot be read or its header is incomplete.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{path}: {error}") from error
    return parse_query(text, path)


def load_directory(directory: Path) -> QueryDirectory:
    """All .rq and .ru files of a directory and those below it.

    Raises:
        QueryError: a header is incomplete, or two files have one id.
    """
    queries: dict[str, Query] = {}
    for path in sorted(each for each in directory.rglob("*.r[qu]") if each.is_file()):
        query = load_query(path)
        if query.id in queries:
            raise QueryError(f"{path}: the id {query.id!r} is taken by {queries[query.id].path}")
        queries[query.id] = query
    return QueryDirectory(tuple(queries[key] for key in sorted(queries)))
