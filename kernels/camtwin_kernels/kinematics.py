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
it looks ahead (grbl 1.1, planner.c, its introductory comment); here the whole path is known.
"""

import math

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import kernel

Floats = NDArray[np.float64]


@kernel
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
    moves = arriving.shape[0]
    corner[0] = 0.0
    corner[moves] = 0.0
    for i in range(1, moves):
        cosine = 0.0
        size = 0.0
        for axis in range(3):
            cosine -= leaving[i, axis] * arriving[i, axis]
            change = arriving[i, axis] - leaving[i, axis]
            size += change * change
        if cosine > 0.999999:
            corner[i] = 0.0
            continue
        if cosine < -0.999999:
            corner[i] = np.inf
            continue
        size = math.sqrt(size)
        acceleration = np.inf
        for axis in range(3):
            change = abs(arriving[i, axis] - leaving[i, axis]) / size
            if change > 1e-9:
                acceleration = min(acceleration, accelerations[axis] / change)
        sine = math.sqrt(0.5 * (1.0 - cosine))
        corner[i] = math.sqrt(acceleration * deviation * sine / (1.0 - sine))


@kernel
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
    tolerance = bounds[0]
    smoothing = bounds[1]
    moves = arriving.shape[0]
    corner[0] = 0.0
    corner[moves] = 0.0
    for i in range(1, moves):
        size = 0.0
        for axis in range(3):
            size += (arriving[i, axis] - leaving[i, axis]) ** 2
        size = math.sqrt(size)  # 2·sin(θ/2)
        if size < 1e-6:
            corner[i] = np.inf
            continue
        pull = np.inf
        for axis in range(3):
            share = abs(arriving[i, axis] - leaving[i, axis]) / size
            if share > 1e-9:
                pull = min(pull, accelerations[axis] / share)
        square = 8.0 * pull * (tolerance - pull * smoothing * smoothing / 24.0)
        limit = pull * smoothing
        if square >= limit * limit:
            change = math.sqrt(square)
        else:
            change = min(limit, 8.0 * tolerance / smoothing)
            for _ in range(4):
                excess = change * smoothing / 8.0 + change**3 / (24.0 * pull * pull * smoothing) - tolerance
                slope = smoothing / 8.0 + change * change / (8.0 * pull * pull * smoothing)
                change -= excess / slope
        corner[i] = change / size


@kernel
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


@kernel
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
