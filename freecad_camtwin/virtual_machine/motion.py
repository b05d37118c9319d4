# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a virtual machine is on its path, while somebody turns its feed override.

The path is timed by the predicted schedule of the package's machine, anew for every override: it goes on from the place
that was reached, so the place is continuous and the speed jumps within a sample, where a real axis needs some
hundredths of a second.
"""

import numpy as np

from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.cycle_time.motion import Motion
from freecad_camtwin.twin.job.geometry import points_along
from freecad_camtwin.twin.package.package import Package

#: The feed override that the machine follows, as a share; 0 holds it.
LEAST_OVERRIDE, MOST_OVERRIDE = 0.0, 2.0


class Progress:
    """A program that runs."""

    def __init__(self, package: Package) -> None:
        if package.machine is None:
            raise InputError("the package names no machine, so nobody knows how fast it runs; package with --machine")
        self.path = package.lines.program
        if not self.path.moves:
            raise InputError("the package's program has no moves; there is nothing to run")
        self._motion = Motion(self.path, package.machine)
        self._schedule = self._motion.schedule()
        self.predicted = self._end  #: how long the program takes at 100 % [s]
        self._clock = 0.0  # in the schedule that holds
        self.override = 1.0

    @property
    def is_over(self) -> bool:
        """Whether the program's end was reached."""
        return self._clock >= self._end

    @property
    def share(self) -> float:
        """How much of the program is done, 0 … 1."""
        return min(1.0, self._clock / self._end) if self._end else 1.0

    @property
    def _end(self) -> float:
        found = self._schedule
        return max(found.total, float(found.legs.time[-1]) + found.smoothing)

    def turn(self, override: float) -> None:
        """Set the feed override, a share from ``LEAST_OVERRIDE`` to ``MOST_OVERRIDE``."""
        self.override = override
        if not override:
            return
        way = self._way(np.array([self._clock]))
        rest = self._clock - float(self._reached(way, leaving=False)[0])  # spent waiting where it is
        self._schedule = self._motion.schedule(self.path.feed * override)
        came, left = (float(self._reached(way, leaving=leaving)[0]) for leaving in (False, True))
        self._clock = min(came + max(rest, 0.0), left) if left > came else came

    def step(self, rows: int, seconds: float, *, moves: bool = True) -> tuple[Ints, Floats, Floats, Floats]:
        """Go on for ``rows`` steps of so many seconds; return move, points, way [mm] and speed [mm/s] after each.

        Unless it ``moves`` the machine stays where it is.
        """
        clocks = np.full(rows + 1, self._clock)
        if moves and self.override:
            clocks += seconds * np.arange(rows + 1)
        move, into = self._schedule.travelled(clocks)
        way = self._schedule.way[move] + into
        self._clock = float(clocks[-1])
        speed = np.diff(way) / seconds
        return move[1:], points_along(self.path, move[1:], into[1:]), way[1:], speed

    def _way(self, clocks: Floats) -> Floats:
        move, into = self._schedule.travelled(clocks)
        return np.asarray(self._schedule.way[move] + into)

    def _reached(self, way: Floats, *, leaving: bool) -> Floats:
        return self._schedule.legs.smooth_reached(way, self._schedule.smoothing, leaving=leaving)
