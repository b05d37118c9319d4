# SPDX-License-Identifier: LGPL-2.1-or-later
"""From one recorded run to a machine: fit a profile's accelerations, speeds and corners, and say how sure it is.

The log says where the tool was and when. Its points are laid onto the program's path, which gives the time at which
the machine passed each of some hundred milestones; the schedule says the same of a guessed machine. The logarithms of
the machine's numbers are moved until both agree, by scipy's least squares. What the run does not tell stays where the
guess had it, held by a weak prior, and its wide interval says so:

    covariance = σ²·(JᵀJ + σ²/s²)⁻¹,   J the change of every milestone's lap by each logarithm, σ the scatter of laps,
                                       s = 1 the prior's width (a factor of e)
"""

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.sequences import sums_before
from freecad_camtwin.twin.cycle_time.motion import Motion
from freecad_camtwin.twin.cycle_time.schedule import Schedule
from freecad_camtwin.twin.job.geometry import points_along
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.job.toolpath import Toolpath
from freecad_camtwin.twin.shop.machine import Grbl, Jerk, Machine, read_machine

#: How far off its path a run may be, at 95 % of its points, to be one of this program [mm].
OFF_PATH = 1.0
_MILESTONES = 300
_PRIOR = 1.0
_NEEDED = "fitting a machine needs scipy, which is not installed; pip install 'freecad-camtwin[identify]' brings it"
_COLUMNS = ("time_s", "x_mm", "y_mm", "z_mm")


@dataclass(frozen=True)
class Log:
    """Where a machine was and when, in the program's coordinates."""

    label: str
    time: Floats  #: (samples,) [s], rising
    position: Floats  #: (samples, 3) [mm]


@dataclass(frozen=True)
class Parameter:
    """One fitted number of a profile with its 95 % interval."""

    name: str  #: as in the TOML file: "axes.x.acceleration_mm_s2"
    value: float
    lower: float
    upper: float

    @property
    def is_known(self) -> bool:
        """Whether the run tells it within half of itself; else it is as good as guessed."""
        return self.upper / max(self.lower, 1e-300) < 2.25

    def __str__(self) -> str:
        words = f"{self.name} = {self.value:.4g} ({self.lower:.4g} to {self.upper:.4g})"
        return words if self.is_known else f"{words}: this run does not tell"


@dataclass(frozen=True)
class Identified:
    """A fitted machine, and how sure the fit is."""

    machine: Machine
    parameters: tuple[Parameter, ...]
    scatter: float  #: what remains between log and schedule in a lap between milestones, one sigma [s]
    error_percent: float  #: of the whole run's time, after the fit
    off_path: float  #: how far the run is off the programmed path, 95th percentile [mm]

    @property
    def statement(self) -> str:
        """Say in one sentence how sure it is."""
        known = sum(parameter.is_known for parameter in self.parameters)
        return (
            f"{known} of {len(self.parameters)} numbers are told by this run; with them its time is right to "
            f"{self.error_percent:+.2f} %, each lap to {self.scatter * 1000:.1f} ms"
        )


def read_log(path: str | Path) -> Log:
    """Read a log: CSV with the columns time_s, x_mm, y_mm, z_mm; further columns are left alone.

    Raises InputError, one sentence with the row.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise InputError(f"log {path.name} has no column {missing[0]}: it needs {', '.join(_COLUMNS)}")
            table = [_row(row, path.name, number) for number, row in enumerate(rows, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"log {path.name} cannot be read: {error}") from error
    if len(table) < 10:
        raise InputError(f"log {path.name} has {len(table)} rows; at least 10 are needed")
    values = np.array(table)
    if (np.diff(values[:, 0]) <= 0).any():
        row = int((np.diff(values[:, 0]) <= 0).argmax()) + 3
        raise InputError(f"log {path.name}: time does not rise in row {row}")
    return Log(path.name, values[:, 0], values[:, 1:4])


def _row(row: dict[str, Any], label: str, number: int) -> tuple[float, ...]:
    try:
        values = tuple(float(row[name]) for name in _COLUMNS)
    except (TypeError, ValueError) as error:
        raise InputError(f"log {label}: row {number} is not all numbers") from error
    if not all(map(math.isfinite, values)):
        raise InputError(f"log {label}: row {number} is not all numbers")
    return values


def identify(log: Log, job: Job, guess: Machine | None = None) -> Identified:
    """Fit a machine to a recorded run of a job's toolpath, beginning at ``guess``, whose controller it keeps.

    Raises InputError where the log is of another program.
    """
    guess = read_machine("hobby_mill") if guess is None else guess
    path = job.toolpath
    first = Motion(path, guess).schedule()
    seen, ways, off = _lay_on_path(log, path, first)
    milestones, passed = _milestones(seen, ways)
    names = _names(guess)
    start = np.log([_get(guess, name) for name in names])

    def laps(values: Floats) -> Floats:
        machine = _with(guess, names, np.exp(values))
        schedule = Motion(path, machine).schedule()
        return np.diff(schedule.legs.smooth_reached(milestones, schedule.smoothing, leaving=False))

    logs, jacobian, residuals = _fit(laps, np.diff(passed), start)
    scatter = float(np.sqrt(np.mean(residuals**2)))
    noise = max(scatter, float(np.median(np.diff(log.time))) / math.sqrt(6.0))
    precision = jacobian.T @ jacobian / noise**2 + np.eye(len(logs)) / _PRIOR**2
    sigma = np.sqrt(np.diag(np.linalg.inv(precision)))
    machine = _with(guess, names, np.exp(logs))
    parameters = tuple(
        Parameter(name, math.exp(at), math.exp(at - 1.96 * wide), math.exp(at + 1.96 * wide))
        for name, at, wide in zip(names, logs, sigma, strict=True)
    )
    machine = msgspec.structs.replace(
        machine, name=f"{guess.name}, identified", source=f"fitted to {log.label}, beginning at {guess.name!r}"
    )
    error = 100.0 * (float(laps(logs).sum()) / float(passed[-1] - passed[0]) - 1.0)
    return Identified(machine, parameters, scatter, error, off)


def _fit(laps: Callable[[Floats], Floats], measured: Floats, start: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the logarithms that fit best, the Jacobian there, and what remains."""
    try:
        from scipy.optimize import least_squares
    except ImportError as error:
        raise InputError(_NEEDED) from error
    weak = 1e-3 * float(np.mean(measured))  # pulls towards the guess what no lap depends on

    def misses(change: Floats) -> Floats:
        return np.concatenate([laps(start + change) - measured, weak * change])

    def slopes(change: Floats) -> Floats:
        return np.vstack([_jacobian(laps, start + change), weak * np.eye(len(change))])

    # The changes are logarithms already, and alike in size: a first step goes no farther than a factor of e.
    found = least_squares(misses, np.zeros(len(start)), slopes, ftol=1e-6, xtol=1e-6, max_nfev=40)
    logs = start + found.x
    return logs, found.jac[: len(measured)], -found.fun[: len(measured)]


