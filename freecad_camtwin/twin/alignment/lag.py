# SPDX-License-Identifier: LGPL-2.1-or-later
"""How far measured positions trail the path and lie beside it: lag and bias, from the run itself.

The essay
=========
An axis that follows its set point P with a lag τ is at p with τ·ṗ + p = P: on a straight it trails by v·τ, and in a
curve it cuts the corner. A work zero that is off by b shifts all of it. So P = p + τ·ṗ - b, and P lies on the path.
What is seen of that is only across the path's direction u, as along it the match is free::

    (I - u·uᵀ) · (p + τ·ṗ - b - q) = 0        q: the matched point of the path

which is linear in τ and b: least squares over many samples, a new match with the result, and again, as in the
alignment of scans (Besl and McKay, 1992, iterative closest points). Corners determine τ, walls in
all directions b.

ṗ is a difference of measured positions and as noisy as they are, which would pull τ towards 0 (errors in variables).
So the equations are not weighted with ṗ itself but with a difference of other samples, farther apart: an
instrument, which has the same motion but other noise.

From far off the match itself is wrong, so a few lags are tried first and that with the nearest path is refined. A
mere delay, p(t) = P(t - δ), leaves p on the path and cannot be seen here: ``delay`` estimates it from reported lines.
A line that is new in a row became so since the row before: δ lies in an interval as long as the time between both.
The δ in most of the intervals is taken, as clocks are compared (Marzullo and Owicki, 1983): rows in step with the
moves have all their middles on one side, and lines that the control reports elsewhere lie far off.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from camtwin_kernels import lag as kernels
from freecad_camtwin.twin.alignment.polyline import Polyline
from freecad_camtwin.twin.base.arrays import Floats, Indices, Ints

#: Lags that are tried before one is refined [s].
TRIED = (0.0, 0.02, 0.05, 0.1)
#: How much of a run is looked at: so many stretches of so many seconds, and at most so many samples in all.
STRETCHES, _STRETCH, _MOST = 5, 20.0, 30_000
#: Over how long velocities are taken, to each side [s].
HALF = 0.008
#: A smaller lag is set to 0, as velocities are noisy; a greater one is clipped [s].
_LEAST, GREATEST = 0.001, 0.3
_BOUND, _FAR = 1.0, 0.3  # so far from the path counts in the first round, and later [mm]
_ROUNDS = 2
_BETTER = 0.99  # a greater lag is taken only if its misfit is below this share
_ENOUGH = 50  # samples for a round
_FEWEST, _LINES = 8, 400  # least and greatest number of lines for a delay
_LATEST = 0.5  # positions are looked for so long before and after a new line [s]
_SURE = 0.004  # least uncertainty of a delay from one line [s]
_MOST_OF = 0.95  # delays that this share of the best count of lines allows are equally likely
_NEAR = 0.3  # samples farther apart do not date an event [s]
_MOVING = 0.02  # nor do samples between which the tool moved less than this [mm]

#: Matches samples (time, points) of a stretch with the path: segment, way, distance of each.

Matcher = Callable[[Floats, Floats, slice, float], tuple[Ints, Floats, Floats]]


@dataclass(frozen=True)
class Correction:
    """The difference between the control's position of the tool and the reported one."""

    lag: float = 0.0  #: τ of the axes' following [s]
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)  #: by which positions are off [mm]
    delay: float = 0.0  #: by which positions come later than the line number [s]
    noise: float = float("nan")  #: residual across the path, root mean square [mm]

    @property
    def limit(self) -> float:
        """How far a sample may be from the path before it counts as elsewhere [mm]."""
        return 0.3 if np.isnan(self.noise) else float(np.clip(8 * self.noise, 0.1, 1.0))

    def of(self, time: Floats, points: Floats, rate: "Rate | None" = None) -> Floats:
        """Return the control's positions of the tool, (n, 3) [mm]."""
        rate = rate or Rate.of(time)
        out = np.empty_like(points)
        kernels.correct(time, points, np.array(self.bias), self.lag, rate.reach, rate.longest, out)
        return out


