# SPDX-License-Identifier: LGPL-2.1-or-later
"""The net loads of a run: every measured load less its idle part, beside the predicted one.

A spindle draws power without cutting: friction, fan, electronics. The idle load is the median of the samples in air,
away from any cut, per operation, as each has its own spindle speed. The difference, times the spindle's efficiency if
the machine profile has one, is the load of the cut. A drive's load in percent and its current are treated alike; for
forces this median is the zero of the sensor.
"""

import math
from dataclasses import dataclass

import numpy as np

from freecad_camtwin.twin.alignment.align import Alignment
from freecad_camtwin.twin.base.arrays import Floats, Ints, Mask
from freecad_camtwin.twin.base.power import torque_of
from freecad_camtwin.twin.package.package import Package
from freecad_camtwin.twin.runs.passage import Passage, Spent
from freecad_camtwin.twin.signals.run import Run

#: Idle load is measured this far from any cut [s]: meters average, and spindles slow down.
AWAY = 0.3
#: Least number of samples in air for an idle load.
ENOUGH = 10


@dataclass(frozen=True)
class NetLoad:
    """One measured load of one execution. Arrays of (n,) samples, those of its passage; NaN is unknown."""

    name: str  #: the column of the run: "power", "torque", "spindle_load", "current", "force", "load_x" …
    unit: str
    raw: Floats  #: as the machine reported it
    net: Floats  #: the cut's part of it
    predicted: Floats  #: the same load as predicted; all NaN if it is not predicted
    idle: Floats  #: (operations,) idle load that was subtracted, in the units of ``raw``; NaN if not measured
    unsure: Floats  #: (operations,) standard error of ``net`` due to ``idle``; NaN is unknown
    is_peak: bool = False  #: what is predicted is the peak within a revolution

    @property
    def is_predicted(self) -> bool:
        """Whether it is predicted."""
        return bool(np.isfinite(self.predicted).any())


#: Column → (unit, whether idling is taken off).
_PLAIN = {
    "power": ("W", True),
    "torque": ("N·mm", True),
    "spindle_load": ("%", True),
    "current": ("A", True),
    "load_x": ("%", False),
    "load_y": ("%", False),
    "load_z": ("%", False),
    "vibration": ("mm/s²", False),
}


def loads(package: Package, run: Run, alignment: Alignment, passage: Passage) -> dict[str, NetLoad]:
    """Return every load that the run measured, the one that is closest to the cut first."""
    reader = _Sight(package, run, alignment, passage)
    columns = (reader.plain(name, unit, takes_idle) for name, (unit, takes_idle) in _PLAIN.items())
    measured = [load for load in (*columns, reader.force()) if load is not None]
    order = ("power", "torque", "spindle_load", "force", "current")
    measured.sort(key=lambda load: order.index(load.name) if load.name in order else len(order))
    return {load.name: load for load in measured}


