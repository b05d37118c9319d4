# SPDX-License-Identifier: LGPL-2.1-or-later
"""A recording as a source: what was recorded once is told again, its words and its gaps among its rows."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np

from freecad_camtwin.connectors.protocol import Options, Told
from freecad_camtwin.store.reader import RecordingReader, Rows
from freecad_camtwin.twin.discovery import Item
from freecad_camtwin.twin.observation import GAP, Event, Observation, Samples


class Recorded:
    """A recording of ours. Its items are the columns of the recording, in our units."""

    def __init__(self, path: Path, _options: Options) -> None:
        self.told = Told()
        self._path = path

    async def observations(self) -> AsyncIterator[Observation]:
        """Yield all rows in the order they came; see ``protocol.Connector``."""
        with RecordingReader(self._path) as reader:
            self.told.simulated = reader.header.simulated
            words = _words(reader)
            word = next(words, None)
            for rows in reader.arrivals():
                self.told.received += len(rows)
                done = 0
                while word is not None and len(rows) and word.time <= rows.time.max():
                    until = max(done, int(np.argmax(rows.time >= word.time)))
                    if until > done:
                        yield _samples(rows, done, until)
                        done = until
                    yield word
                    word = next(words, None)
                if len(rows) > done:
                    yield _samples(rows, done, len(rows))
                await asyncio.sleep(0)
            while word is not None:
                yield word
                word = next(words, None)

    async def offered(self) -> tuple[Item, ...]:
        """Return the columns and the words."""
        with RecordingReader(self._path) as reader:
            return tuple(Item(name) for name in (*reader.columns, *sorted({word.item for word in _words(reader)})))


def _words(reader: RecordingReader) -> Iterator[Event]:
    """Yield words and gaps in the order of time."""
    gaps = [Event(gap.start, GAP, gap.reason) for gap in reader.gaps()]
    yield from sorted([*gaps, *reader.events()], key=lambda event: event.time)


def _samples(rows: Rows, start: int, stop: int) -> Samples:
    names = tuple(rows.columns)
    return Samples(rows.time[start:stop], names, np.stack([rows.columns[name][start:stop] for name in names], axis=1))