@dataclass(frozen=True)
class Rate:
    """How velocities are taken from samples: from so many to each side, unless they are farther apart than that."""

    reach: int
    longest: float  #: [s]

    @staticmethod
    def of(time: Floats) -> "Rate":
        """Return the rate for the usual time between samples."""
        steps = np.sort(np.diff(time) if len(time) < 1000 else (time[1:] - time[:-1])[:: len(time) // 500])
        usual = max(float(steps[len(steps) // 2]), 1e-6) if len(steps) else HALF
        reach = max(1, min(round(HALF / usual), (len(time) - 1) // 4))
        return Rate(reach, 3.0 * reach * usual)


def estimate(line: Polyline, time: Floats, points: Floats, match: Matcher) -> Correction:
    """Return lag and bias of a run; zeros where it is too short or never on the path."""
    rounds = _Rounds(line, time, points, match)
    best, least = Correction(), math.inf  # the least lag that fits, as rounded corners look like some lag
    for lag in TRIED:
        correction = Correction(lag=lag)
        for limit in (_BOUND, _FAR):
            correction, _ = rounds.refined(correction, limit)
        correction, miss = rounds.refined(correction, _FAR)
        if miss < _BETTER * least:
            best, least = correction, miss
    for _ in range(_ROUNDS):
        best, _ = rounds.refined(best, float(np.clip(10 * np.nan_to_num(best.noise), 0.05, _FAR)))
    return best if best.lag >= _LEAST else replace(best, lag=0.0)


def _stretches(time: Floats) -> list[slice]:
    """Return the samples of some stretches, evenly over the run; all of them if it is short."""
    duration = float(time[-1] - time[0])
    if duration <= STRETCHES * _STRETCH and len(time) <= _MOST:
        return [slice(0, len(time))]
    begins = np.linspace(time[0], time[-1] - min(_STRETCH, duration / STRETCHES), STRETCHES)
    first = np.searchsorted(time, begins)
    last = np.minimum(np.searchsorted(time, begins + _STRETCH), first + _MOST // STRETCHES)
    return [slice(int(a), int(b)) for a, b in zip(first, last, strict=True) if b - a > 20]


class _Rounds:
    """The least squares over some stretches of a run."""

    def __init__(self, line: Polyline, time: Floats, points: Floats, match: Matcher) -> None:
        self.line, self.time, self.points, self.match = line, time, points, match
        self.rate = Rate.of(time)
        self.windows = _stretches(time)

    def refined(self, now: Correction, limit: float) -> tuple[Correction, float]:
        """Return a better correction, and how badly the one before fits [mm²]; the same one if little is on the path.

        What is nearer to the path than ``limit`` [mm] counts. The misfit is the mean product of neighboring gaps:
        noise is in none of it, however much of it a lag amplifies.
        """
        sums, work, count, samples = np.zeros((4, 6)), np.empty((4, 3)), 0, 0
        for window in self.windows:
            t, p = self.time[window], self.points[window]
            corrected = now.of(t, p, self.rate)
            segment, arc_length, _ = self.match(t, corrected, window, _BOUND)
            count += kernels.equations(
                self.line.segments, segment, arc_length, t, p, corrected, self.rate.reach, self.rate.longest,
                limit, limit / 5, work, sums,
            )  # fmt: skip
            samples += len(t)
        if count < _ENOUGH:
            return now, _FAR**2
        miss = (sums[1, 5] + (samples - sums[2, 5]) * _FAR**2) / samples
        # Where the path never turns, the lag stays as it was tried. Where it goes one way only, that part of the bias
        # is 0, whatever a round before made of samples that have turned out to lie elsewhere.
        right_side = sums[:, 4] + sums[:, 1:4] @ np.array(now.bias)
        answer = np.linalg.lstsq(sums[:, :4], right_side, rcond=1e-6)[0]
        lag = float(np.clip(now.lag + answer[0], 0.0, GREATEST))
        x, y, z = np.clip(answer[1:], -_BOUND, _BOUND).tolist()
        return replace(now, lag=lag, bias=(x, y, z), noise=math.sqrt(sums[0, 5] / (2 * count))), float(miss)


def delay(time: Floats, way: Floats, changed: Indices, reported: Floats) -> float:
    """Return by how much positions are late against the line number [s]; 0 if too few lines are usable.

    way: (n,) matched; changed: rows at which a new line is seen first, which came between that row and the one
    before; reported: way at which each of these lines is reported first [mm]
    """
    some = np.linspace(0, len(changed) - 1, min(len(changed), _LINES)).astype(int)
    late = [_late(time, way, int(changed[each]), float(reported[each])) for each in some]
    intervals = np.array([each for each in late if each is not None])
    if len(intervals) < _FEWEST:
        return 0.0
    begins, ends = intervals[:, 0] - intervals[:, 1], intervals[:, 0] + intervals[:, 1]
    edges = np.sort(np.concatenate([begins, ends]))
    agree = np.searchsorted(np.sort(begins), edges, "right") - np.searchsorted(np.sort(ends), edges, "left")
    return float(edges[agree >= _MOST_OF * agree.max()][[0, -1]].mean())


def _late(time: Floats, arc_length: Floats, row: int, reached: float) -> tuple[float, float] | None:
    """How long after the line's change at ``row`` the positions come to ``reached``, and within what [s].

    None where that is unclear.
    """
    since = time[row] - time[row - 1]
    if since > _NEAR:
        return None
    seen = (time[row] + time[row - 1]) / 2
    low, high = np.searchsorted(time, [seen - _LATEST, seen + _LATEST])
    few = slice(low, high, max(1, round(HALF / since)))
    times, ways = time[few], arc_length[few]
    passed = np.flatnonzero((ways[:-1] < reached) & (ways[1:] >= reached))
    if len(passed) != 1:
        return None
    at = int(passed[0])
    distance, duration = ways[at + 1] - ways[at], times[at + 1] - times[at]
    # If the tool stands or creeps, the time of passing is only noise.
    if distance < _MOVING or duration > _NEAR:
        return None
    return float(times[at] + (reached - ways[at]) / distance * duration - seen), max(since / 2, _SURE)
