"""The engine, in a process of its own: a text may keep it busy for ever, or end it."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import Connection
from typing import Final, Literal, TypeAlias

import pyoxigraph as ox

from endpoint.reader.update import read_update
from endpoint.writes.evaluate import carry_out
from kg.draft import Draft
from kg.errors import KgError, QuerySyntaxError

__all__ = ["BASE", "Engine", "Outcome", "run_engine"]

BASE: Final = "http://base.example/sparql"
# What came of a text: its rows, why there are none, or that the engine did not come to an end.
Outcome: TypeAlias = tuple[Literal["rows", "syntax", "error", "stopped"], tuple[str, ...]]

_DATA: Final = """INSERT DATA {
  <urn:x> <urn:p> <urn:y> , 1 . <urn:y> a <urn:g>
  GRAPH <urn:g> { <urn:x> <urn:q> 'a'@en } GRAPH <urn:h> { <http://e.example/x> <urn:p> 2 }
}"""
_MOST_ROWS: Final = 300
# Two stores name their blank nodes otherwise.
_BLANK: Final = re.compile(r"_:\w+")
_PATIENCE_S: Final = 2.0


class Engine:
    """Carries out texts, each on the same data; a process that does not come back is ended and replaced."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self.stopped = 0
        self._start()

    def query(self, text: str) -> Outcome:
        return self._ask("query", text)

    def update(self, text: str) -> Outcome:
        """The quads after an update by the engine alone."""
        return self._ask("update", text)

    def carry_out(self, text: str) -> Outcome:
        """The quads after an update whose operations the reader found and the writer carried out."""
        return self._ask("carry-out", text)

    def close(self) -> None:
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        self._ours, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def _ask(self, verb: str, text: str) -> Outcome:
        try:
            self._ours.send((verb, text))
            if self._ours.poll(_PATIENCE_S + 20 * (not self._is_warm)):
                self._is_warm = True
                found: Outcome = self._ours.recv()
                return found
        except (EOFError, OSError):
            pass
        self.stopped += 1
        self.close()
        self._start()
        self._is_warm = False
        return ("stopped", ())

    _is_warm = False


@contextmanager
def run_engine() -> Iterator[Engine]:
    engine = Engine()
    try:
        yield engine
    finally:
        engine.close()


def _serve(connection: Connection) -> None:
    while True:
        try:
            verb, text = connection.recv()
        except EOFError:
            return
        connection.send(_carry_out(verb, text))


def _carry_out(verb: str, text: str) -> Outcome:
    store = ox.Store()
    store.update(_DATA)
    try:
        if verb == "query":
            result = store.query(text, base_iri=BASE)
            rows = (str(result),) if isinstance(result, ox.QueryBoolean) else islice(map(str, result), _MOST_ROWS)
            return ("rows", tuple(sorted(rows)))
        if verb == "update":
            store.update(text, base_iri=BASE)
        else:
            carry_out(read_update(text, base=BASE), Draft(store))
        return ("rows", tuple(sorted(_BLANK.sub("_:b", str(quad)) for quad in store)))
    except (SyntaxError, QuerySyntaxError) as error:
        return ("syntax", (getattr(error, "msg", None) or str(error),))
    except (OSError, RuntimeError, ValueError, KgError) as error:
        return ("error", (str(error),))
