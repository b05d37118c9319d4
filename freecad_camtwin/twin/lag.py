# SPDX-License-Identifier: LGPL-2.1-or-later
"""How far measured positions trail the path and lie beside it: lag and bias, from the run itself.

The essay
=========
An axis that follows its set point P with a lag τ is at p with τ·ṗ + p = P: on a straight it trails by v·τ, and in a
curve it cuts the corner. A work zero that is off by b shifts all of it. So P = p + τ·ṗ - b, and P lies on the path.
What is seen of that is only across the path's direction u, as along it the match is free::

    (I - u·uᵀ) · (p + τ·ṗ - b - q) = 0        q: the matched point of the path

which is linear in τ and b: least squares over many samples, a new match with what was found, and again, as in the
alignment of scans (Besl and McKay, 1992, iterative closest points). Corners tell τ, walls in all directions tell b.

ṗ is a difference of measured positions and as noisy as they are, which would pull τ towards 0 (errors in variables).
So the equations are not weighted with ṗ itself but with a difference of other samples, farther apart: an
instrument, which knows the motion as well but not the same noise.

From far off the match itself is wrong, so a few lags are tried first and that with the nearest path is refined. A
mere delay, p(t) = P(t - δ), leaves p on the path and cannot be seen here: the reported line tells it (``delay``).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels import lag as kernels
from freecad_camtwin.twin.polyline import Polyline
from freecad_camtwin.twin.toolpath import Floats, Ints

#: Lags that are tried before one is refined [s].
TRIED = (0.0, 0.015, 0.03, 0.05, 0.08)
#: How much of a run is looked at: so many stretches of so many seconds, and at most so many samples in all.
STRETCHES, STRETCH, MOST = 5, 20.0, 40_000
#: Over how long velocities are taken, to each side [s].
HALF = 0.008
#: Lags outside these are none [s].
LEAST, GREATEST = -0.02, 0.3
_BOUND = 1.0  # a distance beyond this counts as this [mm]
_ROUNDS = 4
_ENOUGH = 50  # samples for a round
_LATEST = 0.5  # positions are looked for so long before and after a new line [s]
_NEAR = 0.3  # samples farther apart do not tell when something happened [s]
_MOVING = 0.02  # nor do those between which the tool has come less than this [mm]

#: Matches samples (time, points) of a stretch with the path: segment, way, distance of each.
Match = Callable[[Floats, Floats, slice, float], tuple[Ints, Floats, Floats]]


@dataclass(frozen=True)
class Correction:
    """What stands between where the control had the tool and what was reported."""

    lag: float = 0.0  #: τ of the axes' following [s]
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)  #: by which positions are off [mm]
    delay: float = 0.0  #: by which positions come later than the line number [s]
    noise: float = float("nan")  #: what is left across the path, root mean square [mm]

    @property
    def limit(self) -> float:
        """How far a sample may be from the path before it counts as elsewhere [mm]."""
        return 0.3 if np.isnan(self.noise) else float(np.clip(8 * self.noise, 0.1, 1.0))

    def of(self, time: Floats, points: Floats, reach: int | None = None) -> Floats:
        """Return where the control had the tool, (n, 3) [mm]. ``reach``: rows to each side that tell the velocity."""
        reach = reach or span(time)
        out = np.empty_like(points)
        kernels.correct(time, points, np.array(self.bias), self.lag, reach, longest(time, reach), out)
        return out


def span(time: Floats) -> int:
    """Return how many samples ``HALF`` is, at least one."""
    return max(1, min(round(HALF / max(_usual(time), 1e-6)), (len(time) - 1) // 4))


def longest(time: Floats, reach: int) -> float:
    """Return over how long a difference of samples ``reach`` to each side may go to be a velocity [s]."""
    return 3.0 * reach * _usual(time)


def _usual(time: Floats) -> float:
    """Return the usual time between samples, by some of them [s]."""
    if len(time) < 2:
        return HALF
    some = np.unique(np.linspace(0, len(time) - 2, min(len(time) - 1, 2000)).astype(int))
    return float(np.median(time[some + 1] - time[some]))


def estimate(line: Polyline, time: Floats, points: Floats, match: Match) -> Correction:
    """Return lag and bias of a run; zeros where it is too short or never on the path."""
    windows = _stretches(time)
    if not windows:
        return Correction()
    best, least = Correction(), np.inf
    for lag in TRIED:
        tried = Correction(lag=lag)
        miss = np.mean([_miss(match, tried, time, points, window) for window in windows])
        if miss < least:
            best, least = tried, float(miss)
    for round_ in range(_ROUNDS):
        limit = _BOUND if round_ == 0 else float(np.clip(10 * best.noise, 0.05, _BOUND))
        refined = _refine(line, best, time, points, windows, match, limit)
        if refined is None:
            break
        best = refined
    return best


def _stretches(time: Floats) -> list[slice]:
    """Return the samples of some stretches, evenly over the run; all of them if it is short."""
    duration = float(time[-1] - time[0])
    if duration <= STRETCHES * STRETCH and len(time) <= MOST:
        return [slice(0, len(time))]
    begins = np.linspace(time[0], time[-1] - min(STRETCH, duration / STRETCHES), STRETCHES)
    first = np.searchsorted(time, begins)
    last = np.minimum(np.searchsorted(time, begins + STRETCH), first + MOST // STRETCHES)
    return [slice(int(a), int(b)) for a, b in zip(first, last, strict=True) if b - a > 20]


def _miss(match: Match, tried: Correction, time: Floats, points: Floats, window: slice) -> float:
    _, _, distance = match(time[window], tried.of(time[window], points[window]), window, _BOUND)
    off = np.where(np.isnan(distance), _BOUND, np.minimum(distance, _BOUND))
    return float(np.mean(off**2)) if off.size else _BOUND**2


def _refine(
    line: Polyline, now: Correction, time: Floats, points: Floats, windows: list[slice], match: Match, limit: float
) -> Correction | None:
    """One round of least squares; None where too little of the run is on the path."""
    sums, work, count = np.zeros((4, 6)), np.empty((3, 3)), 0
    for window in windows:
        t, p = time[window], points[window]
        reach = span(t)
        corrected = now.of(t, p, reach)
        segment, way, _ = match(t, corrected, window, _BOUND)
        count += kernels.equations(
            line.segments, segment, way, t, p, corrected, reach, longest(t, reach), limit, work, sums
        )  # fmt: skip
    if count < _ENOUGH:
        return None
    # Where the path never turns, or goes one way only, that part of the answer stays as it was.
    change = np.linalg.lstsq(sums[:, :4], sums[:, 4], rcond=1e-6)[0]
    lag = float(np.clip(now.lag + change[0], LEAST, GREATEST))
    bias = np.clip(np.array(now.bias) + change[1:], -_BOUND, _BOUND)
    noise = float(np.sqrt(sums[0, 5] / (2 * count)))
    return replace(now, lag=lag, bias=(float(bias[0]), float(bias[1]), float(bias[2])), noise=noise)


def delay(time: Floats, way: Floats, first: Ints, before: Floats) -> float:
    """Return by how much positions are late against the line number [s]; 0 where nothing tells.

    way: (n,) matched; first: (n,) the first move that each sample's line allows, -1 unknown; before: (moves + 1,) way
    before every move. A new line is seen at a sample, and came between it and the one before.
    """
    changed = np.flatnonzero((np.diff(first) > 0) & (first[:-1] >= 0)) + 1
    late = [_late(time, way, int(row), float(before[first[row]])) for row in _some(changed, 400)]
    told = np.array([each for each in late if each is not None])
    return float(np.median(told)) if len(told) >= 8 else 0.0


def _some(rows: NDArray[np.integer[Any]], most: int) -> NDArray[np.integer[Any]]:
    """Return at most so many of the rows, evenly chosen."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def _late(time: Floats, way: Floats, row: int, reached: float) -> float | None:
    """How long after the line's change at ``row`` the positions come to where it begins [s]; None where unclear."""
    if time[row] - time[row - 1] > _NEAR:
        return None
    seen = (time[row] + time[row - 1]) / 2
    low, high = np.searchsorted(time, [seen - _LATEST, seen + _LATEST])
    passed = np.flatnonzero((way[low : high - 1] < reached) & (way[low + 1 : high] >= reached))
    if len(passed) != 1:
        return None
    at = low + int(passed[0])
    gone = way[at + 1] - way[at]
    # Where the tool stands or creeps, noise alone decides when it passes.
    if gone < _MOVING or time[at + 1] - time[at] > _NEAR:
        return None
    return float(time[at] + (reached - way[at]) / gone * (time[at + 1] - time[at]) - seen)
