#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Polls LinuxCNC in a process of its own: writes the controller's data to a pipe and executes commands.

It runs in the Python that has LinuxCNC's modules (the system's) and needs nothing else; it can be copied to the
controller's computer. Those modules are GPL, so they are imported only here, and the data are passed through a pipe.

    poller.py RATE LEAST MOST [ITEM=PIN …]      polls per second, bounds of the feed override [%], HAL pins to read

Standard output, one JSON object per line::

    {"hello": {"version": …, "machine": …, "items": […]}}     first, once
    {"row": [time, value, …]}          after every poll: the values of the items
    {"word": [time, item, value]}      at the beginning, and when it changes: availability, program, execution, mode
    {"answer": [number, null]}         null if the command was executed, else a sentence with the reason
    {"end": "reason"}                  last

Standard input, one per line: ``{"number": 7, "feed_override": 80.0}``. When it ends, the poller ends.

``time`` is this computer's clock [s since the epoch] just after the poll. Line, speed and commanded position are read
from HAL, where they belong to the current servo cycle. The rest is LinuxCNC's status, which its task updates every
[TASK]CYCLE_TIME: on a busy computer it can be 200 ms old. The error channel is not read: a message that one process
reads there is lost for the others. The poller sends the controller nothing but the commands it receives, and when this
process ends, in whatever way, the controller continues unchanged.
"""

import json
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

#: Numbers that every row has, in millimeters, seconds and percent. ``work`` is the commanded position of the tool's tip
#: in work coordinates; ``machine`` is the measured position of the axes, from the status.
NUMBERS = (
    "work.x", "work.y", "work.z", "motion_line", "feed", "feed_override", "rapid_override", "spindle_override",
    "spindle_speed", "tool_number", "tool_length", "machine.x", "machine.y", "machine.z",
)  # fmt: skip
#: HAL pins for line, speed and commanded position.
LINE, SPEED, POSITION = (
    "motion.program-line",
    "motion.current-vel",
    ("axis.x.pos-cmd", "axis.y.pos-cmd", "axis.z.pos-cmd"),
)
#: Interval of checking whether the controller still runs [s].
ALIVE_EVERY = 0.25
#: Time limit for a command to appear in the status [s].
COMMAND_TAKES = 1.0
LONGEST_REQUEST = 10_000
Tell = Callable[[dict[str, Any]], None]


class GoneError(Exception):
    """There is no running controller."""


class RunningLinuxcnc:
    """The running LinuxCNC."""

    def __init__(self, pins: list[str]) -> None:
        try:
            import linuxcnc
        except ImportError as error:
            raise GoneError(f"{sys.executable} has no LinuxCNC modules: {error}") from error
        self.linuxcnc = linuxcnc
        try:
            self.status = linuxcnc.stat()
            self.status.poll()
        except linuxcnc.error as error:
            raise GoneError("LinuxCNC does not run here") from error
        self.poll()  # the second poll: only this one fails if the tool table is missing
        settings = linuxcnc.ini(self.status.ini_filename)
        self.name = settings.find("EMC", "MACHINE") or "LinuxCNC"
        self.most = 100.0 * float(settings.find("DISPLAY", "MAX_FEED_OVERRIDE") or 1.0)
        self.task = process_named(os.path.basename(settings.find("TASK", "TASK") or "milltask"))
        self.command = linuxcnc.command()
        self.pins = pins
        self.component = self._component()

    def _component(self) -> Any:
        """Become a HAL component, which is required to read pins; it has no pins of its own."""
        import hal

        self.hal = hal
        component = hal.component(f"camtwin-{os.getpid()}")
        component.ready()
        for pin in (LINE, SPEED, *self.pins):
            try:
                hal.get_value(pin)
            except RuntimeError as error:
                component.exit()
                raise GoneError(f"LinuxCNC's HAL has no pin {pin}") from error
        return component

    def close(self) -> None:
        """Leave HAL, so that the controller can shut down."""
        self.component.exit()

    def poll(self) -> None:
        """Update the status."""
        try:
            self.status.poll()
        except self.linuxcnc.error as error:
            raise GoneError("LinuxCNC does not answer any more") from error
        except SystemError as error:  # LinuxCNC's module fails without a reason
            home = os.environ.get("HOME", "/tmp")
            raise GoneError(
                f"LinuxCNC's tool table is not in {home}: run as the user who runs LinuxCNC, with the same HOME"
            ) from error

    def is_alive(self) -> bool:
        """Whether the task that writes the status still runs; its shared memory remains after its end."""
        try:
            with open(f"/proc/{self.task}/stat", encoding="utf-8", errors="replace") as stated:
                return stated.read().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            return False

    def numbers(self) -> list[float | None]:
        """Return the values of ``NUMBERS`` and of the pins."""
        s = self.status
        unit = s.linear_units or 1.0  # machine units per millimetre
        spindle = s.spindle[0]
        at = [self._axis(axis) for axis in range(3)]
        line, speed = self.hal.get_value(LINE), self.hal.get_value(SPEED)
        numbers = [value / unit for value in work_position(at, s)]
        numbers += [line, speed / unit, 100.0 * s.feedrate, 100.0 * s.rapidrate]
        numbers += [100.0 * spindle["override"], spindle["speed"], s.tool_in_spindle, s.tool_offset[2] / unit]
        numbers += [value / unit for value in s.actual_position[:3]]
        numbers += [float(self.hal.get_value(pin)) for pin in self.pins]
        return [value if math.isfinite(value) else None for value in numbers]

    def _axis(self, axis: int) -> float:
        """Return the commanded position of an axis [machine units]; 0 for a missing axis, such as Y of a lathe."""
        return float(self.hal.get_value(POSITION[axis])) if self.status.axis_mask >> axis & 1 else 0.0

    def words(self) -> dict[str, str | None]:
        """Return the words of the state by item."""
        s, c = self.status, self.linuxcnc
        modes = {c.MODE_AUTO: "AUTOMATIC", c.MODE_MDI: "MANUAL_DATA_INPUT", c.MODE_MANUAL: "MANUAL"}
        return {
            "availability": "AVAILABLE",
            "program": os.path.basename(s.file) or None,
            "execution": self._execution(),
            "mode": modes.get(s.task_mode),
        }

    def _execution(self) -> str:
        """Return MTConnect's EXECUTION. The status does not distinguish a pause by the operator from M0."""
        s, c = self.status, self.linuxcnc
        if s.task_state != c.STATE_ON:
            return "STOPPED"
        if s.interp_state == c.INTERP_IDLE:
            return "READY"
        return "INTERRUPTED" if s.task_paused or s.interp_state == c.INTERP_PAUSED else "ACTIVE"

    def set_feed_override(self, percent: Any, least: float, most: float) -> str | None:
        """Set the feed override [%]; return None when the status shows it, else the reason. Takes about 20 ms."""
        if not (isinstance(percent, int | float) and math.isfinite(percent)):
            return f"{percent!r} is not a finite number"
        if not least <= percent <= min(most, self.most):
            return f"{percent:g} % is outside of {least:g} to {min(most, self.most):g} %"
        if not self.status.feed_override_enabled:
            return "the program has switched the feed override off (M51)"
        self.command.feedrate(percent / 100.0)
        end = time.monotonic() + COMMAND_TAKES
        while abs(100.0 * self.status.feedrate - percent) > 0.01:
            if time.monotonic() > end:
                return "LinuxCNC did not accept it"
            time.sleep(0.002)
            self.poll()
        return None


