#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Beside LinuxCNC, in a process of its own: says what the controller does, and passes on what it is asked.

Runs under the Python that has LinuxCNC's modules (the system's) and needs nothing else; it can be copied to where the
controller is. Those modules are GPL, so they are imported here alone, and what is said goes over a pipe.

    poller.py RATE LEAST MOST [ITEM=PIN …]      polls per second, bounds of the feed override [%], HAL pins to read

Standard output, one JSON object per line::

    {"hello": {"version": …, "machine": …, "items": […]}}     first, once
    {"row": [time, value, …]}          after every poll: the values of the items
    {"word": [time, item, value]}      first of all, and when it changes: availability, program, execution, mode
    {"answer": [number, null]}         done as asked, or a sentence that says why not
    {"end": "why"}                     last

Standard input, one per line: ``{"number": 7, "feed_override": 80.0}``. When it ends, so does the poller.

``time`` is this computer's clock [s since the epoch] just after the poll. Line, speed and commanded position are read
from HAL, where they are of this very servo cycle. The rest is LinuxCNC's status, which its task renews every
[TASK]CYCLE_TIME, when the computer lets it: on a busy one it can be 200 ms old. The error channel is not read: what one
process reads there is gone for the others. Nothing is asked of the controller that was not asked here, and when this
process ends, however it ends, the controller goes on as it is.
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

#: Numbers that every row has, in millimetres, seconds and per cent. ``work`` is where the control has the tool's tip,
#: as the program sees it; ``machine`` is where the axes were measured to be, by the status.
NUMBERS = (
    "work.x", "work.y", "work.z", "motion_line", "feed", "feed_override", "rapid_override", "spindle_override",
    "spindle_speed", "tool_number", "tool_length", "machine.x", "machine.y", "machine.z",
)  # fmt: skip
#: What is read from HAL for it.
LINE, SPEED, POSITION = (
    "motion.program-line",
    "motion.current-vel",
    ("axis.x.pos-cmd", "axis.y.pos-cmd", "axis.z.pos-cmd"),
)
#: How often it is looked whether the controller still runs [s].
ALIVE_EVERY = 0.25
#: How long a command may take to show in the status [s].
COMMAND_TAKES = 1.0
LONGEST_REQUEST = 10_000
Tell = Callable[[dict[str, Any]], None]


class GoneError(Exception):
    """There is no controller, or no more."""


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
        self.poll()  # the first one finds out whether there is a tool table, the second one says so
        settings = linuxcnc.ini(self.status.ini_filename)
        self.name = settings.find("EMC", "MACHINE") or "LinuxCNC"
        self.most = 100.0 * float(settings.find("DISPLAY", "MAX_FEED_OVERRIDE") or 1.0)
        self.task = process_named(os.path.basename(settings.find("TASK", "TASK") or "milltask"))
        self.command = linuxcnc.command()
        self.pins = pins
        self.component = self._component()

    def _component(self) -> Any:
        """Become a HAL component, as everybody must who reads pins; it has none of its own."""
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
        """Leave HAL, so that the controller can shut down without us."""
        self.component.exit()

    def poll(self) -> None:
        """Renew the status."""
        try:
            self.status.poll()
        except self.linuxcnc.error as error:
            raise GoneError("LinuxCNC does not answer any more") from error
        except SystemError as error:  # its module fails without saying why
            home = os.environ.get("HOME", "/tmp")
            raise GoneError(
                f"LinuxCNC's tool table is not in {home}: run as who runs LinuxCNC, with the same HOME"
            ) from error

    def is_alive(self) -> bool:
        """Whether the task that writes the status still runs; its shared memory would outlive it."""
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
        """Return where the control has an axis; a lathe has no Y, and stands at 0 there."""
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
        """Return MTConnect's EXECUTION. Who paused a program, an operator or its M0, the status does not say."""
        s, c = self.status, self.linuxcnc
        if s.task_state != c.STATE_ON:
            return "STOPPED"
        if s.interp_state == c.INTERP_IDLE:
            return "READY"
        return "INTERRUPTED" if s.task_paused or s.interp_state == c.INTERP_PAUSED else "ACTIVE"

    def set_feed_override(self, percent: Any, least: float, most: float) -> str | None:
        """Set the feed override; return why not, or None when the status shows it. Takes some 20 ms."""
        if not (isinstance(percent, int | float) and math.isfinite(percent)):
            return f"{percent!r} is no number"
        if not least <= percent <= min(most, self.most):
            return f"{percent:g} % is outside of {least:g} to {min(most, self.most):g} %"
        if not self.status.feed_override_enabled:
            return "the program has switched the feed override off (M51)"
        self.command.feedrate(percent / 100.0)
        end = time.monotonic() + COMMAND_TAKES
        while abs(100.0 * self.status.feedrate - percent) > 0.01:
            if time.monotonic() > end:
                return "LinuxCNC did not take it"
            time.sleep(0.002)
            self.poll()
        return None


