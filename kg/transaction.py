"""Transaction: one validated change of written graphs, as a small release; or nothing, and nothing has happened.

A candidate is made of the current release, changed, brought in order (provenance, inferences, default graph), validated
as far as the change reaches, and published (ARCHITECTURE, "A write is a small release"). Dumps and descriptions follow
later (kg.complete).
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import pyoxigraph as ox

from kg.assemble import open_gzip
from kg.candidate import Apply, Candidate, create_candidate
from kg.changes import Change, iter_dump_lines, split_line, write_patch
from kg.checksums import Digests, examine_store, find_shared, load_checksums, write_checksums
from kg.commit import commit_release, find_next_sequence, make_workspace, recover
from kg.content import change_content
from kg.curation import Writer, find_curation
from kg.draft import Delta
from kg.errors import PreconditionFailed, ReleaseNotFound, StoreDamaged
from kg.graphs import GraphState, find_state, load_graphs, measure_lines, write_graphs
from kg.journal import find_instant
from kg.lock import lock_releases
from kg.manifest import (
    CHANGES_NAME,
    CONTENT_NAME,
    DAMAGE_CURE,
    MANIFEST_NAME,
    PENDING_NAME,
    REPORT_NAME,
    STORE_NAME,
    write_manifest,
)
from kg.rdfio import iter_sorted_lines
from kg.release import Release, Releases, check_mode
from kg.report import Report
from kg.settings import KgSettings
from kg.store import drop_notes, is_damage, open_read_only

__all__ = ["Expected", "Outcome", "Write", "Writer", "write"]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The state in which a client expects a graph: one of these digests, or (``any``) there at all; or not so.

    If-Match and If-None-Match (RFC 9110, section 13.1).
    """

    graph: str
    digests: frozenset[str]
    any: bool
    negated: bool

    def check(self, state: GraphState | None) -> None:
        """Make sure that it is so.

        Raises:
            PreconditionFailed: the graph is in another state.
        """
        fits = state is not None and (self.any or state.digest in self.digests)
        if fits == self.negated:
            name = f"<{self.graph}>" if self.graph else "the default graph"
            now = "is not there" if state is None else f"has the digest {state.digest}"
            raise PreconditionFailed(f"{name} {now}: fetch it again, and make your change to what it is now")


