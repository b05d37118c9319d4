# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records a run: the data of a source, with meanings and places, in a file that survives kills and power cuts.

    source → connector → buffer → translator (signal map) → aligner (package) → writer's thread → recording

Every stage is bounded, and the file is committed twice a second. The recording begins with the first row or word, so
that a silent source leaves no file, and the header can hold what the source states about itself.
"""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freecad_camtwin.errors import ConnectorError, OutputError
from freecad_camtwin.live.flow import Block, Flow
from freecad_camtwin.live.state import Keeper, dropped
from freecad_camtwin.live.writer import Writer
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import Gap, RecordingHeader
from freecad_camtwin.twin.signals.columns import Columns
from freecad_camtwin.twin.signals.observation import Event
from freecad_camtwin.twin.signals.signal_map import encode_signals
from freecad_camtwin.twin.signals.state import State

if TYPE_CHECKING:  # it loads the simulation: one second, which a recording without a package does not need
    from freecad_camtwin.twin.package.package import Package

#: A controller that is idle for this long has ended its program: between two blocks it may be idle for a moment [s].
IDLE_S = 1.0
#: Words of EXECUTION while a program runs and after its end, from MTConnect and from OPC UA's states.
RUNNING = frozenset({"ACTIVE", "RUNNING", "EXECUTING"})
ENDED = frozenset({"READY", "STOPPED", "PROGRAM_COMPLETED", "IDLE", "ENDED", "ABORTED", "FINISHED", "COMPLETED"})


@dataclass(frozen=True, slots=True)
class Until:
    """When a recording ends, in addition to the end of its source and the user's stop."""

    program_end: bool = True  #: when EXECUTION shows that the program has ended
    duration: float | None = None  #: this long after its first row [s of this computer's clock]
    parts: int | None = None  #: when PART_COUNT has risen by this number


class Ending:
    """Detects the end of a run."""

    def __init__(self, until: Until) -> None:
        self._until = until
        self._begun: float | None = None
        self._has_run = False
        self._idle: float | None = None  # since when
        self._first_part: float | None = None

    def reached(self, columns: Columns) -> str:
        """Examine new rows and words; return the reason why the run is over, empty while it is not."""
        now = time.monotonic()
        if columns.rows and self._begun is None:
            self._begun = now
        for word in columns.words:
            if word.column == "execution":
                self._execution((word.value or "").strip().upper(), now)
        if self._until.program_end and self._idle is not None and now - self._idle >= IDLE_S:
            return "the program has ended"
        duration = self._until.duration
        if duration is not None and self._begun is not None and now - self._begun >= duration:
            return f"{duration:g} s are over"
        return self._parts(columns)

    def _execution(self, word: str, now: float) -> None:
        if word in RUNNING:
            self._has_run, self._idle = True, None
        elif self._has_run and word in ENDED and self._idle is None:
            self._idle = now
        elif word not in ENDED:
            self._idle = None

    def _parts(self, columns: Columns) -> str:
        parts = columns.column("parts")
        parts = parts[parts == parts]
        if self._until.parts is None or not len(parts):
            return ""
        if self._first_part is None:
            self._first_part = float(parts[0])
        return f"{self._until.parts} parts are made" if parts[-1] - self._first_part >= self._until.parts else ""


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """The result of a recording."""

    path: Path
    reason: str  #: why it ended
    state: State  #: at its end
    rows: int  #: safe on disk


