# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a motion planner needs to know of a path's shape: lengths and directions, whatever the feeds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freecad_camtwin.twin.cycle_time.schedule import points_along
from freecad_camtwin.twin.job.toolpath import PLANE_AXES, Floats, MoveKind, Toolpath


@dataclass(frozen=True)
class Geometry:
    """Lengths and tangents of all moves. A move of no length has the zero vector for a tangent."""

    toolpath: Toolpath
    length: Floats  #: (moves,) [mm]
    way: Floats  #: (moves + 1,) length of path before every move [mm]
    arriving: Floats  #: (moves, 3) unit vector at the start of every move
    ending: Floats  #: (moves, 3) unit vector at its end

    @staticmethod
    def of(toolpath: Toolpath) -> "Geometry":
        """Work out the geometry of a toolpath."""
        first, last = _tangents(toolpath)
        length = np.ascontiguousarray(toolpath.length)
        return Geometry(toolpath, length, np.concatenate([[0.0], np.cumsum(length)]), first, last)

    @property
    def leaving(self) -> Floats:
        """Unit vector at the end of the move before, shape (moves, 3); zero before the first."""
        return np.vstack([np.zeros((1, 3)), self.ending[:-1]])

    def middle(self, moves: NDArray[np.integer[Any]]) -> Floats:
        """Return the points half way along ``moves`` [mm], shape (len(moves), 3)."""
        return points_along(self.toolpath, moves.astype(np.int32), self.length[moves] / 2)

    def extent(self) -> tuple[Floats, Floats]:
        """Return the least and greatest coordinates of every move [mm], each (moves, 3); arcs with their bulges."""
        toolpath = self.toolpath
        lower, upper = np.minimum(toolpath.start, toolpath.end), np.maximum(toolpath.start, toolpath.end)
        arcs = np.flatnonzero(toolpath.kind == MoveKind.ARC)
        if arcs.size:
            axes = np.array(PLANE_AXES)[toolpath.plane[arcs]]
            spoke = np.take_along_axis(toolpath.start[arcs] - toolpath.centre[arcs], axes[:, :2], axis=1)
            begun = np.arctan2(spoke[:, 1], spoke[:, 0])
            begun = np.where(toolpath.sweep[arcs] < 0, begun + toolpath.sweep[arcs], begun)
            for quarter in range(4):  # where the circle crosses the axes of its plane
                gap = np.mod(quarter * np.pi / 2 - begun, 2 * np.pi)
                hit = np.flatnonzero(gap < np.abs(toolpath.sweep[arcs]))
                at, axis = arcs[hit], axes[hit, quarter % 2]
                reach = toolpath.centre[at, axis] + (1 - 2 * (quarter // 2)) * toolpath.radius[at]
                lower[at, axis] = np.minimum(lower[at, axis], reach)
                upper[at, axis] = np.maximum(upper[at, axis], reach)
        return lower, upper


def _tangents(toolpath: Toolpath) -> tuple[Floats, Floats]:
    """Return the unit tangents at start and end of every move, each (moves, 3)."""
    first = toolpath.end - toolpath.start
    last = first.copy()
    arcs = np.flatnonzero(toolpath.kind == MoveKind.ARC)
    if arcs.size:
        axes = np.array(PLANE_AXES)[toolpath.plane[arcs]]
        rise = np.take_along_axis(first[arcs], axes[:, 2:], axis=1)
        sweep = toolpath.sweep[arcs][:, None]
        for tangent, points in ((first, toolpath.start), (last, toolpath.end)):
            spoke = np.take_along_axis(points[arcs] - toolpath.centre[arcs], axes[:, :2], axis=1)
            row = np.empty((arcs.size, 3))
            around = np.stack([-spoke[:, 1], spoke[:, 0]], axis=1) * sweep
            np.put_along_axis(row, axes, np.hstack([around, rise]), axis=1)
            tangent[arcs] = row
    for tangent in (first, last):
        size = np.linalg.norm(tangent, axis=1, keepdims=True)
        np.divide(tangent, size, out=tangent, where=size > 0)
    return first, last
