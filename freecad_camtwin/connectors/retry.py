# SPDX-License-Identifier: LGPL-2.1-or-later
"""A connection that comes back: session after session, with pauses that grow and differ from each other's."""

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
    """A session ended, or did not begin; another may work. Its words are the reason of the gap.

    ``resumes``: the next session goes on where this one ended, or tells the gap itself.
    """

    def __init__(self, reason: str, *, resumes: bool = False) -> None:
        super().__init__(reason)
        self.resumes = resumes


class Backoff:
    """Pauses that double up to a longest one, each drawn between half and all of it.

    Without the draw, all recorders of a hall would knock at a restarted broker in the same instant, again and again.
    """

    def __init__(self, first: float = 0.25, longest: float = 30.0, draw: Callable[[], float] = random.random) -> None:
        self._first, self._longest, self._draw = first, longest, draw
        self._next = first

    def pause(self) -> float:
        """Return how long to wait now [s]."""
        pause = self._next * (0.5 + 0.5 * self._draw())
        self._next = min(2 * self._next, self._longest)
        return pause

    def reset(self) -> None:
        """Begin anew: the connection works."""
        self._next = self._first


async def patiently(ask: Callable[[], Awaitable[_Answer]], told: Told, *, patience: float) -> _Answer:
    """Return what ``ask`` returns, asked again after each ``LostError``.

    ConnectorError where no answer came within ``patience`` seconds; one that ``ask`` raises is passed on.
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
    """Yield what one session after the other yields, a ``GAP`` between them; end when one ends of its own accord.

    A session that raises ``LostError`` is followed by another. ConnectorError where none worked within ``patience``
    seconds; one that a session raises is passed on, since trying again would not mend it.
    """
    backoff = backoff or Backoff()
    began = time.monotonic()
    works, has_worked = False, False
    while True:
        try:
            async with aclosing(session()) as found:
                async for observation in found:
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