def work_position(machine: list[float], status: Any) -> tuple[float, float, float]:
    """Return the tip in work coordinates [machine units]: without tool offset, G5x, its rotation about Z, and G92."""
    x, y, z = (at - zero - tool for at, zero, tool in zip(machine, status.g5x_offset, status.tool_offset, strict=False))
    if status.rotation_xy:
        turn = math.radians(-status.rotation_xy)
        x, y = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
    shift = status.g92_offset
    return x - shift[0], y - shift[1], z - shift[2]


def process_named(name: str) -> int:
    """Return the process id of the newest process of that name."""
    numbers = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/comm", encoding="utf-8", errors="replace") as comm:
                if comm.read().strip() == name[:15]:
                    numbers.append(int(number))
        except OSError:
            continue
    if not numbers:
        raise GoneError(f"LinuxCNC does not run here: there is no process {name}")
    return max(numbers)


class Requests:
    """Reads requests from a file descriptor, line by line, without blocking."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.rest = b""

    def wait(self, seconds: float) -> list[Any] | None:
        """Return the requests as soon as there are any, at the latest after ``seconds``; None at the end of input."""
        if not select.select([self.descriptor], [], [], max(0.0, seconds))[0]:
            return []
        data = os.read(self.descriptor, 65536)
        if not data or len(self.rest) > LONGEST_REQUEST:
            return None
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [json.loads(line) for line in lines]


class Poller:
    """Polls at a fixed rate, writes the values, and executes requests in between."""

    def __init__(
        self, machine: RunningLinuxcnc, rate: float, bounds: tuple[float, float], requests: Requests, tell: Tell
    ) -> None:
        self.machine, self.period, self.bounds = machine, 1.0 / rate, bounds
        self.requests, self.tell = requests, tell
        self.said: dict[str, str | None] = {}

    def run(self) -> None:
        """Poll until standard input ends. GoneError when the controller has ended."""
        due = checked = time.monotonic()
        is_connected = True
        while is_connected:
            self.poll()
            now = time.monotonic()
            if now - checked > ALIVE_EVERY:
                checked = now
                if not self.machine.is_alive():
                    raise GoneError("LinuxCNC was shut down")
            due = max(due + self.period, now)
            is_connected = self.follow_until(due)

    def poll(self) -> None:
        """Write the words that have changed, and one row."""
        self.machine.poll()
        now = time.time()
        for item, value in self.machine.words().items():
            if item not in self.said or self.said[item] != value:
                self.said[item] = value
                self.tell({"word": [now, item, value]})
        now = time.time()
        self.tell({"row": [now, *self.machine.numbers()]})

    def follow_until(self, due: float) -> bool:
        """Execute requests until the next poll is due, and write their answers; return False at the end of input."""
        while True:
            requests = self.requests.wait(due - time.monotonic())
            if requests is None:
                return False
            for request in requests:
                reason = self.machine.set_feed_override(request["feed_override"], *self.bounds)
                self.tell({"answer": [request["number"], reason]})
            if time.monotonic() >= due:
                return True


def end(_number: int, _frame: Any) -> None:
    """Exit through the cleanup of ``main``: the HAL component must be removed."""
    raise SystemExit(0)


def main(arguments: list[str]) -> int:
    """Poll until standard input ends or the controller does; return the exit code."""
    # LinuxCNC's libraries print to standard output: redirect that to standard error, and keep the pipe for our lines.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, end)

    def tell(line: dict[str, Any]) -> None:
        pipe.write(json.dumps(line) + "\n")
        pipe.flush()

    rate, least, most = (float(word) for word in arguments[:3])
    pins = dict(word.split("=", 1) for word in arguments[3:])
    machine = None
    try:
        machine = RunningLinuxcnc(list(pins.values()))
        hello = {"version": machine.linuxcnc.version, "machine": machine.name, "items": [*NUMBERS, *pins]}
        tell({"hello": hello})
        Poller(machine, rate, (least, most), Requests(0), tell).run()
    except GoneError as error:
        tell({"end": str(error)})
        return 1
    except KeyboardInterrupt:  # HAL sends SIGINT to its components when it is unloaded
        tell({"end": "LinuxCNC was shut down"})
        return 1
    except BrokenPipeError:
        return 0
    finally:
        if machine is not None:
            machine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
