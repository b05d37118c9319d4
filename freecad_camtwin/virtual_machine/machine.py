# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virtual machine tool: it runs a package's program and yields the data of a machine with a good control.

Its spindle draws idle power plus cutting power: the predicted power, corrected for the actual feed, times hidden
factors (``truth``). The power sensor filters, adds noise, and is silent at times. Rows are made in blocks of fixed
length, so that a seed gives the same run at any pace.
"""

from dataclasses import dataclass

import numpy as np

from freecad_camtwin.errors import InputError
from freecad_camtwin.publishers.protocol import COMMAND, FEED_OVERRIDE, Command, Spoken
from freecad_camtwin.twin.alignment.lag import Correction
from freecad_camtwin.twin.alignment.places import Places
from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.package.package import Package
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Event, Observation, Samples
from freecad_camtwin.virtual_machine.motion import LEAST_OVERRIDE, MOST_OVERRIDE, Progress
from freecad_camtwin.virtual_machine.truth import Truth

#: Rows of a block.
BLOCK = 10
#: Falling exponent of the specific cutting force for a material without one.
TYPICAL_MC = 0.25
#: Shortest and longest silence of the sensor [s].
_SILENCE = 0.2, 1.0
#: Resolution of positions [mm].
RESOLUTION = 0.001

VIRTUAL_ITEMS = (
    Item("x", "POSITION", "mm", "ACTUAL", "Linear X"),
    Item("y", "POSITION", "mm", "ACTUAL", "Linear Y"),
    Item("z", "POSITION", "mm", "ACTUAL", "Linear Z"),
    Item("feed", "PATH_FEEDRATE", "mm/s", "ACTUAL", "Path"),
    Item("n_rpm", "ROTARY_VELOCITY", "1/min", "ACTUAL", "Rotary S"),
    Item("power", "WATTAGE", "W", "", "Rotary S"),
    Item("line", "LINE_NUMBER", "", "ABSOLUTE", "Path"),
    Item("tool", "TOOL_NUMBER", "", "", "Path"),
    Item("feed_override", "PATH_FEEDRATE_OVERRIDE", "%", "PROGRAMMED", "Path"),
    Item("program", "PROGRAM", "", "", "Path"),
    Item("execution", "EXECUTION", "", "", "Path"),
    Item("mode", "CONTROLLER_MODE", "", "", "Controller"),
    Item("availability", "AVAILABILITY", "", "", "Device"),
    Item(COMMAND),
)
_NUMBERS = tuple(item.name for item in VIRTUAL_ITEMS[:9])


def spoken(package: Package) -> Spoken:
    """Return the description of a package's virtual machine for publishers."""
    name = package.machine.name if package.machine else "machine"
    return Spoken(f"virtual {name}", f"virtual-{package.toolpath_hash[:12]}", VIRTUAL_ITEMS, simulated=True)


@dataclass
class _Sensor:
    """The state of the power sensor."""

    drawn: float = 0.0  # filtered [W]
    silent_until: float = 0.0  # [s of machine time]