def _jacobian(laps: Callable[[Floats], Floats], logs: Floats) -> Floats:
    """The change of every lap by each logarithm [s]; steps wide enough to bridge whole servo cycles."""
    columns = []
    for index in range(len(logs)):
        step = np.zeros(len(logs))
        step[index] = 0.02
        columns.append((laps(logs + step) - laps(logs - step)) / 0.04)
    return np.column_stack(columns)


def _names(machine: Machine) -> tuple[str, ...]:
    """Return what is fitted: speeds and accelerations of the axes, and the controller's own number for corners."""
    axes = tuple(f"axes.{axis}.{what}" for what in ("acceleration_mm_s2", "velocity_mm_s") for axis in "xyz")
    if isinstance(machine.controller, Grbl):
        return (*axes, "controller.junction_deviation_mm")
    if isinstance(machine.controller, Jerk):
        return (*axes, *(f"axes.{axis}.jerk_mm_s3" for axis in "xyz"), "controller.tolerance_mm")
    return axes


def _get(machine: Machine, name: str) -> float:
    value: Any = msgspec.to_builtins(machine)
    for part in name.split("."):
        value = value[part]
    return float(value)


def _with(machine: Machine, names: tuple[str, ...], values: Floats) -> Machine:
    """Return the machine with new numbers."""
    table = msgspec.to_builtins(machine)
    for name, value in zip(names, values, strict=True):
        *parents, last = name.split(".")
        place: Any = table
        for part in parents:
            place = place[part]
        place[last] = float(value)
    return msgspec.convert(table, Machine)


def _lay_on_path(log: Log, path: Toolpath, schedule: Schedule) -> tuple[Floats, Floats, float]:
    """Return times and ways of the log's points along the path, and how far off it they are (95 %).

    Each point goes to the nearest place on the path ahead of the one before, no further ahead than a few times as far
    as the machine has come; so a path that crosses itself is not cut short.
    """
    way = schedule.way
    total = float(way[-1])
    spacing = max(total / 40_000, 0.02)
    dense = np.linspace(0.0, total, max(2, int(total / spacing) + 1))
    move = np.clip(np.searchsorted(way, dense, side="right") - 1, 0, path.moves - 1).astype(np.int32)
    points = points_along(path, move, np.minimum(dense - way[move], path.length[move]))
    come = sums_before(np.linalg.norm(np.diff(log.position, axis=0), axis=1))
    every = max(1, len(log.time) // 6000)
    at, last = 0, 0.0
    times, ways, offs = [], [], []
    for k in range(0, len(log.time), every):
        reach = 3.0 * (come[k] - last) + 1.0
        until = min(len(points), at + int(reach / spacing) + 2)
        apart = np.linalg.norm(points[at:until] - log.position[k], axis=1)
        at += int(apart.argmin())
        last = come[k]
        times.append(log.time[k])
        ways.append(dense[at])
        offs.append(float(apart.min()))
    off = float(np.percentile(offs, 95))
    if off > OFF_PATH or ways[-1] < 0.98 * total:
        worst = int(np.argmax(np.array(offs) > OFF_PATH)) if max(offs) > OFF_PATH else len(offs) - 1
        raise InputError(
            f"log {log.label} is of another program: at {times[worst]:.2f} s the machine is {offs[worst]:.1f} mm off "
            f"the path, which it has followed for {ways[worst]:.0f} of {total:.0f} mm; give the program that was run"
        )
    return np.array(times), np.array(ways), off


def _milestones(times: Floats, ways: Floats) -> tuple[Floats, Floats]:
    """Return ways that the machine passed while it moved, evenly in time, and when it passed them."""
    steps = np.flatnonzero(np.diff(ways) > 0) + 1
    chosen = steps[np.unique(np.linspace(0, len(steps) - 1, min(_MILESTONES, len(steps))).astype(int))]
    return ways[chosen], times[chosen]
