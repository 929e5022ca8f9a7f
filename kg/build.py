"""Build: the stages joined; tables and ontology go in, a validated release comes out, or nothing does."""

from __future__ import annotations

from dataclasses import dataclass

from kg.describe import describe
from kg.errors import PublishRefused, SourceError
from kg.infer import infer
from kg.lift import Lifted, lift
from kg.rdfio import load_prefixes
from kg.release import Release, Releases
from kg.settings import KgSettings
from kg.tables import load_tables
from kg.validate import Report, validate

__all__ = ["BuildResult", "build", "check", "lift_all"]


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The release that is current now, the report of its validation, and whether it is a new one."""

    release: Release
    report: Report
    is_new: bool


def lift_all(settings: KgSettings) -> Lifted:
    """All named graphs that a release would hold, in memory, before validation.

    Raises:
        SourceError: there is no directory of tables.
        TableError: a table has broken cells, or a row makes no statement.
        RdfSyntaxError: a file of the ontology is broken.
    """
    if not settings.data_dir.is_dir():
        raise SourceError(f"{settings.data_dir} is no directory; the curated tables are expected there")
    lifted = lift(load_tables(settings.data_dir, settings.ontology_dir), settings.ontology_dir, settings.data_dir)
    infer(lifted.store)
    describe(lifted.store)
    return lifted


def check(settings: KgSettings) -> Report:
    """The validation report of what a build would publish; writes nothing."""
    return _validate(lift_all(settings), settings)


def build(settings: KgSettings) -> BuildResult:
    """Lift, infer, describe, validate and publish.

    A build whose content equals the current release makes nothing.

    Raises:
        TableError: a table has broken cells, or a row makes no statement.
        PublishRefused: the report has violations; the current release stays.
    """
    lifted = lift_all(settings)
    report = _validate(lifted, settings)
    if report.violations:
        raise PublishRefused(report.to_text())
    published = Releases(settings.releases_dir).publish(
        quads=lifted.store,
        open_licences=settings.open_licences,
        report_turtle=report.to_turtle(),
        manifest_extra={"report": report.summary()},
        prefixes=load_prefixes(settings.ontology_dir / "prefixes.ttl"),
    )
    return BuildResult(published.release, report, is_new=published.is_new)


def _validate(lifted: Lifted, settings: KgSettings) -> Report:
    return validate(
        lifted.store, shapes_dir=settings.shapes_dir, ontology_dir=settings.ontology_dir, trace=lifted.trace
    )
