# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reconnects to a source: session after session, with random pauses that grow."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from freecad_camtwin.connectors.protocol import Told
from freecad_camtwin.errors import ConnectorError
from freecad_camtwin.twin.signals.observation import GAP, Event, Observations

_Answer = TypeVar("_Answer")


class LostError(Exception):
    """A session ended or did not begin; another may work. The text is the reason of the gap.

    ``resumes``: the next session continues where this one ended, or yields the gap itself.
    """

    def __init__(self, reason: str, *, resumes: bool = False) -> None:
        super().__init__(reason)
        self.resumes = resumes


class Backoff:
    """Pauses that double up to ``longest`` [s]; each is random between half and the whole of it.

    Without the random part, all recorders of a shop would connect to a restarted broker at the same times.
    """

    def __init__(self, first: float = 0.25, longest: float = 30.0, draw: Callable[[], float] = random.random) -> None:
        self._first, self._longest, self._draw = first, longest, draw
        self._next = first

    def pause(self) -> float:
        """Return the next pause [s]."""
        pause = self._next * (0.5 + 0.5 * self._draw())
        self._next = min(2 * self._next, self._longest)
        return pause

    def reset(self) -> None:
        """Begin with the first pause again: the connection works."""
        self._next = self._first


async def patiently(ask: Callable[[], Awaitable[_Answer]], told: Told, *, patience: float) -> _Answer:
    """Return the result of ``ask``, called again after each ``LostError``.

    ConnectorError if no call succeeds within ``patience`` seconds; a ConnectorError of ``ask`` is passed on.
    """
    backoff = Backoff()
    end = time.monotonic() + patience
    while True:
        try:
            return await ask()
        except LostError as error:
            left = end - time.monotonic()
            if left <= 0:
                raise ConnectorError(f"{error}; tried for {patience:g} s") from error
            told.warn(str(error))
        await asyncio.sleep(min(backoff.pause(), left))


async def sessions(
    session: Callable[[], Observations], told: Told, *, patience: float, backoff: Backoff | None = None
) -> Observations:
    """Yield the observations of one session after the other, with a ``GAP`` between them.

    A session that raises ``LostError`` is followed by another; a session that ends without an error is the last.
    ConnectorError if none works within ``patience`` seconds; a ConnectorError of a session is passed on, since
    another attempt would fail too.
    """
    backoff = backoff or Backoff()
    began = time.monotonic()
    works, has_worked = False, False
    while True:
        try:
            async with aclosing(session()) as observations:
                async for observation in observations:
                    if not works:
                        works = has_worked = True
                        backoff.reset()
                    yield observation
        except LostError as error:
            reason, resumes = str(error), error.resumes
        else:
            return
        left = began + patience - time.monotonic()
        if not has_worked and left <= 0:
            raise ConnectorError(f"{reason}; tried for {patience:g} s")
        told.warn(reason)
        if works and not resumes:
            yield Event(time.time(), GAP, reason)
        works = False
        pause = backoff.pause()
        await asyncio.sleep(pause if has_worked else min(pause, left))
