# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shape of a path for motion planners: lengths and directions, which do not depend on feeds."""

from dataclasses import dataclass

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Indices
from freecad_camtwin.twin.job.geometry import points_along, tangents
from freecad_camtwin.twin.job.toolpath import Toolpath


@dataclass(frozen=True)
class Geometry:
    """Lengths and tangents of all moves. The tangent of a move of no length is the zero vector."""

    toolpath: Toolpath
    length: Floats  #: (moves,) [mm]
    way: Floats  #: (moves + 1,) length of path before every move [mm]
    arriving: Floats  #: (moves, 3) unit vector at the start of every move
    ending: Floats  #: (moves, 3) unit vector at its end

    @staticmethod
    def of(toolpath: Toolpath) -> "Geometry":
        """Compute the geometry of a toolpath."""
        first, last = tangents(toolpath)
        length = np.ascontiguousarray(toolpath.length)
        return Geometry(toolpath, length, toolpath.way, first, last)

    @property
    def leaving(self) -> Floats:
        """Unit vector at the end of the move before, shape (moves, 3); zero before the first."""
        return np.vstack([np.zeros((1, 3)), self.ending[:-1]])

    def middle(self, moves: Indices) -> Floats:
        """Return the points half way along ``moves`` [mm], shape (len(moves), 3)."""
        return points_along(self.toolpath, moves.astype(np.int32), self.length[moves] / 2)