@dataclass(frozen=True, kw_only=True)
class Write:
    """What is to be done: the change, by whom, what it counts on, and whether it is only tried."""

    apply: Apply
    writer: Writer
    expected: tuple[Expected, ...] = ()
    is_dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        release: the current release: a new one, or the one before where nothing changed or was published.
        is_new: whether it was made by this write.
        report: the findings about what the change concerns.
        added: how many quads came to each written graph.
        removed: how many went.
        before: all graphs as they were.
        after: all graphs as they are now, or would be.
        timings: how many milliseconds each step took, in the order of the steps.
    """

    release: Release
    is_new: bool
    report: Report
    added: int
    removed: int
    before: Mapping[str, GraphState]
    after: Mapping[str, GraphState]
    timings: Mapping[str, float]


def write(settings: KgSettings, work: Write, *, on_commit: Callable[[], None]) -> Outcome:
    """What came of a change: published, or, where the report has violations, not.

    Args:
        settings: where ontology, shapes and releases are.
        work: what is to be done.
        on_commit: called when all is well and nothing but publishing is left.

    Raises:
        ReleaseNotFound: nothing is published yet.
        PreconditionFailed: a graph is not in the state that was expected.
        SettingsError: what is published is of the other mode than the settings.
        GraphReadOnly: the change touches the default graph, or a named graph that is made from something else.
        WriteForbidden: it touches a graph that is not for this writer.
        WriteInvalid: it brings what a release does not hold.
        StoreDamaged: the store of the current release is.
        EngineFailed: nothing is known about the candidate.
        ReleaseError: another change is going on, or a file cannot be written.
    """
    root = settings.releases_dir
    with lock_releases(root):
        recover(root)
        base = Releases(root).current()
        if base is None:
            raise ReleaseNotFound(f"no release in {root} yet: run 'kg build' first")
        check_mode(base, is_plain=settings.is_plain)
        _check_store(base)
        states = load_graphs(base.path)
        for expected in work.expected:
            expected.check(find_state(states, expected.graph))
        with make_workspace(root) as workspace:
            assembled = workspace / "release"
            assembled.mkdir()
            try:
                return _Transaction(settings, work, base, states, assembled).run(on_commit)
            except (OSError, RuntimeError) as error:
                if is_damage(error, is_writing=True):
                    raise StoreDamaged(f"{base.path}: the store cannot be read: {error}; {DAMAGE_CURE}") from error
                raise


def _check_store(base: Release) -> None:
    """Make sure that the engine has the store before it that it should: it would do with less of it, silently."""
    sums = load_checksums(base.path)
    for what in () if sums is None else examine_store(base.path, sums, Digests(), is_quick=True):
        raise StoreDamaged(f"{what}; {DAMAGE_CURE}")


class _Transaction:
    """One write, between taking the lock and giving it back."""

    def __init__(
        self, settings: KgSettings, work: Write, base: Release, states: dict[str, GraphState], assembled: Path
    ) -> None:
        self._settings = settings
        self._curation = find_curation(settings)
        self._work = work
        self._base = base
        self._states = states
        self._assembled = assembled
        self._timings: dict[str, float] = {}
        self._lap_start = time.perf_counter()

    def _end_lap(self, name: str) -> None:
        now = time.perf_counter()
        self._timings[name] = (now - self._lap_start) * 1000
        self._lap_start = now

    def run(self, on_commit: Callable[[], None]) -> Outcome:
        manifest = self._base.manifest
        candidate = create_candidate(
            open_read_only(self._base.store_path),
            self._assembled / STORE_NAME,
            open_licences=manifest.open_licences,
        )
        self._end_lap("copy")
        candidate.apply(self._work.apply)
        self._curation.check_rights(candidate, self._work.writer)
        written = sorted(candidate.delta.graphs)
        added, removed = len(candidate.delta.added), len(candidate.delta.removed)
        if candidate.delta:
            self._curation.settle(candidate, self._work.writer)
        self._end_lap("apply")
        report = self._curation.judge(candidate, manifest, end_lap=self._end_lap)
        after = self._find_states(candidate)

        def conclude(release: Release, *, is_new: bool) -> Outcome:
            return Outcome(
                release=release,
                is_new=is_new,
                report=report,
                added=added,
                removed=removed,
                before=self._states,
                after=after,
                timings=self._timings,
            )

        if not candidate.delta or report.violations or self._work.is_dry_run:
            return conclude(self._base, is_new=False)
        self._end_lap("compare")
        candidate.store.flush()
        release_id, instant = self._assemble(candidate, after, report, written), find_instant()
        del candidate
        drop_notes(self._assembled / STORE_NAME)
        write_checksums(self._assembled, known=find_shared(self._assembled, self._base.path))
        self._end_lap("assemble")
        on_commit()
        root = self._settings.releases_dir
        commit_release(root, self._assembled, release_id=release_id, action="write", instant=instant)
        self._end_lap("swap")
        return conclude(Releases(root).get(release_id), is_new=True)

    def _find_states(self, candidate: Candidate) -> dict[str, GraphState]:
        """The states of all graphs with the change made."""
        states = dict(self._states)
        for graph in candidate.delta.graphs:
            lines = self._iter_graph(candidate, graph) if graph else self._iter_default(candidate.delta)
            state = measure_lines(lines)
            if state.quads:
                states[graph] = state
            else:
                states.pop(graph, None)
        return states

    def _iter_graph(self, candidate: Candidate, graph: str) -> Iterator[bytes]:
        return self._sort(candidate.store.quads_for_pattern(None, None, None, ox.NamedNode(graph)))

    def _iter_default(self, delta: Delta) -> Iterator[bytes]:
        """The lines of a default graph of its own, from those before: it may be most of the dataset."""
        added, removed = (
            [line for line in self._sort(quads) if not split_line(line)[1]] for quads in (delta.added, delta.removed)
        )
        gone = frozenset(removed)
        before = iter_dump_lines(self._base.content_path)
        stayed = (line for line in before if not split_line(line)[1] and line not in gone)
        return heapq.merge(stayed, added)

    def _sort(self, quads: Iterable[ox.Quad]) -> Iterator[bytes]:
        return iter_sorted_lines(quads, is_plain=self._settings.is_plain)

    def _assemble(
        self, candidate: Candidate, states: Mapping[str, GraphState], report: Report, written: Sequence[str]
    ) -> str:
        """The id of the release, once its files are there."""
        delta = candidate.delta
        changes = sorted(
            [
                *(Change("A", line) for line in self._sort(delta.added)),
                *(Change("D", line) for line in self._sort(delta.removed)),
            ],
            key=lambda each: each.line,
        )
        with (self._assembled / CONTENT_NAME).open("wb") as output:
            content_digest = change_content(
                self._base.content_path, changes, output, quads=self._base.manifest.statements
            )
        sequence = find_next_sequence(self._settings.releases_dir)
        release_id = f"{sequence:04d}-{content_digest[:8]}"
        with open_gzip(self._assembled / CHANGES_NAME) as output:
            write_patch(changes, output, release=release_id, parent=self._base.id)
        write_graphs(states, self._assembled)
        (self._assembled / REPORT_NAME).write_bytes(report.to_turtle())
        (self._assembled / PENDING_NAME).touch()
        before = self._base.manifest
        manifest = replace(
            before,
            id=release_id,
            sequence=sequence,
            parent=self._base.id,
            digest=content_digest,
            counts=candidate.count(before.counts, graphs=sum(1 for graph in states if graph)),
            versions={"chap-kg": version("chap-kg"), "pyoxigraph": ox.__version__},
            has_changes=True,
            has_checksums=True,
            extra={
                **before.extra,
                **self._curation.describe(),
                "report": report.summary(),
                "write": {"by": self._work.writer.name, "graphs": written},
            },
        )
        write_manifest(manifest, self._assembled / MANIFEST_NAME)
        return release_id
