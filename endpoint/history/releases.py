"""The release that is served: the current one, watched, or another that a request names; and which were before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from logging import getLogger
from pathlib import Path
from typing import Final

from kg.errors import ReleaseDamaged, ReleaseError, ReleasePending, SettingsError
from kg.history import History
from kg.release import Release, Releases, check_mode

__all__ = ["ServedReleases"]

_log = getLogger(__name__)
_POLL_S: Final = 0.5
_KNOWN: Final = 64


class ServedReleases:
    """What ``releases/current`` points at, at most one poll behind, and the other releases by their ids."""

    def __init__(self, releases_dir: Path, *, on_switch: Callable[[Release], None], is_plain: bool) -> None:
        self._is_plain = is_plain
        self._releases = Releases(releases_dir)
        self._on_switch = on_switch
        self._current: Release | None = None
        self._complete: Release | None = None
        self._damage: str | None = None
        self._known: dict[str, Release] = {}
        self._history = History((), ())
        self._seen: tuple[int, int] | None = None
        self._changes = 0
        self._version = ("", 0)

    @property
    def history(self) -> History:
        """Which release was current when, and which can still be read; at most one poll behind."""
        return self._history

    @property
    def version(self) -> tuple[str, int]:
        """Another value whenever answers may be others: a release became current, was published again or removed."""
        return self._version

    @property
    def current(self) -> Release | None:
        """The current release; None before the first one is published."""
        return self._current

    @property
    def damage(self) -> str | None:
        """Why the release that should be current cannot be served, and what to do; None when all is well."""
        return self._damage

    def get(self, ref: str | None = None) -> Release:
        """The current release, or the one that is asked for.

        Raises:
            ReleaseNotFound: there is none.
            ReleaseDamaged: it cannot be read.
            ReleaseError: nothing is published yet.
        """
        if ref is None or ref == "current":
            if self._current is None:
                if self._damage is not None:
                    raise ReleaseDamaged(self._damage)
                raise ReleaseError("nothing is published yet: 'kg build' makes the first release")
            return self._current
        release = self._known.get(ref)
        if release is None or not release.store_path.is_dir():
            release = self._releases.get(ref)
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[ref] = release
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
        if self._complete is None:
            raise ReleasePending("dumps and descriptions are being made; try again in a minute")
        return self._complete

    def is_fixed(self, ref: str | None) -> bool:
        """Whether a reference names one release for ever: its whole id or its number does, ``current`` does not."""
        return ref is not None and (ref.isdecimal() or bool(self._history.find_publications(ref)))

    def refresh(self) -> None:
        """Look once whether another release is current now, and what the journal says."""
        try:
            self._follow_current()
            self._read_history()
            self._follow_complete()
        except (OSError, ReleaseError, SettingsError) as error:
            # The release that is served stays. This is asked again and again, and logged once.
            if str(error) != self._damage:
                _log.error("the current release cannot be used: %s", error)
            self._damage = str(error)
        else:
            self._damage = None
        self._version = (self._current.id if self._current else "", self._changes)

    def _follow_current(self) -> None:
        name = self._releases.current_id()
        if name is None or (self._current is not None and name == self._current.id):
            return
        release = self._releases.get(name)
        check_mode(release, is_plain=self._is_plain)
        _log.info("release %s is current", release.id)
        self._current = release
        self._known.clear()
        self._on_switch(release)

    def _follow_complete(self) -> None:
        """Find the release whose dumps and descriptions are served; another one is a change of what is answered."""
        if self._current is None or self._complete is self._current:
            return
        complete = self._current if self._current.is_complete else self._find_last_complete()
        if (complete and complete.id) != (self._complete and self._complete.id):
            self._changes += 1
        self._complete = complete

    def _find_last_complete(self) -> Release | None:
        """The release that was published last and has dumps and descriptions."""
        kept = (each.release for each in reversed(self._history.publications) if each.release in self._history.kept)
        return next((each for each in map(self._releases.find, kept) if each.is_complete), None)

    def _read_history(self) -> None:
        """Read the journal once more, if something changed in the directory."""
        releases = self._releases
        if not releases.journal_path.exists():
            return
        # The journal grows in its place; releases come and go in the directory.
        seen = (releases.journal_path.stat().st_size, releases.root.stat().st_mtime_ns)
        if seen == self._seen:
            return
        journal = releases.journal()
        names = {each.release for each in journal}
        history = History(journal, {name for name in names if (releases.root / name).is_dir()})
        if (history.publications, history.kept) != (self._history.publications, self._history.kept):
            self._history = history
            self._changes += 1
        self._seen = seen

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            self.refresh()
