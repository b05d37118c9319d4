# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns the observations of a source into rows with meanings and places, block by block, as they arrive.

One task reads the source into a buffer; the loop over ``blocks`` takes all that the buffer holds as one block. So a
fast source gives few large blocks and a slow one many small ones, without added delay. While the buffer is full, the
source is not read: an agent keeps its observations, a file is read later, and a broker's connector counts what it has
to drop. Memory is bounded in every case.
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

#: Interval of the empty blocks of a silent source [s].
_TICK = 0.1
#: Time that a source may take to disconnect [s].
LEAVES = 10.0
#: Numbers in the buffer above which the source is not read (16 MB), and the least that an observation counts for.
_MOST_CELLS = 2**21
_LEAST_CELLS = 16
#: Longest time that a merged block covers: a clock that was set back is detected between blocks only [s].
MERGED_S = 0.1


class Placer(Protocol):
    """Adds the places on the path to rows; rows come out in their order, some of them later."""

    def take(self, columns: Columns) -> Columns:
        """Return the rows that are ready, without words."""

    def rest(self) -> Columns:
        """Return all rows that still wait, at the end."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows and words that were read together."""

    columns: Columns
    gaps: tuple[Gap, ...] = ()  #: gaps that began before these rows, and gaps that these rows end


class Flow:
    """One source with its signal map, and with the places of its rows if there is a ``Placer``."""

    def __init__(self, connector: Connector, signals: SignalMap, placer: Placer | None = None) -> None:
        self.connector = connector
        self.translator = Translator(signals)
        self._placer = placer
        self._buffer = _Buffer()
        self._open: list[Gap] = []
        self._reader: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Stop reading the source; the buffer is still yielded, and then the blocks end."""
        self._buffer.close()

    async def blocks(self) -> AsyncGenerator[Block, None]:
        """Yield the source's data, an empty block while it is silent; errors of the source are raised here."""
        # Without freeze, a garbage collection over all loaded objects would delay rows by 50 ms.
        gc.collect()
        gc.freeze()
        self._reader = asyncio.create_task(self._read())
        try:
            while (waiting := await self._buffer.take(_TICK)) is not None:
                for block in self._translated(waiting):
                    yield self._placed(block)
            yield self._rest()
            if self._reader.done() and not self._reader.cancelled():
                self._reader.result()
        finally:
            gc.unfreeze()
            self._buffer.close()  # a library may lose a cancellation that arrives together with data: closing ends it
            while not self._reader.done():
                self._reader.cancel()
                await asyncio.wait([self._reader], timeout=LEAVES)
            if not self._reader.cancelled():
                self._reader.exception()  # it was raised above, or the caller has left

    async def _read(self) -> None:
        try:
            async with aclosing(self.connector.observations()) as observations:
                async for observation in observations:
                    await self._buffer.put(observation)
                    if self._buffer.is_closed:
                        return
        finally:
            self._buffer.close()

    def _translated(self, waiting: list[Observation]) -> Iterator[Block]:
        """Yield rows and words; a gap begins a new block, so that it lies between rows."""
        parts: list[Columns] = []
        gaps: list[Gap] = []
        for observation in merged_blocks(waiting):
            if isinstance(observation, Event) and observation.item == GAP:
                yield Block(joined(parts), tuple(gaps))
                gap = Gap(self.translator.newest(observation.time), None, observation.value or "no reason given")
                self._open.append(gap)
                parts, gaps = [], [gap]
            elif isinstance(observation, Samples) and len(observation.time) and self._open:
                gaps += self._ended(observation)
            parts.append(self.translator.take(observation))
        yield Block(joined(parts), tuple(gaps))

    def _ended(self, samples: Samples) -> list[Gap]:
        """Return the open gaps, ended by these rows."""
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
        """Return the rows that still waited for slower signals or for their place."""
        rest = self.translator.rest()
        if self._placer is None:
            return Block(rest)
        return Block(joined([self._placer.take(rest), self._placer.rest()]))


def merged_blocks(observations: list[Observation]) -> Iterator[Observation]:
    """Yield consecutive blocks of the same items as one block: a thousand messages then become one block."""
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


class _Buffer:
    """The bounded buffer between the reading task and the blocks; the reading task waits while it is full."""

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
        """Return the contents, an empty list after ``patience`` seconds; None once the buffer is closed and empty."""
        if not self._waiting and not self.is_closed:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._news.wait()
        if not self._waiting and self.is_closed:
            return None
        waiting, self._waiting, self._cells = self._waiting, [], 0
        self._room.set()
        return waiting

    def close(self) -> None:
        self.is_closed = True
        self._news.set()
        self._room.set()