def work_position(machine: list[float], status: Any) -> tuple[float, float, float]:
    """Return the tip in work coordinates: without tool offset, G5x, its rotation about Z, and G92."""
    x, y, z = (at - zero - tool for at, zero, tool in zip(machine, status.g5x_offset, status.tool_offset, strict=False))
    if status.rotation_xy:
        turn = math.radians(-status.rotation_xy)
        x, y = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
    shift = status.g92_offset
    return x - shift[0], y - shift[1], z - shift[2]


def process_named(name: str) -> int:
    """Return the number of the newest process of that name."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/comm", encoding="utf-8", errors="replace") as said:
                if said.read().strip() == name[:15]:
                    found.append(int(number))
        except OSError:
            continue
    if not found:
        raise GoneError(f"LinuxCNC does not run here: there is no {name}")
    return max(found)


class Requests:
    """What comes in on a file descriptor, line by line, without waiting for it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.rest = b""

    def wait(self, seconds: float) -> list[Any] | None:
        """Return the requests that came within ``seconds``, as soon as there are any; None when no more will come."""
        if not select.select([self.descriptor], [], [], max(0.0, seconds))[0]:
            return []
        came = os.read(self.descriptor, 65536)
        if not came or len(self.rest) > LONGEST_REQUEST:
            return None
        *lines, self.rest = (self.rest + came).split(b"\n")
        return [json.loads(line) for line in lines]


class Poller:
    """Polls at a rate, tells, and follows requests in between."""

    def __init__(
        self, machine: RunningLinuxcnc, rate: float, bounds: tuple[float, float], requests: Requests, tell: Tell
    ) -> None:
        self.machine, self.period, self.bounds = machine, 1.0 / rate, bounds
        self.requests, self.tell = requests, tell
        self.said: dict[str, str | None] = {}

    def run(self) -> None:
        """Poll until nobody listens any more. GoneError when the controller has gone."""
        due = looked = time.monotonic()
        is_heard = True
        while is_heard:
            self.poll()
            now = time.monotonic()
            if now - looked > ALIVE_EVERY:
                looked = now
                if not self.machine.is_alive():
                    raise GoneError("LinuxCNC was shut down")
            due = max(due + self.period, now)
            is_heard = self.follow_until(due)

    def poll(self) -> None:
        """Say what is now."""
        self.machine.poll()
        now = time.time()
        for item, value in self.machine.words().items():
            if item not in self.said or self.said[item] != value:
                self.said[item] = value
                self.tell({"word": [now, item, value]})
        now = time.time()
        self.tell({"row": [now, *self.machine.numbers()]})

    def follow_until(self, due: float) -> bool:
        """Do what is asked until the next poll is due, and say how it went; return whether we are still heard."""
        while True:
            requests = self.requests.wait(due - time.monotonic())
            if requests is None:
                return False
            for request in requests:
                why = self.machine.set_feed_override(request["feed_override"], *self.bounds)
                self.tell({"answer": [request["number"], why]})
            if time.monotonic() >= due:
                return True


def end(_number: int, _frame: Any) -> None:
    """End as if nobody listened any more: HAL must know that its component has gone."""
    raise SystemExit(0)


def main(arguments: list[str]) -> int:
    """Poll until standard input ends or the controller does; return the exit code."""
    # LinuxCNC's libraries print to the standard output: they get the standard error, and the pipe stays ours.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, end)

    def tell(said: dict[str, Any]) -> None:
        pipe.write(json.dumps(said) + "\n")
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
    except KeyboardInterrupt:  # so HAL tells its components that it is unloaded
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
