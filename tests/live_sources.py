# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sources that say what a test wants, when it wants it, and the recorder on them."""

import asyncio
import inspect
import time
from contextlib import suppress

import numpy as np

from freecad_camtwin.connectors.protocol import Told
from freecad_camtwin.errors import InputError
from freecad_camtwin.live.flow import Flow
from freecad_camtwin.live.recorder import Recorder, Until
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.store.schema import RecordingHeader
from freecad_camtwin.twin.signals.observation import GAP, Event, Samples
from freecad_camtwin.twin.signals.signal_map import Meaning, Signal, SignalMap

SIGNALS = SignalMap(
    (
        Signal("watt", Meaning.SPINDLE_POWER, unit="kW"),
        Signal("row", Meaning.LINE_NUMBER),
        Signal("count", Meaning.PART_COUNT),
        Signal("state", Meaning.EXECUTION),
        Signal("name", Meaning.PROGRAM),
    ),
    name="old mill",
)
START = 1.7e9
ALWAYS = Until()
#: Longer than any of it takes, on a machine that does ten other things [s].
PATIENCE = 60


#: Rows are on the disk half a second after they came: five times that, for a machine that does ten other things [s].
SAFE = 2.5


class Script:
    """A connector that says what it is given; a callable among it is called and awaited, a number is a pause [s]."""

    def __init__(self, *said, simulated=False):
        self.told = Told(simulated=simulated)
        self.said = said

    async def offered(self):
        return ()

    async def observations(self):
        for each in self.said:
            if isinstance(each, Samples | Event):
                self.told.received += 1
                yield each
                await asyncio.sleep(0)
            elif isinstance(each, float):
                await asyncio.sleep(each)
            elif isinstance(each, BaseException):
                raise each
            elif inspect.isawaitable(result := each()):
                await result


async def rows_in(path, many):
    """Return the rows of a growing recording as soon as there are ``many``, and those that there are after ``SAFE``."""
    deadline = time.monotonic() + SAFE
    while True:
        found = ()
        with suppress(InputError), RecordingReader(path) as reader:  # there is no file before the first rows
            found = reader.query()
        if len(found) >= many or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.02)


def rows(first, many, rate=1000.0, **more):
    """Return a block of rows, numbered from ``first`` on."""
    number = np.arange(first, first + many, dtype=float)
    columns = {"row": number, "watt": number / 1000, **more}
    return Samples(START + number / rate, tuple(columns), np.stack(list(columns.values()), axis=1))


def gap(at, reason="the broker was lost"):
    return Event(at, GAP, reason)


def state(word, at=START):
    return Event(at, "state", word)


def recorded(path, *said, until=ALWAYS, placer=None, **options):
    """Record what a script says; return what the recorder says of it and a reader of the file."""

    async def run():
        recorder = Recorder(
            Flow(Script(*said, **options), SIGNALS, placer), path, RecordingHeader(0.0), package=None, until=until
        )
        return await asyncio.wait_for(recorder.run(), PATIENCE)

    return asyncio.run(run()), RecordingReader(path)
