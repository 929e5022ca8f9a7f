"""Error texts without the paths of this machine: whoever runs the server finds the whole text in its log."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Awaitable, Iterable, Iterator
from logging import getLogger
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endpoint.http.problems import PROBLEM_TYPE
from endpoint.settings import EndpointSettings

__all__ = ["HiddenPaths", "PathHider"]

_log = getLogger(__name__)
# So many texts are remembered, that what many requests meet is logged once.
_TOLD: Final = 200
_PROBLEM_TYPE: Final = PROBLEM_TYPE.encode()
# What stands for a directory that is named itself.
_HIDDEN: Final = "…"


class PathHider:
    """Takes the beginnings of paths out of texts: of a file below a directory of ours, the rest is left."""

    def __init__(self, settings: EndpointSettings) -> None:
        named = (settings.releases_dir, settings.tokens_file.parent, settings.ontology_dir)
        files = (settings.federation_file, settings.remote_authorization_file)
        roots = set(_iter_forms([*named, *(Path(each).parent for each in files if each)]))
        # Where the program is, and what it writes in passing.
        program = (Path(sys.prefix), Path(__file__).parents[2])
        roots |= set(_iter_forms([Path.cwd(), Path(tempfile.gettempdir()), *program]))
        longest_first = sorted((str(each) for each in roots if len(each.parts) > 1), key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, longest_first))})(?:/+|(?![\w.-]))")
        self._told: set[str] = set()

    def hide(self, text: str) -> str:
        """The text without beginnings of paths; where there were some, the whole is logged, once."""
        hidden = self._pattern.sub(lambda found: "" if found[0].endswith("/") else _HIDDEN, text)
        if hidden != text and text not in self._told:
            if len(self._told) >= _TOLD:
                self._told.clear()
            self._told.add(text)
            _log.error("a client was told of this, without its paths: %s", text)
        return hidden


class HiddenPaths:
    """An ASGI application whose problem documents name no path, whoever wrote them; it stands before they are coded."""

    def __init__(self, app: ASGIApp, hider: PathHider) -> None:
        self._app = app
        self._hider = hider

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request (ASGI)."""
        held: Message | None = None

        # What goes through as it is needs no coroutine here, which a look-up would pay for twice.
        def send_hidden(message: Message) -> Awaitable[None]:
            if held is None and (message["type"] != "http.response.start" or message["status"] < 400):
                return send(message)
            return send_late(message)

        async def send_late(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                held = message
                return
            start, held = held, None
            if start is not None:
                await send(self._hide(start, message))
            await send(message)

        return self._app(scope, receive, send_hidden)

    def _hide(self, start: Message, message: Message) -> Message:
        """The beginning of an answer, after its body, which of a problem document is one piece, lost its paths."""
        if (b"content-type", _PROBLEM_TYPE) not in start["headers"] or message.get("more_body", False):
            return start
        message["body"] = self._hider.hide(message.get("body", b"").decode()).encode()
        kept = [each for each in start["headers"] if each[0] != b"content-length"]
        return {**start, "headers": [*kept, (b"content-length", str(len(message["body"])).encode())]}


def _iter_forms(directories: Iterable[Path]) -> Iterator[Path]:
    """Each directory as it is named where that is absolute, as the system sees it, and behind its symbolic links."""
    for each in directories:
        yield each.absolute()
        yield each.resolve()
