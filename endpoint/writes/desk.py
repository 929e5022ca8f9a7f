"""The desk where writes are handed in: from an admitted request to an answer, the same for all protocols."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from logging import getLogger
from typing import Final

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.types import Scope

from endpoint.history.releases import ServedReleases
from endpoint.http.clients import current_client
from endpoint.http.negotiation import negotiate_language, negotiate_media_type, read_accept
from endpoint.http.problems import Problem
from endpoint.settings import LANGUAGES, EndpointSettings
from endpoint.sparql.confinement import Fence
from endpoint.writes.access import Gate
from endpoint.writes.answers import answer_write
from endpoint.writes.completion import Completer
from endpoint.writes.conditions import read_expectations
from endpoint.writes.messages import REPORT_TYPES, Event, Job, Part, Verb
from endpoint.writes.process import WriterProcess
from endpoint.writes.tokens import Token

__all__ = ["Desk", "Task"]

_log = getLogger(__name__)
_TRUE: Final = ("1", "true", "yes")


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a request asks for, once its token is known and its body is in files; ``graph`` is that of a job."""

    verb: Verb
    graph: str | None
    token: Token
    parts: Sequence[Part] = ()
    text: str = ""
    using: tuple[str, ...] = ()
    using_named: tuple[str, ...] = ()


class Desk:
    """Admits writers, hands their writes to the writer process, and sees to what follows."""

    def __init__(self, settings: EndpointSettings, releases: ServedReleases, fences: Fence) -> None:
        self.settings = settings
        self.gate = Gate(settings.tokens_file)
        self.outcomes: Counter[str] = Counter()
        self._releases = releases
        self._process = WriterProcess(settings, fences)
        self.completer = Completer(settings, releases)

    @property
    def fences(self) -> Fence:
        """The fences around the writer."""
        return self._process.fences

    def admit(self, scope: Scope) -> Token:
        """The token of a request.

        Raises:
            Problem: 401 or 429.
        """
        return self.gate.admit(Headers(scope=scope), current_client() or "")

    async def carry_out(self, task: Task, headers: Headers, parameters: QueryParams, *, location: str = "") -> Response:
        """The answer to a write, after it is published and served here.

        Raises:
            Problem: it is not, and nothing has changed.
        """
        is_update = task.verb == "update"
        job = Job(
            verb=task.verb,
            graph=task.graph,
            base_iri=task.graph or self.settings.base_url + ("/sparql" if is_update else "/graph-store?default"),
            parts=tuple(task.parts),
            text=task.text,
            using=task.using,
            using_named=task.using_named,
            writer=task.token.name,
            prefixes=task.token.graphs,
            expected=() if task.graph is None else read_expectations(headers, task.graph),
            is_dry_run=_read_switch(parameters, "dry-run"),
            report_type=negotiate_media_type(read_accept(headers), REPORT_TYPES) or REPORT_TYPES[0],
            language=_choose_language(headers, parameters, self.settings.default_language),
        )
        event = await self._process.submit(job)
        self.outcomes[_name_outcome(event, job)] += 1
        if event.detail:
            _log.error("a write failed: %s (%s)", event.message, event.detail)
        if event.is_new:
            # Acknowledged once it is on disk and this process has switched to it.
            await self._releases.refresh()
            self.catch_up()
        if event.code == "write-forbidden":
            raise self.gate.forbid(event.message)
        return answer_write(event, job, location=location)

    def catch_up(self) -> None:
        """See to it that dumps, descriptions, catalogue and feed follow what is published, whoever published it."""
        if self._releases.lag:
            self.completer.wake()

    async def close(self) -> None:
        """End the processes."""
        await self._process.close()
        await self.completer.close()


def _name_outcome(event: Event, job: Job) -> str:
    if event.event == "failed":
        return event.code
    if event.violations:
        return "violations"
    if job.is_dry_run:
        return "tried"
    return "published" if event.is_new else "unchanged"


def _read_switch(parameters: QueryParams, name: str) -> bool:
    value = parameters.get(name)
    if value is None or value in ("0", "false", "no"):
        return False
    if value in _TRUE:
        return True
    raise Problem("bad-parameter", 400, f"{name}={value!r} is neither 1 nor 0.", members={"parameter": name})


def _choose_language(headers: Headers, parameters: QueryParams, default: str) -> str:
    asked = parameters.get("lang")
    if asked in LANGUAGES:
        return asked
    return negotiate_language(headers.get("accept-language"), LANGUAGES, default=default)
