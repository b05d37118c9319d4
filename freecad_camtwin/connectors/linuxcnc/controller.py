# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads LinuxCNC's poller: its rows and words become observations; commands are passed to the controller.

The poller is a separate process, in the Python that has LinuxCNC's modules. It ends when the controller ends; then a
gap is yielded, and the poller is started again until the controller is back.
"""

import asyncio
import contextlib
import json
import os
import re
import shlex
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
from msgspec import Struct

from freecad_camtwin.connectors.protocol import Options, Told
from freecad_camtwin.connectors.retry import LostError, sessions
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Event, Observation, Observations, Samples

#: Variable with another command that starts the poller, on another computer: "ssh mill /usr/bin/python3 poller.py".
ENVIRONMENT = "CAMTWIN_LINUXCNC"
POLLER = Path(__file__).with_name("poller.py")
#: Time limit of the poller's answer to a command, and of its end [s].
ANSWER_TAKES = 5.0
_LONGEST_LINE = 2**20
_NO_POLLER = "the process started as LinuxCNC's poller sends invalid lines"

#: The poller's items, with their types in MTConnect's words.
LINUXCNC_ITEMS = (
    *(Item(f"work.{axis.lower()}", "POSITION", "mm", "ACTUAL", f"Linear {axis}") for axis in "XYZ"),
    Item("motion_line", "LINE_NUMBER"),
    Item("feed", "PATH_FEEDRATE", "mm/s", "ACTUAL"),
    Item("feed_override", "PATH_FEEDRATE_OVERRIDE", "%", "PROGRAMMED"),
    Item("rapid_override", "PATH_FEEDRATE_OVERRIDE", "%", "RAPID"),
    Item("spindle_override", "ROTARY_VELOCITY_OVERRIDE", "%"),
    Item("spindle_speed", "ROTARY_VELOCITY", "1/min"),
    Item("tool_number", "TOOL_NUMBER"),
    Item("tool_length", "", "mm"),
    *(Item(f"machine.{axis}", "", "mm") for axis in "xyz"),
    Item("program", "PROGRAM"),
    Item("execution", "EXECUTION"),
    Item("mode", "CONTROLLER_MODE"),
    Item("availability", "AVAILABILITY"),
)
#: Meanings that the address may give to a HAL pin, with type and unit.
ROLES = {
    "spindle_power": Item("spindle_power", "WATTAGE", "W", "", "Rotary S"),
    "spindle_load": Item("spindle_load", "LOAD", "%", "", "Rotary S"),
    "spindle_current": Item("spindle_current", "AMPERAGE", "A", "", "Rotary S"),
    "spindle_torque": Item("spindle_torque", "TORQUE", "N·m", "", "Rotary S"),
}


_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,46}")
#: Most polls per second; more would read the same values again.
FASTEST = 500.0


@dataclass(frozen=True, slots=True)
class PollerSettings:
    """Settings of the poller."""

    rate: float = 100.0  #: polls per second
    pins: dict[str, str] = field(default_factory=dict)  #: item → HAL pin
    bounds: tuple[float, float] | None = None  #: bounds of the feed override [%]; None: it must not be set

    @classmethod
    def of(cls, query: Mapping[str, Sequence[str]]) -> Self:
        """Return the settings from an address's parameters: rate, feed_override, hal, or one of ``ROLES``."""
        pins = {pin: pin for pin in query.get("hal", ())}
        for name, values in query.items():
            if name in ROLES:
                pins[name] = values[-1]
            elif name not in {"rate", "feed_override", "hal"}:
                possible = ", ".join(("rate", "feed_override", "hal", *ROLES))
                raise InputError(f"LinuxCNC's address has no parameter {name!r}; possible are {possible}")
        if not all(_PIN.fullmatch(pin) for pin in pins.values()):
            raise InputError(f"{', '.join(pins.values())} are not all names of HAL pins")
        return cls(_rate(query.get("rate", ["100"])[-1]), pins, _bounds(query.get("feed_override", [""])[-1]))


class Hello(Struct):
    """The poller's first line."""

    version: str
    machine: str
    items: list[str]


class PollerLine(Struct, forbid_unknown_fields=True):
    """One line of the poller."""

    hello: Hello | None = None
    row: list[float | None] | None = None
    word: tuple[float, str, str | None] | None = None
    answer: tuple[int, str | None] | None = None
    end: str | None = None


_lines = msgspec.json.Decoder(PollerLine)


def _rate(word: str) -> float:
    try:
        rate = float(word)
    except ValueError:
        rate = 0.0
    if not 1.0 <= rate <= FASTEST:
        raise InputError(f"rate={word} is not a rate for LinuxCNC; give 1 to {FASTEST:g} polls per second")
    return rate


def _bounds(word: str) -> tuple[float, float] | None:
    if not word:
        return None
    try:
        least, most = (float(each) for each in word.split(":"))
    except ValueError:
        least, most = 1.0, 0.0
    if not 0.0 <= least <= most <= 1000.0:
        raise InputError(f"feed_override={word} is not a range; give percentages, such as feed_override=50:120")
    return least, most


