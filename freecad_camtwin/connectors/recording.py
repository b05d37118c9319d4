# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a recording as a source: its rows, words and gaps in their order."""

import asyncio
from pathlib import Path

from freecad_camtwin.connectors.protocol import Options, Told
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.store.run import run_observations, words
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Observations, Samples


class RecordingSource:
    """A recording of CAM Twin. Its items are the columns of the recording, in the recording's units."""

    def __init__(self, path: Path, _options: Options) -> None:
        self.told = Told()
        self._path = path

    async def observations(self) -> Observations:
        """Yield all rows in order of arrival; see ``protocol.Connector``."""
        with RecordingReader(self._path) as reader:
            self.told.simulated = reader.header.simulated
            for observation in run_observations(reader, reader.arrivals()):
                if isinstance(observation, Samples):
                    self.told.received += len(observation.time)
                    await asyncio.sleep(0)
                yield observation

    async def offered(self) -> tuple[Item, ...]:
        """Return the columns and the words."""
        with RecordingReader(self._path) as reader:
            return tuple(Item(name) for name in (*reader.columns, *sorted({word.item for word in words(reader)})))
