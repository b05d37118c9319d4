# SPDX-License-Identifier: LGPL-2.1-or-later
"""From corner speeds to time: how fast a machine of bounded acceleration can run along a path.

A machine may change the direction of its path only as fast as its axes allow, so every corner between two moves has
a greatest speed. Between corners it may gain or lose speed only at its acceleration. The fastest run within both
bounds is found in two passes, and then every move is a trapezoid:

    speed
      │        top ┌────────────┐                   top is the programmed feed, or what the axes can do
      │          ╱ │            │ ╲
      │        ╱   │            │   ╲  corner       backward: can I still brake for what comes?
      │ corner     │            │     ●             forward:  can I get that fast from what was?
      │  ●         │            │
      └──┴─────────┴────────────┴─────┴── time
           gaining    cruising   braking

The two passes are exact: entry² of every move is the least of the corner's speed², of the next entry² + 2·a·length
(backward) and of the last entry² + 2·a·length (forward). They are what grbl's planner computes piece by piece while
it looks ahead (grbl 1.1, planner.c, its introductory comment); here the whole path is known. The corners' speeds do
not depend on feeds: they are found once for a path, by numpy alone.
"""

import math

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import lean_kernel

Floats = NDArray[np.float64]


def _turns(leaving: Floats, arriving: Floats, accelerations: Floats) -> tuple[Floats, Floats]:
    """2·sin(θ/2) of every turn by θ, and the acceleration [mm/s²] that the axes give along its change of direction."""
    change = np.abs(arriving[1:] - leaving[1:])
    size = np.sqrt((change * change).sum(axis=1))
    share = change / np.where(size > 0.0, size, 1.0)[:, None]
    pull = np.where(share > 1e-9, accelerations / np.maximum(share, 1e-9), np.inf)
    return size, np.asarray(pull.min(axis=1))


def junction_speeds(leaving: Floats, arriving: Floats, accelerations: Floats, deviation: float, corner: Floats) -> None:
    """Fill ``corner`` [mm/s] with the speed at which the corner before every move may be taken.

    Imagine a circle that touches both moves and passes the corner at distance ``deviation``; run round it at the
    acceleration which the axes give towards its centre:

              δ ↘ ╱·╲            with half the angle between the moves s = sin(θ/2),
                 ╱ ○ ╲           its radius is δ·s/(1-s), and v² = a·δ·s/(1-s).
                ╱ θ   ╲          θ = 180° is straight on: no bound. θ = 0 is a reversal: a stop.

    Source: grbl 1.1, planner.c, plan_buffer_line (S. K. Jeon, "Improving Grbl: Cornering Algorithm", 2011).

    leaving: (moves, 3) unit vector at the end of the move before; arriving: (moves, 3) unit vector at the start
    accelerations: (3,) of the axes [mm/s²]; corner: (moves + 1,), the first and last entry are 0
    """
    size, pull = _turns(leaving, arriving, accelerations)
    cosine = -(leaving[1:] * arriving[1:]).sum(axis=1)  # of θ
    sine = np.sqrt(0.5 * (1.0 - np.clip(cosine, -0.999999, 1.0)))
    pull[size < 1e-6] = 0.0  # straight on: no bound, as set below
    bend = corner[1:-1]
    bend[:] = np.sqrt(pull * deviation * sine / (1.0 - sine))
    bend[cosine < -0.999999] = np.inf
    bend[cosine > 0.999999] = 0.0
    corner[[0, -1]] = 0.0


