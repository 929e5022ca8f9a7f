"""The release that is served: the current one, watched, or another that a request names; and which were before.

What changes on disk is read in a thread, twice a second and after each write here, and no request waits for it: what a
request asks of history is answered from memory, and costs the same however long the history is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from logging import getLogger
from pathlib import Path
from typing import Final

from kg.checksums import CHECKSUMS_NAME, Digests, examine_store, load_checksums
from kg.commit import list_directories
from kg.errors import ReleaseDamaged, ReleaseError, ReleasePending, SettingsError, StoreDamaged
from kg.feed.log import load_feed
from kg.history import History
from kg.journal import Journal
from kg.manifest import DAMAGE_CURE
from kg.release import Release, Releases, check_mode

__all__ = ["Lag", "ServedReleases"]

_log = getLogger(__name__)
_POLL_S: Final = 0.5
_KNOWN: Final = 64


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far what is made after a publication is behind it: dumps, descriptions and catalogue, and the feed.

    ``releases`` were published since the last that has all of them, the first of these at ``since``; ``feed_steps``
    publications are not in the feed yet.
    """

    releases: int = 0
    feed_steps: int = 0
    since: datetime | None = None

    def __bool__(self) -> bool:
        return self.releases > 0 or self.feed_steps > 0

    def seconds(self) -> float:
        """How long it is so, in seconds."""
        return 0.0 if self.since is None else max(0.0, (datetime.now(UTC) - self.since).total_seconds())


@dataclass(kw_only=True)
class _State:
    """All that is served; a look at the disk finds out one after the other, and leaves the rest when it fails.

    ``broken`` says what is wrong with the store of the current release, which is not asked then; empty when nothing is.
    """

    current: Release | None = None
    complete: Release | None = None
    history: History = field(default_factory=lambda: History(Journal(), ()))
    seen: tuple[int, int, int] | None = None
    lag: Lag = field(default_factory=Lag)
    damage: str | None = None
    broken: str = ""


