# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virtual machine tool: it runs a package's program and says what a machine with a good control would say.

Its spindle draws idle power, and on top of it the predicted power times what only the machine knows (``truth``), as the
share of the programmed feed that it really moves at lets it rise and fall. The sensor filters, adds noise, and falls
silent now and then. Rows are made in blocks of fixed length, so that a seed gives the same run however it is paced.
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
#: Falling exponent of the specific cutting force where the material has none.
TYPICAL_MC = 0.25
#: Shortest and longest silence of the sensor [s].
_SILENCE = 0.2, 1.0
#: What positions are rounded to [mm].
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
    """Return what publishers are told of a package's virtual machine."""
    name = package.machine.name if package.machine else "machine"
    return Spoken(f"virtual {name}", f"virtual-{package.toolpath_hash[:12]}", VIRTUAL_ITEMS, simulated=True)


@dataclass
class _Sensor:
    """The state of the power sensor."""

    drawn: float = 0.0  # filtered [W]
    silent_until: float = 0.0  # [s of machine time]


class VirtualMachine:
    """Runs one program, ``rate`` rows per second of its own time; ``begin`` is that time's zero, since the epoch."""

    def __init__(self, package: Package, truth: Truth | None = None, *, rate: float = 100.0, begin: float) -> None:
        self.package, self.truth, self.rate = package, truth or Truth(), rate
        self.progress = Progress(package)
        self.begin = begin
        self.refused: list[str] = []  #: commands that were not followed, one sentence each
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
        """How much of its time a block takes [s]."""
        return BLOCK / self.rate

    def greeting(self) -> list[Observation]:
        """Return what the machine says when it is switched on."""
        said = (("availability", "AVAILABLE"), ("mode", "AUTOMATIC"), ("program", self.package.program or None))
        return [*(Event(self.time, name, value) for name, value in said), *self._states()]

    def start(self) -> None:
        """Press the start button."""
        self._runs = True

    def obey(self, command: Command) -> Event:
        """Follow a command, or note why not; return the word that tells all what became of it, as a bridge does."""
        why = ""
        if command.name != FEED_OVERRIDE:
            why = f"it has no {command.name}"
        elif not 100 * LEAST_OVERRIDE <= command.value <= 100 * MOST_OVERRIDE:
            why = f"a feed override of {command.value:g} % is not between {LEAST_OVERRIDE:.0%} and {MOST_OVERRIDE:.0%}"
        elif command.value != 100 * self.progress.override:
            self.progress.turn(command.value / 100)
        self.refused += [why] if why else []
        by = f" by {command.sender}" if command.sender else ""
        return Event(self.time, COMMAND, f"{command.name} {command.value:g}{by}: {why or 'done'}")

    def advance(self) -> list[Observation]:
        """Return the next block of rows, after the words that hold from it on."""
        words = self._states()
        times: Floats = self.begin + (self._rows + np.arange(1.0, BLOCK + 1)) / self.rate
        moves = self._runs and not self.is_over
        move, points, way, speed = self.progress.step(BLOCK, 1 / self.rate, moves=moves)
        path = self.package.lines.program
        n_rpm = self._turning(move) if moves else np.zeros(BLOCK)
        was_silent = self._sensor.silent_until > times[0]
        power = self._measured(times, self._idle(n_rpm) + self._cutting(move, way, speed))
        if np.isnan(power[0]) and not was_silent:  # in a row without its power, what was told last would hold
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
        """Return the state's word, where it is a new one."""
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

    def _turning(self, move: Ints) -> Floats:
        """Return the spindle's speed [1/min]: the programmed one as far as it goes."""
        machine = self.package.machine
        assert machine is not None  # Progress has seen to that
        programmed = np.nan_to_num(self.package.lines.program.n_rpm[move])
        return np.asarray(np.minimum(programmed, machine.spindle.n_max_rpm))

    def _idle(self, n_rpm: Floats) -> Floats:
        """Return what the turning spindle draws without cutting [W]: in proportion to its speed."""
        machine = self.package.machine
        assert machine is not None
        return np.asarray(machine.spindle.idle_power * n_rpm / machine.spindle.n_max_rpm)

    def _cutting(self, move: Ints, way: Floats, speed: Floats) -> Floats:
        """Return what cutting draws on top, at the motor [W], and let the tools wear."""
        machine, steps = self.package.machine, self.package.steps
        assert machine is not None
        nowhere, no_line = np.full(BLOCK, np.nan), np.full((BLOCK, 2), -1, np.int32)
        found = self._places.alignment(np.arange(float(BLOCK)), way, nowhere, no_line, "nothing", Correction())
        planned = np.where(found.step >= 0, steps.feed[found.step] if len(steps.feed) else np.nan, np.nan)
        share = np.nan_to_num(np.divide(speed, planned, out=np.zeros(BLOCK), where=planned > 0))
        material = self.package.material
        mc = material.mc if material is not None and material.mc is not None else TYPICAL_MC
        net = np.nan_to_num(found.predicted("power")) * share ** (1 - mc)
        tool = np.maximum(self.package.lines.program.tool[move], 0)
        worn = 1 + self.truth.wear * self._cut[tool] / 60
        np.add.at(self._cut, tool, np.where(net > 0, 1 / self.rate, 0.0))
        return np.asarray(net * self.truth.material * worn / machine.spindle.efficiency)

    def _measured(self, times: Floats, drawn: Floats) -> Floats:
        """Return what the sensor says of the power: filtered, noisy, and nothing where it is silent."""
        machine = self.package.machine
        assert machine is not None
        sensor, truth = self._sensor, self.truth
        follows = 1.0 if truth.lag == 0 else -np.expm1(-1 / (self.rate * truth.lag))
        told = np.empty(BLOCK)
        for row, power in enumerate(drawn.tolist()):
            sensor.drawn += follows * (power - sensor.drawn)
            told[row] = sensor.drawn
        told += self._random.normal(0.0, truth.noise * machine.rated_power, BLOCK)
        falls, lasts = self._random.random(), self._random.uniform(*_SILENCE)
        if falls < truth.dropouts / 60 * self.block:
            sensor.silent_until = float(times[0]) + lasts
        return np.where(times < sensor.silent_until, np.nan, told)


def check_rate(rate: float) -> float:
    """Return a rate of rows [1/s]; InputError where no machine tells so many or so few."""
    if not 1 <= rate <= 10_000:
        raise InputError(f"{rate:g} rows a second is not between 1 and 10,000")
    return rate