class Recorder:
    """Records one run of a flow into a new file."""

    def __init__(
        self, flow: Flow, path: Path, header: RecordingHeader, *, package: "Package | None", until: Until
    ) -> None:
        self._flow, self._path = flow, path
        self._header = replace(header, signal_map=encode_signals(flow.translator.signals).decode())
        self._keeper = Keeper(flow, package)
        self._ending = Ending(until)
        self._writer: Writer | None = None
        self._reason = "its source has ended"
        self._warned = 0
        self._set_back = 0
        self._has_rows = False

    @property
    def state(self) -> State:
        """The newest state of the machine."""
        return self._keeper.state

    @property
    def has_begun(self) -> bool:
        """Whether the file exists."""
        return self._writer is not None

    @property
    def acknowledged(self) -> int:
        """The number of rows that are safe on disk."""
        return self._writer.recording.acknowledged if self._writer else 0

    def stop(self, reason: str) -> None:
        """End the recording and keep all rows received so far."""
        self._reason = reason
        self._flow.stop()

    async def run(self) -> RecordingResult:
        """Record until the end. OutputError if the disk cannot be written; ConnectorError if the source refuses us.

        After any error the file stays readable; ``finished`` of an interrupted run is None.
        """
        try:
            async with aclosing(self._flow.blocks()) as blocks:
                async for block in blocks:
                    await self._keep(block)
                    reason = self._ending.reached(block.columns)
                    if reason:
                        self.stop(reason)
        except BaseException:
            if self._writer is not None:
                await self._writer.end(is_whole=False)
            raise
        if self._writer is None:
            raise ConnectorError("no item of the signal map was received; no recording was made")
        await self._tally(self._writer)
        await self._writer.end(is_whole=True, stopped=self.state.time)  # on the source's clock, as it began
        return RecordingResult(self._path, self._reason, self.state, self._writer.recording.acknowledged)

    async def _keep(self, block: Block) -> None:
        state = self._keeper.take(block)
        columns = block.columns
        words = [Event(word.time, word.column, word.value) for word in columns.words if word.column != "gap"]
        if self._writer is None:
            if not columns.rows and not words:
                return
            first = float(columns.time[0]) if columns.rows else words[-1].time
            self._header = replace(self._header, started=first, simulated=state.simulated)
            self._writer = Writer(await asyncio.to_thread(Recording.create, self._path, self._header))
        await self._write(self._writer, block, words)

    async def _write(self, writer: Writer, block: Block, words: list[Event]) -> None:
        columns = block.columns
        for gap in block.gaps:
            await writer.give(4, _gap(gap))
        words += self._notes()
        if columns.rows or words:
            cells = columns.rows * (1 + len(columns.values)) + 16 * len(words)
            await writer.give(cells, _append(columns, words))
        await self._describe(writer, columns)
        await self._tally(writer)

    def _notes(self) -> list[Event]:
        """Return the new warnings."""
        warnings = self._flow.connector.told.warnings
        new, self._warned = warnings[self._warned :], len(warnings)
        set_back = self._flow.translator.counters["clock set back"]
        if set_back > self._set_back:
            new = [*new, "the source's clock was set back; the times of its rows are continued from before"]
            self._set_back = set_back
        return [Event(self.state.time or time.time(), "warning", sentence) for sentence in new]

    async def _describe(self, writer: Writer, columns: Columns) -> None:
        """Update the header with what is known since it was written."""
        header = replace(
            self._header,
            simulated=self._header.simulated or self.state.simulated,
            program=self._header.program or self.state.program,
        )
        if columns.rows and not self._has_rows:  # words may be older: a state may have begun long ago
            self._has_rows, header = True, replace(header, started=float(columns.time[0]))
        if header != self._header:
            self._header = header
            await writer.give(1, lambda recording: recording.describe(header))

    async def _tally(self, writer: Writer) -> None:
        received, counters = self._flow.connector.told.received, dropped(self._flow)
        await writer.give(1, lambda recording: recording.count(received=received, dropped=counters))


def check_recording_target(path: Path) -> None:
    """Raise OutputError if the recording's file cannot be created; called before waiting for a machine."""
    if path.exists():
        raise OutputError(f"{path} exists; a recording never overwrites a file, choose another name")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path} cannot be created: the folder {path.parent} does not exist")


def _gap(gap: Gap) -> Any:
    return lambda recording: recording.gap(gap.start, gap.stop, gap.reason)


def _append(columns: Columns, words: list[Event]) -> Any:
    return lambda recording: recording.append(columns.time, columns.values, words)
