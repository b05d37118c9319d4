# SPDX-License-Identifier: LGPL-2.1-or-later
"""The talk with LinuxCNC's poller: its rows and words as observations, and what is asked of the controller.

The poller is a process of its own, under the Python that has LinuxCNC's modules. It ends when the controller does; then
there is a gap, and another one is started, again and again, until the controller is back.
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

#: What starts the poller instead, where the controller is elsewhere: "ssh mill /usr/bin/python3 poller.py".
ENVIRONMENT = "CAMTWIN_LINUXCNC"
POLLER = Path(__file__).with_name("poller.py")
#: How long an answer may take, beside what the poller itself waits [s].
ANSWER_TAKES = 5.0
_LONGEST_LINE = 2**20
_STRANGER = "what was started in place of LinuxCNC's poller"

#: What the poller's items are, in MTConnect's words.
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
#: What a HAL pin may be said to tell, and its type and unit.
ROLES = {
    "spindle_power": Item("spindle_power", "WATTAGE", "W", "", "Rotary S"),
    "spindle_load": Item("spindle_load", "LOAD", "%", "", "Rotary S"),
    "spindle_current": Item("spindle_current", "AMPERAGE", "A", "", "Rotary S"),
    "spindle_torque": Item("spindle_torque", "TORQUE", "N·m", "", "Rotary S"),
}


_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,46}")
#: More polls per second than this see nothing new.
FASTEST = 500.0


@dataclass(frozen=True, slots=True)
class PollerSettings:
    """What is wanted of a controller."""

    rate: float = 100.0  #: polls per second
    pins: dict[str, str] = field(default_factory=dict)  #: item → HAL pin
    bounds: tuple[float, float] | None = None  #: of the feed override [%]; None: it is left alone

    @classmethod
    def of(cls, said: Mapping[str, Sequence[str]]) -> Self:
        """Return what the words of an address want: rate, feed_override, hal, or what a pin tells."""
        pins = {pin: pin for pin in said.get("hal", ())}
        for role, found in said.items():
            if role in ROLES:
                pins[role] = found[-1]
            elif role not in {"rate", "feed_override", "hal"}:
                known = ", ".join(("rate", "feed_override", "hal", *ROLES))
                raise InputError(f"{role!r} is nothing that LinuxCNC is asked; known are {known}")
        if not all(_PIN.fullmatch(pin) for pin in pins.values()):
            raise InputError(f"{', '.join(pins.values())} are not all names of HAL pins")
        return cls(_rate(said.get("rate", ["100"])[-1]), pins, _bounds(said.get("feed_override", [""])[-1]))


class Hello(Struct):
    """What the poller says first."""

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
        raise InputError(f"rate={word} is no rate for LinuxCNC; give 1 to {FASTEST:g} polls per second")
    return rate


def _bounds(word: str) -> tuple[float, float] | None:
    if not word:
        return None
    try:
        least, most = (float(each) for each in word.split(":"))
    except ValueError:
        least, most = 1.0, 0.0
    if not 0.0 <= least <= most <= 1000.0:
        raise InputError(f"feed_override={word} is no range; give per cents, as feed_override=50:120")
    return least, most


class PolledController:
    """A LinuxCNC on this computer, or wherever the poller is started."""

    def __init__(self, wanted: PollerSettings, options: Options, start: list[str] | None = None) -> None:
        self.told = Told()
        self.hello: Hello | None = None
        self._wanted, self._options = wanted, options
        given = shlex.split(os.environ.get(ENVIRONMENT, ""))
        self._start = start or given or ["/usr/bin/python3", str(POLLER)]
        self._process: asyncio.subprocess.Process | None = None
        self._asked: dict[int, asyncio.Future[str | None]] = {}
        self._number = 0

    def observations(self) -> Observations:
        """Yield what the controller does; see ``protocol.Connector``."""
        return sessions(self._session, self.told, patience=self._options.patience)

    async def offered(self) -> tuple[Item, ...]:
        """Return what the poller tells, and the pins that it was asked for."""
        return (*LINUXCNC_ITEMS, *(ROLES.get(name, Item(name)) for name in self._wanted.pins))

    async def ask_feed_override(self, percent: float) -> str | None:
        """Set the controller's feed override; return in a sentence why that was not done, None when it was."""
        if self._wanted.bounds is None:
            return "its feed override is left alone here"
        process = self._process
        if process is None or process.stdin is None:
            return "LinuxCNC is not there"
        self._number = number = self._number + 1
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        request = {"number": number, "feed_override": percent}
        try:
            process.stdin.write(json.dumps(request, allow_nan=False).encode() + b"\n")
            await process.stdin.drain()
            async with asyncio.timeout(ANSWER_TAKES):
                return await answer
        except ValueError:
            return f"{percent} is no number"
        except (OSError, TimeoutError):
            return "LinuxCNC's poller does not answer"
        finally:
            self._asked.pop(number, None)

    async def _session(self) -> Observations:
        process = await self._started()
        self._process = process
        items: tuple[str, ...] = ()
        try:
            async for lines in self._lines(process):
                for said in lines:
                    if said.hello is not None:
                        self.hello, items = said.hello, tuple(said.hello.items)
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
        """Yield what came together; LostError when nothing comes any more."""
        assert process.stdout is not None
        rest = b""
        while True:
            try:
                async with asyncio.timeout(self._options.quiet):  # wait_for may lose a cancellation in Python 3.11
                    came = await process.stdout.read(65536)
            except TimeoutError as error:
                raise LostError(f"LinuxCNC's poller said nothing for {self._options.quiet:g} s") from error
            *lines, rest = (rest + came).split(b"\n")
            try:
                said = [_lines.decode(line) for line in lines]
            except (msgspec.MsgspecError, ValueError) as error:
                raise LostError(f"{_STRANGER} says something else") from error
            if said:
                self.told.received += len(said)
                yield said
            if said and said[-1].end is not None:
                raise LostError(said[-1].end)
            if not came:
                raise LostError(f"LinuxCNC's poller ended by itself (exit code {await _ended(process)})")
            if len(rest) > _LONGEST_LINE:
                raise LostError(f"{_STRANGER} says something else")

    def _observed(self, items: tuple[str, ...], lines: list[PollerLine]) -> Iterator[Observation]:
        rows: list[list[float | None]] = []
        for said in lines:
            if said.row is not None and len(said.row) == len(items) + 1:
                rows.append(said.row)
            elif said.row is not None:
                self.told.drop("rows that do not fit")
            elif said.word is not None:
                yield from _block(items, rows)
                rows = []
                yield Event(*said.word)
            elif said.answer is not None:
                self._answered(*said.answer)
        yield from _block(items, rows)

    def _answered(self, number: int, why: str | None) -> None:
        asked = self._asked.get(number)
        if asked is not None and not asked.done():
            asked.set_result(why)


def _block(items: tuple[str, ...], rows: list[list[float | None]]) -> Iterator[Samples]:
    if rows:
        table = np.array(rows, np.float64)  # None becomes NaN
        yield Samples(table[:, 0], items, table[:, 1:])


async def _ended(process: asyncio.subprocess.Process) -> int:
    """End the poller, which does so by itself when nobody talks to it any more; return its exit code."""
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
    """Read what is left, without which asyncio does not see the end of a process, and return its exit code."""
    assert process.stdout is not None
    while await process.stdout.read(65536):
        pass
    return await process.wait()
