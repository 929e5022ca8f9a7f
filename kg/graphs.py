"""The graphs of a release: ``graphs.json`` gives for each the number of its quads and the digest of its lines.

The digest is the SHA-256 of the graph's sorted canonical N-Quads, as that of the release is of all of them. Writers
name it to say which state they changed (RFC 9110, section 13.1.1).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kg.changes import iter_dump_lines, parse_graph
from kg.errors import ReleaseDamaged
from kg.manifest import CONTENT_NAME, DAMAGE_CURE

__all__ = ["GraphDigests", "GraphState", "find_state", "load_graphs", "measure_lines", "write_graphs"]

_GRAPHS_NAME: Final = "graphs.json"


@dataclass(frozen=True, slots=True)
class GraphState:
    """How many quads a graph holds, and the digest of their lines."""

    quads: int
    digest: str


class GraphDigests:
    """Takes the lines of any graphs, each graph's in their order, and knows the state of each in the end."""

    def __init__(self) -> None:
        self._digests: dict[bytes, hashlib._Hash] = {}
        self._quads: dict[bytes, int] = {}

    def add(self, line: bytes) -> None:
        """Take the next line."""
        end = line[line.rindex(b" <") :]
        digest = self._digests.get(end)
        if digest is None:
            digest = self._digests[end] = hashlib.sha256()
            self._quads[end] = 0
        digest.update(line)
        self._quads[end] += 1

    def states(self) -> dict[str, GraphState]:
        """The state of each graph, by its IRI."""
        return {
            parse_graph(end): GraphState(self._quads[end], digest.hexdigest())
            for end, digest in sorted(self._digests.items())
        }


def measure_lines(lines: Iterable[bytes]) -> GraphState:
    """The state of a graph with these sorted lines."""
    digest = hashlib.sha256()
    quads = 0
    for line in lines:
        digest.update(line)
        quads += 1
    return GraphState(quads, digest.hexdigest())


def find_state(states: Mapping[str, GraphState], graph: str) -> GraphState | None:
    """The state of a graph, None where it is not there; the default graph, whose name is empty, always is."""
    return states.get(graph) or (None if graph else measure_lines(()))


def write_graphs(states: Mapping[str, GraphState], release_path: Path) -> None:
    """Write ``graphs.json`` into the directory of a release."""
    record = {graph: {"quads": state.quads, "digest": state.digest} for graph, state in sorted(states.items())}
    (release_path / _GRAPHS_NAME).write_text(json.dumps(record) + "\n", encoding="utf-8")


def load_graphs(release_path: Path) -> dict[str, GraphState]:
    """The graphs of a release, by IRI; counted from its content where it is older than such files.

    Raises:
        ReleaseDamaged: the file is malformed, or there is none and the content cannot be read.
    """
    path = release_path / _GRAPHS_NAME
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {str(graph): GraphState(int(each["quads"]), str(each["digest"])) for graph, each in record.items()}
    except FileNotFoundError:
        digests = GraphDigests()
        for line in iter_dump_lines(release_path / CONTENT_NAME):
            digests.add(line)
        return digests.states()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseDamaged(f"{path}: no usable list of graphs ({error!r}); {DAMAGE_CURE}") from error