class PolledController:
    """A LinuxCNC on this computer, or on the computer where the poller is started."""

    def __init__(self, wanted: PollerSettings, options: Options, start: list[str] | None = None) -> None:
        self.told = Told()
        self.hello: Hello | None = None
        self._wanted, self._options = wanted, options
        command = shlex.split(os.environ.get(ENVIRONMENT, ""))
        self._start = start or command or ["/usr/bin/python3", str(POLLER)]
        self._process: asyncio.subprocess.Process | None = None
        self._answers: dict[int, asyncio.Future[str | None]] = {}
        self._number = 0

    def observations(self) -> Observations:
        """Yield the controller's observations; see ``protocol.Connector``."""
        return sessions(self._session, self.told, patience=self._options.patience)

    async def offered(self) -> tuple[Item, ...]:
        """Return the poller's items and the HAL pins of the address."""
        return (*LINUXCNC_ITEMS, *(ROLES.get(name, Item(name)) for name in self._wanted.pins))

    async def ask_feed_override(self, percent: float) -> str | None:
        """Set the controller's feed override [%]; return None when it is set, else the reason as one sentence."""
        if self._wanted.bounds is None:
            return "the address does not allow setting its feed override"
        process = self._process
        if process is None or process.stdin is None:
            return "LinuxCNC is not connected"
        self._number = number = self._number + 1
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        request = {"number": number, "feed_override": percent}
        try:
            process.stdin.write(json.dumps(request, allow_nan=False).encode() + b"\n")
            await process.stdin.drain()
            async with asyncio.timeout(ANSWER_TAKES):
                return await answer
        except ValueError:
            return f"{percent} is not a finite number"
        except (OSError, TimeoutError):
            return "LinuxCNC's poller does not answer"
        finally:
            self._answers.pop(number, None)

    async def _session(self) -> Observations:
        process = await self._started()
        self._process = process
        items: tuple[str, ...] = ()
        try:
            async for lines in self._lines(process):
                for line in lines:
                    if line.hello is not None:
                        self.hello, items = line.hello, tuple(line.hello.items)
                for observation in self._observed(items, lines):
                    yield observation
        finally:
            self._process = None
            await _ended(process)

    async def _started(self) -> asyncio.subprocess.Process:
        wanted = self._wanted
        pins = [f"{item}={pin}" for item, pin in wanted.pins.items()]
        numbers = (wanted.rate, *(wanted.bounds or (0.0, 0.0)))
        command = [*self._start, *(f"{number:g}" for number in numbers), *pins]
        try:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise ConnectorError(f"LinuxCNC's poller cannot be started: {command[0]}: {error.strerror}") from error

    async def _lines(self, process: asyncio.subprocess.Process) -> AsyncIterator[list[PollerLine]]:
        """Yield the lines that are read together; LostError when the poller is silent or ends."""
        assert process.stdout is not None
        rest = b""  # an incomplete line
        while True:
            try:
                async with asyncio.timeout(self._options.quiet):  # wait_for may lose a cancellation in Python 3.11
                    data = await process.stdout.read(65536)
            except TimeoutError as error:
                raise LostError(f"LinuxCNC's poller was silent for {self._options.quiet:g} s") from error
            *complete, rest = (rest + data).split(b"\n")
            try:
                lines = [_lines.decode(line) for line in complete]
            except (msgspec.MsgspecError, ValueError) as error:
                raise LostError(_NO_POLLER) from error
            if lines:
                self.told.received += len(lines)
                yield lines
            if lines and lines[-1].end is not None:
                raise LostError(lines[-1].end)
            if not data:
                raise LostError(f"LinuxCNC's poller ended by itself (exit code {await _ended(process)})")
            if len(rest) > _LONGEST_LINE:
                raise LostError(_NO_POLLER)

    def _observed(self, items: tuple[str, ...], lines: list[PollerLine]) -> Iterator[Observation]:
        rows: list[list[float | None]] = []
        for line in lines:
            if line.row is not None and len(line.row) == len(items) + 1:
                rows.append(line.row)
            elif line.row is not None:
                self.told.drop("rows that do not fit")
            elif line.word is not None:
                yield from _block(items, rows)
                rows = []
                yield Event(*line.word)
            elif line.answer is not None:
                self._answered(*line.answer)
        yield from _block(items, rows)

    def _answered(self, number: int, reason: str | None) -> None:
        answer = self._answers.get(number)
        if answer is not None and not answer.done():
            answer.set_result(reason)


def _block(items: tuple[str, ...], rows: list[list[float | None]]) -> Iterator[Samples]:
    if rows:
        table = np.array(rows, np.float64)  # None becomes NaN
        yield Samples(table[:, 0], items, table[:, 1:])


async def _ended(process: asyncio.subprocess.Process) -> int:
    """Close the poller's standard input, upon which it ends; kill it if it does not. Return its exit code."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(ANSWER_TAKES):
            return await _drained(process)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return await _drained(process)


async def _drained(process: asyncio.subprocess.Process) -> int:
    """Read the remaining output, which asyncio requires to detect the end of a process; return its exit code."""
    assert process.stdout is not None
    while await process.stdout.read(65536):
        pass
    return await process.wait()
