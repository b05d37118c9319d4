# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file told as if it happened now: observations come when their time has come, at a chosen speed.

Their times stay what they were: a replay shows the past.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from itertools import pairwise

import numpy as np

from freecad_camtwin.connectors.protocol import Connector, Told
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Event, Observation, Observations, Samples

#: Rows of this long are told together [s of our time].
SLICE = 0.02
#: A pause of the source longer than this is cut to this: nobody waits through a night [s of our time].
LONGEST_PAUSE = 10.0


class Paced:
    """Another connector, slowed down to ``speed`` times its own time."""

    def __init__(
        self,
        source: Connector,
        speed: float,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source, self._speed, self._sleep = source, speed, sleep
        self._clock = clock

    @property
    def told(self) -> Told:
        """What the source tells of its work."""
        return self._source.told

    async def offered(self) -> tuple[Item, ...]:
        """Return what the source offers."""
        return await self._source.offered()

    async def observations(self) -> Observations:
        """Yield what the source says, each when it is due; see ``protocol.Connector``."""
        clock = self._clock or asyncio.get_running_loop().time
        ours = theirs = None
        async with aclosing(self._source.observations()) as found:
            async for whole in found:
                for observation in self._pieces(whole):
                    at = _time(observation)
                    if ours is None or theirs is None:
                        ours, theirs = clock(), at
                    wait = ours + (at - theirs) / self._speed - clock()
                    if wait > LONGEST_PAUSE:
                        ours -= wait - LONGEST_PAUSE
                        wait = LONGEST_PAUSE
                    if wait > 0:
                        await self._sleep(wait)
                    yield observation

    def _pieces(self, whole: Observation) -> Iterator[Observation]:
        """Cut a block into what is told together."""
        if isinstance(whole, Event) or not len(whole.time):
            yield whole
            return
        slot = np.floor((whole.time - whole.time[0]) / (SLICE * self._speed))
        edges = [0, *(np.flatnonzero(np.diff(slot)) + 1), len(slot)]
        for start, stop in pairwise(edges):
            yield Samples(whole.time[start:stop], whole.items, whole.values[start:stop])


def _time(observation: Observation) -> float:
    """Return when an observation is whole."""
    if isinstance(observation, Event):
        return observation.time
    return float(observation.time[-1]) if len(observation.time) else 0.0