class ServedReleases:
    """What ``releases/current`` points at, at most one poll behind, and the other releases by their ids."""

    def __init__(
        self,
        releases_dir: Path,
        *,
        on_switch: Callable[[Release], None],
        on_damage: Callable[[str], None],
        is_plain: bool,
    ) -> None:
        self._is_plain = is_plain
        self._on_damage = on_damage
        self._digests = Digests()
        self._releases = Releases(releases_dir)
        self._on_switch = on_switch
        self._state = _State()
        self._turn = asyncio.Lock()
        self._known: dict[str, Release] = {}
        self._changes = 0
        self._version = ("", 0)

    @property
    def history(self) -> History:
        """Which release was current when, and which can still be read; at most one poll behind."""
        return self._state.history

    @property
    def lag(self) -> Lag:
        """How far dumps, descriptions, catalogue and feed are behind; never, of a plain dataset, which has none."""
        return self._state.lag

    @property
    def version(self) -> tuple[str, int]:
        """Another value whenever answers may be others: a release became current, was published again or removed."""
        return self._version

    @property
    def current(self) -> Release | None:
        """The current release; None before the first one is published."""
        return self._state.current

    @property
    def damage(self) -> str | None:
        """Why the release that should be current cannot be served, and what to do; None when all is well."""
        return self._state.damage

    def get(self, ref: str | None = None) -> Release:
        """The current release, or the one that is asked for.

        Raises:
            ReleaseNotFound: there is none.
            ReleaseDamaged: it cannot be read.
            ReleaseError: nothing is published yet.
        """
        state = self._state
        if ref is None or ref == "current":
            if state.current is None:
                if state.damage is not None:
                    raise ReleaseDamaged(state.damage)
                raise ReleaseError("nothing is published yet: 'kg build' makes the first release")
            return state.current
        release = self._known.get(ref)
        if release is None or not release.store_path.is_dir():
            release = self._find(ref, state.history)
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[ref] = release
        return release

    def _find(self, ref: str, history: History) -> Release:
        release = self._releases.find_among(ref, journal=history.journal, kept=history.kept)
        try:
            release.check()
        except ReleaseDamaged:
            if release.path.is_dir():
                raise
            # It was removed since the last look, which is no damage.
            release = self._releases.find_among(ref, journal=history.journal, kept=history.kept - {release.id})
            release.check()
        return release

    def get_complete(self, ref: str | None = None) -> Release:
        """As :meth:`get`, for what needs dumps, descriptions or the list of things.

        A write is served before these are made, so until then the last release that has them speaks for the current.

        Raises:
            ReleasePending: a release was asked for that does not have them, or not yet.
            ReleaseError: as of :meth:`get`.
        """
        release = self.get(ref)
        if release.is_complete:
            return release
        if ref is not None and ref != "current":
            raise ReleasePending(
                f"{release.id} was made by a write, and has no dumps, descriptions and list of things, or not yet: "
                "ask for a later release, or for none"
            )
        if self._state.complete is None:
            raise ReleasePending("dumps and descriptions are being made; try again in a minute")
        return self._state.complete

    def is_fixed(self, ref: str | None) -> bool:
        """Whether a reference names one release for ever: its whole id or its number does, ``current`` does not."""
        return ref is not None and (ref.isdecimal() or bool(self.history.find_publications(ref)))

    async def refresh(self) -> None:
        """Look once whether another release is current now, and what the journal says."""
        async with self._turn:
            before = self._state
            after = await asyncio.to_thread(self._look, before)
            self._state = after
            if after.damage is not None and after.damage != before.damage:
                # This is asked again and again, and logged once.
                _log.error("the current release cannot be used: %s", after.damage)
            if after.current is not None and after.current is not before.current:
                _log.info("release %s is current", after.current.id)
                self._known.clear()
                self._on_switch(after.current)
            elif after.current is not None and before.broken and not after.broken:
                # Somebody has put it right, so what is open is another.
                self._on_switch(after.current)
            if after.broken != before.broken:
                self._on_damage(after.broken)
            is_other = (after.complete and after.complete.id) != (before.complete and before.complete.id)
            if is_other or not after.history.says_the_same(before.history):
                self._changes += 1
            self._version = (after.current.id if after.current else "", self._changes)

    def suspect(self) -> None:
        """Look anew at each byte of the store that is served: a query met damage in it."""
        self._digests = Digests()

    async def watch(self, then: Callable[[], None]) -> None:
        """Look again and again, until cancelled, and do something after each look."""
        while True:
            await asyncio.sleep(_POLL_S)
            await self.refresh()
            then()

    def _look(self, before: _State) -> _State:
        """What is served from now on; the release that is served stays where another cannot be."""
        state = _State(
            current=before.current,
            complete=before.complete,
            history=before.history,
            seen=before.seen,
            lag=before.lag,
            broken=before.broken,
        )
        try:
            self._follow_current(state)
            self._read_history(state)
            if not self._is_plain:
                self._follow_complete(state)
                state.lag = self._measure_lag(state)
        except (OSError, ReleaseError, SettingsError) as error:
            state.damage = str(error)
        return state

    def _follow_current(self, state: _State) -> None:
        name = self._releases.current_id()
        if name is None:
            return
        is_served = state.current is not None and name == state.current.id
        release = state.current if state.current is not None and is_served else self._releases.get(name)
        check_mode(release, is_plain=self._is_plain)
        # Each byte is read once; after that it is seen that no file was touched.
        broken = _find_damage(release, self._digests)
        damage = f"{release.id}: {broken}; {DAMAGE_CURE}" if broken else None
        if damage is not None and state.current is not None and not is_served:
            raise StoreDamaged(damage)
        state.current, state.broken, state.damage = release, broken, damage

    def _read_history(self, state: _State) -> None:
        """Read what is new in the journal, if something changed in the directory."""
        releases = self._releases
        if not releases.journal_path.exists():
            return
        # The journal grows in its place; releases come and go in the directory.
        status = releases.journal_path.stat()
        seen = (status.st_size, status.st_mtime_ns, releases.root.stat().st_mtime_ns)
        if seen == state.seen:
            return
        state.history = History(releases.journal(), list_directories(releases.root), before=state.history)
        state.seen = seen

    def _follow_complete(self, state: _State) -> None:
        """Find the release whose dumps and descriptions are served."""
        if state.current is None or state.complete is state.current:
            return
        state.complete = state.current if state.current.is_complete else self._find_last_complete(state.history)

    def _find_last_complete(self, history: History) -> Release | None:
        """The release that was published last and has dumps and descriptions."""
        newest = sorted(history.kept, key=lambda each: history.journal.find_places(each)[-1], reverse=True)
        return next((each for each in map(self._releases.find, newest) if each.is_complete), None)

    def _measure_lag(self, state: _State) -> Lag:
        history = state.history
        end = len(history.journal)
        ready = history.journal.find_places(state.complete.id)[-1] + 1 if state.complete else 0
        if state.complete is state.current:
            ready = end
        try:
            steps = min(load_feed(self._releases.root).steps, end)
        except ReleaseDamaged:
            # Who brings it up says what is wrong with it.
            steps = 0
        behind = min(ready, steps)
        since = history.publications[behind].moment if behind < end else None
        return Lag(releases=end - ready, feed_steps=end - steps, since=since)


def _find_damage(release: Release, digests: Digests) -> str:
    """What is wrong with the files that answers to queries come from; empty where nothing is, or no list says it."""
    try:
        sums = load_checksums(release.path)
    except ReleaseDamaged:
        return f"{CHECKSUMS_NAME} is not as it was written"
    if sums is None:
        return f"{CHECKSUMS_NAME} is gone" if release.manifest.has_checksums else ""
    return next(examine_store(release.path, sums, digests), "").replace(f"{release.path}/", "")
