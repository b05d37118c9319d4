# SPDX-License-Identifier: LGPL-2.1-or-later
"""The path that a machine follows, as a chain of segments to match positions with."""

import math
from dataclasses import dataclass

import numpy as np

from camtwin_kernels import alignment as kernels
from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.base.sequences import numbered_pieces
from freecad_camtwin.twin.job.geometry import exact_chord_angle, points_along
from freecad_camtwin.twin.job.toolpath import MoveKind, Toolpath

#: How far a chord may lie beside its arc [mm].
CHORD_ERROR = 0.002


@dataclass(frozen=True)
class Polyline:
    """Segments of a path, in order."""

    segments: Floats  #: (segments, 8): start [mm], direction, length [mm], arc length before it [mm]; see the kernel
    move: Ints  #: (segments,) move of the path
    clock: Floats  #: (segments,) when the machine is predicted to be at its start [s]
    way: Floats  #: (moves + 1,) length of path before every move, and of the whole [mm]
    speed: float  #: greatest predicted speed [mm/s]

    @staticmethod
    def of(path: Toolpath, start: Floats, time: Floats) -> "Polyline":
        """Cut a path into segments. ``start`` and ``time``: predicted start and duration of every move [s]."""
        length = path.length
        arc_length = path.way
        pieces = _pieces(path)
        move, number = numbered_pieces(pieces)
        share = number / pieces[move]
        begin = points_along(path, move, share * length[move])
        end = points_along(path, move, (share + 1.0 / pieces[move]) * length[move])
        span = np.linalg.norm(end - begin, axis=1, keepdims=True)
        segments = np.empty((len(move), kernels.SEGMENT))
        segments[:, kernels.X : kernels.Z + 1] = begin
        segments[:, kernels.UX : kernels.UZ + 1] = (end - begin) / np.maximum(span, 1e-12)
        segments[:, kernels.LENGTH] = span[:, 0]
        segments[:, kernels.WAY] = arc_length[move] + share * length[move]
        moving = time > 0
        speed = float((length[moving] / time[moving]).max(initial=1.0))
        return Polyline(segments, move, start[move] + share * time[move], arc_length, speed)

    def points(self, segment: Ints, way: Floats) -> Floats:
        """Return the points of the path at ``way`` on ``segment``, (n, 3) [mm]."""
        rows = self.segments[segment]
        along = (way - rows[:, kernels.WAY])[:, None]
        return np.asarray(rows[:, :3] + along * rows[:, kernels.UX : kernels.UZ + 1])


def _pieces(path: Toolpath) -> Ints:
    """Into how many segments every move is cut; none if it has no length."""
    pieces = np.where(path.length > 1e-9, 1, 0)
    arcs = np.flatnonzero((path.kind == MoveKind.ARC) & (path.length > 1e-9))
    radius = np.maximum(path.radius[arcs], CHORD_ERROR)
    widest = exact_chord_angle(radius, CHORD_ERROR, math.pi / 4)
    pieces[arcs] = np.ceil(np.abs(path.sweep[arcs]) / widest).astype(int).clip(1, 100_000)
    return np.asarray(pieces, np.int32)
