# SPDX-License-Identifier: LGPL-2.1-or-later
"""Replays a file at a chosen multiple of real time. The time stamps of the observations stay unchanged."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from itertools import pairwise

import numpy as np

from freecad_camtwin.connectors.protocol import Connector, Told
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Event, Observation, Observations, Samples

#: Rows within this time are yielded together [s of this computer's clock].
SLICE = 0.02
#: A longer pause of the source is shortened to this, so that a replay does not wait [s of this computer's clock].
LONGEST_PAUSE = 10.0


class Paced:
    """Another connector, paced at ``speed`` times real time."""

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
        """The counters and warnings of the source."""
        return self._source.told

    async def offered(self) -> tuple[Item, ...]:
        """Return what the source offers."""
        return await self._source.offered()

    async def observations(self) -> Observations:
        """Yield the source's observations, each when it is due; see ``protocol.Connector``."""
        clock = self._clock or asyncio.get_running_loop().time
        started = first = None  # the beginning, by this computer's clock and by the source's times
        async with aclosing(self._source.observations()) as observations:
            async for whole in observations:
                for observation in self._pieces(whole):
                    at = _time(observation)
                    if started is None or first is None:
                        started, first = clock(), at
                    wait = started + (at - first) / self._speed - clock()
                    if wait > LONGEST_PAUSE:
                        started -= wait - LONGEST_PAUSE
                        wait = LONGEST_PAUSE
                    if wait > 0:
                        await self._sleep(wait)
                    yield observation

    def _pieces(self, whole: Observation) -> Iterator[Observation]:
        """Split a block into the parts that are yielded together."""
        if isinstance(whole, Event) or not len(whole.time):
            yield whole
            return
        slot = np.floor((whole.time - whole.time[0]) / (SLICE * self._speed))
        edges = [0, *(np.flatnonzero(np.diff(slot)) + 1), len(slot)]
        for start, stop in pairwise(edges):
            yield Samples(whole.time[start:stop], whole.items, whole.values[start:stop])


def _time(observation: Observation) -> float:
    """Return the time of an observation's last row [s since the epoch]; 0 without rows."""
    if isinstance(observation, Event):
        return observation.time
    return float(observation.time[-1]) if len(observation.time) else 0.0
