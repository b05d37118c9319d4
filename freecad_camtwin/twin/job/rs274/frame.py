# SPDX-License-Identifier: LGPL-2.1-or-later
"""Position of the tool, and the zero of a program's coordinates.

All positions are in one frame for the whole program: the tool tip, in the work coordinates that the program starts
with. So a change of offset (G92, G10, G55) does not move the tool; it changes the meaning of later words. Values that a
program does not state (first position, machine zero, tables on the controller) are NaN or None until they are needed.
"""

from collections.abc import Sequence

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Mask


class CoordinateFrame:
    """Position, work offsets and reference points [mm]."""

    def __init__(self, start: Sequence[float] | None, machine: Sequence[float] | None) -> None:
        self.position = np.full(3, np.nan) if start is None else np.array(start, float)
        self.offset = np.zeros(3)  # the zero of axis words
        self.machine = None if machine is None else np.array(machine, float)
        self.references: dict[int, Floats | None] = {28: self.machine, 30: self.machine}
        self.tool_length = 0.0  # as far as the program itself states it (G43.1)
        self._lost = np.zeros(3, bool)  # axes at a machine position that is unknown
        self._systems = np.zeros((9, 3))  # G54 to G59.3
        self._system = 0
        self._shift = np.zeros(3)  # G92, G52
        self._kept_shift = np.zeros(3)  # the shift that G92.3 restores

    def assume_zero(self) -> bool:
        """Set the unknown axes to zero; return False if one is at an unknown machine position."""
        unknown = np.isnan(self.position)
        self.position[unknown] = self.offset[unknown]
        return not (unknown & self._lost).any()

    def lose(self, given: Mask) -> None:
        """Mark axes as moved to an unknown machine position."""
        self.position[given] = np.nan
        self._lost |= given

    def select(self, system: int) -> bool:
        """Select another work coordinate system; return False if the program does not state the systems' zeros."""
        is_stated = system == self._system or bool(self._systems.any())
        self._system = system
        self._settle()
        return is_stated

    def set_system(self, number: int, points: Floats, by_position: bool) -> None:
        """G10 L2: a system's zero lies at ``points``; L20: the zero is set so that the tool is now at ``points``.

        number: 1 to 9, 0 for the one in force; points: (3,) [mm], NaN leaves an axis as it is
        """
        if by_position:
            points = np.nan_to_num(self.position) - self._shift - points
        given = ~np.isnan(points)
        self._systems[self._system if number == 0 else number - 1, given] = points[given]
        self._settle()

    def shift_to(self, points: Floats) -> None:
        """G52: shift all systems by ``points``."""
        given = ~np.isnan(points)
        self._shift[given] = points[given]
        self._kept_shift[:] = self._shift
        self._settle()

    def stand_at(self, points: Floats) -> None:
        """G92: shift all systems so that the tool is now at ``points``."""
        self.shift_to(self.position - self._systems[self._system] - points)

    def end_shift(self, keep: bool) -> None:
        """G92.1 and G92.2: end the shift, and forget it or keep it for G92.3."""
        self._shift[:] = 0.0
        if not keep:
            self._kept_shift[:] = 0.0
        self._settle()

    def resume_shift(self) -> None:
        """G92.3: restore the shift that was kept."""
        self._shift[:] = self._kept_shift
        self._settle()

    def set_tool_length(self, length: float) -> None:
        """G43.1, or its end: the spindle stays, so the position of the tip changes."""
        self.position[2] -= length - self.tool_length
        self.tool_length = length

    def target(self, points: Floats, incremental: bool) -> Floats:
        """Return the point that axis words name, (3,); axes that are NaN stay."""
        aim = points + (self.position if incremental else self.offset)
        return np.where(np.isnan(points), self.position, aim)

    def in_machine(self, point: Floats, given: Mask) -> Floats:
        """Return the tip's position when the given axes are at a point in machine coordinates, (3,)."""
        tip = point - np.array([0.0, 0.0, self.tool_length])
        return np.where(given, tip, self.position)

    def _settle(self) -> None:
        self.offset[:] = self._systems[self._system] + self._shift
