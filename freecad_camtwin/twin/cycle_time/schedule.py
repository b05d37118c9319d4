# SPDX-License-Identifier: LGPL-2.1-or-later
"""Position over time: a program's motion as legs of constant acceleration along its path.

A leg starts at a time and at an arc length (`way`), with a speed and an acceleration. Waits are legs at rest. A
control with bounded jerk runs the same legs through a moving average over its smoothing time: jerk is then bounded by
the change of acceleration over the smoothing time, and the motion between two stops takes that much longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.base.sequences import sums_before
from freecad_camtwin.twin.job.geometry import points_along
from freecad_camtwin.twin.job.toolpath import Toolpath


@dataclass(frozen=True)
class Legs:
    """Constant acceleration from each time to the next; after the last the machine rests. Arrays of shape (legs,)."""

    time: Floats  #: [s], rising
    way: Floats  #: arc length along the path [mm], never falling
    speed: Floats  #: [mm/s]
    pull: Floats  #: acceleration [mm/s²]

    def way_at(self, times: Floats) -> Floats:
        """Return the arc length of the machine at ``times`` [mm]."""
        leg = np.clip(np.searchsorted(self.time, times, side="right") - 1, 0, None)
        since = np.maximum(times - self.time[leg], 0.0)
        way = self.way[leg] + since * (self.speed[leg] + 0.5 * self.pull[leg] * since)
        return np.asarray(np.minimum(way, np.append(self.way[1:], self.way[-1])[leg]))

    def reached(self, ways: Floats, *, leaving: bool) -> Floats:
        """Return when the machine reaches an arc length, or leaves it if it rests there [s]."""
        leg = np.clip(np.searchsorted(self.way, ways, side="right" if leaving else "left") - 1, 0, None)
        gap = np.maximum(ways - self.way[leg], 0.0)
        speed = np.maximum(self.speed[leg], 0.0)
        root = np.sqrt(np.maximum(0.0, speed**2 + 2.0 * self.pull[leg] * gap))
        since = np.divide(2.0 * gap, speed + root, out=np.zeros_like(gap), where=speed + root > 0)
        duration = np.append(np.diff(self.time), np.inf)[leg]
        return np.asarray(self.time[leg] + np.minimum(since, duration))

    @cached_property
    def _swept(self) -> Floats:
        """The integral of arc length over time up to every leg [mm·s]."""
        duration = np.diff(self.time)
        each = duration * (self.way[:-1] + duration * (self.speed[:-1] / 2 + duration * self.pull[:-1] / 6))
        return sums_before(each)

    def _swept_at(self, times: Floats) -> Floats:
        leg = np.clip(np.searchsorted(self.time, times, side="right") - 1, 0, None)
        since = times - self.time[leg]
        moving = since * (self.way[leg] + since * (self.speed[leg] / 2 + since * self.pull[leg] / 6))
        return np.asarray(self._swept[leg] + np.where(since > 0, moving, since * self.way[0]))

    def smooth_way_at(self, times: Floats, smoothing: float) -> Floats:
        """Return the arc length at ``times`` if the motion is averaged over the last ``smoothing`` seconds [mm]."""
        if smoothing == 0.0:
            return self.way_at(times)
        return np.asarray((self._swept_at(times) - self._swept_at(times - smoothing)) / smoothing)

    def smooth_reached(self, ways: Floats, smoothing: float, *, leaving: bool) -> Floats:
        """Return when the averaged motion reaches, or leaves, an arc length [s]."""
        first = self.reached(ways, leaving=leaving)
        if smoothing == 0.0:
            return first
        rests = self.reached(ways, leaving=True) - self.reached(ways, leaving=False) > 0.5 * smoothing
        times = first + np.where(rests, 0.0 if leaving else smoothing, smoothing / 2)
        early, late = (
            first.copy(),
            first + smoothing,
        )  # the average lies between the arc length now and the one a smoothing time ago
        for _ in range(14):  # Newton's steps, and halving where they leave the bracket
            miss = ways - self.smooth_way_at(times, smoothing)
            early, late = np.where(miss >= 0, times, early), np.where(miss <= 0, times, late)
            speed = (self.way_at(times) - self.way_at(times - smoothing)) / smoothing
            trial = times + np.divide(miss, speed, out=np.full_like(miss, np.inf), where=speed > 1e-9)
            inside = (trial > early) & (trial < late)
            times = np.where(rests | (miss == 0), times, np.where(inside, trial, (early + late) / 2))
        return np.asarray(times)


@dataclass(frozen=True)
class Schedule:
    """A toolpath in time. All times are in seconds from the start of the program."""

    toolpath: Toolpath
    legs: Legs
    reachable: Floats  #: (moves,) highest speed reached in every move [mm/s]
    reported: Floats  #: (moves,) arc length where the control begins to report a move [mm]; NaN: joined to the previous
    total: float  #: the whole program with all waits and overheads between moves [s]
    breakdown: dict[str, float]  #: seconds by cause (cutting, rapids, acceleration, dwell, …); their sum is the total
    smoothing: float = 0.0  #: time over which a control with bounded jerk averages [s]
    warnings: tuple[str, ...] = ()  #: one sentence each

    @property
    def way(self) -> Floats:
        """Length of path before every move, and of the whole [mm], shape (moves + 1,)."""
        return self.toolpath.way

    @cached_property
    def start(self) -> Floats:
        """When every move starts [s], shape (moves,); after the waits before it."""
        return self.legs.smooth_reached(self.way[:-1], self.smoothing, leaving=True)

    @cached_property
    def time(self) -> Floats:
        """How long every move takes [s], shape (moves,), without the waits between."""
        return np.asarray(np.maximum(self._end - self.start, 0.0))

    @cached_property
    def _end(self) -> Floats:
        return self.legs.smooth_reached(self.way[1:], self.smoothing, leaving=False)

    def travelled(self, times: Sequence[float] | Floats) -> tuple[Ints, Floats]:
        """Return the move at each of ``times`` [s] and the arc length from the start of that move [mm]."""
        along = self.legs.smooth_way_at(np.asarray(times, np.float64), self.smoothing)
        move = np.clip(np.searchsorted(self.way, along, side="right") - 1, 0, max(0, self.toolpath.moves - 1))
        return move.astype(np.int32), np.asarray(np.clip(along - self.way[move], 0.0, self.toolpath.length[move]))

    def position(self, times: Sequence[float] | Floats) -> Floats:
        """Return where the tool is at ``times`` [s], shape (times, 3) [mm], on the programmed path."""
        return points_along(self.toolpath, *self.travelled(times))


def durations(timed: Schedule) -> Floats:
    """Return the seconds from the start of every move to its end or the next start, if earlier, shape (moves,).

    A control that smooths its path begins a move before the last has ended; that time is counted once.
    """
    until = np.append(timed.start[1:], np.inf)
    return np.asarray(np.minimum(timed.time, np.maximum(until - timed.start, 0.0)))
