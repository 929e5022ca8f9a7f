"""The errors of CHAP.

    KgError
    |- SourceError            TableError, SheetError, LinkSetError(problems), LicenceUnknown
    |- RdfError               RdfSyntaxError(path), UnknownPrefix, InvalidIri
    |- QueryError             QuerySyntaxError, QueryRefused, QueryTimeout, QueryTooLarge, UnknownQuery
    |- RemoteError            RemoteRefused, RemoteUnavailable, RemoteIncomplete
    |- ReleaseError           ReleaseNotFound (ReleasePruned), ReleaseDamaged (StoreDamaged), ReleasePending,
    |                         ReleaseOvertaken, ArchiveRefused
    |- DiskError              DiskFull, DiskUnclear
    |- ResourceNotFound, NotAcceptable
    |- WriteError             WriteForbidden, GraphReadOnly, GraphMissing, PreconditionFailed, WriteTooLarge,
    |                         WriteInvalid
    |- SettingsError
    |- EngineFailed, EnginesDisagree   whether the data fits the shapes is not known
    '- PublishRefused         a gate was not met

Every class has a stable ``code`` in kebab case, used by the CLI and in problem documents (RFC 9457), and an
``exit_code`` for the command line: 1 gate not met, 2 usage, 3 source, network or store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "ArchiveRefused",
    "DiskError",
    "DiskFull",
    "DiskUnclear",
    "EngineFailed",
    "EnginesDisagree",
    "GraphMissing",
    "GraphReadOnly",
    "InvalidIri",
    "KgError",
    "LicenceUnknown",
    "LinkSetError",
    "NotAcceptable",
    "PreconditionFailed",
    "PublishRefused",
    "QueryError",
    "QueryRefused",
    "QuerySyntaxError",
    "QueryTimeout",
    "QueryTooLarge",
    "RdfError",
    "RdfSyntaxError",
    "ReleaseDamaged",
    "ReleaseError",
    "ReleaseNotFound",
    "ReleaseOvertaken",
    "ReleasePending",
    "ReleasePruned",
    "RemoteError",
    "RemoteIncomplete",
    "RemoteRefused",
    "RemoteUnavailable",
    "ResourceNotFound",
    "SettingsError",
    "SheetError",
    "SourceError",
    "StoreDamaged",
    "TableError",
    "UnknownPrefix",
    "UnknownQuery",
    "WriteError",
    "WriteForbidden",
    "WriteInvalid",
    "WriteTooLarge",
]


class KgError(Exception):
    """Root of all errors that CHAP raises on purpose; the message says what to do."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 3


class SourceError(KgError):
    """Input data cannot be used as it is."""

    code = "source"


class TableError(SourceError):
    """Cells of the curated tables are broken; the message lists table, row, column and cure of each."""

    code = "table"
    exit_code = 1


class LinkSetError(SourceError):
    """Mapping sets are broken; ``problems`` has a paragraph for each, with file, row, column and cure."""

    code = "link-set"
    exit_code = 1

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(f"{len(problems)} broken link(s), nothing was built:\n\n" + "\n\n".join(problems))
        self.problems = tuple(problems)


class SheetError(SourceError):
    """A workbook cannot be used; the message says why and what to do, and nothing was written."""

    code = "sheet"


class LicenceUnknown(SourceError):
    """A graph has no licence statement, so it cannot be sorted into the open or the restricted part."""

    code = "licence-unknown"


class RdfError(KgError):
    """RDF could not be read or written."""

    code = "rdf"


class RdfSyntaxError(RdfError):
    """A file is not valid in its RDF syntax."""

    code = "rdf-syntax"


class UnknownPrefix(RdfError):
    """A CURIE uses a prefix that ontology/prefixes.ttl does not declare."""

    code = "unknown-prefix"


class InvalidIri(RdfError):
    """A string is no absolute IRI (RFC 3987)."""

    code = "invalid-iri"


class QueryError(KgError):
    """A query cannot be answered."""

    code = "query"


class QuerySyntaxError(QueryError):
    """The text is not SPARQL 1.1; the message holds the position."""

    code = "query-syntax"
    exit_code = 2