class _Sight:
    """One execution with its predicted loads and its samples in air."""

    def __init__(self, package: Package, run: Run, alignment: Alignment, passage: Passage) -> None:
        self.package, self.run, self.rows, self.passage = package, run, passage.rows, passage
        self.step: Ints = alignment.step[passage.rows]
        self.operation: Ints = alignment.operation[passage.rows]
        self.power = alignment.predicted("power")[passage.rows]
        self.force_predicted = alignment.predicted("force")[passage.rows]
        move = np.maximum(alignment.move[passage.rows], 0)
        self.n_rpm = np.where(alignment.move[passage.rows] >= 0, package.job.toolpath.n_rpm[move], np.nan)
        self.is_away = self._away()

    def _away(self) -> Mask:
        """Which samples lie in air, moving, and a while away from any cut; with a stopped spindle they do not count."""
        time, cutting = self.passage.time, self.passage.is_spent(Spent.CUTTING)
        air = self.passage.is_spent(Spent.AIR, Spent.RAPID)
        turns = self.column("n_rpm")
        air &= ~(turns <= 0)
        cuts = time[cutting]
        if not len(cuts):
            return np.asarray(air)
        after = cuts[np.minimum(np.searchsorted(cuts, time), len(cuts) - 1)]
        before = cuts[np.maximum(np.searchsorted(cuts, time, side="right") - 1, 0)]
        return np.asarray(air & (np.minimum(np.abs(after - time), np.abs(time - before)) > AWAY))

    def column(self, name: str) -> Floats:
        """Return a column of the run at the passage's samples."""
        return self.run.columns.column(name)[self.rows]

    def plain(self, name: str, unit: str, takes_idle: bool) -> NetLoad | None:
        """Return a load that has its own column, None if the column is empty."""
        raw = self.column(name)
        if not np.isfinite(raw).any():
            return None
        idle, unsure = self.idle(raw) if takes_idle else np.zeros((2, len(self.package.job.operations)))
        if name == "power" and not np.isfinite(idle).any():
            idle = np.full(len(idle), self._idle_of_profile())
        net = raw - self._of_operation(idle)
        spindle = self.package.machine.spindle if self.package.machine is not None else None
        if name in ("power", "spindle_load") and spindle is not None:
            net, unsure = net * spindle.efficiency, unsure * spindle.efficiency
        return NetLoad(name, unit, raw, net, self._predicted(name), idle, unsure)

    def force(self) -> NetLoad | None:
        """Return the resultant in the working plane of a sensor's two forces."""
        sides = [self.column(name) for name in ("force_x", "force_y")]
        if not all(np.isfinite(side).any() for side in sides):
            return None
        zeros, unsure = np.transpose([self.idle(side) for side in sides], (1, 0, 2))
        net = np.hypot(*(side - self._of_operation(zero) for side, zero in zip(sides, zeros, strict=True)))
        idle = np.hypot(*zeros)
        return NetLoad("force", "N", np.hypot(*sides), net, self.force_predicted, idle, np.hypot(*unsure), is_peak=True)

    def idle(self, values: Floats) -> Floats:
        """Return the median in air of each operation and its standard error, (2, operations).

        Where an operation has too little air, they are those of the whole run.
        """
        usable = self.is_away & np.isfinite(values)
        operations = range(len(self.package.job.operations))
        air = [usable & (self.operation == operation) for operation in operations]
        return np.array([_median(values[own if own.sum() >= ENOUGH else usable]) for own in air]).reshape(-1, 2).T

    def _of_operation(self, values: Floats) -> Floats:
        """Return each sample's operation's value, NaN where it has no operation."""
        return np.append(values, np.nan)[self.operation]

    def _idle_of_profile(self) -> float:
        spindle = self.package.machine.spindle if self.package.machine is not None else None
        return spindle.idle_power if spindle is not None and spindle.idle_power > 0 else math.nan

    def _predicted(self, name: str) -> Floats:
        """Return what is predicted of a load: the cut's mean power, and what follows from it."""
        if name == "power":
            return self.power
        if name == "torque":
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(np.where(self.n_rpm > 0, torque_of(self.power, self.n_rpm), np.nan))
        if name == "spindle_load" and (rated := self._rated()) is not None:
            return np.asarray(100 * self.power / rated)
        return np.full(len(self.rows), np.nan)

    def _rated(self) -> float | None:
        """Return the power of which the spindle's load is so many percent [W]."""
        if self.package.signals is not None and self.package.signals.rated_power is not None:
            return self.package.signals.rated_power
        spindle = self.package.machine.spindle if self.package.machine is not None else None
        return spindle.rated_power if spindle is not None else None


def _median(values: Floats) -> tuple[float, float]:
    """Return the median of values with independent errors, and its standard error; NaN if they are too few."""
    if len(values) < ENOUGH:
        return math.nan, math.nan
    middle = float(np.median(values))
    deviation = 1.4826 * float(np.median(np.abs(values - middle)))  # of normal errors
    return middle, math.sqrt(math.pi / 2 / len(values)) * deviation