class VirtualMachine:
    """Runs one program with ``rate`` rows per second of machine time, which begins at ``begin`` [s since the epoch]."""

    def __init__(self, package: Package, truth: Truth | None = None, *, rate: float = 100.0, begin: float) -> None:
        self.package, self.truth, self.rate = package, truth or Truth(), rate
        self.progress = Progress(package)
        self.begin = begin
        self.refused: list[str] = []  #: reasons of the refused commands, one sentence each
        self._rows = 0
        self._runs = False
        self._state = ""
        self._random = np.random.default_rng(self.truth.seed)
        self._places = Places(package)
        self._sensor = _Sensor()
        self._cut = np.zeros(max(1, len(package.job.tools)))  # how long each tool has cut [s]

    @property
    def time(self) -> float:
        """The time of the last row, seconds since the epoch."""
        return self.begin + self._rows / self.rate

    @property
    def is_over(self) -> bool:
        """Whether the program has run to its end."""
        return self.progress.is_over

    @property
    def block(self) -> float:
        """Machine time of one block [s]."""
        return BLOCK / self.rate

    def greeting(self) -> list[Observation]:
        """Return the observations of a machine that is switched on."""
        words = (("availability", "AVAILABLE"), ("mode", "AUTOMATIC"), ("program", self.package.program or None))
        return [*(Event(self.time, name, value) for name, value in words), *self._states()]

    def start(self) -> None:
        """Press the start button."""
        self._runs = True

    def obey(self, command: Command) -> Event:
        """Execute a command or note why not; return the word that reports the result, as a bridge does."""
        refusal = ""
        if command.name != FEED_OVERRIDE:
            refusal = f"it has no {command.name}"
        elif not 100 * LEAST_OVERRIDE <= command.value <= 100 * MOST_OVERRIDE:
            bounds = f"{LEAST_OVERRIDE:.0%} and {MOST_OVERRIDE:.0%}"
            refusal = f"a feed override of {command.value:g} % is not between {bounds}"
        elif command.value != 100 * self.progress.override:
            self.progress.turn(command.value / 100)
        self.refused += [refusal] if refusal else []
        by = f" by {command.sender}" if command.sender else ""
        return Event(self.time, COMMAND, f"{command.name} {command.value:g}{by}: {refusal or 'done'}")

    def advance(self) -> list[Observation]:
        """Return the next block of rows, after the words that are valid from it on."""
        words = self._states()
        times: Floats = self.begin + (self._rows + np.arange(1.0, BLOCK + 1)) / self.rate
        moves = self._runs and not self.is_over
        move, points, arc_length, speed = self.progress.step(BLOCK, 1 / self.rate, moves=moves)
        path = self.package.lines.program
        n_rpm = self._spindle_speed(move) if moves else np.zeros(BLOCK)
        was_silent = self._sensor.silent_until > times[0]
        power = self._measured(times, self._idle_power(n_rpm) + self._cutting_power(move, arc_length, speed))
        if np.isnan(power[0]) and not was_silent:  # NaN alone would mean that the last power is unchanged
            words = [*words, Event(float(times[0]), "power", None)]
        self._rows += BLOCK
        tools = np.array([tool.number or index + 1 for index, tool in enumerate(self.package.job.tools)] or [0])
        tool = np.where(path.tool[move] >= 0, tools[path.tool[move]], np.nan)
        line = np.where(path.line[move] > 0, path.line[move], np.nan)
        columns = [*(np.round(points / RESOLUTION) * RESOLUTION).T, speed, n_rpm, power, line, tool]
        columns.append(np.full(BLOCK, 100 * self.progress.override))
        rows = Samples(times, _NUMBERS, np.stack(columns, axis=1))
        return [*words, rows, *(self._states() if self.is_over else [])]

    def _states(self) -> list[Observation]:
        """Return the word of the state if it has changed."""
        if self.is_over:
            state = "PROGRAM_COMPLETED"
        elif not self._runs:
            state = "READY"
        else:
            state = "ACTIVE" if self.progress.override else "FEED_HOLD"
        if state == self._state:
            return []
        self._state = state
        return [Event(self.time, "execution", state)]

    def _spindle_speed(self, move: Ints) -> Floats:
        """Return the spindle speed [1/min]: the programmed one, limited by the machine's greatest."""
        machine = self.package.machine
        assert machine is not None  # Progress has checked it
        programmed = np.nan_to_num(self.package.lines.program.n_rpm[move])
        return np.asarray(np.minimum(programmed, machine.spindle.n_max_rpm))

    def _idle_power(self, n_rpm: Floats) -> Floats:
        """Return the power of the spindle without cutting [W], proportional to its speed."""
        machine = self.package.machine
        assert machine is not None
        return np.asarray(machine.spindle.idle_power * n_rpm / machine.spindle.n_max_rpm)

    def _cutting_power(self, move: Ints, arc_length: Floats, speed: Floats) -> Floats:
        """Return the cutting power at the motor [W], and update the wear of the tools."""
        machine, steps = self.package.machine, self.package.steps
        assert machine is not None
        nowhere, no_line = np.full(BLOCK, np.nan), np.full((BLOCK, 2), -1, np.int32)
        places = self._places.alignment(np.arange(float(BLOCK)), arc_length, nowhere, no_line, "nothing", Correction())
        planned = np.where(places.step >= 0, steps.feed[places.step] if len(steps.feed) else np.nan, np.nan)
        share = np.nan_to_num(np.divide(speed, planned, out=np.zeros(BLOCK), where=planned > 0))
        material = self.package.material
        mc = material.mc if material is not None and material.mc is not None else TYPICAL_MC
        net = np.nan_to_num(places.predicted("power")) * share ** (1 - mc)
        tool = np.maximum(self.package.lines.program.tool[move], 0)
        wear_factor = 1 + self.truth.wear * self._cut[tool] / 60
        np.add.at(self._cut, tool, np.where(net > 0, 1 / self.rate, 0.0))
        return np.asarray(net * self.truth.material * wear_factor / machine.spindle.efficiency)

    def _measured(self, times: Floats, drawn: Floats) -> Floats:
        """Return the power as the sensor reports it [W]: filtered, with noise, NaN while it is silent."""
        machine = self.package.machine
        assert machine is not None
        sensor, truth = self._sensor, self.truth
        weight = 1.0 if truth.lag == 0 else -np.expm1(-1 / (self.rate * truth.lag))
        measured = np.empty(BLOCK)
        for row, power in enumerate(drawn.tolist()):
            sensor.drawn += weight * (power - sensor.drawn)
            measured[row] = sensor.drawn
        measured += self._random.normal(0.0, truth.noise * machine.rated_power, BLOCK)
        chance, silence = self._random.random(), self._random.uniform(*_SILENCE)
        if chance < truth.dropouts / 60 * self.block:
            sensor.silent_until = float(times[0]) + silence
        return np.where(times < sensor.silent_until, np.nan, measured)


def check_rate(rate: float) -> float:
    """Return a rate of rows [1/s]; InputError unless it is from 1 to 10,000."""
    if not 1 <= rate <= 10_000:
        raise InputError(f"{rate:g} rows a second is not between 1 and 10,000")
    return rate
