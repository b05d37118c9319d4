# SPDX-License-Identifier: LGPL-2.1-or-later
"""Match positions with a path: select new positions, place each, and interpolate between them."""

import math
from dataclasses import dataclass

import numpy as np

from camtwin_kernels import alignment as kernels
from camtwin_kernels import lag as lag_kernels
from camtwin_kernels import placing
from freecad_camtwin.twin.alignment.polyline import Polyline
from freecad_camtwin.twin.base.arrays import Floats, Ints

#: A silence longer than this loses the place [s].
SILENCE = 0.5
#: An unchanged position counts as new again after this time [s].
STANDING = 0.1
_WEIGHT, _SLACK = 0.05, 0.03


def memory() -> Floats:
    """Return what ``follow_path`` carries from block to block, at the start of a run."""
    start = np.full(kernels.MEMORY, math.nan)
    start[kernels.OFF], start[kernels.DOUBT] = 0.0, 0.0
    start[kernels.RETRY], start[kernels.HELD] = -math.inf, -1.0
    return start


def doubts_lines(memory: Floats) -> bool:
    """Whether positions have shown that the reported lines are not those of this program."""
    return bool(memory[kernels.DOUBT] != 0.0)


def is_lost(memory: Floats, time: float) -> bool:
    """Whether the place is lost at ``time`` [s] and must be searched."""
    return bool(memory[kernels.HELD] < 0 or not time - memory[kernels.TIME] <= SILENCE)


def follow_path(
    line: Polyline, time: Floats, points: Floats, span: Floats, limit: float, memory: Floats
) -> tuple[Ints, Floats, Floats]:
    """Match corrected positions with the path: segment, way and distance of every sample."""
    n = len(time)
    segment, arc_length, distance = np.empty(n, np.int32), np.empty(n), np.empty(n)
    parameters = np.array([limit, SILENCE, 1.5 * line.speed, _WEIGHT, _SLACK, max(limit, 0.15)])
    candidates = np.empty((kernels.CANDIDATES, 3))
    kernels.follow_positions(
        line.segments, line.clock, time, points, span, parameters, memory, candidates, segment, arc_length, distance
    )
    return segment, arc_length, distance


def fresh_rows(time: Floats, points: Floats) -> Ints:
    """Return the rows with a new position."""
    rows = np.empty(len(time), np.int32)
    return rows[: lag_kernels.fresh(time, points, STANDING, rows)]


def spread_places(line: Polyline, time: Floats, known: Floats, way: Floats, distance: Floats, delay: float) -> Floats:
    """Return way and distance at any times by those at the times ``known``, shape (2, n)."""
    out = np.full((2, len(time)), math.nan)
    matched = np.isfinite(way)
    if not matched.all():
        known, way, distance = known[matched], way[matched], distance[matched]
    if len(known):
        placing.spread(time, known, way, distance, delay, SILENCE, STANDING, 2.0 * line.speed * STANDING, out)
    return out


@dataclass
class PositionTrack:
    """The positions of a running machine that are still needed, and the ways of those that are matched."""

    time: Floats  #: (n,) [s]
    points: Floats  #: (n, 3) as measured [mm]
    span: Floats  #: (n, 2) least and greatest way that the line allows [mm]
    way: Floats  #: (n,) [mm]
    distance: Floats  #: (n,) [mm]
    done: int = 0  #: number of positions that are matched

    @staticmethod
    def empty() -> "PositionTrack":
        """Return a track without positions."""
        return PositionTrack(np.empty(0), np.empty((0, 3)), np.empty((0, 2)), np.empty(0), np.empty(0))

    def add(self, time: Floats, points: Floats, span: Floats) -> Ints:
        """Add the new positions; return their rows."""
        before = slice(-1, None)
        newest = len(self.time[before])  # compared with the first new row, and not returned
        rows = fresh_rows(np.concatenate([self.time[before], time]), np.concatenate([self.points[before], points]))
        rows = rows[newest:] - newest
        if len(rows) < len(time):
            time, points, span = time[rows], points[rows], span[rows]
        unknown = np.full(len(rows), math.nan)
        self.time = np.concatenate([self.time, time])
        self.points = np.concatenate([self.points, points])
        self.span = np.concatenate([self.span, span])
        self.way = np.concatenate([self.way, unknown])
        self.distance = np.concatenate([self.distance, unknown])
        return rows

    def come(self) -> float:
        """Distance covered by the positions that are not matched yet [mm]."""
        return float(np.linalg.norm(np.diff(self.points[self.done :], axis=0), axis=1).sum())

    def forget(self, oldest: float, context: int) -> None:
        """Drop what neither rows from the time ``oldest`` on nor ``context`` rows of velocity need."""
        needed = int(np.searchsorted(self.time, oldest)) - 1
        drop = min(needed, self.done - max(context, 1))
        if drop > 0:
            rows = slice(drop, None)
            self.time, self.points, self.span = self.time[rows], self.points[rows], self.span[rows]
            self.way, self.distance, self.done = self.way[rows], self.distance[rows], self.done - drop
