# SPDX-License-Identifier: LGPL-2.1-or-later
"""From one recorded run to a machine: fit a profile's accelerations, speeds and corners, with confidence intervals.

The log has positions of the tool over time. They are projected onto the program's path, which gives the time at which
the machine passed each of some hundred milestones; the schedule of a guessed machine gives the same times. scipy's
least squares varies the logarithms of the machine's numbers until both agree. A number that the run does not determine
stays near the guess because of a weak prior, and its interval is wide:

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

#: Greatest distance from the path, at 95 % of the points of a run, for a run of this program [mm].
OFF_PATH = 1.0
_MILESTONES = 300
_PRIOR = 1.0
_NEEDED = "fitting a machine needs scipy, which is not installed; pip install 'freecad-camtwin[identify]' brings it"
_COLUMNS = ("time_s", "x_mm", "y_mm", "z_mm")


@dataclass(frozen=True)
class Log:
    """Positions of a machine over time, in the program's coordinates."""

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
        """Whether the run determines it: the upper bound is less than 2.25 times the lower; else it is a guess."""
        return self.upper / max(self.lower, 1e-300) < 2.25

    def __str__(self) -> str:
        words = f"{self.name} = {self.value:.4g} ({self.lower:.4g} to {self.upper:.4g})"
        return words if self.is_known else f"{words}: this run does not determine it"


@dataclass(frozen=True)
class Identified:
    """A fitted machine, and the quality of the fit."""

    machine: Machine
    parameters: tuple[Parameter, ...]
    scatter: float  #: remaining difference of log and schedule in a lap between milestones, one sigma [s]
    error_percent: float  #: of the whole run's time, after the fit
    off_path: float  #: distance of the run from the programmed path, 95th percentile [mm]

    @property
    def statement(self) -> str:
        """State the quality of the fit in one sentence."""
        determined = sum(parameter.is_known for parameter in self.parameters)
        return (
            f"this run determines {determined} of {len(self.parameters)} numbers; with them its time is right to "
            f"{self.error_percent:+.2f} %, each lap to {self.scatter * 1000:.1f} ms"
        )


def read_log(path: str | Path) -> Log:
    """Read a log: CSV with the columns time_s, x_mm, y_mm, z_mm; further columns are ignored.

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
    """Fit a machine to a recorded run of a job's toolpath, starting from ``guess``, whose controller is kept.

    Raises InputError if the log is of another program.
    """
    guess = read_machine("hobby_mill") if guess is None else guess
    path = job.toolpath
    first = Motion(path, guess).schedule()
    times, arc_lengths, off = _project_on_path(log, path, first)
    milestones, passed = _milestones(times, arc_lengths)
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
    """Return the logarithms that fit best, the Jacobian there, and the residuals."""
    try:
        from scipy.optimize import least_squares
    except ImportError as error:
        raise InputError(_NEEDED) from error
    weak = 1e-3 * float(np.mean(measured))  # keeps at the guess a number that no lap depends on

    def misses(change: Floats) -> Floats:
        return np.concatenate([laps(start + change) - measured, weak * change])

    def slopes(change: Floats) -> Floats:
        return np.vstack([_jacobian(laps, start + change), weak * np.eye(len(change))])

    # The changes are logarithms of similar size: a first step changes a number by a factor of e at most.
    solution = least_squares(misses, np.zeros(len(start)), slopes, ftol=1e-6, xtol=1e-6, max_nfev=40)
    logs = start + solution.x
    return logs, solution.jac[: len(measured)], -solution.fun[: len(measured)]


def _jacobian(laps: Callable[[Floats], Floats], logs: Floats) -> Floats:
    """Return the change of every lap by each logarithm [s]; the steps are wider than the effect of a servo cycle."""
    columns = []
    for index in range(len(logs)):
        step = np.zeros(len(logs))
        step[index] = 0.02
        columns.append((laps(logs + step) - laps(logs - step)) / 0.04)
    return np.column_stack(columns)


def _names(machine: Machine) -> tuple[str, ...]:
    """Return the names of the fitted numbers: axis speeds and accelerations, and the controller's corner number."""
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


def _project_on_path(log: Log, path: Toolpath, schedule: Schedule) -> tuple[Floats, Floats, float]:
    """Return time and arc length of the log's points on the path, and their distance from it (95 %).

    Each point is projected to the nearest point of the path after the previous one, at most a few times as far ahead as
    the machine has travelled; so a loop of a path that crosses itself is not left out.
    """
    way = schedule.way
    total = float(way[-1])
    spacing = max(total / 40_000, 0.02)
    dense = np.linspace(0.0, total, max(2, int(total / spacing) + 1))
    move = np.clip(np.searchsorted(way, dense, side="right") - 1, 0, path.moves - 1).astype(np.int32)
    points = points_along(path, move, np.minimum(dense - way[move], path.length[move]))
    travelled = sums_before(np.linalg.norm(np.diff(log.position, axis=0), axis=1))
    every = max(1, len(log.time) // 6000)
    at, last = 0, 0.0
    times, arc_lengths, offs = [], [], []
    for k in range(0, len(log.time), every):
        reach = 3.0 * (travelled[k] - last) + 1.0
        until = min(len(points), at + int(reach / spacing) + 2)
        apart = np.linalg.norm(points[at:until] - log.position[k], axis=1)
        at += int(apart.argmin())
        last = travelled[k]
        times.append(log.time[k])
        arc_lengths.append(dense[at])
        offs.append(float(apart.min()))
    off = float(np.percentile(offs, 95))
    if off > OFF_PATH or arc_lengths[-1] < 0.98 * total:
        worst = int(np.argmax(np.array(offs) > OFF_PATH)) if max(offs) > OFF_PATH else len(offs) - 1
        raise InputError(
            f"log {log.label} is of another program: at {times[worst]:.2f} s the machine is {offs[worst]:.1f} mm off "
            f"the path, which it has followed for {arc_lengths[worst]:.0f} of {total:.0f} mm; give the program that "
            "was run"
        )
    return np.array(times), np.array(arc_lengths), off


def _milestones(times: Floats, arc_lengths: Floats) -> tuple[Floats, Floats]:
    """Return arc lengths that the machine passed while it moved, evenly in time, and the times when it passed them."""
    steps = np.flatnonzero(np.diff(arc_lengths) > 0) + 1
    chosen = steps[np.unique(np.linspace(0, len(steps) - 1, min(_MILESTONES, len(steps))).astype(int))]
    return arc_lengths[chosen], times[chosen]
