"""Build: the stages joined; tables and ontology go in, a validated release comes out, or nothing does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from logging import getLogger
from typing import TYPE_CHECKING, Final

from kg.describe import describe
from kg.errors import PublishRefused, ReleaseDamaged, ReleaseOvertaken, SourceError
from kg.infer import infer
from kg.lift import Lifted, lift
from kg.link.stage import link
from kg.manifest import CONTENT_NAME
from kg.rdfio import content_digest, load_prefixes
from kg.release import Release, Releases, check_mode
from kg.settings import KgSettings
from kg.tables import load_tables
from kg.validate import Report, digest_shapes, validate
from kg.written import describe_conflicts, iter_written

if TYPE_CHECKING:
    from pyoxigraph import Quad

__all__ = ["BuildResult", "build", "check", "lift_all"]

_log = getLogger(__name__)
_MOST_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The release that is current now, the report of this build's validation, and whether the release is a new one.

    There is no report when nothing had to be validated: the current release holds the same and passed the same shapes.
    """

    release: Release
    report: Report | None
    is_new: bool


def lift_all(settings: KgSettings, *, written: Iterable[Quad] = ()) -> Lifted:
    """All named graphs that a release would hold, in memory, before validation.

    Args:
        settings: where tables and ontology are.
        written: the graphs that were written over HTTP, to be carried over, with what is said of them.

    Raises:
        SourceError: there is no directory of tables.
        TableError: a table has broken cells, or a row makes no statement.
        LinkSetError: a mapping set is broken, or holds a link that nobody reviewed.
        RdfSyntaxError: a file of the ontology is broken.
    """
    if not settings.data_dir.is_dir():
        raise SourceError(f"{settings.data_dir} is no directory; the curated tables are expected there")
    lifted = lift(load_tables(settings.data_dir, settings.ontology_dir), settings.ontology_dir, settings.data_dir)
    links = link(lifted.store, settings.data_dir / "links", ontology_dir=settings.ontology_dir)
    lifted.store.extend(written)
    infer(lifted.store)
    describe(lifted.store)
    return replace(lifted, trace={**lifted.trace, **links})


def check(settings: KgSettings, *, cross_check: bool = False) -> Report:
    """The validation report of what a build would publish; writes nothing.

    Args:
        settings: where tables, ontology and shapes are.
        cross_check: whether a second SHACL engine has to find the same.

    Raises:
        TableError: a table has broken cells, or a row makes no statement.
        EngineFailed: a SHACL engine gave up.
        EnginesDisagree: the engines find different things.
    """
    written = _find_written(Releases(settings.releases_dir))
    return _validate(lift_all(settings, written=written), settings, cross_check=cross_check)


def build(settings: KgSettings, *, cross_check: bool = False) -> BuildResult:
    """Lift, link, infer, describe, validate and publish.

    A build whose content equals the current release makes nothing. Written graphs are carried over from the current
    release; where they do not fit what the tables say now, nothing is published.

    In plain mode there is nothing to build from: an empty dataset is published where nothing is yet, and that is all.

    Args:
        settings: where tables, ontology, shapes and releases are.
        cross_check: whether a second SHACL engine has to find the same, even if nothing changed.

    Raises:
        TableError: a table has broken cells, or a row makes no statement.
        LinkSetError: a mapping set is broken, or holds a link that nobody reviewed.
        EngineFailed: a SHACL engine gave up; the current release stays.
        EnginesDisagree: the engines find different things; the current release stays.
        PublishRefused: the report has violations; the current release stays.
        SettingsError: what is published is of the other mode than the settings.
        ReleaseDamaged: there are written graphs, and they cannot be read.
        ReleaseOvertaken: writes came faster than builds.
    """
    for _ in range(_MOST_ATTEMPTS - 1):
        try:
            return _build(settings, cross_check=cross_check)
        except ReleaseOvertaken as error:
            # A write came in between; it has to be carried over, too.
            _log.info("%s", error)
    return _build(settings, cross_check=cross_check)


def _build(settings: KgSettings, *, cross_check: bool) -> BuildResult:
    releases = Releases(settings.releases_dir)
    if (current := _find_readable(releases)) is not None:
        check_mode(current, is_plain=settings.is_plain)
    if settings.is_plain:
        return _begin_plain(releases, settings)
    base = releases.current_id()
    written = _find_written(releases)
    lifted = lift_all(settings, written=written)
    shapes = digest_shapes(settings.shapes_dir)
    same = releases.find_same(
        digest=content_digest(lifted.store), open_licences=settings.open_licences, catalog=settings.catalog
    )
    if same is not None and same.manifest.extra.get("shapes") == shapes and not cross_check:
        return BuildResult(same, None, is_new=False)
    report = _validate(lifted, settings, cross_check=cross_check)
    if report.violations:
        raise PublishRefused(report.to_text() + describe_conflicts(lifted.store, report.violations))
    published = releases.publish(
        quads=lifted.store,
        open_licences=settings.open_licences,
        report_turtle=report.to_turtle(),
        manifest_extra={"report": report.summary(), "shapes": shapes},
        prefixes=load_prefixes(settings.ontology_dir / "prefixes.ttl"),
        settings=settings,
        base=base,
    )
    return BuildResult(published.release, report, is_new=published.is_new)


def _begin_plain(releases: Releases, settings: KgSettings) -> BuildResult:
    """The current state of a plain dataset: where there is none, an empty one, published now."""
    current = releases.current()
    if current is not None:
        return BuildResult(current, None, is_new=False)
    report = Report(())
    published = releases.publish(
        quads=(),
        open_licences=None,
        report_turtle=report.to_turtle(),
        manifest_extra={"report": report.summary()},
        settings=settings,
        is_first=True,
    )
    return BuildResult(published.release, report, is_new=published.is_new)


def _find_readable(releases: Releases) -> Release | None:
    """The current release; None where there is none, or it is damaged: a build from tables is a way out of that."""
    try:
        return releases.current()
    except ReleaseDamaged:
        return None


def _find_written(releases: Releases) -> tuple[Quad, ...]:
    """The written graphs of the current release, with what is said of them.

    Raises:
        ReleaseDamaged: there may be some, and they cannot be read.
    """
    current_id = releases.current_id()
    if current_id is None or not any(entry.action == "write" for entry in releases.journal()):
        return ()
    try:
        return tuple(iter_written(releases.root / current_id / CONTENT_NAME))
    except ReleaseDamaged as error:
        raise ReleaseDamaged(
            f"{error}; it holds what was written over HTTP, so a build would lose that: restore it, "
            "or publish a release that can be read with 'kg release use'"
        ) from error


def _validate(lifted: Lifted, settings: KgSettings, *, cross_check: bool) -> Report:
    return validate(
        lifted.store,
        shapes_dir=settings.shapes_dir,
        ontology_dir=settings.ontology_dir,
        trace=lifted.trace,
        cross_check=cross_check,
    )
