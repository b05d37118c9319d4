# SPDX-License-Identifier: LGPL-2.1-or-later
"""The place of a virtual machine on its path over time, with a feed override that may change at any time.

The path is timed by the predicted schedule of the package's machine, and scheduled again for every override from the
place reached. So the place is continuous; the speed changes within one sample, where a real axis needs some hundredths
of a second.
"""

import numpy as np

from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.cycle_time.motion import Motion
from freecad_camtwin.twin.job.geometry import points_along
from freecad_camtwin.twin.package.package import Package

#: Bounds of the feed override, as a share of the programmed feed; at 0 the machine stands.
LEAST_OVERRIDE, MOST_OVERRIDE = 0.0, 2.0


class Progress:
    """A running program."""

    def __init__(self, package: Package) -> None:
        if package.machine is None:
            raise InputError("the package names no machine, which gives the speed; make the package with --machine")
        self.path = package.lines.program
        if not self.path.moves:
            raise InputError("the package's program has no moves; there is nothing to run")
        self._motion = Motion(self.path, package.machine)
        self._schedule = self._motion.schedule()
        self.predicted = self._end  #: how long the program takes at 100 % [s]
        self._clock = 0.0  # time in the current schedule [s]
        self.override = 1.0

    @property
    def is_over(self) -> bool:
        """Whether the program's end was reached."""
        return self._clock >= self._end

    @property
    def share(self) -> float:
        """The share of the program that is done, 0 … 1."""
        return min(1.0, self._clock / self._end) if self._end else 1.0

    @property
    def _end(self) -> float:
        schedule = self._schedule
        return max(schedule.total, float(schedule.legs.time[-1]) + schedule.smoothing)

    def turn(self, override: float) -> None:
        """Set the feed override, a share from ``LEAST_OVERRIDE`` to ``MOST_OVERRIDE``."""
        self.override = override
        if not override:
            return
        arc_length = self._arc_length(np.array([self._clock]))
        dwell = self._clock - float(self._reached(arc_length, leaving=False)[0])  # time spent standing at this place
        self._schedule = self._motion.schedule(self.path.feed * override)
        arrival, departure = (float(self._reached(arc_length, leaving=leaving)[0]) for leaving in (False, True))
        self._clock = min(arrival + max(dwell, 0.0), departure) if departure > arrival else arrival

    def step(self, rows: int, seconds: float, *, moves: bool = True) -> tuple[Ints, Floats, Floats, Floats]:
        """Go on for ``rows`` steps of ``seconds`` each; return the values after each step.

        These are move, points (rows, 3) [mm], arc length [mm] and speed [mm/s]. If ``moves`` is False the machine
        stands.
        """
        clocks = np.full(rows + 1, self._clock)
        if moves and self.override:
            clocks += seconds * np.arange(rows + 1)
        move, into = self._schedule.travelled(clocks)
        arc_length = self._schedule.way[move] + into
        self._clock = float(clocks[-1])
        speed = np.diff(arc_length) / seconds
        return move[1:], points_along(self.path, move[1:], into[1:]), arc_length[1:], speed

    def _arc_length(self, clocks: Floats) -> Floats:
        move, into = self._schedule.travelled(clocks)
        return np.asarray(self._schedule.way[move] + into)

    def _reached(self, arc_length: Floats, *, leaving: bool) -> Floats:
        return self._schedule.legs.smooth_reached(arc_length, self._schedule.smoothing, leaving=leaving)
