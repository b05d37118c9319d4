# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lag and bias of measured positions: taken out of them, and the equations that tell them. ``twin.lag`` explains."""

import math
from typing import Any

from camtwin_kernels.alignment import LENGTH, UX, WAY, X
from camtwin_kernels.jit import lean_kernel, lean_part


@lean_kernel
def fresh(time: Any, points: Any, longest: float, rows: Any) -> int:
    """List the rows that have a position and a new one, or the first since ``longest`` seconds; return how many.

    A source that is slower than its rows repeats its position, which must not look like a tool that stands.
    time: (n,) [s]; points: (n, 3) [mm], NaN unknown; rows: (n,)
    """
    count, last = 0, -1
    for i in range(time.size):
        if math.isnan(points[i, 0] + points[i, 1] + points[i, 2]):
            continue
        is_new = last < 0 or time[i] - time[last] >= longest
        if not is_new:
            for k in range(3):
                is_new = is_new or points[i, k] != points[last, k]
        if is_new:
            rows[count] = i
            count += 1
            last = i
    return count


@lean_part
def slope(time: Any, points: Any, i: int, k: int, reach: int, longest: float) -> Any:
    """Return the speed of axis ``k`` at row ``i`` from the rows ``reach`` away [mm/s].

    From one side where the other is not near, beside a silence or an end; 0 where neither is.
    """
    low, high = max(i - reach, 0), min(i + reach, time.size - 1)
    if time[high] - time[i] >= 0.5 * longest:
        high = i
    if time[i] - time[low] >= 0.5 * longest:
        low = i
    seconds = time[high] - time[low]
    if high - low < reach or not seconds > 0.0:
        return 0.0
    return (points[high, k] - points[low, k]) / seconds


@lean_kernel
def correct(time: Any, points: Any, bias: Any, lag: float, reach: int, longest: float, out: Any) -> None:
    """Fill ``out`` (n, 3) with where the control had the tool.

    time: (n,) [s]; points: (n, 3) measured [mm]; bias: (3,) [mm]; lag [s]; reach: rows to each side that tell the
    velocity; longest: between them [s]
    """
    for i in range(time.size):
        for k in range(3):
            out[i, k] = points[i, k] - bias[k]
            if lag != 0.0:
                out[i, k] += lag * slope(time, points, i, k, reach, longest)


@lean_part
def across(v: Any, u: Any) -> None:
    """Leave of ``v`` (3,) what is across the direction ``u`` (3,)."""
    along = v[0] * u[0] + v[1] * u[1] + v[2] * u[2]
    for k in range(3):
        v[k] -= along * u[k]


@lean_kernel
def equations(
    segments: Any,
    segment: Any,
    way: Any,
    time: Any,
    points: Any,
    corrected: Any,
    reach: int,
    longest: float,
    limit: float,
    scale: float,
    work: Any,
    sums: Any,
) -> int:
    """Add one stretch of a run to the normal equations of a change of lag and bias; return how many samples did.

    segment, way: (n,) matched; corrected: (n, 3) by what is known so far; limit: farthest from the path [mm]
    scale: a sample so far off counts half [mm]; work: (4, 3) scratch
    sums: (4, 6) instruments × unknowns (lag, bias), right side; in the last column the sum of squared gaps, that of
    gaps times the gap one sample before, and how many samples that are
    """
    count, latest = 0, -2
    gap, speed, other, before = work[0], work[1], work[2], work[3]
    for i in range(2 * reach, time.size - 2 * reach):
        if segment[i] < 0:
            continue
        row = segments[segment[i]]
        u = row[UX : UX + 3]
        at = min(max(way[i] - row[WAY], 0.0), row[LENGTH])
        for k in range(3):
            gap[k] = corrected[i, k] - row[X + k] - at * u[k]
            speed[k] = slope(time, points, i, k, reach, longest)
            other[k] = slope(time, points, i, k, 2 * reach, 2.0 * longest)
        is_still = speed[0] == speed[1] == speed[2] == 0.0 or other[0] == other[1] == other[2] == 0.0
        across(gap, u)
        square = gap[0] ** 2 + gap[1] ** 2 + gap[2] ** 2
        if is_still or square > limit * limit:
            continue
        across(speed, u)
        weight = 1.0 / (1.0 + square / (scale * scale))
        if latest == i - 1:
            sums[1, 5] += gap[0] * before[0] + gap[1] * before[1] + gap[2] * before[2]
            sums[2, 5] += 1.0
        latest = i
        for k in range(3):
            before[k] = gap[k]
            # Row k: speed[k]·Δτ - Σ (δ - u·u)[k, m]·Δb[m] = -gap[k], weighted with the instruments.
            sums[0, 0] += weight * other[k] * speed[k]
            sums[0, 4] -= weight * other[k] * gap[k]
            sums[k + 1, 0] -= weight * speed[k]
            sums[k + 1, 4] += weight * gap[k]
            for m in range(3):
                shift = u[k] * u[m] - (1.0 if k == m else 0.0)
                sums[0, m + 1] += weight * other[k] * shift
                sums[k + 1, m + 1] -= weight * shift
        sums[0, 5] += square
        count += 1
    return count
