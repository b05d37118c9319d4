# SPDX-License-Identifier: LGPL-2.1-or-later
"""The geometry of moves: points, directions and bounds along lines and arcs, and the chords that stand for an arc."""

import math

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Indices
from freecad_camtwin.twin.base.sequences import run_begins
from freecad_camtwin.twin.job.toolpath import PLANE_AXES, MoveKind, Toolpath


def points_along(toolpath: Toolpath, move: Indices, arc_length: Floats) -> Floats:
    """Return the points ``arc_length`` [mm] after the start of the moves ``move``, shape (len(move), 3)."""
    length = toolpath.length[move]
    share = np.divide(arc_length, length, out=np.ones_like(arc_length), where=length > 0)[:, None]
    points: Floats = toolpath.start[move] + share * (toolpath.end[move] - toolpath.start[move])
    arcs = np.flatnonzero(toolpath.kind[move] == MoveKind.ARC)
    if arcs.size:
        of = move[arcs]
        axes = np.array(PLANE_AXES)[toolpath.plane[of]]
        spoke = np.take_along_axis(toolpath.start[of] - toolpath.centre[of], axes[:, :2], axis=1)
        angle = toolpath.sweep[of] * share[arcs, 0]
        cosine, sine = np.cos(angle), np.sin(angle)
        turned = np.stack([cosine * spoke[:, 0] - sine * spoke[:, 1], sine * spoke[:, 0] + cosine * spoke[:, 1]], 1)
        turned += np.take_along_axis(toolpath.centre[of], axes[:, :2], axis=1)
        row = points[arcs]
        np.put_along_axis(row, axes[:, :2], turned, axis=1)
        points[arcs] = row
    return points


def tangents(toolpath: Toolpath) -> tuple[Floats, Floats]:
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


def extent(toolpath: Toolpath) -> tuple[Floats, Floats]:
    """Return the least and greatest coordinates of every move [mm], each (moves, 3); arcs at their full extent."""
    lower, upper = np.minimum(toolpath.start, toolpath.end), np.maximum(toolpath.start, toolpath.end)
    arcs = np.flatnonzero(toolpath.kind == MoveKind.ARC)
    if arcs.size:
        axes = np.array(PLANE_AXES)[toolpath.plane[arcs]]
        spoke = np.take_along_axis(toolpath.start[arcs] - toolpath.centre[arcs], axes[:, :2], axis=1)
        first_angle = np.arctan2(spoke[:, 1], spoke[:, 0])
        first_angle = np.where(toolpath.sweep[arcs] < 0, first_angle + toolpath.sweep[arcs], first_angle)
        for quarter in range(4):  # where the circle crosses the axes of its plane
            gap = np.mod(quarter * np.pi / 2 - first_angle, 2 * np.pi)
            hit = np.flatnonzero(gap < np.abs(toolpath.sweep[arcs]))
            at, axis = arcs[hit], axes[hit, quarter % 2]
            reach = toolpath.centre[at, axis] + (1 - 2 * (quarter // 2)) * toolpath.radius[at]
            lower[at, axis] = np.minimum(lower[at, axis], reach)
            upper[at, axis] = np.maximum(upper[at, axis], reach)
    return lower, upper


def chord_angle(radius: Floats, error: float) -> Floats:
    """Return the angle of a chord that lies at most ``error`` [mm] beside an arc of ``radius`` [mm], in rad.

    A chord over the angle θ lies r·(1 - cos(θ/2)) beside its arc. This is the first term, r·θ²/8, solved for θ: a
    little narrower than the exact angle, and without a largest value.
    """
    return np.asarray(np.sqrt(8 * error / radius))


def exact_chord_angle(radius: Floats, error: float, widest: float) -> Floats:
    """Return the same angle from the whole formula, at most ``widest`` [rad].

    The first term alone is too narrow where ``error`` is not small beside ``radius``.
    """
    return np.asarray(2.0 * np.arccos(np.maximum(1.0 - error / radius, math.cos(widest / 2))))


def steps_within_moves(move: Indices, length: Floats) -> tuple[Floats, Floats]:
    """Return the length of path at the end of every step, and at the start of the step's move [mm], (steps,) each.

    ``move`` and ``length`` [mm] are those of every step, in the order of the path.
    """
    end = np.cumsum(length)
    return end, np.maximum.accumulate(np.where(run_begins(move), end - length, 0.0))


def fractions(move: Indices, length: Floats) -> Floats:
    """Return the end of each step as a fraction of its move's length; the last of a move is exactly 1."""
    if not move.size:
        return np.zeros(0)
    end, before = steps_within_moves(move, length)
    begin = np.flatnonzero(run_begins(move))
    size = np.diff(np.append(begin, move.size))
    whole = np.repeat(np.add.reduceat(length, begin), size)
    share = np.round(np.divide(end - before, whole, out=np.ones_like(end), where=whole > 0), 6)
    share[begin + size - 1] = 1.0
    return np.asarray(np.minimum(share, 1.0))
