"""The release that is served: the current one, watched, or another that a request names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from logging import getLogger
from pathlib import Path
from typing import Final

from kg.errors import ReleaseDamaged, ReleaseError
from kg.release import Release, Releases

__all__ = ["ServedReleases"]

_log = getLogger(__name__)
_POLL_S: Final = 0.5
_KNOWN: Final = 64


class ServedReleases:
    """What ``releases/current`` points at, at most one poll behind, and the other releases by their ids."""

    def __init__(self, releases_dir: Path, *, on_switch: Callable[[Release], None]) -> None:
        self._releases = Releases(releases_dir)
        self._on_switch = on_switch
        self._current: Release | None = None
        self._damage: str | None = None
        self._known: dict[str, Release] = {}

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

    def refresh(self) -> None:
        """Look once whether another release is current now."""
        try:
            name = self._releases.current_id()
            if name is None or (self._current is not None and name == self._current.id):
                self._damage = None
                return
            release = self._releases.get(name)
        except (OSError, ReleaseError) as error:
            # The release that is served stays. This is asked again and again, and logged once.
            if str(error) != self._damage:
                _log.error("the current release cannot be used: %s", error)
            self._damage = str(error)
            return
        _log.info("release %s is current", release.id)
        self._current, self._damage = release, None
        self._known.clear()
        self._on_switch(release)

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            self.refresh()
