# SPDX-License-Identifier: LGPL-2.1-or-later
"""From what the cells lost to the angles at which teeth are in the material.

A cell at side w of the path was met at φ = acos(w / r), φ being measured clockwise from the left-hand normal of the
motion (r: the cutter's radius at that height)::

              feed ▲            φ_st = acos(left / r), φ_ex = acos(right / r)
            ╭──────┼──────╮
          ╭─┼──────┼──────┼─╮   up milling: material on the left, φ from 0
    φ = 0 │ left   ●  right │ φ = π
          ╰─────────────────╯   down milling: material on the right, φ to π

The outermost samples lie a little inside the true edge of the material: by ``PAD`` cells on average. At the
cutter's own side the arc is steep: one cell is 15° of a 60-cell cutter. Where samples reach within ``SNAP`` cells of
it, the material is taken to reach the side itself.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.engagement import Cut
from camtwin_kernels.engagement_moves import CORNER, QUANTA, RADIUS, STEEPNESS, TIP_RADIUS, Cutters, Moves, position
from camtwin_kernels.engagement_shapes import CONE, FLAT, PROFILE
from camtwin_kernels.jit import lean_kernel, lean_part

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

PAD = 0.13
SNAP = 1.0


@lean_part
def _angles(right: float, left: float, radius: float, cell: float) -> tuple[float, float, float]:
    """Return φ_st and φ_ex of material between two sides of a cutter [rad], and cos φ_st - cos φ_ex."""
    first = 1.0 if left + SNAP * cell >= radius else max((left + PAD * cell) / radius, -1.0)
    last = -1.0 if right - SNAP * cell <= -radius else min((right - PAD * cell) / radius, first)
    return math.acos(first), math.acos(last), first - last


@lean_part
def radius_at(shape: int, size: Any, height: float) -> float:
    """Return the cutter's radius at ``height`` above its tip [mm]."""
    if shape == FLAT:
        return float(size[RADIUS])
    if shape == CONE:
        return float(min(size[RADIUS], size[TIP_RADIUS] + height / size[STEEPNESS]))
    corner = size[CORNER]
    if height >= corner:
        return float(size[RADIUS])
    return float(size[TIP_RADIUS] + math.sqrt(max(height * (2.0 * corner - height), 0.0)))


def levels_of(cutters: Cutters, cutter: Ints, low: Floats, tall: float, slices: int) -> Ints:
    """Return the heights between the axial slices of each step, (steps, slices + 1) [quanta].

    cutter: (steps,); low: (steps,) lowest tip over the stock's underside [mm]; tall: height of the stock [mm]

    A flat cutter is divided evenly from its tip to the stock's top; a rounded or pointed one where its edge turns:
    in equal angles of its corner, in equal radii of its cone; a table evenly up to where its wall begins. The last
    slice goes up to the stock's top.
    """
    depth, levels = np.maximum(tall - low, 1.0 / QUANTA), np.empty((len(cutter), slices + 1), np.int32)
    used = np.flatnonzero(np.bincount(cutter))
    for each in used:
        rows = slice(None) if len(used) == 1 else cutter == each
        fixed, share, rest = _bounds(int(cutters.shape[each]), cutters.size[each], depth[rows], slices)
        above = np.multiply.outer(rest, share * QUANTA)
        above += fixed * QUANTA + 0.5
        above[:, -1] = np.maximum(above[:, -1], depth[rows] * QUANTA + 0.5)
        above += low[rows, None] * QUANTA
        levels[rows] = above
    return levels


def _bounds(shape: int, size: Floats, depth: Floats, slices: int) -> tuple[Floats, Floats, Floats]:
    """Return where a cutter's slices begin and end above its tip [mm]: the same for all steps, plus a share of a rest.

    depth: (steps,) of material above the tip [mm]; returns (slices + 1,), (slices + 1,), (steps,)
    """
    k = np.arange(slices + 1.0)
    corner = float(size[CORNER])
    if shape == CONE:
        return size[STEEPNESS] * (size[RADIUS] - size[TIP_RADIUS]) * k / slices, 0.0 * k, depth
    if shape == PROFILE or corner == 0.0:
        edge = float(size[-1]) if shape == PROFILE and size[-1] > 0.0 else math.inf
        return 0.0 * k, k / slices, np.minimum(edge, depth)
    rounded = slices if size[TIP_RADIUS] <= 0.0 else (slices + 1) // 2
    curve = corner * (1.0 - np.cos(np.minimum(k / rounded, 1.0) * math.pi / 2.0))
    return curve, np.maximum(k - rounded, 0.0) / max(slices - rounded, 1), np.maximum(depth - corner, 0.0)


@lean_kernel
def widen(start: Any, end: Any, cutter: Any, window: float, goes_on: Any, right: Any, left: Any) -> None:
    """Give steps shorter than ``window`` [mm] the sides of the stretch of joined steps that is as long as that.

    A move of one cell cuts so few cells that their outermost says little; its neighbours say the rest. Joined are
    steps of one cutter of which each goes on where the one before it ended.

    start, end: (steps, 3) [mm]; cutter: (steps,); goes_on: (steps,) scratch; right, left: (steps, any) are changed
    """
    length = 0.0
    for s in range(1, cutter.size):
        length += _run(start, end, s - 1)
        goes_on[s] = length < window and _is_joined(start, end, cutter, s)
        if not goes_on[s]:
            length = 0.0
            continue
        for k in range(right.shape[1]):
            right[s, k] = min(right[s, k], right[s - 1, k])
            left[s, k] = max(left[s, k], left[s - 1, k])
    for s in range(cutter.size - 1, 0, -1):
        if goes_on[s]:
            for k in range(right.shape[1]):
                right[s - 1, k], left[s - 1, k] = right[s, k], left[s, k]