def tolerance_speeds(leaving: Floats, arriving: Floats, accelerations: Floats, bounds: Floats, corner: Floats) -> None:
    """Fill ``corner`` [mm/s] with the speed at which a control that smooths the path stays within a tolerance.

    The velocity turns from one direction into the other by a change Δ = 2·v·sin(θ/2), θ the angle of turn. At
    acceleration a that takes T₁ = Δ/a; the filter against jerk spreads it over another T₂. The velocity's change is
    then the sum of two boxes' shares, and the path misses the corner by Δ/2 times the mean of |t| over that time:

        a ┐  ┌────────┐             e = Δ/8·(T₁ + T₂²/(3·T₁)),  T₁ ≥ T₂;  with T₁ and T₂ swapped otherwise
          │ ╱          ╲
          │╱            ╲           Solved for Δ:  Δ² = 8·a·(e - a·T₂²/24),  or Newton's steps where T₂ is longer.
          └──────────────┴ t
           T₂   T₁-T₂  T₂

    The two boxes are those of a finite-impulse-response interpolator (Ward, Sencer, Jones, Ozturk, Int. J. Adv.
    Manuf. Technol. 2021); the mean of |t| over a box of length T is T/4, and a trapezoid follows by integration.

    leaving, arriving, accelerations, corner: as in ``junction_speeds``; bounds: tolerance e [mm], T₂ [s]
    """
    tolerance, smoothing = bounds
    size, pull = _turns(leaving, arriving, accelerations)
    turns = size >= 1e-6
    size, pull = size[turns], pull[turns]
    limit = pull * smoothing
    square = 8.0 * pull * (tolerance - pull * smoothing * smoothing / 24.0)
    change = np.sqrt(np.maximum(square, 0.0))
    soft = square < limit * limit
    if soft.any():
        change[soft] = _softened(pull[soft], tolerance, smoothing)
    corner[1:-1] = np.inf
    corner[1:-1][turns] = change / size
    corner[[0, -1]] = 0.0


def _softened(pull: Floats, tolerance: float, smoothing: float) -> Floats:
    """The change of velocity [mm/s] where smoothing takes longer than turning: Δ·T₂/8 + Δ³/(24·a²·T₂) = e."""
    change = np.minimum(pull * smoothing, 8.0 * tolerance / smoothing)
    for _ in range(4):
        excess = change * smoothing / 8.0 + change**3 / (24.0 * pull * pull * smoothing) - tolerance
        change -= excess / (smoothing / 8.0 + change * change / (8.0 * pull * pull * smoothing))
    return change


@lean_kernel
def plan_speeds(length: Floats, top: Floats, acceleration: Floats, corner: Floats, entry: Floats) -> None:
    """Fill ``entry`` [mm/s] with the speed at the start of every move, the fastest that all bounds allow.

    length, top, acceleration: (moves,) [mm, mm/s, mm/s²]; corner, entry: (moves + 1,), entry's last is the final speed
    """
    moves = length.size
    ahead = min(corner[moves], top[moves - 1]) ** 2
    entry[moves] = ahead
    for i in range(moves - 1, -1, -1):
        bound = min(corner[i], top[i])
        if i > 0:
            bound = min(bound, top[i - 1])
        ahead = min(bound * bound, ahead + 2.0 * acceleration[i] * length[i])
        entry[i] = ahead
    behind = entry[0]
    entry[0] = math.sqrt(behind)
    for i in range(moves):
        behind = min(entry[i + 1], behind + 2.0 * acceleration[i] * length[i])
        entry[i + 1] = math.sqrt(behind)


@lean_kernel
def trapezoids(length: Floats, top: Floats, acceleration: Floats, entry: Floats, peak: Floats, phases: Floats) -> None:
    """Fill ``peak`` [mm/s], the highest speed in every move, and ``phases`` [s], how long it gains, cruises, brakes.

    length, top, acceleration, peak: (moves,); entry: (moves + 1,); phases: (moves, 3)
    """
    for i in range(length.size):
        first = entry[i]
        last = entry[i + 1]
        pull = acceleration[i]
        summit = math.sqrt(0.5 * (first * first + last * last) + pull * length[i])
        summit = max(min(summit, top[i]), first, last)
        peak[i] = summit
        gaining = (summit - first) / pull
        braking = (summit - last) / pull
        way = length[i] - 0.5 * (first + summit) * gaining - 0.5 * (last + summit) * braking
        phases[i, 0] = gaining
        phases[i, 1] = max(0.0, way) / summit if summit > 0.0 else 0.0
        phases[i, 2] = braking
