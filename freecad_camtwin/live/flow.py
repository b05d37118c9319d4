# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a source says, as rows with meanings and places, block by block, as it comes.

One task hears the source and puts what it says into a box; whoever iterates over ``blocks`` takes all that waits in
it, as one block. So a quick source gives few large blocks and a slow one many small ones, and nothing waits on purpose.
When the box is full the source is not asked for more: an agent keeps its observations, a file is read later, and a
broker's connector counts what it has to drop. Memory is bounded in every case.
"""

import asyncio
import gc
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from freecad_camtwin.connectors.protocol import Connector
from freecad_camtwin.store.schema import Gap
from freecad_camtwin.twin.signals.columns import Columns, Translator, joined
from freecad_camtwin.twin.signals.observation import GAP, Event, Observation, Samples
from freecad_camtwin.twin.signals.signal_map import SignalMap

#: A silent source gives an empty block as often [s].
_TICK = 0.1
#: What a source may take to say farewell and hang up [s].
LEAVES = 10.0
#: Numbers that wait in the box before the source is asked for no more (16 MB), and what a block has at least of them.
_MOST_CELLS = 2**21
_LEAST_CELLS = 16
#: Rows of a longer time are not merged: a clock that was set back is noticed between blocks [s].
MERGED_S = 0.1


class Placer(Protocol):
    """Adds to rows what is known of their places; rows come out in their order, some of them later."""

    def take(self, columns: Columns) -> Columns:
        """Return the rows that can go on, without words."""

    def rest(self) -> Columns:
        """Return all that waited, when no more will come."""


@dataclass(frozen=True, slots=True)
class Block:
    """What came together."""

    columns: Columns
    gaps: tuple[Gap, ...] = ()  #: those that began before these rows, and those that they end


class Flow:
    """One source with its signal map, and the places of its rows where a ``Placer`` knows them."""

    def __init__(self, connector: Connector, signals: SignalMap, placer: Placer | None = None) -> None:
        self.connector = connector
        self.translator = Translator(signals)
        self._placer = placer
        self._box = _Box()
        self._open: list[Gap] = []
        self._hearing: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Hear no more; what has come until now is still told, and then the blocks end."""
        self._box.close()

    async def blocks(self) -> AsyncGenerator[Block, None]:
        """Yield what the source says, an empty block where it is silent; what it raises is raised here."""
        # Looking for garbage among all that has been loaded until now would hold rows up for 50 ms.
        gc.collect()
        gc.freeze()
        self._hearing = asyncio.create_task(self._hear())
        try:
            while (waiting := await self._box.take(_TICK)) is not None:
                for block in self._translated(waiting):
                    yield self._placed(block)
            yield self._rest()
            if self._hearing.done() and not self._hearing.cancelled():
                self._hearing.result()
        finally:
            gc.unfreeze()
            self._box.close()  # a library may lose a cancellation that comes together with news; these end it, too
            while not self._hearing.done():
                self._hearing.cancel()
                await asyncio.wait([self._hearing], timeout=LEAVES)
            if not self._hearing.cancelled():
                self._hearing.exception()  # it was raised above, or nobody waits for it any more

    async def _hear(self) -> None:
        try:
            async with aclosing(self.connector.observations()) as found:
                async for observation in found:
                    await self._box.put(observation)
                    if self._box.is_closed:
                        return
        finally:
            self._box.close()

    def _translated(self, waiting: list[Observation]) -> Iterator[Block]:
        """Yield rows and words; a gap begins a block of its own, so that it lies between rows."""
        parts: list[Columns] = []
        gaps: list[Gap] = []
        for observation in merged_blocks(waiting):
            if isinstance(observation, Event) and observation.item == GAP:
                yield Block(joined(parts), tuple(gaps))
                gap = Gap(self.translator.newest(observation.time), None, observation.value or "not told")
                self._open.append(gap)
                parts, gaps = [], [gap]
            elif isinstance(observation, Samples) and len(observation.time) and self._open:
                gaps += self._ended(observation)
            parts.append(self.translator.take(observation))
        yield Block(joined(parts), tuple(gaps))

    def _ended(self, samples: Samples) -> list[Gap]:
        """Return the open gaps, which these rows end."""
        first = self.translator.on_our_clock(float(np.nanmin(samples.time, initial=np.inf)))
        if not np.isfinite(first):
            return []
        ended = [Gap(gap.start, max(first, gap.start), gap.reason) for gap in self._open]
        self._open.clear()
        return ended

    def _placed(self, block: Block) -> Block:
        if self._placer is None:
            return block
        words = block.columns.words
        placed = self._placer.take(block.columns)
        return Block(Columns(placed.time, placed.values, words), block.gaps)

    def _rest(self) -> Block:
        """Return what waited for signals that are slower, or for its place."""
        rest = self.translator.rest()
        if self._placer is None:
            return Block(rest)
        return Block(joined([self._placer.take(rest), self._placer.rest()]))


def merged_blocks(observations: list[Observation]) -> Iterator[Observation]:
    """Yield blocks of the same items that follow each other in time as one: a thousand messages are one block then."""
    run: list[Samples] = []
    for observation in observations:
        if run and (isinstance(observation, Event) or not _follows(run, observation)):
            yield _one(run)
            run = []
        if isinstance(observation, Event):
            yield observation
        else:
            run.append(observation)
    if run:
        yield _one(run)


def _follows(run: list[Samples], samples: Samples) -> bool:
    first, last = run[0], run[-1]
    if samples.items != first.items or not (len(first.time) and len(last.time) and len(samples.time)):
        return False
    return bool(samples.time[0] > last.time[-1] and samples.time[-1] - first.time[0] <= MERGED_S)


def _one(run: list[Samples]) -> Samples:
    if len(run) == 1:
        return run[0]
    values = np.concatenate([each.values for each in run])
    return Samples(np.concatenate([each.time for each in run]), run[0].items, values)


class _Box:
    """What waits between the hearing task and the blocks; bounded, and the hearing task waits where it is full."""

    def __init__(self) -> None:
        self._waiting: list[Observation] = []
        self._cells = 0
        self.is_closed = False
        self._news, self._room = asyncio.Event(), asyncio.Event()

    async def put(self, observation: Observation) -> None:
        while self._cells > _MOST_CELLS and not self.is_closed:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(observation)
        size = observation.values.size if isinstance(observation, Samples) else 0
        self._cells += max(size, _LEAST_CELLS)
        self._news.set()

    async def take(self, patience: float) -> list[Observation] | None:
        """Return all that waits, nothing after ``patience`` seconds; None once the box is closed and empty."""
        if not self._waiting and not self.is_closed:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._news.wait()
        if not self._waiting and self.is_closed:
            return None
        found, self._waiting, self._cells = self._waiting, [], 0
        self._room.set()
        return found

    def close(self) -> None:
        self.is_closed = True
        self._news.set()
        self._room.set()