@lean_part
def _run(start: Any, end: Any, s: int) -> float:
    """Return how long a step is in the plane [mm]."""
    return math.sqrt((end[s, 0] - start[s, 0]) ** 2 + (end[s, 1] - start[s, 1]) ** 2)


@lean_part
def _is_joined(start: Any, end: Any, cutter: Any, s: int) -> bool:
    gap = abs(start[s, 0] - end[s - 1, 0]) + abs(start[s, 1] - end[s - 1, 1]) + abs(start[s, 2] - end[s - 1, 2])
    return bool(gap < 1e-6 and cutter[s] == cutter[s - 1])


@lean_part
def _share(
    shape: int, size: Any, volume: float, right: float, left: float, bottom: float, top: float, run: float, cell: float
) -> tuple[float, float, float, float]:
    """Return z and ap [mm], φ_st and φ_ex [rad] of a slice between two heights above the tip [mm]."""
    z = 0.5 * (bottom + top)
    if run <= 1e-9:
        return z, top - bottom, 0.0, 2.0 * math.pi
    radius = max(radius_at(shape, size, z), 0.5 * cell)
    phi_st, phi_ex, span = _angles(right, left, radius, cell)
    return z, volume / (max(radius * span, 0.5 * cell) * run), phi_st, phi_ex


@lean_kernel
def measure(
    cut: Cut, cutters: Cutters, cutter: Any, start: Any, end: Any, floor: float, cell: float, whole: Any, sliced: Any
) -> None:
    """Fill what each step took; the only slice of an unsliced cut is the whole step.

    cutter: (steps,); start, end: (steps, 3) [mm]; floor: z of the stock's underside [mm]
    whole: (5, steps) volume [mm³], ap, ae [mm], phi_st, phi_ex [rad]
    sliced: (4, steps, slices) z, ap [mm], phi_st, phi_ex [rad]
    """
    area = cell * cell
    for s in range(cutter.size):
        shape = cutters.shape[cutter[s]]
        size = cutters.size[cutter[s]]
        volume = cut.volume[s] / QUANTA * area
        whole[0, s] = volume
        if volume <= 0.0:
            continue
        run = _run(start, end, s)
        low = max(math.floor((min(start[s, 2], end[s, 2]) - floor) * QUANTA + 0.5), 0.0)
        ap = max((cut.top[s] - low) / QUANTA, 1.0 / QUANTA)
        right, left = cut.right[s] / QUANTA, cut.left[s] / QUANTA
        whole[1, s] = ap
        if run <= 1e-9:
            whole[2, s] = min(
                2.0 * math.sqrt(volume / (math.pi * max(start[s, 2] - end[s, 2], 1e-9))), 2.0 * size[RADIUS]
            )
            whole[3, s], whole[4, s] = 0.0, 2.0 * math.pi
        else:
            whole[2, s] = volume / (ap * run)
            whole[3, s], whole[4, s], _ = _angles(right, left, radius_at(shape, size, ap), cell)
        if cut.slice_volume.shape[1] == 0:
            sliced[0, s, 0], sliced[1, s, 0], sliced[2, s, 0], sliced[3, s, 0] = _share(
                shape, size, volume, right, left, 0.0, ap, run, cell
            )
        last_right, last_left, last_taken, last_ap, last_st, last_ex = math.nan, math.nan, 1.0, 0.0, 0.0, 0.0
        for k in range(cut.slice_volume.shape[1]):
            taken = cut.slice_volume[s, k] / QUANTA * area
            if taken <= 0.0:
                continue
            right, left = cut.slice_right[s, k] / QUANTA, cut.slice_left[s, k] / QUANTA
            bottom = (cut.levels[s, k] - low) / QUANTA
            top = min((cut.levels[s, k + 1] - low) / QUANTA, ap)
            if shape == FLAT and k > 0 and right == last_right and left == last_left and run > 1e-9:
                # Of a flat cutter most slices are alike; their arc cosines are most of the cost.
                sliced[0, s, k], sliced[1, s, k] = 0.5 * (bottom + top), last_ap * taken / last_taken
                sliced[2, s, k], sliced[3, s, k] = last_st, last_ex
                continue
            z, slice_ap, last_st, last_ex = _share(shape, size, taken, right, left, bottom, top, run, cell)
            sliced[0, s, k], sliced[1, s, k], sliced[2, s, k], sliced[3, s, k] = z, slice_ap, last_st, last_ex
            last_right, last_left, last_taken, last_ap = right, left, taken, slice_ap


@lean_kernel
def lay(moves: Moves, m0: int, m1: int, long: Any, move: Any, start: Any, end: Any, length: Any, plunge: Any) -> None:
    """Fill in where each step of moves ``m0`` to ``m1`` lies; they are ``long`` (moves,) [mm].

    move: (steps,); start, end: (steps, 3) [mm]; length: (steps,) [mm]; plunge: (steps,) share that goes down
    """
    for m in range(m0, m1):
        first = moves.first[m]
        steps = moves.first[m + 1] - first
        for s in range(steps):
            move[first + s] = m
            begin = position(moves, m, s / steps)
            stop = position(moves, m, (s + 1) / steps)
            for i in range(3):
                start[first + s, i] = begin[i]
                end[first + s, i] = stop[i]
            length[first + s] = long[m] / steps
            plunge[first + s] = (begin[2] - stop[2]) * steps / long[m] if long[m] > 0.0 else 0.0
