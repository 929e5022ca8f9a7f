"""Build: the stages joined; tables and ontology go in, a validated release comes out, or nothing does."""

from __future__ import annotations

from dataclasses import dataclass

from kg.describe import describe
from kg.errors import PublishRefused, SourceError
from kg.infer import infer
from kg.lift import Lifted, lift
from kg.rdfio import content_digest, load_prefixes
from kg.release import Release, Releases
from kg.settings import KgSettings
from kg.tables import load_tables
from kg.validate import Report, digest_shapes, validate

__all__ = ["BuildResult", "build", "check", "lift_all"]


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The release that is current now, the report of this build's validation, and whether the release is a new one.

    There is no report when nothing had to be validated: the current release holds the same and passed the same shapes.
    """

    release: Release
    report: Report | None
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
    return _validate(lift_all(settings), settings, cross_check=cross_check)


def build(settings: KgSettings, *, cross_check: bool = False) -> BuildResult:
    """Lift, infer, describe, validate and publish.

    A build whose content equals the current release makes nothing.

    Args:
        settings: where tables, ontology, shapes and releases are.
        cross_check: whether a second SHACL engine has to find the same, even if nothing changed.

    Raises:
        TableError: a table has broken cells, or a row makes no statement.
        EngineFailed: a SHACL engine gave up; the current release stays.
        EnginesDisagree: the engines find different things; the current release stays.
        PublishRefused: the report has violations; the current release stays.
    """
    lifted = lift_all(settings)
    releases = Releases(settings.releases_dir)
    shapes = digest_shapes(settings.shapes_dir)
    same = releases.find_same(
        digest=content_digest(lifted.store), open_licences=settings.open_licences, catalog=settings.catalog
    )
    if same is not None and same.manifest.extra.get("shapes") == shapes and not cross_check:
        return BuildResult(same, None, is_new=False)
    report = _validate(lifted, settings, cross_check=cross_check)
    if report.violations:
        raise PublishRefused(report.to_text())
    published = releases.publish(
        quads=lifted.store,
        open_licences=settings.open_licences,
        report_turtle=report.to_turtle(),
        manifest_extra={"report": report.summary(), "shapes": shapes},
        prefixes=load_prefixes(settings.ontology_dir / "prefixes.ttl"),
        settings=settings,
    )
    return BuildResult(published.release, report, is_new=published.is_new)


def _validate(lifted: Lifted, settings: KgSettings, *, cross_check: bool) -> Report:
    return validate(
        lifted.store,
        shapes_dir=settings.shapes_dir,
        ontology_dir=settings.ontology_dir,
        trace=lifted.trace,
        cross_check=cross_check,
    )
