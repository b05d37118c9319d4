# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the engagement kernels are given: the cutters, and the moves that they make, divided into steps."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import lean_part

QUANTA = 16384.0  #: heights are whole multiples of 1 / QUANTA mm

#: Columns of ``Cutters.size``.
RADIUS, TIP_RADIUS, CORNER, STEEPNESS = 0, 1, 2, 3


class Cutters(NamedTuple):
    """The cutters of a job."""

    shape: NDArray[np.int32]  #: (cutters,) FLAT, BALL, BULL, CONE or PROFILE
    #: (cutters, 4 …) radius, radius of the flat tip, corner radius [mm]; dz/dr of a cone; where a job has a PROFILE,
    #: also its points (radius, height) [mm], the last one repeated
    size: NDArray[np.float64]


class Moves(NamedTuple):
    """The moves to simulate; the columns of a toolpath, and how finely each is divided."""

    is_arc: NDArray[np.bool_]  #: (moves,)
    start: NDArray[np.float64]  #: (moves, 3) [mm]
    end: NDArray[np.float64]  #: (moves, 3) [mm]
    centre: NDArray[np.float64]  #: (moves, 3) [mm]
    axes: NDArray[np.int8]  #: (moves,) first axis of an arc's plane; the second and the normal follow cyclically
    sweep: NDArray[np.float64]  #: (moves,) [rad]
    cutter: NDArray[np.int32]  #: (moves,)
    first: NDArray[np.int64]  #: (moves + 1,) first step of each move; a move without steps is jumped over
    strokes: NDArray[np.int32]  #: (moves,) straight pieces per step


@lean_part
def position(moves: Moves, m: int, f: float) -> tuple[float, float, float]:
    """Return where fraction ``f`` of move ``m`` is; on an arc the radius goes evenly from its first to its last."""
    x0, y0, z0 = moves.start[m, 0], moves.start[m, 1], moves.start[m, 2]
    x1, y1, z1 = moves.end[m, 0], moves.end[m, 1], moves.end[m, 2]
    if f >= 1.0:
        return x1, y1, z1
    if not moves.is_arc[m]:
        return x0 + (x1 - x0) * f, y0 + (y1 - y0) * f, z0 + (z1 - z0) * f
    a = int(moves.axes[m])
    b, n = (a + 1) % 3, (a + 2) % 3
    ca, cb = moves.centre[m, a], moves.centre[m, b]
    sa, sb = moves.start[m, a] - ca, moves.start[m, b] - cb
    radius = math.hypot(sa, sb)
    grown = radius + (math.hypot(moves.end[m, a] - ca, moves.end[m, b] - cb) - radius) * f
    angle = math.atan2(sb, sa) + moves.sweep[m] * f
    pa = ca + grown * math.cos(angle)
    pb = cb + grown * math.sin(angle)
    pn = moves.start[m, n] + (moves.end[m, n] - moves.start[m, n]) * f
    if a == 0:
        return pa, pb, pn
    if a == 1:
        return pn, pa, pb
    return pb, pn, pa