class QueryRefused(QueryError):
    """The query asks for something this server does not do (update, SERVICE, LOAD, excessive depth)."""

    code = "query-refused"
    exit_code = 2


class QueryTimeout(QueryError):
    """The query was stopped at its time limit."""

    code = "query-timeout"


class QueryTooLarge(QueryError):
    """The query, its working memory or its result is beyond a limit."""

    code = "query-too-large"


class UnknownQuery(QueryError):
    """No stored query has this id."""

    code = "unknown-query"
    exit_code = 2


class ReleaseError(KgError):
    """A release cannot be used."""

    code = "release"


class ReleaseNotFound(ReleaseError):
    """No release has this id, or none was built yet."""

    code = "release-not-found"
    exit_code = 2


class ReleasePruned(ReleaseNotFound):
    """The release was published once and has been removed since; only the journal knows it."""

    code = "release-pruned"


class ReleaseDamaged(ReleaseError):
    """The files of a release do not match its manifest."""

    code = "release-damaged"


class StoreDamaged(ReleaseDamaged):
    """The engine cannot read the store of a release, or the files of it are not as its list of checksums says."""

    code = "store-damaged"


class ArchiveRefused(ReleaseError):
    """A file is no archive of a release, was damaged, or does not belong into this directory; nothing was changed."""

    code = "archive-refused"
    exit_code = 1


class DiskError(KgError):
    """The disk refuses a change; nothing was changed."""

    code = "disk"


class DiskFull(DiskError):
    """There is no room on the disk; nothing was changed."""

    code = "disk-full"


class DiskUnclear(DiskError):
    """The disk failed when a change was all but made; the message says how to find out whether it was."""

    code = "disk-unclear"


class RemoteError(KgError):
    """Another server does not do what was asked of it."""

    code = "remote"


class RemoteRefused(RemoteError):
    """Another server turned a request down; the message says what to change."""

    code = "remote-refused"


class RemoteUnavailable(RemoteError):
    """Another server cannot be reached, or did not answer in time, again and again."""

    code = "remote-unavailable"


class RemoteIncomplete(RemoteError):
    """Another server holds or gives less than it was sent or has."""

    code = "remote-incomplete"
    exit_code = 1


class ReleasePending(ReleaseError):
    """The dumps and descriptions of a release that a write made are not there, or not yet."""

    code = "release-pending"


class ReleaseOvertaken(ReleaseError):
    """Another release became current since the one that this change began from."""

    code = "release-overtaken"


class WriteError(KgError):
    """A change of the published graph cannot be made; nothing was changed."""

    code = "write"


class WriteForbidden(WriteError):
    """The token's rights do not cover the change."""

    code = "write-forbidden"


class GraphReadOnly(WriteError):
    """The change touches a graph that is made from something else."""

    code = "graph-read-only"


class GraphMissing(WriteError):
    """There is no graph of this name."""

    code = "graph-missing"


class PreconditionFailed(WriteError):
    """The graph is not in the state that the client expected."""

    code = "precondition-failed"


class WriteTooLarge(WriteError):
    """The document or the change is larger or deeper than is taken."""

    code = "write-too-large"


class WriteInvalid(WriteError):
    """The document holds what is not taken from outside, such as a DTD, a remote context or named graphs."""

    code = "write-invalid"


class ResourceNotFound(KgError):
    """Nothing is known under this IRI."""

    code = "resource-not-found"


class NotAcceptable(KgError):
    """None of the offered media types fits the Accept header."""

    code = "not-acceptable"
    exit_code = 2


class SettingsError(KgError):
    """A setting has an unknown name, a wrong type or contradicts another."""

    code = "settings"
    exit_code = 2


class EngineFailed(KgError):
    """A SHACL engine gave up, so nothing is known about the data; that is never a pass."""

    code = "engine-failed"
    exit_code = 1


class EnginesDisagree(KgError):
    """Two SHACL engines find different things in the same data; the message lists the differences."""

    code = "engines-disagree"
    exit_code = 1


class PublishRefused(KgError):
    """A gate was not met, so nothing was published; the message holds the report."""

    code = "publish-refused"
    exit_code = 1
